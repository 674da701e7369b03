import type { Incarnation, Member, View } from './member.js';

/** Events that a node keeps; the oldest are forgotten. */
export const EVENTS_MAX = 512;
/** Keys that change their role one after the other are one event: it is told so long after the first of them. */
const BURST_MS = 200;
/** Sessions that follow their users are told of so often at most: other events are to stay. */
const TAKE_OVERS_EVERY_MS = 30_000;

/**
 * What happened: to a member (joined; leaving, stays; left: with a goodbye; died: with a proof; lost: without one), to
 * the view, or to keys. `count` is of members or keys; of take-overs, as one key may be
 * taken over again and again.
 */
export type EventKind =
  | 'joined'
  | 'leaving'
  | 'stays'
  | 'left'
  | 'died'
  | 'lost'
  | 'view'
  | 'excluded'
  | 'down'
  | 'up'
  | 'copies-lost'
  | 'promoted'
  | 'took-over'
  | 'restored'
  | 'settled';

export interface ClusterEvent {
  /** 1, 2, ... in one process life. */
  readonly id: number;
  /** Unix milliseconds, by the clock of the node that tells it. */
  readonly at: number;
  readonly kind: EventKind;
  /** Whom it is about; null for the whole cluster. */
  readonly member: Member | null;
  /** Number of the installed view, 0 for none. */
  readonly view: number;
  readonly count: number;
  /** One sentence for people. */
  readonly text: string;
}

/** A running count whose growth becomes events. */
interface Burst {
  readonly kind: EventKind;
  readonly count: () => number;
  /** Between two events, milliseconds. */
  readonly everyMs: number;
  told: number;
  toldAt: number;
  growsFrom: number;
}

export interface EventSources {
  readonly now: () => { readonly monotonic: number; readonly wall: number };
  readonly self: () => Member;
  /** Whether that incarnation is certainly dead. */
  readonly isProvenDead: (id: Incarnation) => boolean;
  /** Since the start, keys that this node became primary of: as their primary was gone, and by take-over. */
  readonly promotions: () => number;
  readonly takenOver: () => number;
  /** Keys held here whose other copy is missing. */
  readonly single: () => number;
  /** Every member has said that all keys are where they belong. */
  readonly isSettled: () => boolean;
  readonly isDown: () => boolean;
}

const nameOf = ({ host, port, zone }: Member): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}${zone === '' ? '' : ` (${zone})`}`;

const keys = (count: number): string => (count === 1 ? '1 key' : `${count} keys`);

function sentence(kind: EventKind, member: Member | null, count: number): string {
  const who = member === null ? 'the cluster' : nameOf(member);
  switch (kind) {
    case 'joined':
      return `${who} has joined`;
    case 'leaving':
      return `${who} is leaving, and hands over what it holds`;
    case 'stays':
      return `${who} stays after all`;
    case 'left':
      return `${who} has left`;
    case 'died':
      return `${who} is dead`;
    case 'lost':
      return `${who} does not answer any more, and was left out`;
    case 'view':
      return count === 1 ? 'a view of 1 member' : `a view of ${count} members`;
    case 'excluded':
      return `${who} was left out by the others, and joins anew`;
    case 'down':
      return `${who} reaches too few members to serve`;
    case 'up':
      return `${who} serves again`;
    case 'copies-lost':
      return `${keys(count)} of this node lost their other copy with ${who}`;
    case 'promoted':
      return `${who} is now primary of ${keys(count)} whose primary is gone`;
    case 'took-over':
      return `${who} took over a key from another member ${count === 1 ? 'once' : `${count} times`}`;
    case 'restored':
      return `${keys(count)} have two copies again`;
    case 'settled':
      return 'every key is on its two members';
  }
}

/** The latest of what has happened in the cluster, as this node has seen it. For people: nothing is decided by it. */
export class ClusterEvents {
  /** Told of each event within the turn in which it happened, which may be in the middle of something. */
  readonly listeners: ((event: ClusterEvent) => void)[] = [];
  readonly #sources: EventSources;
  readonly #ring: ClusterEvent[] = [];
  readonly #bursts: readonly Burst[];
  #lastId = 0;
  #view: View | null = null;
  /** Copies that were lost with members, and are not told restored yet. */
  #restoring = 0;
  #awaitsSettled = false;
  #wasDown = false;

  constructor(sources: EventSources) {
    this.#sources = sources;
    const burst = (kind: EventKind, count: () => number, everyMs: number): Burst => {
      return { kind, count, everyMs, told: 0, toldAt: Number.NEGATIVE_INFINITY, growsFrom: 0 };
    };
    this.#bursts = [
      burst('promoted', sources.promotions, 0),
      burst('took-over', sources.takenOver, TAKE_OVERS_EVERY_MS),
    ];
  }

  get lastId(): number {
    return this.#lastId;
  }

  /** Of them, those that are kept. */
  get size(): number {
    return this.#ring.length;
  }

  /** The last `count`, oldest first. */
  last(count: number): readonly ClusterEvent[] {
    return count === 0 ? [] : this.#ring.slice(-count);
  }

  /** Those after the event with that id, oldest first. */
  after(id: number): readonly ClusterEvent[] {
    return this.last(Math.max(0, Math.min(this.#ring.length, this.#lastId - id)));
  }

  /** A view takes effect. `copiesWith` tells how many keys here have their other copy on that member. */
  installed(view: View, copiesWith: (id: Incarnation) => number): void {
    const before = new Map(this.#view?.members.map((member) => [member.id, member]));
    const isFirst = this.#view === null;
    this.#view = view;
    for (const member of view.members) {
      const known = before.get(member.id);
      before.delete(member.id);
      if (known === undefined) {
        if (!isFirst) this.#add('joined', member);
      } else if (known.leaving !== member.leaving) {
        this.#add(member.leaving ? 'leaving' : 'stays', member);
      }
    }
    for (const member of before.values()) this.#gone(member, copiesWith(member.id));
    this.#add('view', null, view.members.length);
    this.#awaitsSettled = true;
  }

  #gone(member: Member, copies: number): void {
    if (member.leaving) this.#add('left', member);
    else this.#add(this.#sources.isProvenDead(member.id) ? 'died' : 'lost', member);
    if (copies > 0) this.#add('copies-lost', member, copies);
    this.#restoring += copies;
  }

  /** This incarnation was left out. */
  excluded(self: Member): void {
    this.#view = null;
    this.#restoring = 0;
    this.#awaitsSettled = false;
    this.#add('excluded', self);
  }

  /** Looks at what counts have become. */
  tick(): void {
    const { now, isDown, single, isSettled, self } = this.#sources;
    const { monotonic } = now();
    for (const burst of this.#bursts) this.#look(burst, monotonic);
    if (isDown() !== this.#wasDown) {
      this.#wasDown = !this.#wasDown;
      this.#add(this.#wasDown ? 'down' : 'up', self());
    }
    const isAlone = this.#view?.members.length === 1;
    if (this.#restoring > 0 && !isAlone && single() === 0) {
      this.#add('restored', self(), this.#restoring);
      this.#restoring = 0;
    }
    if (this.#awaitsSettled && !isAlone && isSettled()) {
      this.#awaitsSettled = false;
      this.#add('settled', null);
    }
  }

  #look(burst: Burst, now: number): void {
    const grown = burst.count() - burst.told;
    if (grown <= 0) burst.growsFrom = now;
    else if (now - burst.growsFrom >= BURST_MS && now - burst.toldAt >= burst.everyMs) {
      burst.told += grown;
      burst.toldAt = now;
      this.#add(burst.kind, this.#sources.self(), grown);
    }
  }

  #add(kind: EventKind, member: Member | null, count = 1): void {
    const event: ClusterEvent = {
      id: ++this.#lastId,
      at: Math.floor(this.#sources.now().wall),
      kind,
      member,
      view: this.#view?.id.number ?? 0,
      count,
      text: sentence(kind, member, count),
    };
    this.#ring.push(event);
    if (this.#ring.length > EVENTS_MAX) this.#ring.shift();
    for (const listener of this.listeners) listener(event);
  }
}
