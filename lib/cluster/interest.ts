import { matchesGlob } from '../protocol/glob.js';
import { Kind } from './announcements.js';
import type { Peer } from './peer.js';

/** Channels of the two kinds that are named in full. */
export type ChannelKind = typeof Kind.Channel | typeof Kind.ShardChannel;
export type TopicKind = ChannelKind | typeof Kind.Pattern;

interface Pattern {
  readonly bytes: Buffer;
  readonly counts: Map<Peer, number>;
}

interface Channels {
  readonly [Kind.Channel]: Map<string, number>;
  readonly [Kind.ShardChannel]: Map<string, number>;
}

/**
 * What the other members have subscribers for, and how many, as they have announced it. Names have one byte per character.
 * Bounded by what each of them lets its clients subscribe to.
 */
export class Interest {
  readonly #channels = new Map<Peer, Channels>();
  /** By pattern, as it is matched once for all members that have it. */
  readonly #patterns = new Map<string, Pattern>();

  heard(peer: Peer, kind: TopicKind, name: string, count: number): void {
    if (kind === Kind.Pattern) this.#heardPattern(peer, name, count);
    else this.#heardChannel(peer, kind, name, count);
  }

  forget(peer: Peer): void {
    this.#channels.delete(peer);
    for (const name of [...this.#patterns.keys()]) this.#heardPattern(peer, name, 0);
  }

  /** Adds the members with subscribers that a message is for to `members`; returns how many subscribers they have. */
  receivers(kind: ChannelKind, channel: Buffer, members: Set<Peer>): number {
    let receivers = 0;
    const name = channel.latin1Slice(0, channel.length);
    for (const [peer, channels] of this.#channels) {
      const count = channels[kind].get(name);
      if (count === undefined) continue;
      receivers += count;
      members.add(peer);
    }
    if (kind !== Kind.Channel) return receivers;
    for (const { bytes, counts } of this.#patterns.values()) {
      if (!matchesGlob(bytes, 0, bytes.length, channel, 0, channel.length)) continue;
      for (const [peer, count] of counts) {
        receivers += count;
        members.add(peer);
      }
    }
    return receivers;
  }

  /** Subscribers of one channel at the other members. */
  count(kind: ChannelKind, name: string): number {
    let count = 0;
    for (const channels of this.#channels.values()) count += channels[kind].get(name) ?? 0;
    return count;
  }

  /** May name what several members have subscribers for several times. */
  *channels(kind: ChannelKind): Generator<string> {
    for (const channels of this.#channels.values()) yield* channels[kind].keys();
  }

  patterns(): Iterable<string> {
    return this.#patterns.keys();
  }

  #heardChannel(peer: Peer, kind: ChannelKind, name: string, count: number): void {
    let channels = this.#channels.get(peer);
    if (channels === undefined) {
      channels = { [Kind.Channel]: new Map(), [Kind.ShardChannel]: new Map() };
      this.#channels.set(peer, channels);
    }
    if (count === 0) channels[kind].delete(name);
    else channels[kind].set(name, count);
  }

  #heardPattern(peer: Peer, name: string, count: number): void {
    let pattern = this.#patterns.get(name);
    if (pattern === undefined) {
      if (count === 0) return;
      pattern = { bytes: Buffer.from(name, 'latin1'), counts: new Map() };
      this.#patterns.set(name, pattern);
    }
    if (count > 0) pattern.counts.set(peer, count);
    else if (pattern.counts.delete(peer) && pattern.counts.size === 0) this.#patterns.delete(name);
  }
}
