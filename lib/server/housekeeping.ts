import type { Clock } from '../base/clock.js';
import { garbageCollector } from '../base/garbage.js';
import type { ClusterNode } from '../cluster/node.js';
import { clientBuffers } from '../commands/client-buffers.js';
import type { ClientRegistry } from '../commands/services.js';
import { SAMPLE_MS, type Statistics } from '../commands/statistics.js';
import type { Store } from '../store/store.js';
import { MemoryReturn } from './memory-return.js';

/** Expired keys are looked for, and memory is given back, each so many milliseconds. */
const RECLAIM_MS = 100;
/** Entries that one look for expired keys goes over. */
const EXPIRE_ENTRIES = 1000;
/** Looks go on while they find more than this many keys, for at most so many milliseconds. */
const EXPIRE_GO_ON_KEYS = EXPIRE_ENTRIES / 10;
const EXPIRE_MS_MAX = 5;
/** Memory is given back so soon again while there is more and nobody uses the node. */
const IDLE_RECLAIM_MS = 10;
/** Membership is ticked this often per node-timeout. */
const TICKS_PER_NODE_TIMEOUT = 40;

export interface HousekeepingParts {
  readonly node: ClusterNode;
  readonly store: Store;
  readonly clients: ClientRegistry;
  readonly statistics: Statistics;
  readonly clock: Clock;
  readonly nodeTimeoutMs: number;
  /** Called with every tick, after the node's own. */
  ticked(): void;
}

/** What a node does by the clock: ticks, expiry, compaction, samples for INFO. Each piece is bounded. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #memoryReturn: MemoryReturn;
  #soon: NodeJS.Timeout | undefined;
  #sampledAt = 0;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
    const { store, clock, statistics } = parts;
    this.#memoryReturn = new MemoryReturn({
      store,
      clock,
      collectGarbage: garbageCollector(),
      commands: () => statistics.commandsProcessed,
    });
  }

  start(): void {
    const { nodeTimeoutMs, clock } = this.#parts;
    this.#sampledAt = clock.monotonicMs();
    this.#timers.push(
      setInterval(() => this.#tick(), nodeTimeoutMs / TICKS_PER_NODE_TIMEOUT),
      setInterval(() => this.#reclaim(), RECLAIM_MS),
      setInterval(() => this.#sample(), SAMPLE_MS),
    );
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#soon);
  }

  #tick(): void {
    const { node, clock, ticked } = this.#parts;
    node.tick(clock.monotonicMs(), clock.wallMs());
    ticked();
  }

  #reclaim(): void {
    const { node, clock } = this.#parts;
    const start = clock.monotonicMs();
    this.#measureBuffers();
    node.beginTurn(start, clock.wallMs());
    const { statistics } = node.state;
    let found: number;
    do {
      const before = statistics.expired;
      node.expire(EXPIRE_ENTRIES);
      found = statistics.expired - before;
    } while (found > EXPIRE_GO_ON_KEYS && clock.monotonicMs() - start < EXPIRE_MS_MAX);
    this.#giveMemoryBack();
  }

  /** For maxmemory; without it nobody asks. */
  #measureBuffers(): void {
    const { node, clients } = this.#parts;
    const { state } = node;
    const isLimited = state.config.maxMemoryBytes > 0;
    const { query, output } = clientBuffers(isLimited ? clients.all() : []);
    state.clientBytes = query + output;
    state.backlogBytes = isLimited ? node.busBacklogBytes : 0;
  }

  #giveMemoryBack(): void {
    clearTimeout(this.#soon);
    if (!this.#memoryReturn.step()) return;
    this.#soon = setTimeout(() => this.#giveMemoryBack(), IDLE_RECLAIM_MS);
  }

  #sample(): void {
    const { node, statistics, clock } = this.#parts;
    const now = clock.monotonicMs();
    statistics.sample(now - this.#sampledAt);
    this.#sampledAt = now;
    node.operationsPerSecond = statistics.operationsPerSecond();
  }
}
