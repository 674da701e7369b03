import { f64At, u32At } from '../protocol/bytes.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import type { ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Announcements of one frame: at most so many, and none after so many bytes. */
const ENTRIES_PER_FRAME = 1000;
const FRAME_BYTES = 32 * 1024;
/** Of an entry before its name and its text: kind, number, and the two lengths. */
const ENTRY_HEADER_BYTES = 17;

/** What an announcement is about. */
export const Kind = {
  /** Subscribers of a channel, a pattern, a shard channel: `number` says how many. */
  Channel: 0,
  Pattern: 1,
  ShardChannel: 2,
  /** A setting of the whole cluster: `text` since version `number`. */
  Setting: 3,
  /** Clients that are told of changes of keys which begin so: `number` says how many. */
  Tracked: 4,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Something that is so at a node from now on. `name` and `text` have one byte per character. */
export interface Announcement {
  readonly kind: Kind;
  readonly name: string;
  /** 0 where there is nothing to know any more. */
  readonly number: number;
  readonly text: string;
}

/** Who is told what others announce. */
export interface Listener {
  heard(peer: Peer, announcement: Announcement): void;
  /** A member has announced all it has for the first time. */
  completed?(): void;
}

interface Told {
  readonly peer: Peer;
  readonly token: number;
  /** What the peer is yet to be told, with the number of the change. */
  readonly pending: Map<string, number>;
  /** Number of the first change in the frame that is not acked, 0 where there is none. */
  inFlight: number;
  /** The peer was told that there is nothing more than what it knows. */
  isComplete: boolean;
}

/**
 * Tells every member what is so at this node: how it is now, not how it came to be. Per member one frame is on its way, and
 * what changes meanwhile changes what the next one says; so however fast things change, what waits is bounded by what there
 * is. A member met for the first time is told everything.
 */
export class Announcements implements ReplySink {
  readonly listeners: Listener[] = [];
  readonly #state: ClusterState;
  readonly #streams: Streams;
  /** What is announced now, by id. */
  readonly #current = new Map<string, Announcement>();
  readonly #told = new Map<Peer, Told>();
  /** Who waits until all members were told of the changes up to a number, oldest first. */
  readonly #waiting: { readonly change: number; readonly done: () => void }[] = [];
  #lastChange = 0;
  #lastToken = 0;

  constructor(state: ClusterState, streams: Streams) {
    this.#state = state;
    this.#streams = streams;
  }

  announce(announcement: Announcement): void {
    const id = idOf(announcement.kind, announcement.name);
    if (announcement.number === 0) this.#current.delete(id);
    else this.#current.set(id, announcement);
    this.#lastChange++;
    for (const told of this.#told.values()) {
      // What waits already keeps its place: who waits for that is told of this, too.
      if (!told.pending.has(id)) told.pending.set(id, this.#lastChange);
    }
    if (this.#told.size > 0) this.#streams.wantFlush();
  }

  /** Calls `done` once all members were told of everything so far: at once where there are none; in no view, after the next one. */
  whenTold(done: () => void): void {
    if (this.isTold) done();
    else this.#waiting.push({ change: this.#lastChange, done });
  }

  get isTold(): boolean {
    return this.#toldUpTo() >= this.#lastChange;
  }

  /** Members met for the first time are told everything: until they have it all, they know of no change at all. */
  installed(added: readonly Peer[]): void {
    for (const peer of added) {
      const pending = new Map<string, number>();
      for (const id of this.#current.keys()) pending.set(id, 1);
      const token = ++this.#lastToken;
      this.#told.set(peer, { peer, token, pending, inFlight: 0, isComplete: false });
    }
    this.#release();
  }

  peerLost(peer: Peer): void {
    this.#told.delete(peer);
    this.#release();
  }

  excluded(): void {
    this.#told.clear();
  }

  /** Appends what is due. */
  beforeFlush(): void {
    for (const told of this.#told.values()) {
      if (!told.peer.isLive || told.inFlight !== 0) continue;
      if (told.pending.size > 0 || !told.isComplete) this.#append(told);
    }
  }

  /** ANNOUNCE: whether it is complete u8, entries of kind u8, number f64, lengths of name and text u32, name, text. */
  receive(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end === start) return false;
    for (let at = start + 1; at < end; ) {
      if (end - at < ENTRY_HEADER_BYTES) return false;
      const kind = buffer[at]!;
      const nameAt = at + ENTRY_HEADER_BYTES;
      const textAt = nameAt + u32At(buffer, at + 9);
      const next = textAt + u32At(buffer, at + 13);
      if (next > end || kind > Kind.Tracked) return false;
      const announcement = {
        kind: kind as Kind,
        number: f64At(buffer, at + 1),
        name: buffer.latin1Slice(nameAt, textAt),
        text: buffer.latin1Slice(textAt, next),
      };
      for (const listener of this.listeners) listener.heard(peer, announcement);
      at = next;
    }
    if (buffer[start] === 1 && !peer.hasAnnounced) {
      peer.hasAnnounced = true;
      for (const listener of this.listeners) listener.completed?.();
    }
    return true;
  }

  /** A member has processed its frame. */
  acknowledged(token: number): void {
    for (const told of this.#told.values()) {
      if (told.token !== token) continue;
      told.inFlight = 0;
      if (told.pending.size > 0) this.#streams.wantFlush();
      break;
    }
    this.#release();
  }

  complete(): void {}

  fail(): void {}

  #append(told: Told): void {
    const entries: Announcement[] = [];
    let bytes = 1;
    for (const [id, change] of told.pending) {
      if (entries.length === ENTRIES_PER_FRAME || bytes > FRAME_BYTES) break;
      if (entries.length === 0) told.inFlight = change;
      told.pending.delete(id);
      const entry = this.#current.get(id) ?? nothingOf(id);
      entries.push(entry);
      bytes += ENTRY_HEADER_BYTES + entry.name.length + entry.text.length;
    }
    told.inFlight ||= this.#lastChange + 1;
    told.isComplete = told.pending.size === 0;
    const { stream } = told.peer;
    const { log } = stream;
    log.begin(FrameType.Announce, bytes);
    log.u8(told.isComplete ? 1 : 0);
    for (const { kind, number, name, text } of entries) {
      log.u8(kind);
      log.f64(number);
      log.u32(name.length);
      log.u32(text.length);
      log.latin1(name);
      log.latin1(text);
    }
    this.#state.statistics.framesSent[FrameType.Announce]!++;
    this.#streams.appended(told.peer);
    stream.awaitAck(log.endOffset, this, told.token);
  }

  /** Number of the last change that every member was told of, with all before it. */
  #toldUpTo(): number {
    if (this.#state.view === null) return -1;
    let least = Number.POSITIVE_INFINITY;
    for (const { peer, pending, inFlight } of this.#told.values()) {
      if (!peer.isLive) continue;
      const first = inFlight !== 0 ? inFlight : pending.values().next().value;
      if (first !== undefined) least = Math.min(least, first - 1);
    }
    return least;
  }

  #release(): void {
    if (this.#waiting.length === 0) return;
    const upTo = this.#toldUpTo();
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.change <= upTo) count++;
    for (const { done } of this.#waiting.splice(0, count)) done();
  }
}

const idOf = (kind: Kind, name: string): string => String.fromCharCode(kind) + name;

const nothingOf = (id: string): Announcement => ({
  kind: id.charCodeAt(0) as Kind,
  name: id.slice(1),
  number: 0,
  text: '',
});
