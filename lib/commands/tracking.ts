import { TRACKING_LATE, TRACKING_PREFIXES_PER_CLIENT } from '../base/limits.js';
import type { Invalidations, TrackingClients } from '../cluster/invalidation.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';
import type { CommandSpec } from './spec.js';
import type { Statistics } from './statistics.js';
import { keyCount, keyIndex } from './table.js';
import { TrackedKeys } from './tracked-keys.js';
import type { Transaction } from './transaction.js';

/** Where RESP2 clients subscribe to what others are redirected to. */
const CHANNEL = '__redis__:invalidate';
/** All keys begin so: what the members are told where clients track the keys that they read. */
const EVERYTHING = '';

/** What CLIENT TRACKING has asked for. */
export interface TrackingOptions {
  /** Id of the client that is told instead; 0 for none. */
  readonly redirect: number;
  readonly isBroadcast: boolean;
  readonly optIn: boolean;
  readonly optOut: boolean;
  readonly noLoop: boolean;
}

/** A client that tracks. */
export class ClientTracking {
  /** Null when it tracks no more: the table of keys may name it for a while yet. */
  client: ClientSession | null;
  options: TrackingOptions;
  /** CLIENT CACHING was given for the next command or transaction. */
  isCachingGiven = false;
  /** It could not be told: whom it redirects to is gone. */
  isBroken = false;
  /** In broadcasting mode; one byte per character. */
  readonly prefixes = new Set<string>();
  /** Words to whom it redirects to that wait for its replies; and whether "all" is to follow the last of them. */
  late = 0;
  owesAll = false;

  constructor(client: ClientSession, options: TrackingOptions) {
    this.client = client;
    this.options = options;
  }
}

interface Prefix {
  readonly bytes: Buffer;
  readonly clients: Set<ClientTracking>;
}

/** What tracking needs of the node. */
export interface TrackingHost {
  /** Keys that the table has room for; 0 for any number. */
  readonly keysMax: number;
  /** Where it is counted that a bound was reached. */
  readonly limits: Statistics['limits'];
  find(id: number): ClientSession | undefined;
}

/**
 * Client-side caching (decision 0027): which clients of this node have read what, and the telling of changes. A key is remembered
 * before the command that reads it sets out, and what is told goes behind all replies that its client is yet to get: so a reply with an
 * old value never comes after the word that it is out of date.
 */
export class Tracking implements TrackingClients {
  readonly #invalidations: Invalidations;
  readonly #host: TrackingHost;
  readonly #clients = new Set<ClientTracking>();
  readonly #keys = new TrackedKeys();
  readonly #prefixes = new Map<string, Prefix>();
  /** Clients that track what they read. */
  #readers = 0;

  constructor(invalidations: Invalidations, host: TrackingHost) {
    this.#invalidations = invalidations;
    this.#host = host;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  /** Pairs of a key and a client that has read it. */
  get itemCount(): number {
    return this.#keys.items;
  }

  get prefixCount(): number {
    return this.#prefixes.size;
  }

  /** Whether every member tells of changes from now on, and `done` once it does. */
  get isTold(): boolean {
    return this.#invalidations.isTold;
  }

  whenTold(done: () => void): void {
    this.#invalidations.whenTold(done);
  }

  find(id: number): ClientSession | undefined {
    return this.#host.find(id);
  }

  // --- CLIENT TRACKING

  /** Whether a client may track so many more prefixes. */
  hasRoomFor(client: ClientSession, prefixes: number): boolean {
    const present = client.tracking?.prefixes.size ?? 0;
    return present + prefixes <= TRACKING_PREFIXES_PER_CLIENT;
  }

  /** `prefixes` are added to those that it has. */
  enable(client: ClientSession, options: TrackingOptions, prefixes: readonly string[]): void {
    let tracking = client.tracking;
    if (tracking === null) {
      tracking = new ClientTracking(client, options);
      client.tracking = tracking;
      this.#clients.add(tracking);
      if (!options.isBroadcast) this.#countReaders(1);
    }
    tracking.options = options;
    tracking.isBroken = false;
    if (!options.isBroadcast) return;
    for (const prefix of prefixes.length === 0 ? [EVERYTHING] : prefixes) {
      tracking.prefixes.add(prefix);
      this.#clientsOf(prefix).add(tracking);
      this.#announce(prefix);
    }
  }

  disable(client: ClientSession): void {
    const { tracking } = client;
    if (tracking === null) return;
    client.tracking = null;
    tracking.client = null;
    this.#clients.delete(tracking);
    if (this.#clients.size === 0) this.#keys.clear();
    if (!tracking.options.isBroadcast) return this.#countReaders(-1);
    for (const prefix of tracking.prefixes) {
      const clients = this.#clientsOf(prefix);
      clients.delete(tracking);
      if (clients.size === 0) this.#prefixes.delete(prefix);
      this.#announce(prefix);
    }
  }

  #countReaders(by: 1 | -1): void {
    this.#readers += by;
    this.#announce(EVERYTHING);
  }

  #announce(prefix: string): void {
    const clients = this.#prefixes.get(prefix)?.clients.size ?? 0;
    this.#invalidations.announce(prefix, clients + (prefix === EVERYTHING ? this.#readers : 0));
  }

  #clientsOf(name: string): Set<ClientTracking> {
    let prefix = this.#prefixes.get(name);
    if (prefix === undefined) {
      prefix = { bytes: Buffer.from(name, 'latin1'), clients: new Set() };
      this.#prefixes.set(name, prefix);
    }
    return prefix.clients;
  }

  // --- reading

  /** A command of a client that tracks is about to run, or to set out; not one that is queued for EXEC. */
  begins(
    tracking: ClientTracking,
    spec: CommandSpec,
    request: Request,
    transaction: Transaction | null,
  ): void {
    const { isBroadcast, optIn, optOut } = tracking.options;
    // As in Redis the commands of CLIENT leave what CLIENT CACHING has said, and MULTI hands it on to its EXEC.
    if (isBroadcast || spec.name.startsWith('client|') || spec.name === 'multi') return;
    const isGiven = tracking.isCachingGiven;
    const endsTransaction = spec.name === 'exec' || spec.name === 'discard';
    if (transaction === null || endsTransaction) tracking.isCachingGiven = false;
    if ((optIn && !isGiven) || (optOut && isGiven)) return;
    if (spec.name !== 'exec') this.#remember(tracking, spec, request);
    else {
      for (const queued of transaction?.commands ?? []) {
        this.#remember(tracking, queued.spec, queued.request);
      }
    }
    this.shrink();
  }

  /** Forgets the oldest keys where there are too many, some at a time, and tells who has read them. */
  shrink(): void {
    this.#keys.shrink(this.#host.keysMax, (clients, key) => {
      this.#host.limits.add('tracking-table');
      this.#tellReaders(clients, key, null);
    });
  }

  #remember(tracking: ClientTracking, spec: CommandSpec, request: Request): void {
    if (!spec.isTracked) return;
    const count = keyCount(spec, request);
    for (let number = 0; number < count; number++) {
      this.#keys.add(request.latin1(keyIndex(spec, request, number)), tracking);
    }
  }

  // --- TrackingClients

  invalidate(keys: readonly Buffer[], origin: object | null): void {
    for (const key of keys) {
      const clients = this.#keys.take(key.latin1Slice(0, key.length));
      if (clients !== null) this.#tellReaders(clients, key, origin);
    }
    for (const { bytes, clients } of this.#prefixes.values()) {
      const matching = keys.filter((key) => beginsWith(key, bytes));
      if (matching.length === 0) continue;
      for (const tracking of clients) {
        if (!isOwn(tracking, origin)) this.#tell(tracking, matching);
      }
    }
  }

  #tellReaders(clients: Iterable<ClientTracking>, key: Buffer, origin: object | null): void {
    for (const tracking of clients) {
      if (!tracking.options.isBroadcast && !isOwn(tracking, origin)) this.#tell(tracking, [key]);
    }
  }

  invalidateAll(): void {
    this.#keys.clear();
    for (const tracking of this.#clients) this.#tell(tracking, null);
  }

  /** All keys, to one client. */
  invalidateAllOf(tracking: ClientTracking): void {
    this.#tell(tracking, null);
  }

  /** `keys` null: all. */
  #tell(tracking: ClientTracking, keys: readonly Buffer[] | null): void {
    const { client, options } = tracking;
    if (client === null) return;
    if (options.redirect === 0) {
      if (client.reply.proto === 3) client.push(encode(3, keys));
    } else if (this.#host.find(options.redirect) === undefined) this.#tellBroken(tracking, client);
    else this.#tellLater(tracking, client, keys);
  }

  /**
   * Two connections have no order between them: what is told waits for the replies that the reader is yet to get. Where too much waits
   * so, it is told "all" behind the last of it.
   */
  #tellLater(
    tracking: ClientTracking,
    client: ClientSession,
    keys: readonly Buffer[] | null,
  ): void {
    if (tracking.late >= TRACKING_LATE) {
      this.#host.limits.add('tracking-redirect');
      tracking.owesAll = true;
      return;
    }
    const kept = keys?.map((key) => Buffer.from(key)) ?? null;
    tracking.late++;
    client.afterReplies(() => {
      tracking.late--;
      this.#tellRedirected(tracking, client, kept);
      if (tracking.late > 0 || !tracking.owesAll) return;
      tracking.owesAll = false;
      this.#tell(tracking, null);
    });
  }

  #tellRedirected(
    tracking: ClientTracking,
    client: ClientSession,
    keys: readonly Buffer[] | null,
  ): void {
    if (tracking.client === null) return;
    const target = this.#host.find(tracking.options.redirect);
    if (target === undefined) return this.#tellBroken(tracking, client);
    const { proto } = target.reply;
    if (proto === 3 || target.subscriptions !== null) target.push(encode(proto, keys));
  }

  #tellBroken(tracking: ClientTracking, client: ClientSession): void {
    tracking.isBroken = true;
    if (client.reply.proto === 2) return;
    const writer = new ReplyWriter();
    writer.proto = 3;
    writer.push(2);
    writer.bulkLatin1('tracking-redir-broken');
    writer.integer(tracking.options.redirect);
    client.push(writer.buffer.subarray(0, writer.length));
  }
}

const isOwn = ({ client, options }: ClientTracking, origin: object | null): boolean =>
  options.noLoop && origin !== null && client === origin;

function beginsWith(key: Buffer, prefix: Buffer): boolean {
  const { length } = prefix;
  return key.length >= length && key.compare(prefix, 0, length, 0, length) === 0;
}

/** `keys` null: all. */
function encode(proto: 2 | 3, keys: readonly Buffer[] | null): Buffer {
  const writer = new ReplyWriter();
  writer.proto = proto;
  writer.push(proto === 3 ? 2 : 3);
  writer.bulkLatin1(proto === 3 ? 'invalidate' : 'message');
  if (proto === 2) writer.bulkLatin1(CHANNEL);
  if (keys === null) writer.nil();
  else {
    writer.array(keys.length);
    for (const key of keys) writer.bulk(key, 0, key.length);
  }
  return writer.buffer.subarray(0, writer.length);
}
