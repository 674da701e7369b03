import { SLOTS } from '../../lib/cluster/cluster-state.js';
import { Flag } from '../../lib/cluster/entry-flags.js';
import { FrameType } from '../../lib/cluster/frames.js';
import { sameViewId } from '../../lib/cluster/membership/views.js';
import { type Ref, Role, type Store, ValueType } from '../../lib/store/store.js';
import { COLLECTION_READS, isCollection } from './collections.js';
import { contentOf } from './contents.js';
import type { Call } from './history.js';
import type { Process } from './process.js';

/** The newest change that some processes have of a key. */
export interface Newest {
  /** 0 when none of them knows anything of the key. */
  readonly version: number;
  /** As `contentOf` has it; null where it is a delete. */
  readonly value: string | null;
  /** Unix milliseconds, 0 for never. */
  readonly expireAt: number;
}

/** One partition: who was on which side, when, and what was there when the sides met. */
export class SplitRound {
  readonly firstCall: number;
  readonly sides: readonly (readonly number[])[];
  readonly cutAt: number;
  healAt = 0;
  /** When all stood still, and nothing was decided yet; 0 when the sides did not meet as sides. */
  frozenAt = 0;
  /** By side: the highest floor of a flush when the cut was healed. */
  floors: number[] = [];
  /** By side and key: it held a copy when the cut came. */
  readonly held: readonly ReadonlySet<string>[];
  readonly newestOfSide: Map<string, Newest>[] = [];
  isFlushed = false;
  /** When all were in one view again. */
  unitedAt = Number.POSITIVE_INFINITY;
  readonly #incarnations: ReadonlySet<string>;
  readonly #keys: readonly string[];
  readonly #questions = new Map<Process, number>();
  #hasAsked = false;

  constructor(
    firstCall: number,
    cutAt: number,
    sides: readonly (readonly number[])[],
    processes: readonly Process[],
    keys: readonly string[],
  ) {
    this.firstCall = firstCall;
    this.cutAt = cutAt;
    this.sides = sides;
    this.#keys = keys;
    this.#incarnations = new Set(processes.map(({ incarnation }) => incarnation));
    this.held = sides.map((side) => {
      const own = processes.filter(({ machine }) => side.includes(machine));
      return new Set(keys.filter((key) => own.some((process) => holdsCopy(process, key))));
    });
  }

  /** The cut ends. False when not both sides have a view of their own. */
  healed(now: number, processes: readonly Process[]): boolean {
    this.healAt = now;
    for (const process of processes) this.#questions.set(process, questionsOf(process));
    this.floors = this.sides.map((side) => floorOf(ofSide(processes, side)));
    return this.sides.every((side) => {
      const own = ofSide(processes, side);
      const view = own[0]?.node.state.view ?? null;
      const ids = own.map(({ incarnation }) => incarnation);
      if (view === null || view.members.some(({ id }) => !ids.includes(id))) return false;
      return own.every(({ node }) => sameViewId(node.state.view?.id ?? null, view.id));
    });
  }

  /** Looked at after every event: the last moment counts at which everybody stands still and no anchor has asked. */
  look(now: number, processes: readonly Process[]): void {
    const view = processes[0]?.node.state.view ?? null;
    const isUnited =
      view?.members.length === processes.length &&
      processes.every(({ node }) => sameViewId(node.state.view?.id ?? null, view.id));
    if (isUnited) this.unitedAt = Math.min(this.unitedAt, now);
    // Who asks decides; a node that has asked may be gone soon.
    this.#hasAsked ||= this.healAt > 0 && processes.some((one) => this.#asks(one));
    if (this.#hasAsked) return;
    const isFrozen = processes.every(
      ({ node }) =>
        node.state.mergingSlots === SLOTS && sameViewId(node.state.view?.id ?? null, view!.id),
    );
    if (!isFrozen || view!.members.length !== processes.length) return;
    this.frozenAt = now;
    this.isFlushed = floorOf(processes) > Math.min(...this.floors);
    this.sides.forEach((side, index) => {
      const own = ofSide(processes, side);
      this.newestOfSide[index] = new Map(this.#keys.map((key) => [key, newestOf(own, key)]));
    });
  }

  #asks(process: Process): boolean {
    return questionsOf(process) > (this.#questions.get(process) ?? 0);
  }

  /** The side whose nodes have kept what they had, while all of the other one began anew; -1 when it is not so. */
  survivor(processes: readonly Process[]): number {
    const kept = this.sides.map((side) =>
      ofSide(processes, side).filter(({ incarnation }) => this.#incarnations.has(incarnation)),
    );
    return this.sides.findIndex(
      (side, index) => kept[index]!.length === side.length && kept[1 - index]!.length === 0,
    );
  }

  /** What the clients of that side saw all along, and the others before the cut and after their nodes began anew. */
  survivorHistory(
    side: number,
    key: string,
    calls: readonly Call[],
    sideOf: (call: Call) => number,
  ): Call[] {
    const history: Call[] = [];
    for (const call of calls.filter(({ keys }) => keys.includes(key))) {
      const isWhole = sideOf(call) === side || call.returnedAt <= this.cutAt;
      if (isWhole || call.invokedAt >= this.unitedAt) history.push(call);
      else if (call.invokedAt < this.cutAt || call.returnedAt > this.healAt) {
        history.push(unknown(call));
      }
    }
    if (!this.held[side]!.has(key)) history.push(pseudo(['VANISH', key], this.cutAt, null));
    return history;
  }

  /** What the clients of one side saw of a key until the sides met, beginning with what all saw before the cut. */
  sideHistory(side: number, key: string, calls: readonly Call[], sideOf: (call: Call) => number) {
    const history: Call[] = [];
    for (const call of calls) {
      if (call.invokedAt >= this.frozenAt || !call.keys.includes(key)) continue;
      const isOwn = sideOf(call) === side;
      if (!isOwn && call.invokedAt >= this.cutAt) continue;
      const until = isOwn ? this.frozenAt : this.cutAt;
      history.push(call.returnedAt > until ? unknown(call) : call);
    }
    if (!this.held[side]!.has(key)) history.push(pseudo(['VANISH', key], this.cutAt, null));
    const last = this.newestOfSide[side]!.get(key)!;
    // What expires is looked at by nobody in particular.
    const mayExpire = last.expireAt !== 0 && !isCollection(key);
    if (!this.isFlushed && !mayExpire && !this.#isToldOf(side, key, calls, sideOf)) {
      history.push(found(key, last.value, this.frozenAt));
    }
    return history;
  }

  /** A delete of another side, which this one has heard of in the common view before that was everywhere. */
  #isToldOf(
    side: number,
    key: string,
    calls: readonly Call[],
    sideOf: (call: Call) => number,
  ): boolean {
    const { version, value } = this.newestOfSide[side]!.get(key)!;
    const isSame = (newest: Map<string, Newest>, i: number): boolean =>
      i !== side && newest.get(key)!.version === version;
    if (value !== null || !this.newestOfSide.some(isSame)) return false;
    const since = calls.filter((call) => call.invokedAt >= this.cutAt && call.keys.includes(key));
    return since.some((call) => sideOf(call) !== side && mayChange(call));
  }

  /** What may be there after the merge: the newest change of both sides; either, where they have the same version. */
  winners(key: string): Newest[] {
    const ofSides = this.newestOfSide.map((newest) => newest.get(key)!);
    const version = Math.max(...ofSides.map((newest) => newest.version));
    const newest = ofSides.filter((one) => one.version === version);
    const written = newest.filter(({ value }) => value !== null);
    return written.length > 0 ? written : newest;
  }

  /**
   * The only side whose clients changed the key since the cut, -1 where that cannot be told; and whether its state is a
   * winner. Versions are not asked for the former: they are what is checked.
   */
  isKeptBySoleChanger(
    key: string,
    calls: readonly Call[],
    sideOf: (call: Call) => number,
  ): boolean {
    if (this.isFlushed) return true;
    const changes = this.sides.map((_, side) =>
      calls.filter(
        (call) =>
          call.keys.includes(key) &&
          call.invokedAt < this.frozenAt &&
          call.returnedAt > this.cutAt &&
          sideOf(call) === side &&
          mayChange(call),
      ),
    );
    const changers = changes.flatMap((those, side) => (those.length > 0 ? [side] : []));
    const isSure = (call: Call): boolean => call.invokedAt > this.cutAt && isAcked(call);
    if (changers.length !== 1 || !changes[changers[0]!]!.some(isSure)) return true;
    return this.winners(key).includes(this.newestOfSide[changers[0]!]!.get(key)!);
  }

  /** What all clients saw after that, beginning with the winner. */
  mergedHistory(
    key: string,
    { value, expireAt }: Newest,
    calls: readonly Call[],
    toTrueTime: (unixMs: number) => number,
  ) {
    const history: Call[] = [];
    if (value !== null) {
      const ttl = Math.round(toTrueTime(expireAt) - this.frozenAt);
      const args = isCollection(key)
        ? ['BECOME', key, value]
        : ['SET', key, value, ...(expireAt === 0 ? [] : ['PX', String(ttl)])];
      history.push(pseudo(args, this.frozenAt, { type: '+', text: 'OK' }));
    }
    for (const call of calls) {
      if (call.returnedAt <= this.frozenAt || !call.keys.includes(key)) continue;
      history.push(call.invokedAt >= this.frozenAt ? call : unknown(call));
    }
    return history;
  }
}

/** Above the number of every call. */
const PSEUDO_CALL = 1_000_000_000;

const READS = new Set(['GET', 'EXISTS', 'PTTL', 'STRLEN', ...COLLECTION_READS]);
/** What is always a change, whatever was there before. */
const CHANGES = new Set(['GETSET', 'HSET']);
/** What may be one, whatever its reply. */
const MAYBE_CHANGES = new Set(['ZADD', 'LTRIM']);

/** Whether a command has, or may have, changed its key. */
function mayChange(call: Call): boolean {
  if (READS.has(call.args[0]!) || call.outcome === 'not-run') return false;
  if (call.reply === null || isAcked(call)) return true;
  return call.reply.type !== '-' && MAYBE_CHANGES.has(call.args[0]!);
}

function isAcked({ args, reply }: Call): boolean {
  if (reply === null || reply.type === '-') return false;
  if (CHANGES.has(args[0]!)) return true;
  if (MAYBE_CHANGES.has(args[0]!)) return reply.type === ':' && reply.text !== '0';
  if ('items' in reply) return reply.items.length > 0;
  return reply.type !== '_' && !('text' in reply && reply.text === '0');
}

const ofSide = (processes: readonly Process[], side: readonly number[]): Process[] =>
  processes.filter(({ machine }) => side.includes(machine));

const questionsOf = ({ node }: Process): number =>
  node.state.statistics.framesSent[FrameType.Collect]!;

const floorOf = (processes: readonly Process[]): number =>
  Math.max(0, ...processes.map(({ node }) => node.state.floors[0]!));

const unknown = (call: Call): Call =>
  call.outcome === 'not-run'
    ? call
    : { ...call, outcome: 'unknown', returnedAt: Number.POSITIVE_INFINITY, reply: null };

/** What a checker has found of a key in the nodes' memory. */
function found(key: string, value: string | null, at: number): Call {
  if (isCollection(key)) {
    return pseudo(['IS', key, value ?? '[]'], at, { type: '+', text: 'OK' });
  }
  return pseudo(
    ['GET', key],
    at,
    value === null ? { type: '_', text: '' } : { type: '$', text: value },
  );
}

/** Something that no client did: a VANISH may happen at any time after that or never, others have happened then. */
function pseudo(args: readonly string[], at: number, reply: Call['reply']): Call {
  const isKnown = reply !== null;
  return {
    id: PSEUDO_CALL,
    client: -1,
    node: 'checker',
    args,
    keys: [args[1]!],
    invokedAt: at,
    returnedAt: isKnown ? at : Number.POSITIVE_INFINITY,
    outcome: isKnown ? 'replied' : 'unknown',
    reply,
  };
}

function refOf({ store }: Process, key: string): number {
  const bytes = Buffer.from(key, 'latin1');
  return store.find(0, bytes, 0, bytes.length);
}

function holdsCopy(process: Process, key: string): boolean {
  const ref = refOf(process, key);
  if (ref === 0 || process.store.role(ref) >= Role.Record) return false;
  return process.store.role(ref) === Role.Backup || (process.store.flags(ref) & Flag.Busy) === 0;
}

/** The newest change that any of these has of a key. */
export function newestOf(processes: readonly Process[], key: string): Newest {
  let newest: Newest = { version: 0, value: null, expireAt: 0 };
  for (const process of processes) {
    const { store, node } = process;
    const ref = refOf(process, key);
    if (ref === 0 || store.role(ref) === Role.Record || isProvisional(store, ref)) continue;
    const isDelete = store.role(ref) === Role.Tombstone || store.type(ref) === ValueType.None;
    const version = isDelete ? store.expireAt(ref) : store.version(ref);
    if (!isDelete && version < node.state.floors[0]!) continue;
    if (version < newest.version || (isDelete && version === newest.version)) continue;
    newest = isDelete
      ? { version, value: null, expireAt: 0 }
      : { version, value: contentOf(store, ref), expireAt: store.expireAt(ref) };
  }
  // A FLUSHALL on one side counts for keys of the other one, too.
  const floor = Math.max(...processes.map(({ node }) => node.state.floors[0]!));
  return newest.version < floor ? { version: floor, value: null, expireAt: 0 } : newest;
}

/** The newest change that any of the processes has: several, where sides have changed a key with the same version. */
export function winnersOf(processes: readonly Process[], key: string): Newest[] {
  const newest = newestOf(processes, key);
  const others = processes
    .map((process) => newestOf([process], key))
    .filter(({ version, value }) => version === newest.version && value !== null);
  return [newest, ...others];
}

/** Created without its anchor's word yet: nobody has seen it. */
function isProvisional(store: Store, ref: Ref): boolean {
  return store.role(ref) === Role.Primary && (store.flags(ref) & Flag.Busy) !== 0;
}
