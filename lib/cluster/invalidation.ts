import { f64At, u32At } from '../protocol/bytes.js';
import { type Announcement, type Announcements, Kind, type Listener } from './announcements.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import type { ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Keys of one INVALIDATE frame end behind so many bytes; a single key of any length has room. */
const FRAME_BYTES = 32 * 1024;
/** One change of more keys is told as "all": who is told so many forgets most of what it has anyway. */
const KEYS_MAX = 10_000;
/** Of a frame before its keys: number of the forwarded command. */
const HEADER_BYTES = 8;

/** Clients of this node that keep copies of values, and are told when these are out of date. */
export interface TrackingClients {
  /** These keys have changed, on behalf of `origin`: null for nobody, or for nobody of this node. */
  invalidate(keys: readonly Buffer[], origin: object | null): void;
  /** Anything may have changed. */
  invalidateAll(): void;
}

/** Commands that came from other members, and went to them, as the origins of changes. */
export interface ForwardedOrigins {
  /** The number under which that member has sent the command; 0 where it is none of its. */
  numberAt(origin: object | null, peer: Peer): number;
  /** On whose behalf the command of that number was sent there. */
  originOf(peer: Peer, number: number): object | null;
}

/** Who tells of changes, as the clients that track at this node need it. */
export interface Invalidations {
  /** So many clients of this node are to be told of keys that begin so. `prefix` has one byte per character. */
  announce(prefix: string, count: number): void;
  /** Every member tells of all that changes from now on. */
  readonly isTold: boolean;
  /** Calls `done` once it is so. */
  whenTold(done: () => void): void;
}

interface CatchUp {
  readonly peer: Peer;
  missing: number;
}

/**
 * Changes of keys, told to every member that has clients which track (decision 0027): by whoever is primary, when the change is
 * acknowledged. Nothing is remembered of who has read what anywhere but at the node of the reader, so nothing has to move with a key.
 * The frames are part of the stream: none is lost between two members that stay in the view.
 */
export class Invalidation implements Invalidations, Listener, ReplySink {
  clients: TrackingClients | null = null;
  /** Called when changes are to be noted from now on, or need not be any more. */
  wanted: (isWanted: boolean) => void = () => undefined;
  readonly #state: ClusterState;
  readonly #streams: Streams;
  readonly #announcements: Announcements;
  readonly #origins: ForwardedOrigins;
  readonly #own = new Set<string>();
  /** By member: the prefixes that it has announced. */
  readonly #theirs = new Map<Peer, Map<string, Buffer>>();
  /** Their streams were full: they are told "all" when there is room. */
  readonly #overdue = new Set<Peer>();
  readonly #catchUps = new Map<number, CatchUp>();
  #lastToken = 0;
  #isWanted = false;

  constructor(
    state: ClusterState,
    streams: Streams,
    announcements: Announcements,
    origins: ForwardedOrigins,
  ) {
    this.#state = state;
    this.#streams = streams;
    this.#announcements = announcements;
    this.#origins = origins;
    announcements.listeners.push(this);
  }

  // --- Invalidations

  announce(prefix: string, count: number): void {
    if (count > 0) this.#own.add(prefix);
    else this.#own.delete(prefix);
    this.#announcements.announce({ kind: Kind.Tracked, name: prefix, number: count, text: '' });
    this.#refresh();
  }

  get isTold(): boolean {
    return this.#announcements.isTold;
  }

  whenTold(done: () => void): void {
    this.#announcements.whenTold(done);
  }

  // --- members

  heard(peer: Peer, { kind, name, number }: Announcement): void {
    if (kind !== Kind.Tracked) return;
    let prefixes = this.#theirs.get(peer);
    const wasWanted = this.#isWanted;
    if (number > 0) {
      if (prefixes === undefined) {
        prefixes = new Map();
        this.#theirs.set(peer, prefixes);
      }
      prefixes.set(name, Buffer.from(name, 'latin1'));
    } else if (prefixes?.delete(name) && prefixes.size === 0) this.#theirs.delete(peer);
    this.#refresh();
    if (!wasWanted && this.#isWanted) this.#catchUp(peer);
  }

  /** Members have come or gone: who has not said yet what it tracks is told everything. */
  membersChanged(): void {
    for (const peer of this.#theirs.keys()) if (!peer.isLive) this.#theirs.delete(peer);
    for (const peer of this.#overdue) if (!peer.isLive) this.#overdue.delete(peer);
    this.#refresh();
  }

  completed(): void {
    this.#refresh();
  }

  #refresh(): void {
    const isWanted =
      this.#own.size > 0 ||
      this.#theirs.size > 0 ||
      this.#state.livePeers().some(({ hasAnnounced }) => !hasAnnounced);
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    this.wanted(isWanted);
  }

  /**
   * Changes that were made before this node knew that anybody tracks were not noted, and may not be on their backups yet:
   *
   *   1. P changes k, whose backup X has the old value and answers reads
   *   2. P hears that A tracks; A knows that it has
   *   3. A reads k at X, as it was. X gets the change, and nobody tells A.
   *
   * So A is told to forget everything once more when all that is under way now has arrived.
   */
  #catchUp(peer: Peer): void {
    const open = this.#state.livePeers().filter(({ stream }) => stream.log.pendingBytes > 0);
    if (open.length === 0) return;
    const token = ++this.#lastToken;
    this.#catchUps.set(token, { peer, missing: open.length });
    for (const { stream } of open) stream.awaitAck(stream.log.endOffset, this, token);
  }

  acknowledged(token: number): void {
    const catchUp = this.#catchUps.get(token);
    if (catchUp === undefined || --catchUp.missing > 0) return;
    this.#catchUps.delete(token);
    if (catchUp.peer.isLive) this.#send(catchUp.peer, [], 0);
  }

  complete(): void {}

  fail(token: number): void {
    this.acknowledged(token);
  }

  // --- changes

  /** Changes that are acknowledged. */
  publish(keys: readonly Buffer[], origin: object | null): void {
    this.clients?.invalidate(keys, origin);
    for (const peer of this.#state.livePeers()) {
      const wanted = this.#wantedBy(peer, keys);
      if (wanted.length > 0) this.#tell(peer, wanted, this.#origins.numberAt(origin, peer));
    }
  }

  /** A flush is over, a member is gone, sides have met: what was told here may not be all there was to tell. */
  forgetAll(): void {
    this.clients?.invalidateAll();
  }

  #wantedBy(peer: Peer, keys: readonly Buffer[]): readonly Buffer[] {
    const prefixes = this.#theirs.get(peer);
    if (!peer.hasAnnounced || prefixes?.has('')) return keys;
    if (prefixes === undefined) return [];
    return keys.filter((key) => beginsWithAny(key, prefixes.values()));
  }

  #tell(peer: Peer, keys: readonly Buffer[], number: number): void {
    if (peer.stream.isFull || this.#overdue.has(peer)) {
      this.#overdue.add(peer);
      return;
    }
    if (keys.length > KEYS_MAX) return this.#send(peer, [], 0);
    for (let from = 0; from < keys.length; ) {
      let to = from;
      for (let bytes = 0; to < keys.length && bytes < FRAME_BYTES; to++) {
        bytes += 4 + keys[to]!.length;
      }
      this.#send(peer, keys.slice(from, to), number);
      from = to;
    }
  }

  /** INVALIDATE: number of the forwarded command f64, 0 for none; of each key its length u32, and the key. No key: all. */
  #send(peer: Peer, keys: readonly Buffer[], number: number): void {
    const { log } = peer.stream;
    log.begin(
      FrameType.Invalidate,
      keys.reduce((bytes, key) => bytes + 4 + key.length, HEADER_BYTES),
    );
    log.f64(number);
    for (const key of keys) {
      log.u32(key.length);
      if (key.length > 0) log.bytes(key, 0, key.length);
    }
    this.#state.statistics.framesSent[FrameType.Invalidate]!++;
    this.#streams.appended(peer);
  }

  beforeFlush(): void {
    for (const peer of this.#overdue) {
      if (peer.isLive && peer.stream.isFull) continue;
      this.#overdue.delete(peer);
      if (peer.isLive) this.#send(peer, [], 0);
    }
  }

  receive(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < HEADER_BYTES) return false;
    const number = f64At(buffer, start);
    const keys: Buffer[] = [];
    for (let at = start + HEADER_BYTES; at < end; ) {
      if (end - at < 4) return false;
      const next = at + 4 + u32At(buffer, at);
      if (next > end) return false;
      keys.push(buffer.subarray(at + 4, next));
      at = next;
    }
    if (keys.length === 0) this.forgetAll();
    else this.clients?.invalidate(keys, this.#origins.originOf(peer, number));
    return true;
  }
}

function beginsWithAny(key: Buffer, prefixes: Iterable<Buffer>): boolean {
  for (const prefix of prefixes) {
    const { length } = prefix;
    if (key.length >= length && key.compare(prefix, 0, length, 0, length) === 0) return true;
  }
  return false;
}
