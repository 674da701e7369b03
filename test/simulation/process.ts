import { Config } from '../../lib/base/config.js';
import type { ClusterConfig } from '../../lib/cluster/cluster-config.js';
import type { Address, Incarnation, Member } from '../../lib/cluster/member.js';
import type { JoinAddresses, LinkEnd } from '../../lib/cluster/membership/contract.js';
import type { ForgetOutcome } from '../../lib/cluster/membership/forgetting.js';
import {
  type ControlMessage,
  decodeControlMessage,
} from '../../lib/cluster/membership/messages.js';
import { ClusterNode } from '../../lib/cluster/node.js';
import type { ClusterHost } from '../../lib/cluster/node-parts.js';
import type { Place } from '../../lib/cluster/placement.js';
import { TOMBSTONES_MAX } from '../../lib/cluster/tombstone-keeping.js';
import { Users } from '../../lib/commands/acl/users.js';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { Dispatcher } from '../../lib/commands/dispatcher.js';
import { LatencyMonitor } from '../../lib/commands/latency-monitor.js';
import { Monitors } from '../../lib/commands/monitors.js';
import { ScriptEngine } from '../../lib/commands/scripting/script-engine.js';
import type { NodeServices } from '../../lib/commands/services.js';
import { SlowLog } from '../../lib/commands/slow-log.js';
import { Statistics } from '../../lib/commands/statistics.js';
import { Subscriptions } from '../../lib/commands/subscriptions.js';
import { Tracking } from '../../lib/commands/tracking.js';
import { Store } from '../../lib/store/store.js';
import type { Random } from '../support/control-network.js';
import type { Connection } from './connection.js';
import type { LinkKind, LinkOwner, Network } from './network.js';
import type { Placements } from './placements.js';
import type { Scheduler } from './scheduler.js';
import { type Disk, SnapshotWork } from './snapshots.js';
import type { Trace } from './trace.js';

/** A host of the cluster: its clocks go on while processes on it come and go. */
export interface Machine {
  readonly index: number;
  readonly address: Address;
  /** Speed of the monotonic clock, about 1, and its reading at true time 0. */
  readonly rate: number;
  monotonicOffset: number;
  /** Wall clock minus true time, Unix milliseconds. */
  wallOffset: number;
  process: Process | null;
}

export interface ProcessOptions {
  /** Share of turns whose writes are late. */
  readonly lateShare: number;
  /** Share of looks at the clock that times commands at which much time has passed; none unless given. */
  readonly slowShare?: number;
  readonly nodeTimeoutMs: number;
  readonly partitionPolicy: 'available' | 'majority';
  readonly takeOverAfter: number;
  readonly tombstoneTtlMs: number;
  /** As a server's unless given. */
  readonly tombstonesMax?: number;
  readonly partBytes: number;
  readonly stepKeys: number;
  readonly maxMemoryBytes: number;
  readonly maxMemoryPolicy: ClusterConfig['maxMemoryPolicy'];
  /** Empty: no zones. */
  readonly zone: string;
  readonly locationList: ClusterConfig['locationList'];
  readonly join: readonly Address[];
  /** So many nodes have to hear each other before they found a cluster; two unless given. */
  readonly expect?: number;
  /** Where it writes a snapshot to, and loads it from. */
  readonly disk?: Disk;
}

/** What all processes of a simulation share. */
export interface World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace: Trace;
  readonly placements: Placements;
  /** A process is gone, whatever the reason. */
  ended(process: Process): void;
  /** What must never happen was seen. */
  violated(what: string): void;
}

/** So long a command takes that is slow: it is kept in the slow log. */
const SLOW_COMMAND_MS = 20;
const EXPIRE_MS = 100;
const EXPIRE_ENTRIES = 1000;
const COMPACT_PAGES = 1;
/** After so long one that is alone as the others died ends with its snapshot; as --leave-timeout, but shorter. */
const LEAVE_TIMEOUT_MS = 5000;
/** In so many ticks after its goodbye a process ends, 40 of which are a node-timeout; where majorities count the others may be too few to let it go. */
const GOODBYE_TICKS_MAX = 160;
/** So long the parts of a snapshot are waited for. */
const SNAPSHOT_TIMEOUT_MS = 20_000;
/** So long the clients of a leaving node may take to go. */
const CLIENTS_GO_MS_MAX = 300;
const READ_BUFFER_BYTES = 128 * 1024;
const STORE_CHUNK_BYTES = 256 * 1024;
/** Left in the read buffer after each turn, as the next read of a real socket would. */
const GARBAGE = 0xa5;

/** One process life of a node: the unchanged cluster part, store and dispatcher on a simulated host. */
export class Process implements LinkOwner, ClusterHost {
  readonly machine: number;
  readonly name: string;
  readonly node: ClusterNode;
  readonly #config = new Config();
  /** Of its own, as it counts: which commands are timed must not depend on the runs before. */
  readonly #table = createCommandTable();
  readonly users = new Users(this.#config, this.#table);
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly subscriptions: Subscriptions;
  readonly tracking: Tracking;
  readonly startedAt: number;
  hasEnded = false;
  /** Infinite until then. */
  endedAt = Number.POSITIVE_INFINITY;
  /** Leaves in good order. */
  isLeaving = false;
  readonly connections = new Set<Connection>();
  readonly #world: World;
  readonly #place: Machine;
  readonly #options: ProcessOptions;
  readonly #random: Random;
  #isFlushAsked = false;
  readonly #shared = Buffer.alloc(READ_BUFFER_BYTES);
  readonly #dirty = new Set<Connection>();
  readonly #snapshots: SnapshotWork | null;
  #paused: { label: string; run: () => void }[] | null = null;
  #ticksSinceGoodbye = 0;

  constructor(world: World, place: Machine, life: number, options: ProcessOptions) {
    this.#world = world;
    this.#place = place;
    this.#options = options;
    this.machine = place.index;
    this.name = `n${place.index}.${life}`;
    this.startedAt = world.scheduler.now;
    this.#random = world.scheduler.random(`process ${this.name}`);
    this.store = new Store({
      seed: 1 + this.#random.below(2 ** 31),
      chunkBytes: STORE_CHUNK_BYTES,
    });
    const { zone } = options;
    const self: Member = { ...place.address, id: this.randomId(), zone, leaving: false };
    this.node = new ClusterNode(
      this.store,
      this.#clusterConfig(),
      {
        nodeTimeoutMs: options.nodeTimeoutMs,
        partitionPolicy: options.partitionPolicy,
        joinListGiven: true,
        expect: options.expect ?? 0,
      },
      self,
      this,
      this.monotonic,
    );
    this.subscriptions = new Subscriptions(this.node.publishing, (run) =>
      world.scheduler.at(0, () => this.input('later', run)),
    );
    this.node.publishing.subscribers = this.subscriptions;
    this.tracking = new Tracking(this.node.invalidation, {
      keysMax: 0,
      limits: new Statistics().limits,
      find: (id) => [...this.connections].find((connection) => connection.id === id),
    });
    this.node.invalidation.clients = this.tracking;
    this.dispatcher = new Dispatcher({
      table: this.#table,
      keyspace: this.node.keyspace,
      router: this.node.router,
      barrier: this.node.keyspace,
      services: this.#services(),
    });
    this.node.executor = this.dispatcher;
    this.node.keyspace.events.origin = () => this.dispatcher.origin;
    this.#snapshots = options.disk === undefined ? null : this.#openSnapshots(options.disk);
    world.trace.started(this);
    this.#turn('start', () => this.node.start(this.monotonic, this.wall));
    this.#tickLater();
    this.#expireLater();
  }

  get monotonic(): number {
    return this.#world.scheduler.now * this.#place.rate + this.#place.monotonicOffset;
  }

  get wall(): number {
    return Math.floor(this.#world.scheduler.now + this.#place.wallOffset);
  }

  get isPaused(): boolean {
    return this.#paused !== null;
  }

  /** Whether it executes commands now. */
  get serves(): boolean {
    return !this.hasEnded && this.monotonic < this.node.state.servesUntil;
  }

  // --- faults

  pause(): void {
    this.#paused ??= [];
  }

  /** Everything that came meanwhile is there at once; timers fire first or last. */
  resume(): void {
    const waiting = this.#paused ?? [];
    this.#paused = null;
    if (this.#random.next() < 0.5) {
      const isTimer = ({ label }: { label: string }): boolean => label === 'tick';
      waiting.sort((a, b) => Number(isTimer(b)) - Number(isTimer(a)));
    }
    for (const { label, run } of waiting) {
      // Each in a turn of its own, some time after the one before; another pause may come between.
      this.#world.scheduler.at(0, () => this.input(label, run));
    }
  }

  /** kill -9: memory is lost; sockets close by themselves. */
  kill(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.endedAt = this.#world.scheduler.now;
    this.#paused = null;
    this.#world.trace.ended(this);
    this.#world.ended(this);
    this.#place.process = null;
    this.#world.network.listen(this.machine, null);
    this.#world.network.ended(this);
    for (const connection of this.connections) connection.serverEnded();
    this.connections.clear();
  }

  /** Hands everything over, then ends. */
  leave(): void {
    this.isLeaving = true;
    // As the server does: who is in no view has nothing to hand over.
    if (this.node.state.view === null) return this.kill();
    if (this.#snapshots !== null)
      this.#world.scheduler.at(LEAVE_TIMEOUT_MS, () =>
        this.input('leave overdue', () => this.#leaveOverdue()),
      );
    this.input('leave', () =>
      this.node.leave({
        isKept: () => this.#snapshots?.isKept === true,
        emptied: (done) => {
          this.#world.trace.note(this, 'emptied');
          this.#world.scheduler.at(this.#random.between(0, CLIENTS_GO_MS_MAX), () =>
            this.input('clients gone', done),
          );
        },
        left: () => {
          this.#world.trace.note(this, 'left');
          this.#write(() =>
            this.#world.scheduler.at(this.#random.between(1, 20), () => this.kill()),
          );
        },
      }),
    );
  }

  #leaveOverdue(): void {
    if (!this.isLeaving || !this.node.state.isAlone) return;
    this.node.membership.goodbye(this.monotonic, false);
    this.#write(() => this.kill());
  }

  #write(done: () => void): void {
    if (this.#snapshots === null) done();
    else this.#snapshots.write(done);
  }

  /** Takes leaving back; false when it is too late for that. */
  stay(): boolean {
    if (this.hasEnded || this.isPaused || !this.isLeaving) return false;
    this.input('stay', () => {
      this.isLeaving = !this.node.stay();
    });
    return !this.isLeaving;
  }

  /** An operator's word that a member is gone; null when nobody hears it. */
  forget(id: Incarnation, certain: boolean): ForgetOutcome | null {
    // One that is in no view has never heard of that member: the operator asks another one.
    if (this.isPaused || this.node.state.view === null) return null;
    let outcome: ForgetOutcome | null = null;
    this.input('forget', () => {
      outcome = this.node.membership.forget(id, certain, this.monotonic);
    });
    return outcome;
  }

  /** All of the snapshots that there are is loaded, as far as this node knows. */
  get hasLoaded(): boolean {
    return this.node.snapshots.refusal() === null;
  }

  // --- turns

  input(label: string, run: () => void): void {
    if (this.hasEnded) return;
    if (this.#paused !== null) this.#paused.push({ label, run });
    else this.#turn(label, run);
  }

  #turn(label: string, run: () => void): void {
    this.#world.scheduler.note(this.machine);
    this.#world.trace.turn(this, label);
    this.node.beginTurn(this.monotonic, this.wall);
    run();
    for (const connection of this.#dirty) connection.drain();
    this.#dirty.clear();
    this.#world.trace.turnEnded(this);
  }

  #tickLater(): void {
    const periodMs = this.#options.nodeTimeoutMs / 40;
    const late = this.#random.next() < 0.02 ? this.#random.between(0, 20) : this.#random.next();
    this.#world.scheduler.at(periodMs + late, () =>
      this.input('tick', () => {
        this.node.tick(this.monotonic, this.wall);
        this.#snapshots?.step();
        this.#mustEnd();
        this.#tickLater();
      }),
    );
  }

  #mustEnd(): void {
    if (!this.node.membership.saidGoodbye || this.#options.partitionPolicy === 'majority') return;
    if (++this.#ticksSinceGoodbye === GOODBYE_TICKS_MAX)
      this.#world.violated(`${this.name} has said goodbye and does not end`);
  }

  #expireLater(): void {
    this.#world.scheduler.at(EXPIRE_MS * this.#random.between(0.5, 2), () =>
      this.input('expire', () => {
        this.node.expire(EXPIRE_ENTRIES);
        this.store.compact(COMPACT_PAGES);
        this.#expireLater();
      }),
    );
  }

  /** Replies of that connection may be due. */
  wantDrain(connection: Connection): void {
    this.#dirty.add(connection);
  }

  commandCame(args: readonly string[]): void {
    this.#world.trace.command(this, args);
  }

  // --- LinkOwner

  get incarnation(): Incarnation {
    return this.node.membership.self.id;
  }

  opened(link: number, kind: LinkKind): void {
    if (kind === 'data') this.node.dataOpened(link);
    else this.node.controlOpened(link);
  }

  accepted(link: number, kind: LinkKind, from: Incarnation): void {
    if (kind === 'data') this.node.dataAccepted(link, from);
    else this.node.controlAccepted(link);
  }

  closed(link: number, kind: LinkKind, end: LinkEnd): void {
    if (kind === 'data') this.node.dataClosed(link);
    else this.node.controlClosed(link, end);
  }

  message(link: number, text: string): void {
    const message = decodeControlMessage(JSON.parse(text));
    if (message === null) this.#world.violated(`a control message nobody understands: ${text}`);
    else this.node.controlMessage(link, message);
  }

  bytes(link: number, chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += READ_BUFFER_BYTES) {
      const length = chunk.copy(this.#shared, 0, at);
      this.node.dataReceived(link, this.#shared, length);
      this.#shared.fill(GARBAGE, 0, length);
    }
  }

  // --- ClusterHost

  dial(address: Address): number {
    return this.#world.network.dial(this, address, 'control', '');
  }

  send(link: number, message: ControlMessage): void {
    this.#world.network.send(link, JSON.stringify(message));
  }

  close(link: number): void {
    this.#world.network.close(link);
  }

  joinAddresses(): JoinAddresses {
    return { addresses: this.#options.join, unresolved: 0 };
  }

  randomId(): Incarnation {
    return this.#random.hex(40);
  }

  log(level: 'info' | 'warn', event: string, facts: Record<string, unknown>): void {
    this.#world.trace.log(this, level, event, facts);
  }

  dialData(member: Member): number {
    return this.#world.network.dial(this, member, 'data', member.id);
  }

  sendData(link: number, buffer: Buffer, start: number, end: number): void {
    this.#world.network.sendBytes(link, buffer, start, end);
  }

  closeData(link: number): void {
    this.#world.network.close(link);
  }

  wantFlush(): void {
    const random = this.#random;
    const isLate = random.next() < this.#options.lateShare;
    const delay = isLate ? random.between(0, 5) : random.between(0, 0.1);
    this.#world.scheduler.at(delay, () => this.input('flush', () => this.node.flush()));
  }

  wantFlushIn(milliseconds: number): void {
    if (this.#isFlushAsked) return;
    this.#isFlushAsked = true;
    this.#world.scheduler.at(milliseconds + this.#random.between(0, 1), () =>
      this.input('flush', () => {
        this.#isFlushAsked = false;
        this.node.flush();
      }),
    );
  }

  readonly place: Place = (view, before) => this.#world.placements.of(view, before);

  random(): number {
    return this.#random.next();
  }

  // --- parts

  #openSnapshots(disk: Disk): SnapshotWork {
    const process = this;
    return new SnapshotWork(
      {
        node: this.node,
        get wall() {
          return process.wall;
        },
        after: (delayMs, run) =>
          this.#world.scheduler.at(delayMs, () => this.input('snapshot', run)),
        note: (what) => this.#world.trace.note(this, what),
      },
      disk,
    );
  }

  /** Virtual time stands still while a command runs: it is drawn which are slow. */
  #stopwatch(): () => number {
    const { slowShare = 0 } = this.#options;
    const random = this.#world.scheduler.random(`stopwatch ${this.name}`);
    let elapsedMs = 0;
    return () => {
      if (random.next() < slowShare) elapsedMs += SLOW_COMMAND_MS;
      return elapsedMs;
    };
  }

  #clusterConfig(): ClusterConfig {
    const { nodeTimeoutMs, partitionPolicy, takeOverAfter, locationList } = this.#options;
    return {
      nodeTimeoutMs,
      partitionPolicy,
      locationList,
      minBackupsToWrite: 0,
      takeOverAfter,
      tombstoneTtlMs: this.#options.tombstoneTtlMs,
      tombstonesMax: this.#options.tombstonesMax ?? TOMBSTONES_MAX,
      leaveTimeoutMs: 30_000,
      snapshotTimeoutMs: SNAPSHOT_TIMEOUT_MS,
      expect: this.#options.expect ?? 0,
      maxMemoryBytes: this.#options.maxMemoryBytes,
      maxMemoryPolicy: this.#options.maxMemoryPolicy,
      maxMemorySamples: 5,
      useCounting: this.#options.maxMemoryPolicy.endsWith('lfu')
        ? { logFactor: 10, decayMinutes: 1 }
        : null,
      partBytes: this.#options.partBytes,
      stepKeys: this.#options.stepKeys,
    };
  }

  /** Only what the commands of the workload ask for. */
  #services(): NodeServices {
    const services = {
      config: this.#config,
      users: this.users,
      statistics: new Statistics(),
      subscriptions: this.subscriptions,
      tracking: this.tracking,
      monitors: new Monitors(() => this.wall),
      slowLog: new SlowLog(this.#config, () => this.wall),
      latency: new LatencyMonitor(this.#config),
      scripts: new ScriptEngine(() => this.wall),
      sharing: this.node.router.scripts,
      now: () => this.wall,
      elapsedMs: this.#stopwatch(),
      after: (delayMs: number, run: () => void) =>
        this.#world.scheduler.at(delayMs, () => this.input('timer', run)),
      log: () => undefined,
    };
    return services as unknown as NodeServices;
  }
}
