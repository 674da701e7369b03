import { f64At, u16At } from '../protocol/bytes.js';
import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType } from './frames.js';
import type { Key } from './key.js';
import type { Incarnation } from './member.js';
import { NOBODY, type Peer } from './peer.js';
import type { Streams } from './streams.js';

/** A copy somewhere in the cluster, or the tombstone of one. */
export interface Holding {
  readonly holder: Incarnation;
  readonly role: number;
  readonly flags: number;
  readonly version: number;
  /** Who the holder takes for the primary: itself, or the peer that its copy names. */
  readonly primary: Incarnation;
}

type Answer = (holdings: readonly Holding[]) => void;

interface Lookup {
  readonly id: number;
  readonly key: Key;
  readonly missing: Set<Peer>;
  readonly holdings: Holding[];
  readonly answers: Answer[];
  /** False while the slot is not resolved after a merge: who has the key is not decided yet. */
  readonly isAsked: boolean;
}

const NO_MEMBER = 0xffff;
/** FOUND: the answerer has neither a copy nor a tombstone. */
const NOTHING = 255;

/**
 * Cluster-wide lookup: asks every member who has a key or its backup. The answer comes when all have answered, in one
 * view; a view change asks again. Equal lookups are asked once; those of one turn travel in one write per peer.
 */
export class Lookups {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #byKey = new Map<string, Lookup>();
  readonly #byId = new Map<number, Lookup>();
  #lastId = 0;

  constructor(state: ClusterState, streams: Streams) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
  }

  get open(): number {
    return this.#byKey.size;
  }

  ask(key: Key, answer: Answer): void {
    const running = this.#byKey.get(key.id);
    if (running !== undefined) {
      running.answers.push(answer);
      return;
    }
    this.#state.statistics.lookups++;
    this.#begin(key, [answer]);
  }

  /** A new view is installed: everybody in it is asked anew. */
  restart(): void {
    const running = [...this.#byKey.values()];
    this.#byKey.clear();
    this.#byId.clear();
    for (const { key, answers } of running) this.#begin(key, answers);
  }

  /** Slots were resolved after a merge: what waited for that is asked. */
  resolved(): void {
    for (const lookup of [...this.#byKey.values()]) {
      const { isAsked, key, answers } = lookup;
      if (isAsked || this.#state.merging[key.slot] === 1) continue;
      this.#byKey.delete(key.id);
      this.#byId.delete(lookup.id);
      this.#begin(key, answers);
    }
  }

  /** This incarnation was left out: who asked is told of no holdings once nothing is held here any more. */
  clear(): Answer[] {
    const answers = [...this.#byKey.values()].flatMap((lookup) => lookup.answers);
    this.#byKey.clear();
    this.#byId.clear();
    return answers;
  }

  /** LOOKUP: id f64, db u8, key. */
  receiveLookup(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < 9) return false;
    const id = f64At(buffer, start);
    const ref = this.#store.find(buffer[start + 8]!, buffer, start + 9, end);
    const { log } = peer.stream;
    const has = ref !== 0 && this.#counts(ref);
    // A delete that is not final yet: the key is not free, whoever deleted it decides.
    const isOpen = has && this.#state.isOpenDelete(ref);
    log.begin(FrameType.Found, 8 + 2 + 8 + 2);
    log.f64(id);
    log.u8(isOpen ? Role.Primary : has ? this.#store.role(ref) : NOTHING);
    log.u8(has && !isOpen ? this.#store.flags(ref) : 0);
    log.f64(ref === 0 ? 0 : this.#store.version(ref));
    log.u16(has ? this.#primaryMember(ref) : NO_MEMBER);
    this.#state.statistics.framesSent[FrameType.Found]!++;
    this.#streams.appended(peer);
    return true;
  }

  /** FOUND: id f64, role u8 (255: none), flags u8, version f64, primary u16 (member of the view). */
  receiveFound(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start !== 20) return false;
    const version = f64At(buffer, start + 10);
    this.#state.clock.observe(version);
    const lookup = this.#byId.get(f64At(buffer, start));
    if (lookup === undefined || !lookup.missing.delete(peer)) return true;
    const role = buffer[start + 8]!;
    if (role !== NOTHING) {
      const primary = this.#state.memberId(u16At(buffer, start + 18)) ?? '';
      lookup.holdings.push({
        holder: peer.id,
        role,
        flags: buffer[start + 9]!,
        version,
        primary,
      });
    }
    if (lookup.missing.size === 0) this.#finish(lookup);
    return true;
  }

  #begin(key: Key, answers: Answer[]): void {
    const peers = this.#state.livePeers();
    const lookup: Lookup = {
      id: ++this.#lastId,
      key,
      missing: new Set(peers),
      holdings: [],
      answers,
      isAsked: this.#state.merging[key.slot] === 0,
    };
    this.#byKey.set(key.id, lookup);
    this.#byId.set(lookup.id, lookup);
    if (!lookup.isAsked) return;
    for (const peer of peers) {
      const { log } = peer.stream;
      log.begin(FrameType.Lookup, 9 + key.bytes.length);
      log.f64(lookup.id);
      log.u8(key.db);
      log.bytes(key.bytes, 0, key.bytes.length);
      this.#state.statistics.framesSent[FrameType.Lookup]!++;
      this.#streams.appended(peer);
    }
    if (peers.length === 0) this.#finish(lookup);
  }

  #finish(lookup: Lookup): void {
    this.#byKey.delete(lookup.key.id);
    this.#byId.delete(lookup.id);
    for (const answer of lookup.answers) answer(lookup.holdings);
  }

  /** A provisional entry counts as none: nobody has seen it. */
  #counts(ref: Ref): boolean {
    const role = this.#store.role(ref);
    if (role === Role.Primary) return (this.#store.flags(ref) & Flag.Busy) === 0;
    return role !== Role.Record;
  }

  #primaryMember(ref: Ref): number {
    const peer = this.#store.role(ref) === Role.Primary ? NOBODY : this.#store.peer(ref);
    const id = peer === NOBODY ? this.#state.self.id : this.#state.livePeer(peer)?.id;
    const member = id === undefined ? -1 : this.#state.memberIndexOf(id);
    return member < 0 ? NO_MEMBER : member;
  }
}

/** Of copies, not tombstones. */
const isCopy = (holding: Holding): boolean => holding.role !== Role.Tombstone;

/** The holder to go to: a primary, else a copy that may promote itself, else the newest. Null when nobody has the key. */
export function bestHolding(holdings: readonly Holding[]): Holding | null {
  const rank = ({ role, flags }: Holding) =>
    role === Role.Primary ? 2 : (flags & Flag.Full) !== 0 ? 1 : 0;
  let best: Holding | null = null;
  for (const holding of holdings.filter(isCopy)) {
    const more =
      best === null
        ? 1
        : rank(holding) - rank(best) ||
          holding.version - best.version ||
          (holding.holder < best.holder ? 1 : -1);
    if (more > 0) best = holding;
  }
  return best;
}
