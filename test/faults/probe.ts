import type { Random } from '../support/control-network.js';
import { delay, type NodeProcess } from '../support/test-cluster.js';
import { type Balancer, Client } from './client.js';
import { Connection } from './connection.js';
import { clockMs, type Recorder } from './recorder.js';
import type { KindReport } from './report.js';

const KEYS = 12;
const AGAIN_MS = 1;
/** A client of the probe waits as long as it takes: the run has a limit of its own. */
const PATIENCE_MS = 60_000;
const FIRST_CLIENT = 100;

/** Keys whose primary is the node that something is about to happen to, each with a client of its own elsewhere. */
export class Probe {
  readonly #clients: Client[] = [];
  readonly #keys: string[] = [];
  readonly #counters: string[] = [];
  #values = 0;
  /** A connection to the victim itself. */
  #watched!: Connection;
  /** Clients of the victim, one for each key. */
  readonly #own: Client[] = [];

  /** Makes the keys through `victim`, and connects the clients to the others. */
  static async prepare(
    prefix: string,
    victim: NodeProcess,
    balancer: Balancer,
    recorder: Recorder,
    random: Random,
  ): Promise<Probe> {
    const probe = new Probe();
    probe.#watched = await Connection.open(victim.port);
    const others = balancer.nodes.filter((node) => node.isRunning && node !== victim);
    const elsewhere = { ...forwarded(balancer), avoided: new Set([...balancer.avoided, victim]) };
    const there = { ...forwarded(balancer), avoided: new Set(others) };
    const clientOf = (number: number, nodes: Balancer): Client =>
      new Client(number, nodes, recorder, random, 'sticky', PATIENCE_MS);
    await Promise.all(
      Array.from({ length: KEYS }, async (_, i) => {
        const key = `${prefix}probe:${i}`;
        const own = clientOf(FIRST_CLIENT + KEYS + i, there);
        own.moveTo(victim);
        await own.call('SET', key, `p${i}.0`);
        const counter = `${prefix}probe-counter:${i}`;
        await own.call('INCR', counter);
        probe.#counters.push(counter);
        probe.#own.push(own);
        const user = clientOf(FIRST_CLIENT + i, elsewhere);
        user.moveTo(others[i % others.length]!);
        await user.call('GET', `${prefix}probe:none`);
        probe.#keys.push(key);
        probe.#clients.push(user);
      }),
    );
    return probe;
  }

  /** Notes when the system ends the connections of a process that is killed. */
  watch(sinceMs: number, report: KindReport): void {
    void this.#watched.closed.then(() => report.closed.add(clockMs() - sinceMs));
  }

  /** Half of the keys are written and half are read until each has succeeded; times from `sinceMs` on. */
  async run(sinceMs: number, report: KindReport): Promise<void> {
    await Promise.all(
      this.#clients.map(async (client, i) => {
        const isRead = i % 2 === 1;
        const key = this.#keys[i]!;
        for (;;) {
          const value = `${key}.${++this.#values}`;
          const reply = await client.call(...(isRead ? ['GET', key] : ['SET', key, value]));
          if (reply !== null && reply.type !== '-') break;
          await delay(AGAIN_MS);
        }
        (isRead ? report.firstRead : report.firstWrite).add(clockMs() - sinceMs);
      }),
    );
  }

  /**
   * Every key is written at the victim, and a counter elsewhere, so that it is forwarded there. Resolves when all have been
   * answered, or have been lost with the victim.
   */
  async writeThere(): Promise<void> {
    await Promise.all([
      ...this.#own.map((client, i) =>
        client.call('SET', this.#keys[i]!, `there.${i}.${++this.#values}`),
      ),
      ...this.#clients.map((client, i) => client.call('INCR', this.#counters[i]!)),
    ]);
  }

  /** Reads every key at the victim, after what `run` has written elsewhere; what it answers when it wakes is recorded. */
  async askVictim(): Promise<void> {
    await Promise.all(this.#own.map((client, i) => client.call('GET', this.#keys[i]!)));
    this.close();
  }

  close(): void {
    this.#watched.close();
    for (const client of [...this.#clients, ...this.#own]) client.close();
  }
}

/** The same balancer, to be changed in part. */
function forwarded(balancer: Balancer): Balancer {
  return {
    nodes: balancer.nodes,
    avoided: balancer.avoided,
    leaving: balancer.leaving,
    nameOf: (node) => balancer.nameOf(node),
    ended: (call, node, how) => balancer.ended(call, node, how),
    refused: (node) => balancer.refused(node),
  };
}
