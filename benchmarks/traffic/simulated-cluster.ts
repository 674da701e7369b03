import { FrameType } from '../../lib/cluster/frames.js';
import { sameViewId } from '../../lib/cluster/membership/views.js';
import { FRAME_HEADER_BYTES } from '../../lib/protocol/bus-frames.js';
import { Connection } from '../../test/simulation/connection.js';
import { Network } from '../../test/simulation/network.js';
import { Placements } from '../../test/simulation/placements.js';
import { type Machine, Process, type World } from '../../test/simulation/process.js';
import { Scheduler } from '../../test/simulation/scheduler.js';
import { Trace } from '../../test/simulation/trace.js';
import { type BusCount, type LocationList, sumOf, type TrafficCluster } from './traffic-cluster.js';

const SEED = 1;
const UNIX_MS = 1_700_000_000_000;
/** So long that nothing but commands is sent while commands are counted: what goes by the clock is set by this. */
const NODE_TIMEOUT_MS = 600_000;
const NODE_TIMEOUT_DEFAULT_MS = 2000;
const PART_BYTES = 64 * 1024;
const STEP_KEYS = 1000;
/** Of deliveries and turns, as in the simulator. */
const LATE_SHARE = 0.02;
/** Virtual time: what has not happened after so long never does. */
const WAIT_MS_MAX = 100 * NODE_TIMEOUT_MS;
/** Virtual time between two looks whether the cluster is whole. */
const LOOK_MS = 100;
/** Virtual time in which acks and confirmations of the last commands arrive. */
const CALM_MS = 100;

/** Bytes that all nodes send per second while no client does anything, with the default `node-timeout`. */
export interface AtRest {
  /** Pings, pongs and what they carry. */
  readonly heartbeats: number;
  /** The comparison of copies, and its acks. */
  readonly dataPlane: number;
}

/** Counts what control connections carry. */
class CountingNetwork extends Network {
  controlBytes = 0;

  override send(link: number, text: string): void {
    this.controlBytes += FRAME_HEADER_BYTES + text.length;
    super.send(link, text);
  }
}

/**
 * A cluster of the unchanged cluster part in one process and in virtual time: the simulator of the tests without its
 * faults and without its checks. It counts as processes do, for the counters are the same code.
 */
export class SimulatedCluster implements TrafficCluster, World {
  readonly nodes: number;
  readonly scheduler = new Scheduler(SEED);
  readonly trace = new Trace();
  readonly placements = new Placements();
  readonly network: CountingNetwork;
  readonly #processes: Process[] = [];
  #connections = 0;

  constructor(nodes: number, locationList: LocationList) {
    this.nodes = nodes;
    this.network = new CountingNetwork(this.scheduler, {
      delayMsMax: 1,
      lateShare: LATE_SHARE,
      dialTimeoutMs: NODE_TIMEOUT_MS,
      cutShare: 0,
    });
    const machines = Array.from({ length: nodes }, (_, index): Machine => {
      const address = { host: `10.0.0.${index + 1}`, port: 6379, busPort: 16379 };
      this.network.addMachine(address);
      return { index, address, rate: 1, monotonicOffset: 1, wallOffset: UNIX_MS, process: null };
    });
    for (const machine of machines) {
      const process = new Process(this, machine, 1, {
        nodeTimeoutMs: NODE_TIMEOUT_MS,
        partitionPolicy: 'available',
        takeOverAfter: 3,
        tombstoneTtlMs: 3_600_000,
        partBytes: PART_BYTES,
        stepKeys: STEP_KEYS,
        lateShare: LATE_SHARE,
        maxMemoryBytes: 0,
        maxMemoryPolicy: 'noeviction',
        zone: '',
        locationList,
        join: machines.map(({ address }) => address),
      });
      machine.process = process;
      this.network.listen(machine.index, process);
      this.#processes.push(process);
    }
    this.#until(() => this.#isWhole());
  }

  run(commands: readonly (readonly string[][])[]): Promise<void> {
    let open = 0;
    let failure: string | null = null;
    this.#processes.forEach((process, i) => {
      const own = commands[i] ?? [];
      let at = 0;
      const random = this.scheduler.random(`client ${++this.#connections}`);
      const next = (): void => {
        if (at < own.length) connection.send(own[at++]!);
        else open--;
      };
      const connection = new Connection(this.#connections, process, this.scheduler, random, {
        replied: (reply) => {
          if ('type' in reply && reply.type === '-') failure ??= reply.text;
          next();
        },
        lost: () => {
          failure ??= 'connection lost';
        },
      });
      open++;
      next();
    });
    this.#until(() => open === 0 || failure !== null);
    return failure === null ? Promise.resolve() : Promise.reject(new Error(failure));
  }

  count(): Promise<BusCount> {
    this.#pass(CALM_MS);
    return Promise.resolve(sumOf(this.#processes.map(countOf)));
  }

  /** Looks on for one `node-timeout`: all that goes by the clock scales with that. */
  async atRest(): Promise<AtRest> {
    const before = await this.count();
    const control = this.network.controlBytes;
    this.#pass(NODE_TIMEOUT_MS - CALM_MS);
    const after = await this.count();
    const perSecond = 1000 / NODE_TIMEOUT_DEFAULT_MS;
    return {
      heartbeats: (this.network.controlBytes - control) * perSecond,
      dataPlane: (after.bytes - before.bytes) * perSecond,
    };
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  ended(process: Process): void {
    throw new Error(`${process.name} has ended`);
  }

  violated(what: string): void {
    throw new Error(what);
  }

  #pass(ms: number): void {
    const until = this.scheduler.now + ms;
    while (this.scheduler.step(until));
  }

  #until(condition: () => boolean): void {
    const giveUpAt = this.scheduler.now + WAIT_MS_MAX;
    while (!condition()) {
      if (this.scheduler.now > giveUpAt) throw new Error('the simulated cluster does not go on');
      this.#pass(LOOK_MS);
    }
  }

  #isWhole(): boolean {
    const view = this.#processes[0]!.node.state.view;
    if (view === null || view.members.length !== this.nodes) return false;
    return this.#processes.every(({ node, serves }) => {
      const own = node.state.view;
      return serves && own !== null && sameViewId(own.id, view.id) && node.isSettled;
    });
  }
}

function countOf({ node }: Process): BusCount {
  const { busBytesSent, framesSent } = node.state.statistics;
  const messages = Object.entries(FrameType).map(
    ([name, type]) => [name.toLowerCase(), framesSent[type] ?? 0] as const,
  );
  return { bytes: busBytesSent, messages: new Map(messages) };
}
