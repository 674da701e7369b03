import { keySlot } from '../protocol/crc16.js';
import { Role, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import { type Key, keyOf } from './key.js';
import { NOBODY, type Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Pairs of a key and a member that an anchor remembers; what comes beyond is refused, and looked for now and then by who waits. */
export const HINTS_MAX = 250_000;

/** What an AWAITED frame says of its key. */
const Say = {
  /** To the anchor: clients of mine wait for it. */
  Await: 0,
  /** To the anchor: they do not any more. */
  Forget: 1,
  /** To the anchor: it has come to be, or has another type now, without a claim. */
  Came: 2,
  /** From the anchor: look whether it is there. */
  Look: 3,
  /** From the anchor: I have no room to remember that you wait. */
  Refuse: 4,
} as const;

const SAYINGS = 5;
const HEADER_BYTES = 3;

/** A key of one type: only lists and sorted sets are waited for. */
export interface AwaitedKey {
  readonly type: ValueType;
  readonly key: Key;
  /** Type, database and key. */
  readonly id: string;
}

export const awaitedKey = (type: ValueType, key: Key): AwaitedKey => ({
  type,
  key,
  id: `${type}:${key.id}`,
});

/** Who wants to know that keys come to be. Nothing is run inside these calls: a command may be running. */
export interface AwaitedKeysListener {
  /** A key may be there now. */
  look(id: string): void;
  /** Nobody will tell when it is. */
  refused(id: string): void;
  /** At the end of a turn: what `look` has told of may be run. */
  step(): void;
}

/** Keys that clients of this node wait for, as the commands see it. */
export interface KeyWaits {
  listener: AwaitedKeysListener;
  /** Keys that clients of this node wait for. */
  readonly awaited: number;
  /** As anchor: pairs of a key and a member that waits for it. */
  readonly hints: number;
  /** From now on the listener is told: at once where the key may be there already, or where that is not certain. */
  await(awaited: AwaitedKey): void;
  forget(awaited: AwaitedKey): void;
  /** The listener wants its `step` at the end of this turn. */
  wantStep(): void;
}

const NO_LISTENER: AwaitedKeysListener = { look() {}, refused() {}, step() {} };

export const isAwaitable = (type: number): boolean =>
  type === ValueType.List || type === ValueType.ZSet;

/**
 * Telling nodes that a key has come to be which their clients wait for (docs/decisions/0021). The anchor of the key remembers
 * who waits: it is there also while the key is not, and nothing comes to be without it. What it tells is a hint: who gets
 * it runs the command in the ordinary way, and waits on if another was faster. No hint is lost:
 *
 *   - whoever begins to wait has looked in vain, tells the anchor, and looks again unless that is certain that there is no
 *     such key then: all creations after that pass by the anchor, or are told to it;
 *   - frames of a stream are neither lost nor doubled while both ends are in the view;
 *   - an install clears all hints, and all who wait tell their anchors anew. A receiver has the view of what it reads.
 */
export class AwaitedKeys implements KeyWaits {
  listener: AwaitedKeysListener = NO_LISTENER;
  readonly #state: ClusterState;
  readonly #streams: Streams;
  /** What clients of this node wait for. */
  readonly #awaited = new Map<string, AwaitedKey>();
  /** As anchor: which members wait, in the order in which they began to. */
  readonly #hints = new Map<string, Set<Peer>>();
  #hintCount = 0;

  constructor(state: ClusterState, streams: Streams) {
    this.#state = state;
    this.#streams = streams;
  }

  get awaited(): number {
    return this.#awaited.size;
  }

  get hints(): number {
    return this.#hintCount;
  }

  // --- at who waits

  await(awaited: AwaitedKey): void {
    this.#awaited.set(awaited.id, awaited);
    this.#tellAnchor(awaited);
  }

  forget(awaited: AwaitedKey): void {
    if (!this.#awaited.delete(awaited.id)) return;
    const anchor = this.#anchorOf(awaited.key);
    if (anchor !== null) this.#send(anchor, Say.Forget, awaited);
  }

  wantStep(): void {
    this.#streams.wantFlush();
  }

  step(): void {
    this.listener.step();
  }

  #tellAnchor(awaited: AwaitedKey): void {
    // In no view nobody is asked: the install tells.
    if (this.#state.view === null) return;
    const anchor = this.#anchorOf(awaited.key);
    if (anchor !== null) this.#send(anchor, Say.Await, awaited);
    else if (!this.#isCertainlyAbsent(awaited.key)) this.#look(awaited.id);
  }

  #look(id: string): void {
    this.listener.look(id);
    this.#streams.wantFlush();
  }

  /** All databases may be others than before, or all keys be elsewhere: whoever waits looks. */
  lookAtAll(): void {
    for (const id of this.#awaited.keys()) this.#look(id);
  }

  // --- where a key comes to be

  /**
   * A running command has made a list or a sorted set of a key that was absent, or of another type. One that is claimed
   * (`isClaimed`) comes to be when its anchor grants that; but what waits here may queue up for it by now.
   */
  came(
    type: ValueType,
    db: number,
    buffer: Buffer,
    start: number,
    end: number,
    isClaimed: boolean,
  ): void {
    const state = this.#state;
    const isAnchor = state.isAnchor(keySlot(buffer, start, end));
    const isToldOf = isAnchor ? this.#hintCount > 0 : !isClaimed;
    if (this.#awaited.size === 0 && !isToldOf) return;
    const awaited = awaitedKey(type, keyOf(db, buffer, start, end));
    if (this.#awaited.has(awaited.id)) this.#look(awaited.id);
    if (isAnchor) this.#tellAll(awaited);
    else if (!isClaimed) {
      const anchor = this.#anchorOf(awaited.key);
      if (anchor !== null) this.#send(anchor, Say.Came, awaited);
    }
  }

  /** This node, as anchor, has granted a claim. */
  granted(type: ValueType, key: Key): void {
    if (isAwaitable(type)) this.#told(awaitedKey(type, key));
  }

  #told(awaited: AwaitedKey): void {
    if (this.#awaited.has(awaited.id)) this.#look(awaited.id);
    this.#tellAll(awaited);
  }

  #tellAll(awaited: AwaitedKey): void {
    const waiting = this.#hints.get(awaited.id);
    for (const peer of waiting ?? []) this.#send(peer, Say.Look, awaited);
  }

  // --- frames

  /** AWAITED: what is said u8, type u8, database u8, key. */
  receive(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < HEADER_BYTES) return false;
    const say = buffer[start]!;
    const type = buffer[start + 1]!;
    if (say >= SAYINGS || !isAwaitable(type)) return false;
    const key = keyOf(buffer[start + 2]!, buffer, start + HEADER_BYTES, end);
    const awaited = awaitedKey(type as ValueType, key);
    switch (say) {
      case Say.Await:
        this.#remember(peer, awaited);
        return true;
      case Say.Forget:
        this.#drop(peer, awaited.id);
        return true;
      case Say.Came:
        this.#told(awaited);
        return true;
      case Say.Look:
        if (this.#awaited.has(awaited.id)) this.#look(awaited.id);
        return true;
      default:
        if (this.#awaited.has(awaited.id)) this.listener.refused(awaited.id);
        return true;
    }
  }

  #send(peer: Peer, say: number, { type, key }: AwaitedKey): void {
    if (!peer.isLive) return;
    const { log } = peer.stream;
    log.begin(FrameType.Awaited, HEADER_BYTES + key.bytes.length);
    log.u8(say);
    log.u8(type);
    log.u8(key.db);
    log.bytes(key.bytes, 0, key.bytes.length);
    this.#state.statistics.framesSent[FrameType.Awaited]!++;
    this.#streams.appended(peer);
  }

  // --- at the anchor

  #remember(peer: Peer, awaited: AwaitedKey): void {
    // Of a view that is older than the one here: it will be said anew, to who is the anchor by then.
    if (!this.#state.isAnchor(awaited.key.slot)) return;
    let waiting = this.#hints.get(awaited.id);
    if (waiting?.has(peer) !== true) {
      if (this.#hintCount >= HINTS_MAX) {
        this.#state.statistics.hintsRefused++;
        this.#send(peer, Say.Refuse, awaited);
        return;
      }
      if (waiting === undefined) {
        waiting = new Set();
        this.#hints.set(awaited.id, waiting);
      }
      waiting.add(peer);
      this.#hintCount++;
    }
    if (!this.#isCertainlyAbsent(awaited.key)) this.#send(peer, Say.Look, awaited);
  }

  #drop(peer: Peer, id: string): void {
    const waiting = this.#hints.get(id);
    if (waiting?.delete(peer) !== true) return;
    this.#hintCount--;
    if (waiting.size === 0) this.#hints.delete(id);
  }

  /** Null where this node is the anchor, or the anchor is left out: the next install tells who it is. */
  #anchorOf(key: Key): Peer | null {
    return this.#state.livePeer(this.#state.anchors[key.slot] ?? NOBODY);
  }

  /** Whether this node, as anchor, knows that there is no such key now; a claim that it has deferred it will grant later. */
  #isCertainlyAbsent({ db, bytes, slot }: Key): boolean {
    const { store } = this.#state;
    if (!this.#state.isCertain(slot) || this.#state.merging[slot] === 1) return false;
    const ref = store.find(db, bytes, 0, bytes.length);
    return ref === 0 || (store.role(ref) === Role.Tombstone && !this.#state.isOpenDelete(ref));
  }

  // --- views

  installed(): void {
    this.#clearHints();
    for (const awaited of this.#awaited.values()) this.#tellAnchor(awaited);
  }

  excluded(): void {
    this.#clearHints();
  }

  #clearHints(): void {
    this.#hints.clear();
    this.#hintCount = 0;
  }
}
