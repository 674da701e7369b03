import { u32At } from '../protocol/bytes.js';
import { type Announcement, type Announcements, Kind, type Listener } from './announcements.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import { type ChannelKind, Interest, type TopicKind } from './interest.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Of a PUBLISH frame before the channel: kind, length of the channel. */
const HEADER_BYTES = 5;

/** Who hands messages of other members to the subscribers of this node. */
export interface Subscribers {
  /** The ranges may be overwritten after the return. */
  deliver(kind: ChannelKind, channel: Buffer, message: Buffer): void;
}

/** Publish/subscribe of the other members, as the subscriptions of this node need it. */
export interface Distribution {
  /** So many subscribers of this node there are now. `name` has one byte per character. */
  announce(kind: TopicKind, name: string, count: number): void;
  /** Every member sends here what is published from now on for what was announced before. */
  readonly isTold: boolean;
  /** Calls `done` once it is so. */
  whenTold(done: () => void): void;
  /** Sends a message to the other members; returns how many subscribers they have for it. */
  publish(kind: ChannelKind, channel: Buffer, message: Buffer): number;
  readonly interest: Interest;
}

/**
 * Messages that are published at one member and have subscribers at others (decision 0020): to the members that have some,
 * and to those that have not said yet what they have. In the order of publishing, at most once.
 */
export class Publishing implements Distribution, Listener {
  readonly interest: Interest = new Interest();
  subscribers: Subscribers | null = null;
  readonly #state: ClusterState;
  readonly #streams: Streams;
  readonly #announcements: Announcements;
  readonly #members = new Set<Peer>();

  constructor(state: ClusterState, streams: Streams, announcements: Announcements) {
    this.#state = state;
    this.#streams = streams;
    this.#announcements = announcements;
    announcements.listeners.push(this);
  }

  announce(kind: TopicKind, name: string, count: number): void {
    this.#announcements.announce({ kind, name, number: count, text: '' });
  }

  get isTold(): boolean {
    return this.#announcements.isTold;
  }

  whenTold(done: () => void): void {
    this.#announcements.whenTold(done);
  }

  publish(kind: ChannelKind, channel: Buffer, message: Buffer): number {
    const members = this.#members;
    const receivers = this.interest.receivers(kind, channel, members);
    for (const peer of this.#state.livePeers()) {
      if (members.has(peer) || !peer.hasAnnounced) this.#send(peer, kind, channel, message);
    }
    members.clear();
    return receivers;
  }

  /** Of something that has happened here: to the subscribers of this node too. */
  publishEverywhere(channel: Buffer, message: Buffer): void {
    this.subscribers?.deliver(Kind.Channel, channel, message);
    this.publish(Kind.Channel, channel, message);
  }

  heard(peer: Peer, { kind, name, number }: Announcement): void {
    if (kind === Kind.Setting || kind === Kind.Tracked) return;
    this.interest.heard(peer, kind, name, number);
  }

  peerLost(peer: Peer): void {
    this.interest.forget(peer);
  }

  /** PUBLISH: kind u8, length of the channel u32, channel, message. */
  receive(buffer: Buffer, start: number, end: number): boolean {
    if (end - start < HEADER_BYTES) return false;
    const kind = buffer[start]!;
    const messageAt = start + HEADER_BYTES + u32At(buffer, start + 1);
    if (messageAt > end || (kind !== Kind.Channel && kind !== Kind.ShardChannel)) return false;
    const channel = buffer.subarray(start + HEADER_BYTES, messageAt);
    this.subscribers?.deliver(kind, channel, buffer.subarray(messageAt, end));
    return true;
  }

  #send(peer: Peer, kind: ChannelKind, channel: Buffer, message: Buffer): void {
    const { statistics } = this.#state;
    const length = HEADER_BYTES + channel.length + message.length;
    const log = peer.lossy.begin(FrameType.Publish, length);
    if (log === null) {
      statistics.messagesDropped++;
      return;
    }
    log.u8(kind);
    log.u32(channel.length);
    log.bytes(channel, 0, channel.length);
    log.bytes(message, 0, message.length);
    statistics.framesSent[FrameType.Publish]!++;
    this.#streams.wantFlush();
  }
}
