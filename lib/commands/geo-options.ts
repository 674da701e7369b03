import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { Position } from '../store/geo/geohash.js';
import type { Shape } from '../store/geo/shape.js';
import { integerOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { doubleOrReply, positionOrReply, unitOrReply } from './geo-arguments.js';

/** What a command does not leave to its options. */
export interface SearchKind {
  /** Argument that names the sorted set. */
  readonly source: number;
  /** Where the middle is given, and but for options a radius behind it. */
  readonly from: 'position' | 'member' | 'options';
  /** GEORADIUS has an option with a key; of GEOSEARCHSTORE the first argument is it. */
  readonly stores: 'by-option' | 'always' | 'never';
}

export interface SearchOptions extends Shape {
  middle: 'none' | 'position' | 'member';
  form: 'none' | 'circle' | 'box';
  withDistance: boolean;
  withHash: boolean;
  withPosition: boolean;
  order: 'none' | 'ascending' | 'descending';
  isAny: boolean;
  /** 0 for all. */
  count: number;
  /** Argument that names the target, 0 for none. */
  store: number;
  storesDistances: boolean;
}

/** Finds the position of the member that an argument names, and sets `to` to it; null where there is no sorted set. */
export type FindMember = ((index: number, to: Position) => boolean) | null;

/** An option by itself, and what it sets. */
const FLAGS: readonly (readonly [name: string, sets: Partial<SearchOptions>])[] = [
  ['WITHDIST', { withDistance: true }],
  ['WITHHASH', { withHash: true }],
  ['WITHCOORD', { withPosition: true }],
  ['ANY', { isAny: true }],
  ['ASC', { order: 'ascending' }],
  ['DESC', { order: 'descending' }],
];

/** Reads the options of one command. What returns a boolean returns false after an error reply. */
class OptionReader {
  readonly options: SearchOptions = {
    longitude: 0,
    latitude: 0,
    radius: Number.NaN,
    width: 0,
    height: 0,
    unit: 1,
    middle: 'none',
    form: 'none',
    withDistance: false,
    withHash: false,
    withPosition: false,
    order: 'none',
    isAny: false,
    count: 0,
    store: 0,
    storesDistances: false,
  };
  readonly #request: Request;
  readonly #kind: SearchKind;
  readonly #findMember: FindMember;
  readonly #reply: ReplyWriter;

  constructor(request: Request, kind: SearchKind, findMember: FindMember, reply: ReplyWriter) {
    this.#request = request;
    this.#kind = kind;
    this.#findMember = findMember;
    this.#reply = reply;
  }

  read(): boolean {
    const { argc } = this.#request;
    const first = this.#readBase();
    if (first < 0) return false;
    for (let i = first; i < argc; ) {
      const taken = this.#readOption(i, argc - i - 1);
      if (taken === 0) this.#reply.error(Errors.syntax);
      if (taken <= 0) return false;
      i += taken;
    }
    const error = this.#conflict();
    if (error !== null) this.#reply.error(error);
    return error === null;
  }

  /** What stands before the options; returns where these begin, -1 after an error reply. */
  #readBase(): number {
    const { source, from, stores } = this.#kind;
    if (stores === 'always') this.options.store = 1;
    if (from === 'options') return source + 1;
    if (from === 'position') return this.#readPlace(2) && this.#readRadius(4) ? 6 : -1;
    if (this.#findMember === null) return 5;
    return this.#readMember(2) && this.#readRadius(3) ? 5 : -1;
  }

  /** How many arguments option `i` is, with `behind` arguments behind it; 0 for no option, -1 after an error reply. */
  #readOption(i: number, behind: number): number {
    const request = this.#request;
    const { options } = this;
    const flag = FLAGS.find(([name]) => request.is(i, name));
    if (flag !== undefined) {
      Object.assign(options, flag[1]);
      return 1;
    }
    if (behind >= 1 && request.is(i, 'COUNT')) return this.#readCount(i + 1) ? 2 : -1;
    if (this.#kind.from === 'options') return this.#readSearchOption(i, behind);
    const ofDistances = request.is(i, 'STOREDIST');
    const isStore = ofDistances || request.is(i, 'STORE');
    if (!isStore || behind < 1 || this.#kind.stores === 'never') return 0;
    options.store = i + 1;
    options.storesDistances = ofDistances;
    return 2;
  }

  #readSearchOption(i: number, behind: number): number {
    const request = this.#request;
    const { options } = this;
    const { middle, form } = options;
    if (this.#kind.stores === 'always' && request.is(i, 'STOREDIST')) {
      options.storesDistances = true;
      return 1;
    }
    if (behind >= 1 && middle !== 'position' && request.is(i, 'FROMMEMBER')) {
      return this.#readMember(i + 1) ? 2 : -1;
    }
    if (behind >= 2 && middle !== 'member' && request.is(i, 'FROMLONLAT')) {
      return this.#readPlace(i + 1) ? 3 : -1;
    }
    if (behind >= 2 && form !== 'box' && request.is(i, 'BYRADIUS')) {
      return this.#readRadius(i + 1) ? 3 : -1;
    }
    if (behind >= 3 && form !== 'circle' && request.is(i, 'BYBOX')) {
      return this.#readBox(i + 1) ? 4 : -1;
    }
    return 0;
  }

  #readMember(index: number): boolean {
    this.options.middle = 'member';
    if (this.#findMember === null || this.#findMember(index, this.options)) return true;
    this.#reply.error('ERR could not decode requested zset member');
    return false;
  }

  #readPlace(index: number): boolean {
    const found = positionOrReply(this.#request, index, this.#reply);
    if (found !== null) Object.assign(this.options, found, { middle: 'position' });
    return found !== null;
  }

  #readRadius(index: number): boolean {
    const radius = doubleOrReply(this.#request, index, this.#reply, 'ERR need numeric radius');
    if (radius === undefined) return false;
    if (radius < 0) {
      this.#reply.error('ERR radius cannot be negative');
      return false;
    }
    return this.#readUnit(index + 1, { form: 'circle', radius });
  }

  #readBox(index: number): boolean {
    const width = doubleOrReply(this.#request, index, this.#reply, 'ERR need numeric width');
    if (width === undefined) return false;
    const height = doubleOrReply(this.#request, index + 1, this.#reply, 'ERR need numeric height');
    if (height === undefined) return false;
    if (width < 0 || height < 0) {
      this.#reply.error('ERR height or width cannot be negative');
      return false;
    }
    return this.#readUnit(index + 2, { form: 'box', width, height });
  }

  #readUnit(index: number, shape: Partial<SearchOptions>): boolean {
    const unit = unitOrReply(this.#request, index, this.#reply);
    if (unit !== null) Object.assign(this.options, shape, { unit });
    return unit !== null;
  }

  #readCount(index: number): boolean {
    const count = integerOrReply(this.#request, index, this.#reply);
    if (count === undefined) return false;
    this.options.count = Number(count);
    if (count <= 0) this.#reply.error('ERR COUNT must be > 0');
    return count > 0;
  }

  #conflict(): string | null {
    const { options } = this;
    const { from, stores } = this.#kind;
    const shows = options.withDistance || options.withHash || options.withPosition;
    if (options.store !== 0 && shows) {
      const what = stores === 'always' ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS';
      return `ERR ${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`;
    }
    const name = this.#request.latin1(0);
    if (from === 'options' && options.middle === 'none') {
      return `ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${name}`;
    }
    if (from === 'options' && options.form === 'none') {
      return `ERR exactly one of BYRADIUS and BYBOX can be specified for ${name}`;
    }
    if (options.isAny && options.count === 0) return 'ERR the ANY argument requires COUNT argument';
    // The first ones of all are the nearest ones.
    if (options.order === 'none' && options.count > 0 && !options.isAny)
      options.order = 'ascending';
    return null;
  }
}

/** Null after an error reply. */
export function searchOrReply(
  request: Request,
  kind: SearchKind,
  findMember: FindMember,
  reply: ReplyWriter,
): SearchOptions | null {
  const reader = new OptionReader(request, kind, findMember, reply);
  return reader.read() ? reader.options : null;
}
