import type { Commands } from './random-transactions.js';

type Random = () => number;
type Generator = () => string[];

/** Sorted sets of positions, in which no two members have the same one: Redis leaves open which of two is the nearer one. */
export const GEO_KEYS = ['g', '{t}1', '{t}2', 'big'];
/** Where distances are stored: their last bit is that of the C library's sine. */
export const DISTANCES_KEY = 'distances';
/** Has the scores that no position has; one member, as many of them are read as the same position. */
const ODD = 'odd';
const ODD_SCORES = ['-5', '0.5', '1e300', 'inf', '-inf', '18446744073709551615', '1.5e19', '-1e19'];
const LONGITUDES = ['180', '-180', '0', '179.9999999', '-179.9999999', '90', '1e-7'];
const LATITUDES = ['85.05112878', '-85.05112878', '0', '66.5', '-66.5', '80.5', '-80.5'];
const BAD_DEGREES = [
  '181',
  '-180.0000001',
  '1e300',
  'inf',
  '-inf',
  'nan',
  'x',
  '',
  '185.0078125',
  '-1e21',
];
const SIZES = ['0', '1', '10', '200', '1000', '5000', '20000', '1e7', '1e-7', 'inf', '0.5'];
const BAD_SIZES = ['-1', 'x', '', 'nan'];
const UNITS = ['m', 'km', 'km', 'KM', 'mi', 'ft', 'Mi'];
const COUNTS = ['1', '2', '3', '10', '100'];
const BAD_COUNTS = ['0', '-1', 'x', ''];
const JUNK = [
  '',
  'x',
  '-1',
  '0',
  'ASC',
  'COUNT',
  'ANY',
  'WITHDIST',
  'STORE',
  'BYBOX',
  'm',
  'FROMMEMBER',
  '2',
];
const MEMBERS = 40;
const BULK_MAX = 200;
/** Around there, degrees: many members are near to each other. */
const PLACES = [
  [13.36, 38.11],
  [179.99, -0.01],
  [-0.01, 84.9],
  [-74, -80.2],
] as const;

/** Random commands on positions, valid and nearly valid. */
export class RandomGeo implements Commands {
  readonly #random: Random;
  readonly #generators: readonly Generator[];
  readonly #following: string[][] = [];

  constructor(random: Random) {
    this.#random = random;
    const key = this.#key;
    const member = this.#member;
    this.#generators = [
      () => ['GEOADD', key(), ...this.#many(this.#placed)],
      () => ['GEOADD', key(), ...this.#some(this.#placed, 4)],
      () => ['GEOADD', key(), ...this.#addOptions(), ...this.#some(this.#placed, 3)],
      () => ['GEOPOS', key(), ...this.#some(() => [member()], 4)],
      () => ['GEOHASH', key(), ...this.#some(() => [member()], 4)],
      () => ['GEODIST', key(), member(), member(), ...(this.#chance(0.6) ? [this.#unit()] : [])],
      ...Array.from({ length: 4 }, () => () => [
        'GEOSEARCH',
        key(),
        ...this.#searched(),
        ...this.#shown(),
      ]),
      () => this.#stored(),
      () => this.#radius('GEORADIUS', () => this.#position()),
      () => this.#radius('GEORADIUSBYMEMBER', () => [member()]),
      () => ['ZADD', key(), this.#pick(ODD_SCORES), ODD],
      () => ['ZREM', key(), ...this.#some(() => [member()], 3)],
      () => ['ZRANGE', key(), '0', '-1', 'WITHSCORES'],
      () =>
        this.#pick([
          ['ZCARD', key()],
          ['OBJECT', 'ENCODING', key()],
          ['DEL', key()],
          ['SET', key(), 'x'],
        ]),
    ];
  }

  next(): string[] {
    const follows = this.#following.shift();
    if (follows !== undefined) return follows;
    const command = this.#pick(this.#generators)();
    if (command[0] === 'ZADD' || !this.#chance(0.08)) return command;
    const changed = [...command];
    const at = 1 + this.#below(changed.length);
    const what = this.#random();
    if (what < 0.4) changed.splice(at, 1);
    else if (what < 0.7) changed.splice(at, 0, this.#pick(JUNK));
    else if (at < changed.length) changed[at] = this.#pick(JUNK);
    return changed;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #some(each: () => string[], most: number): string[] {
    return Array.from({ length: 1 + this.#below(most) }, each).flat();
  }

  /** Now and then so many that it is no listpack any more. */
  #many(each: () => string[]): string[] {
    return this.#some(each, this.#chance(0.2) ? BULK_MAX : 6);
  }

  #key = (): string => this.#pick(GEO_KEYS);
  #unit = (): string => (this.#chance(0.03) ? this.#pick(['x', '', 'kms']) : this.#pick(UNITS));
  #size = (): string => {
    if (this.#chance(0.03)) return this.#pick(BAD_SIZES);
    return this.#chance(0.5) ? this.#pick(SIZES) : String(this.#random() * 10 ** this.#below(5));
  };
  #member = (): string => {
    if (this.#chance(0.05)) return this.#pick([ODD, 'absent', '']);
    return `m${this.#below(this.#chance(0.7) ? MEMBERS : MEMBERS * 10)}`;
  };

  /** At most one of both is one of the special degrees: so no two positions are the same. */
  #position(): string[] {
    if (this.#chance(0.02)) {
      const bad = this.#pick(BAD_DEGREES);
      return this.#chance(0.5) ? [bad, '0.5'] : ['0.5', bad];
    }
    const [x, y] = this.#pick(PLACES);
    const isNear = this.#chance(0.5);
    const spread = 10 ** -this.#below(5);
    const longitude = isNear ? x + spread * (this.#random() - 0.5) : this.#random() * 360 - 180;
    const latitude = isNear ? y + spread * (this.#random() - 0.5) : this.#random() * 170 - 85;
    const within = (value: number, limit: number) => Math.min(Math.max(value, -limit), limit);
    const given = [String(within(longitude, 179.999)), String(within(latitude, 85.05))];
    if (this.#chance(0.2)) {
      const at = this.#below(2);
      given[at] = this.#pick(at === 0 ? LONGITUDES : LATITUDES);
    }
    return given;
  }

  #placed = (): string[] => [...this.#position(), this.#member()];

  #addOptions(): string[] {
    return this.#some(() => [this.#pick(['NX', 'XX', 'CH', 'ch', 'CH'])], 2);
  }

  #searched(): string[] {
    const from = this.#chance(0.5)
      ? ['FROMMEMBER', this.#member()]
      : ['FROMLONLAT', ...this.#position()];
    const by = this.#chance(0.5)
      ? ['BYRADIUS', this.#size(), this.#unit()]
      : ['BYBOX', this.#size(), this.#size(), this.#unit()];
    const extra = this.#chance(0.03) ? this.#pick([from, by]) : [];
    return [...(this.#chance(0.5) ? [...from, ...by] : [...by, ...from]), ...extra];
  }

  /** How many, and in which order. */
  #chosen(): string[] {
    const options: string[] = [];
    if (this.#chance(0.3)) options.push(this.#pick(['ASC', 'DESC', 'desc']));
    if (this.#chance(0.4)) {
      options.push('COUNT', this.#chance(0.05) ? this.#pick(BAD_COUNTS) : this.#pick(COUNTS));
      if (this.#chance(0.4)) options.push('ANY');
    } else if (this.#chance(0.02)) options.push('ANY');
    return options;
  }

  #shown(): string[] {
    const options = this.#chosen();
    for (const option of ['WITHDIST', 'WITHCOORD', 'WITHHASH']) {
      if (this.#chance(0.4)) options.push(option);
    }
    return options;
  }

  /** Looks at a sorted set that was stored. */
  #thenShow(key: string): void {
    this.#following.push(['ZRANGE', key, '0', '-1', 'WITHSCORES'], ['OBJECT', 'ENCODING', key]);
  }

  #stored(): string[] {
    const ofDistances = this.#chance(0.4);
    const target = ofDistances ? DISTANCES_KEY : this.#key();
    this.#thenShow(target);
    const options = [...this.#searched(), ...(this.#chance(0.03) ? this.#shown() : this.#chosen())];
    if (ofDistances) options.push('STOREDIST');
    return ['GEOSEARCHSTORE', target, this.#key(), ...options];
  }

  #radius(name: string, from: () => string[]): string[] {
    const base = [this.#key(), ...from(), this.#size(), this.#unit()];
    const what = this.#random();
    if (what < 0.3) return [`${name}_RO`, ...base, ...this.#shown()];
    if (what < 0.6) return [name, ...base, ...this.#shown()];
    const ofDistances = this.#chance(0.4);
    const target = ofDistances ? DISTANCES_KEY : this.#key();
    this.#thenShow(target);
    const options = this.#chance(0.05) ? this.#shown() : this.#chosen();
    return [name, ...base, ...options, ofDistances ? 'STOREDIST' : 'STORE', target];
  }
}
