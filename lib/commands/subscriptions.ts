import {
  CHANNEL_BYTES_MAX,
  SUBSCRIPTIONS_PER_CLIENT,
  SUBSCRIPTIONS_PER_NODE,
} from '../base/limits.js';
import { Kind } from '../cluster/announcements.js';
import type { ChannelKind, TopicKind } from '../cluster/interest.js';
import type { Distribution, Subscribers } from '../cluster/publishing.js';
import { matchesGlob } from '../protocol/glob.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { ClientSession } from './client-session.js';

/** Subscriptions of a client that is gone which are taken back before others get their turn. */
const FORGOTTEN_PER_TURN = 1000;

/** Names have one byte per character. */
export class ClientSubscriptions {
  readonly [Kind.Channel] = new Set<string>();
  readonly [Kind.Pattern] = new Set<string>();
  readonly [Kind.ShardChannel] = new Set<string>();

  get total(): number {
    return this[Kind.Channel].size + this[Kind.Pattern].size + this[Kind.ShardChannel].size;
  }

  /** What the replies about one kind count: channels and patterns together, shard channels by themselves. */
  counted(kind: TopicKind): number {
    if (kind === Kind.ShardChannel) return this[Kind.ShardChannel].size;
    return this[Kind.Channel].size + this[Kind.Pattern].size;
  }
}

const KINDS: readonly TopicKind[] = [Kind.Channel, Kind.Pattern, Kind.ShardChannel];

/** The first word of a message. */
const WORDS = { [Kind.Channel]: 'message', [Kind.ShardChannel]: 'smessage' } as const;

interface Pattern {
  readonly name: string;
  readonly bytes: Buffer;
  readonly clients: Set<ClientSession>;
}

/** A message as it is sent to subscribers: encoded once for each version of the protocol. */
class Encoded {
  readonly #write: (writer: ReplyWriter) => void;
  readonly #byProto: { 2: Buffer | null; 3: Buffer | null } = { 2: null, 3: null };

  constructor(write: (writer: ReplyWriter) => void) {
    this.#write = write;
  }

  for(proto: 2 | 3): Buffer {
    const made = this.#byProto[proto];
    if (made !== null) return made;
    const writer = new ReplyWriter();
    writer.proto = proto;
    this.#write(writer);
    const bytes = writer.buffer.subarray(0, writer.length);
    this.#byProto[proto] = bytes;
    return bytes;
  }
}

/** Who of this node's clients is subscribed to what, and the way of a message to them and to the other members. */
export class Subscriptions implements Subscribers {
  readonly #distribution: Distribution;
  /** Runs something in a later turn. */
  readonly #later: (run: () => void) => void;
  readonly #channels = {
    [Kind.Channel]: new Map<string, Set<ClientSession>>(),
    [Kind.ShardChannel]: new Map<string, Set<ClientSession>>(),
  } as const;
  readonly #patterns = new Map<string, Pattern>();
  #total = 0;

  constructor(distribution: Distribution, later: (run: () => void) => void) {
    this.#distribution = distribution;
    this.#later = later;
  }

  /** Of all clients of this node. */
  get total(): number {
    return this.#total;
  }

  /** Different channels and patterns that clients of this node are subscribed to. */
  get channelCount(): number {
    return this.#channels[Kind.Channel].size;
  }

  get patternCount(): number {
    return this.#patterns.size;
  }

  /** Why a client may not subscribe to so many more; null where it may. */
  refusal(client: ClientSession, count: number, longestBytes: number): string | null {
    if (longestBytes > CHANNEL_BYTES_MAX)
      return `ERR a channel or pattern to subscribe to is longer than ${CHANNEL_BYTES_MAX} bytes`;
    if ((client.subscriptions?.total ?? 0) + count > SUBSCRIPTIONS_PER_CLIENT)
      return `ERR more than ${SUBSCRIPTIONS_PER_CLIENT} subscriptions of one client`;
    if (this.#total + count > SUBSCRIPTIONS_PER_NODE)
      return `ERR more than ${SUBSCRIPTIONS_PER_NODE} subscriptions at one node`;
    return null;
  }

  /** Whether messages of the other members come for all that was subscribed to, and `done` once they do. */
  get isTold(): boolean {
    return this.#distribution.isTold;
  }

  whenTold(done: () => void): void {
    this.#distribution.whenTold(done);
  }

  /** Returns how many subscriptions the client has, as the reply counts them. */
  subscribe(client: ClientSession, kind: TopicKind, name: string): number {
    client.subscriptions ??= new ClientSubscriptions();
    const own = client.subscriptions[kind];
    if (!own.has(name)) {
      own.add(name);
      this.#total++;
      const clients = this.#clientsOf(kind, name);
      clients.add(client);
      this.#distribution.announce(kind, name, clients.size);
    }
    return client.subscriptions.counted(kind);
  }

  /** Returns how many subscriptions the client has left, as the reply counts them. */
  unsubscribe(client: ClientSession, kind: TopicKind, name: string): number {
    const own = client.subscriptions;
    if (own === null) return 0;
    if (own[kind].delete(name)) this.#left(client, kind, name);
    if (own.total === 0) client.subscriptions = null;
    return own.counted(kind);
  }

  /** Takes back all subscriptions of a client. */
  reset(client: ClientSession): void {
    const own = client.subscriptions;
    client.subscriptions = null;
    if (own !== null) this.#forget(client, own);
  }

  /** Sends a message to all subscribers of the cluster; returns how many there are. */
  publish(kind: ChannelKind, channel: Buffer, message: Buffer): number {
    const receivers = this.deliver(kind, channel, message);
    return receivers + this.#distribution.publish(kind, channel, message);
  }

  /** Sends a message to the subscribers of this node; returns how many there are. */
  deliver(kind: ChannelKind, channel: Buffer, message: Buffer): number {
    const clients = this.#channels[kind].get(channel.latin1Slice(0, channel.length));
    let receivers = 0;
    if (clients !== undefined) {
      receivers = clients.size;
      send(clients, (writer) => {
        writer.push(3);
        writer.bulkLatin1(WORDS[kind]);
        writer.bulk(channel, 0, channel.length);
        writer.bulk(message, 0, message.length);
      });
    }
    if (kind !== Kind.Channel) return receivers;
    for (const pattern of this.#patterns.values()) {
      const { bytes } = pattern;
      if (!matchesGlob(bytes, 0, bytes.length, channel, 0, channel.length)) continue;
      receivers += pattern.clients.size;
      send(pattern.clients, (writer) => {
        writer.push(4);
        writer.bulkLatin1('pmessage');
        writer.bulk(bytes, 0, bytes.length);
        writer.bulk(channel, 0, channel.length);
        writer.bulk(message, 0, message.length);
      });
    }
    return receivers;
  }

  // --- the whole cluster, as the members have announced it

  /** Names of channels with subscribers, that match the pattern where there is one. */
  channels(kind: ChannelKind, pattern: Buffer | null): string[] {
    const names = new Set(this.#channels[kind].keys());
    for (const name of this.#distribution.interest.channels(kind)) names.add(name);
    if (pattern === null) return [...names];
    return [...names].filter((name) => {
      const bytes = Buffer.from(name, 'latin1');
      return matchesGlob(pattern, 0, pattern.length, bytes, 0, bytes.length);
    });
  }

  subscribers(kind: ChannelKind, name: string): number {
    const here = this.#channels[kind].get(name)?.size ?? 0;
    return here + this.#distribution.interest.count(kind, name);
  }

  /** Different patterns. */
  patterns(): number {
    const names = new Set(this.#patterns.keys());
    for (const name of this.#distribution.interest.patterns()) names.add(name);
    return names.size;
  }

  #forget(client: ClientSession, own: ClientSubscriptions): void {
    let room = FORGOTTEN_PER_TURN;
    for (const kind of KINDS) {
      for (const name of own[kind]) {
        if (room-- === 0) return this.#later(() => this.#forget(client, own));
        own[kind].delete(name);
        // Meanwhile it may have subscribed anew.
        if (client.subscriptions?.[kind].has(name)) this.#total--;
        else this.#left(client, kind, name);
      }
    }
  }

  #left(client: ClientSession, kind: TopicKind, name: string): void {
    this.#total--;
    const clients = this.#clientsOf(kind, name);
    clients.delete(client);
    this.#distribution.announce(kind, name, clients.size);
    if (clients.size > 0) return;
    if (kind === Kind.Pattern) this.#patterns.delete(name);
    else this.#channels[kind].delete(name);
  }

  #clientsOf(kind: TopicKind, name: string): Set<ClientSession> {
    if (kind !== Kind.Pattern) {
      const channels = this.#channels[kind];
      let clients = channels.get(name);
      if (clients === undefined) {
        clients = new Set();
        channels.set(name, clients);
      }
      return clients;
    }
    let pattern = this.#patterns.get(name);
    if (pattern === undefined) {
      pattern = { name, bytes: Buffer.from(name, 'latin1'), clients: new Set() };
      this.#patterns.set(name, pattern);
    }
    return pattern.clients;
  }
}

function send(clients: ReadonlySet<ClientSession>, write: (writer: ReplyWriter) => void): void {
  const message = new Encoded(write);
  for (const client of clients) client.push(message.for(client.reply.proto));
}
