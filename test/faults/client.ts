import type { Call } from '../simulation/history.js';
import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import { delay, type NodeProcess } from '../support/test-cluster.js';
import { Connection } from './connection.js';
import type { Recorder } from './recorder.js';
import { clockMs } from './recorder.js';

/** How a client chooses among the nodes: its own one until that fails, each in turn, or any. */
export type Routing = 'sticky' | 'turns' | 'random';

/** A client that finds nobody looks again after so long. */
const AGAIN_MS = 5;

/** How a call ended for its client: its connection was lost, or the client has lost patience. */
export type Ending = 'replied' | 'lost' | 'given-up';

/** The nodes as a load balancer sees them. */
export interface Balancer {
  readonly nodes: readonly NodeProcess[];
  /** Nodes that get no new requests. */
  readonly avoided: ReadonlySet<NodeProcess>;
  /** Nodes that leave in good order: what they close behind their last reply was not run. */
  readonly leaving: ReadonlySet<NodeProcess>;
  nameOf(node: NodeProcess): string;
  /** A call has ended; `node` is who had it last. */
  ended(call: Call, node: NodeProcess, how: Ending): void;
  /** A connection was refused by a node that nothing was done to. */
  refused(node: NodeProcess): void;
}

/** One client: one command at a time, through connections that it keeps. */
export class Client {
  readonly number: number;
  readonly #balancer: Balancer;
  readonly #recorder: Recorder;
  readonly #random: Random;
  readonly #routing: Routing;
  /** It gives a command up after so long, and goes elsewhere. */
  readonly #patienceMs: number;
  readonly #connections = new Map<NodeProcess, Connection>();
  #home: NodeProcess | null = null;
  #turn = 0;

  constructor(
    number: number,
    balancer: Balancer,
    recorder: Recorder,
    random: Random,
    routing: Routing,
    patienceMs: number,
  ) {
    this.number = number;
    this.#balancer = balancer;
    this.#recorder = recorder;
    this.#random = random;
    this.#routing = routing;
    this.#patienceMs = patienceMs;
  }

  /** It is stuck to that node from now on. */
  moveTo(node: NodeProcess): void {
    this.#home = node;
  }

  /** Resolves to the reply; null when it is not known whether the command ran. Recorded either way. */
  async call(...args: string[]): Promise<Reply | null> {
    let call: Call | null = null;
    const invokedAt = clockMs();
    const until = invokedAt + this.#patienceMs;
    for (;;) {
      const { node, connection } = await this.#connect();
      const name = this.#balancer.nameOf(node);
      if (call === null) call = this.#recorder.begin(this.number, args, name, invokedAt);
      else this.#recorder.resent(call, name);
      let isLate = false;
      const giveUp = (): void => {
        isLate = true;
        connection.close();
      };
      const timer = setTimeout(giveUp, Math.max(1, until - clockMs()));
      try {
        const reply = await connection.call(args);
        this.#recorder.replied(call, reply);
        this.#balancer.ended(call, node, 'replied');
        return reply;
      } catch {
        this.#connections.delete(node);
        // The node has promised that it did not run what it closes on in good order: ask another one.
        if (this.#balancer.leaving.has(node) && !isLate) continue;
        this.#recorder.lost(call);
        this.#balancer.ended(call, node, isLate ? 'given-up' : 'lost');
        return null;
      } finally {
        clearTimeout(timer);
      }
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  async #connect(): Promise<{ node: NodeProcess; connection: Connection }> {
    for (;;) {
      const node = this.#choose();
      if (node === null) {
        await delay(AGAIN_MS);
        continue;
      }
      const kept = this.#connections.get(node);
      if (kept?.isOpen) return { node, connection: kept };
      try {
        const connection = await Connection.open(node.port);
        this.#connections.set(node, connection);
        return { node, connection };
      } catch {
        if (this.#home === node) this.#home = null;
        this.#balancer.refused(node);
        await delay(1);
      }
    }
  }

  #choose(): NodeProcess | null {
    const { nodes, avoided } = this.#balancer;
    const up = nodes.filter((node) => node.isRunning && !avoided.has(node));
    if (up.length === 0) return null;
    if (this.#routing === 'turns') return up[this.#turn++ % up.length]!;
    if (this.#routing === 'random') return this.#random.pick(up);
    if (this.#home === null || !up.includes(this.#home)) this.#home = this.#random.pick(up);
    return this.#home;
  }
}
