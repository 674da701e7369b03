import type { Redis } from 'ioredis';
import { Journal } from './journal.js';
import { clientOf, delay, type NodeProcess } from './test-cluster.js';

const KEYS_PER_WRITER = 60;
const COUNTERS = 10;
/** After a failure the writer waits this long: it goes on, it does not spin. */
const RETRY_MS = 5;
/** Of the keys of a writer that deletes, one in so many changes is a delete. */
const DELETE_EVERY = 4;

/** Errors that vouch for nothing having happened. */
const NOT_RUN = /: (LOADING|TRYAGAIN|CLUSTERDOWN) /;

/** One client: it sends one command at a time, and turns to another node where its own does not answer. */
class Writer {
  readonly name: string;
  /** The node that it keeps to as long as that lives; null for a writer that takes them in turns. */
  readonly home: NodeProcess | null;
  readonly #nodes: readonly NodeProcess[];
  readonly #clients = new Map<NodeProcess, Redis>();
  #turn = 0;
  change = 0;

  constructor(name: string, home: NodeProcess | null, nodes: readonly NodeProcess[]) {
    this.name = name;
    this.home = home;
    this.#nodes = nodes;
  }

  /** A connection to the node whose turn it is. */
  client(): Redis {
    const node = this.#next();
    let client = this.#clients.get(node);
    if (client === undefined || client.status === 'end') {
      client = clientOf(node.port);
      this.#clients.set(node, client);
    }
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.disconnect();
  }

  #next(): NodeProcess {
    if (this.home?.isRunning) return this.home;
    const running = this.#nodes.filter((node) => node.isRunning);
    this.#turn++;
    return running[this.#turn % running.length]!;
  }
}

/**
 * Clients that write without a pause through all nodes, some of them always through the same one, some through each in
 * turn: whole values, deletes, and counters that they share.
 */
export class ContinuousLoad {
  readonly journal = new Journal();
  /** What must not have happened, in words. */
  readonly violations: string[] = [];
  /** Errors that clients were answered, with how often. */
  readonly errors = new Map<string, number>();
  readonly #nodes: readonly NodeProcess[];
  readonly #writers: readonly Writer[];
  /** Every value that INCR has returned, by counter. */
  readonly #counted = new Map<string, Set<number>>();
  readonly #incrementsBegun = new Map<string, number>();
  #isRunning = false;
  #loops: Promise<void>[] = [];

  constructor(nodes: readonly NodeProcess[]) {
    this.#nodes = nodes;
    const homes = nodes.map((node, i) => new Writer(`home${i}`, node, nodes));
    const roaming = [0, 1].map((i) => new Writer(`roaming${i}`, null, nodes));
    this.#writers = [...homes, ...roaming];
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#loops = this.#writers.flatMap((writer) => [
      this.#loop(() => this.#write(writer)),
      this.#loop(() => this.#increment(writer)),
    ]);
  }

  /** Resolves when every command that was sent has been answered, or its connection has ended. */
  async pause(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
  }

  close(): void {
    this.#isRunning = false;
    for (const writer of this.#writers) writer.close();
  }

  /** Reads everything through every node that runs; to be called while nobody writes. Returns what is wrong. */
  async verify(): Promise<string[]> {
    const keys = this.journal.keys();
    const running = this.#nodes.filter((node) => node.isRunning);
    const reads = await Promise.all(running.map((node) => node.client.mget(keys)));
    const wrong: string[] = [];
    keys.forEach((key, i) => {
      const values = reads.map((values) => values[i]!);
      for (const value of values) {
        const what = this.journal.check(key, value);
        if (what !== null) wrong.push(what);
      }
      if (new Set(values).size > 1) wrong.push(`${key} differs between nodes`);
      this.journal.settle(key, values[0]!);
    });
    for (const node of running) wrong.push(...(await this.#verifyCounters(node)));
    return [...wrong, ...this.violations];
  }

  async #verifyCounters(node: NodeProcess): Promise<string[]> {
    const wrong: string[] = [];
    for (const [counter, values] of this.#counted) {
      const value = Number(await node.client.get(counter));
      const most = Math.max(...values);
      const begun = this.#incrementsBegun.get(counter)!;
      if (value < most || value > begun) {
        wrong.push(`${counter} is ${value}: ${most} was acknowledged, ${begun} were begun`);
      }
    }
    return wrong;
  }

  async #loop(step: () => Promise<void>): Promise<void> {
    while (this.#isRunning) {
      try {
        await step();
      } catch (error) {
        const text = String(error).slice(0, 100);
        this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
        await delay(RETRY_MS);
      }
    }
  }

  async #write(writer: Writer): Promise<void> {
    const number = ++writer.change;
    const key = `${writer.name}:${number % KEYS_PER_WRITER}`;
    const isDelete = Math.floor(number / KEYS_PER_WRITER) % DELETE_EVERY === number % DELETE_EVERY;
    const client = writer.client();
    const change = this.journal.begin(
      key,
      isDelete ? null : `${number} ${'x'.repeat(number % 900)}`,
    );
    try {
      if (isDelete) await client.del(key);
      else await client.set(key, change.value!);
    } catch (error) {
      if (NOT_RUN.test(String(error))) this.journal.withdraw(change);
      else this.journal.lose(change);
      throw error;
    }
    this.journal.ack(change);
  }

  async #increment(writer: Writer): Promise<void> {
    const counter = `counter:${Math.floor(Math.random() * COUNTERS)}`;
    this.#incrementsBegun.set(counter, (this.#incrementsBegun.get(counter) ?? 0) + 1);
    const least = Math.max(0, ...(this.#counted.get(counter) ?? []));
    const value = await writer.client().incr(counter);
    const values = this.#counted.get(counter) ?? new Set();
    this.#counted.set(counter, values);
    if (values.has(value)) this.violations.push(`${counter} was ${value} twice`);
    if (value <= least) this.violations.push(`${counter} went from ${least} to ${value}`);
    values.add(value);
  }
}
