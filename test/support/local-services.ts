import { renderInfo } from '../../lib/admin/info.js';
import { Config } from '../../lib/base/config.js';
import type { OptionName } from '../../lib/base/options.js';
import type { ClusterEvent } from '../../lib/cluster/cluster-events.js';
import { Interest } from '../../lib/cluster/interest.js';
import type { Member } from '../../lib/cluster/member.js';
import type { Distribution } from '../../lib/cluster/publishing.js';
import type { AclUser } from '../../lib/commands/acl/user.js';
import { Users } from '../../lib/commands/acl/users.js';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import type { ClientSession, ReplyMode } from '../../lib/commands/client-session.js';
import { CommandOrder } from '../../lib/commands/command-order.js';
import { Dispatcher } from '../../lib/commands/dispatcher.js';
import { LatencyMonitor } from '../../lib/commands/latency-monitor.js';
import { Monitors } from '../../lib/commands/monitors.js';
import { ScriptEngine } from '../../lib/commands/scripting/script-engine.js';
import type {
  NodeServices,
  ShutdownEnded,
  ShutdownRequest,
  SlotRange,
} from '../../lib/commands/services.js';
import { SlowLog } from '../../lib/commands/slow-log.js';
import { Statistics } from '../../lib/commands/statistics.js';
import { type ClientSubscriptions, Subscriptions } from '../../lib/commands/subscriptions.js';
import { type ClientTracking, Tracking } from '../../lib/commands/tracking.js';
import type { Transaction, WatchedKeys } from '../../lib/commands/transaction.js';
import type { BlockedClient } from '../../lib/commands/waiter.js';
import { keySlot } from '../../lib/protocol/crc16.js';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import { Request } from '../../lib/protocol/request.js';
import { LocalNode } from './local-keyspace.js';

export const self: Member = {
  id: 'a'.repeat(40),
  host: '127.0.0.1',
  port: 7001,
  busPort: 17001,
  zone: '',
  leaving: false,
};

/** A client connection without a socket. `replies()` gives what it would have sent by now. */
export class FakeClient implements ClientSession {
  readonly id: number;
  readonly address: string;
  readonly localAddress = '127.0.0.1:7001';
  readonly usesTls = false;
  readonly createdAt: number;
  lastActiveAt: number;
  name = '';
  libraryName = '';
  libraryVersion = '';
  db = 0;
  authenticated = true;
  user: AclUser;
  noEvict = false;
  subscriptions: ClientSubscriptions | null = null;
  monitors = false;
  tracking: ClientTracking | null = null;
  replyMode: ReplyMode = 'on';
  transaction: Transaction | null = null;
  watched: WatchedKeys | null = null;
  lastCommand = '';
  commandsRun = 0;
  blocked: BlockedClient | null = null;
  isPostponed = false;
  readonly queryBufferBytes = 0;
  readonly outputBytes = 0;
  readonly reply = new ReplyWriter();
  readonly order = new CommandOrder(() => this.release());
  readonly held: Request[] = [];
  closed: 'no' | 'after replies' | 'killed' = 'no';
  readonly #queue: { token: number; acks: number; bytes: Buffer | null }[] = [];
  readonly #released: (client: FakeClient) => void;
  #token = 0;

  constructor(id: number, now: number, user: AclUser, released: (client: FakeClient) => void) {
    this.id = id;
    this.user = user;
    this.#released = released;
    this.address = `127.0.0.1:${50_000 + id}`;
    this.createdAt = now;
    this.lastActiveAt = now;
  }

  hold(request: Request): void {
    this.held.push(request);
  }

  release(): void {
    this.#released(this);
  }

  endReply(acks: number): number {
    const bytes = Buffer.from(this.reply.buffer.subarray(0, this.reply.length));
    this.reply.reset();
    const token = ++this.#token;
    this.#queue.push({ token, acks, bytes });
    return acks > 0 ? token : 0;
  }

  push(bytes: Buffer): void {
    this.#queue.push({ token: ++this.#token, acks: 0, bytes: Buffer.from(bytes) });
  }

  showPushed(): void {}

  afterReplies(run: () => void): void {
    run();
  }

  deferReply(): number {
    const token = ++this.#token;
    this.#queue.push({ token, acks: 0, bytes: null });
    return token;
  }

  acknowledged(token: number): void {
    this.#queue.find((one) => one.token === token)!.acks--;
  }

  complete(token: number, reply: Buffer): void {
    this.#queue.find((one) => one.token === token)!.bytes = reply;
  }

  fail(token: number, error: string): void {
    this.complete(token, Buffer.from(`-${error}\r\n`));
  }

  closeAfterReplies(): void {
    this.closed = 'after replies';
  }

  kill(): void {
    this.closed = 'killed';
  }

  /** The bytes of all replies that are due, in order, as latin1; they are taken out. */
  replies(): string {
    let text = '';
    while (this.#queue.length > 0 && this.#queue[0]!.acks === 0 && this.#queue[0]!.bytes) {
      text += this.#queue.shift()!.bytes!.toString('latin1');
    }
    return text;
  }

  get waiting(): number {
    return this.#queue.length;
  }
}

/** The other members of a node that has none. */
const NO_OTHERS: Distribution = {
  interest: new Interest(),
  isTold: true,
  announce: () => undefined,
  whenTold: (done) => done(),
  publish: () => 0,
};

const NOBODY_TO_TELL = {
  isTold: true,
  announce: () => undefined,
  whenTold: (done: () => void) => done(),
};

/** A dispatcher on a LocalNode, with a clock and timers that tests move. */
export class TestNode {
  readonly local = new LocalNode();
  readonly config: Config;
  readonly table = createCommandTable();
  readonly users: Users;
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  /** The text of the ACL file. */
  aclFile = '';
  readonly statistics = new Statistics();
  readonly clients = new Set<FakeClient>();
  readonly subscriptions = new Subscriptions(NO_OTHERS, (run) => setImmediate(run));
  readonly tracking: Tracking;
  readonly monitors = new Monitors(() => this.time);
  readonly shutdowns: ShutdownRequest[] = [];
  readonly logged: [event: string, facts: Record<string, unknown>][] = [];
  /** Given by SHUTDOWN: ends it with an error. */
  shutdownEnded: ShutdownEnded | null = null;
  members: Member[] = [self];
  events: ClusterEvent[] = [];
  slotRanges: SlotRange[] = [{ first: 0, last: 16383, anchor: self, backup: null }];
  /** Unix milliseconds. */
  time = 1_700_000_000_000;
  readonly dispatcher: Dispatcher;
  #timers: { at: number; run: () => void }[] = [];

  constructor(options: Partial<Record<OptionName, string>> = {}) {
    this.config = new Config(options);
    this.users = new Users(this.config, this.table);
    this.slowLog = new SlowLog(this.config, () => this.time);
    this.latency = new LatencyMonitor(this.config);
    this.local.clock = () => this.time;
    const { config } = this;
    this.tracking = new Tracking(NOBODY_TO_TELL, {
      limits: this.statistics.limits,
      get keysMax() {
        return config.get('tracking-table-max-keys');
      },
      find: (id) => this.#find(id),
    });
    this.dispatcher = new Dispatcher({
      table: this.table,
      keyspace: this.local,
      router: this.local,
      barrier: this.local,
      services: this.#services(),
    });
    this.local.executor = this.dispatcher;
  }

  connect(): FakeClient {
    const client = new FakeClient(
      this.clients.size + 1,
      this.time,
      this.users.default,
      (client) => {
        this.#timers.push({ at: this.time, run: () => this.#runHeld(client) });
      },
    );
    this.clients.add(client);
    return client;
  }

  /** Runs a command and returns the replies that are due then. */
  run(client: FakeClient, ...args: (string | Buffer)[]): string {
    this.#dispatch(client, Request.of(...args));
    return client.replies();
  }

  /** What comes behind a command that is held waits with it. */
  #dispatch(client: FakeClient, request: Request): void {
    if (client.held.length > 0) client.held.push(request);
    else this.dispatcher.dispatch(client, request);
  }

  #runHeld(client: FakeClient): void {
    for (const request of client.held.splice(0)) this.#dispatch(client, request);
  }

  /** Lets time pass, and runs the timers that are due by then; `early`: they are called so long before their time. */
  advance(milliseconds: number, early = 0): void {
    this.time += milliseconds;
    for (let room = 100; room > 0; room--) {
      const next = this.#timers.findIndex((timer) => timer.at - early <= this.time);
      if (next < 0) return;
      const [timer] = this.#timers.splice(next, 1);
      timer!.run();
    }
  }

  #find(id: number): FakeClient | undefined {
    return [...this.clients].find((client) => client.id === id && client.closed !== 'killed');
  }

  #services(): NodeServices {
    const node = this;
    const services: NodeServices = {
      config: this.config,
      statistics: this.statistics,
      clients: {
        get size() {
          return node.clients.size;
        },
        all: () => [...node.clients].filter((client) => client.closed !== 'killed'),
        find: (id) => node.#find(id),
      },
      users: this.users,
      readAclFile: () => ({ content: node.aclFile }),
      writeAclFile: (content, done) => {
        node.aclFile = content;
        done(true);
      },
      cluster: {
        self,
        viewId: { number: 1, coordinator: self.id },
        get members() {
          return node.members;
        },
        missingMembers: [],
        loading: false,
        serving: true,
        forget: (id) => (id === self.id ? 'self' : 'unknown'),
        slotRanges: () => node.slotRanges,
        keysInSlot: () => 0,
        // Other members are asked: the answer comes later.
        locate: (_db, key, answer) => {
          const slot = keySlot(key, 0, key.length);
          const copies = { anchor: self, primary: self, backup: null, version: 1, expireAt: 0 };
          services.after(0, () => answer({ slot, ...copies, settled: true }));
        },
        peek: (_db, _key, answer) => services.after(0, () => answer(null)),
        events: (count) => node.events.slice(-count),
        copies: () => new Map(),
        tandis: () => ({
          settled: true,
          primaries: 3,
          backups: 0,
          keysWithoutBackup: 0,
          lookups: 0,
          forwards: 0,
          takeOvers: 0,
          promotions: 0,
          tombstones: 0,
          tombstonesMax: 0,
          membersMissing: 0,
          deletesForgotten: false,
          mergingSlots: 0,
          mergeDropped: 0,
          eventsRecorded: node.events.length,
          eventsKept: node.events.length,
          messagesDropped: 0,
          awaitedKeys: 0,
          waitHints: 0,
          waitHintsRefused: 0,
          busOutputBytes: 0,
          busInputBytes: 0,
          workOpen: new Map([['lookups', 2]]),
          limitsReached: new Map([['parked', 3]]),
          locations: 5,
          headroomBytes: null,
          assemblyBytes: 0,
          busBacklogBytes: 0,
          busMessages: new Map([['mirror', 2]]),
        }),
      },
      subscriptions: this.subscriptions,
      tracking: this.tracking,
      monitors: this.monitors,
      slowLog: this.slowLog,
      latency: this.latency,
      version: '0.1.0',
      runId: 'b'.repeat(40),
      startedAt: this.time,
      sharing: {
        find: (_sha, done) => {
          done(null);
          return true;
        },
        share: (_source, done) => {
          done();
          return true;
        },
        flush: (done) => {
          done();
          return true;
        },
      },
      scripts: new ScriptEngine(() => Date.now()),
      now: () => node.time,
      elapsedMs: () => performance.now(),
      random: () => Math.random(),
      store: () => ({
        usedBytes: 1536,
        primaryBytes: 1024,
        backupBytes: 512,
        tombstoneBytes: 0,
        peakBytes: 2048,
        reservedBytes: 4096,
        expiredKeys: 0,
        evictedKeys: 0,
        databases: [{ db: 0, keys: 3, expires: 1, averageTtlMs: 10.4 }],
      }),
      share: (_names, told) => told(),
      info: (sections) => renderInfo(services, sections),
      after: (delayMs, run) => {
        node.#timers.push({ at: node.time + delayMs, run });
      },
      shutdown: (request, ended) => {
        node.shutdowns.push(request);
        node.shutdownEnded = ended;
      },
      configFile: '',
      rewriteConfig: (done) => done('ERR The server is running without a config file'),
      abortShutdown: () => {
        const open = node.shutdownEnded !== null;
        node.shutdownEnded?.('ERR Errors trying to SHUTDOWN. Check logs.');
        node.shutdownEnded = null;
        return open;
      },
      log: (_level, event, facts) => void this.logged.push([event, facts]),
    };
    return services;
  }
}
