import { FIRST_STREAM_TYPE, FrameType } from '../../lib/cluster/frames.js';
import { BACKLOG_BYTES_MAX } from '../../lib/cluster/stream.js';
import type { Process } from './process.js';
import type { Tally } from './tally.js';
import type { Found } from './violation.js';

/** Frames that the data plane sends for one command: forwarded, a claim or a change, change-overs that it sets off. */
const FRAMES_PER_COMMAND = 32;
/** What a view change has each pair of members say, and for each key: reports, restored copies, settling. */
const FRAMES_PER_PAIR = 20;
const FRAMES_PER_KEY = 20;
/** Pings, pongs, reports and what a view change takes, each node-timeout, for each pair of machines. */
const MESSAGES_PER_PAIR = 80;
const WINDOW_MS = 1000;
/** Large values that a member takes from another one at the same time, and how large they are here. */
const ASSEMBLIES_PER_PEER = 2;
const ASSEMBLY_BYTES_MAX = 200_000;
/** Frames of a cluster at rest but for keys that expire. */
const QUIET_FRAMES_PER_KEY = 6;
const UNCOUNTED: ReadonlySet<number> = new Set<number>([FrameType.Digest, FrameType.Part]);
/** All but acks, parts of values, and the comparison of copies in the background, which never ends. */
const COUNTED: readonly (readonly [name: string, type: number])[] = Object.entries(
  FrameType,
).filter(([, type]) => type >= FIRST_STREAM_TYPE && !UNCOUNTED.has(type));
/** On its way in a cluster at rest: a comparison of copies. */
const QUIET_BACKLOG_BYTES_MAX = 4096;

/** What was sent in the running window. */
interface Window {
  from: number;
  frames: number;
  messages: number;
  commands: number;
}

/**
 * Memory and messages have bounds: no queue grows beyond its own, a node has no more entries than there are keys, and no
 * command or view change sets off messages without end.
 */
export class Bounds {
  readonly #tally: Tally;
  readonly #keys: number;
  readonly #machines: number;
  readonly #messagesPerPair: number;
  readonly #framesOf = new WeakMap<Process, number>();
  #window: Window = { from: 0, frames: 0, messages: 0, commands: 0 };
  #frames = 0;

  /** `keys`: all that there may ever be. */
  constructor(tally: Tally, keys: number, machines: number, nodeTimeoutMs: number) {
    this.#tally = tally;
    this.#keys = keys;
    this.#machines = machines;
    this.#messagesPerPair = (MESSAGES_PER_PAIR * WINDOW_MS) / nodeTimeoutMs;
  }

  /** `messages` and `commands`: sent so far, between members and by clients. */
  look(
    now: number,
    processes: readonly Process[],
    messages: number,
    commands: number,
  ): Found | null {
    this.#tally.check('bounds');
    for (const process of processes) {
      const found = this.#checkProcess(process);
      if (found !== null) return found;
      this.#frames += this.#newFrames(process);
    }
    if (now - this.#window.from < WINDOW_MS) return null;
    const found = this.#checkWindow(now - this.#window.from, messages, commands);
    this.#window = { from: now, frames: this.#frames, messages, commands };
    return found;
  }

  #checkProcess({ name, node, store }: Process): Found | null {
    const peers = node.state.livePeers();
    for (const { stream, unconfirmed } of peers) {
      this.#tally.highest('backlog bytes max', stream.log.pendingBytes);
      if (stream.log.pendingBytes > BACKLOG_BYTES_MAX) return over(name, 'backlog');
      if (unconfirmed.length > this.#keys) return over(name, 'list of unconfirmed claims');
    }
    if (store.size > this.#keys) return over(name, `${store.size} entries`);
    const { assemblyBytes } = node.state.statistics;
    if (assemblyBytes > peers.length * ASSEMBLIES_PER_PEER * ASSEMBLY_BYTES_MAX) {
      return over(name, `${assemblyBytes} bytes of values in parts`);
    }
    return null;
  }

  #checkWindow(lasted: number, messages: number, commands: number): Found | null {
    const seconds = lasted / WINDOW_MS;
    const pairs = this.#machines * this.#machines;
    const frames = this.#frames - this.#window.frames;
    const sent = messages - this.#window.messages;
    const done = commands - this.#window.commands;
    const settling = FRAMES_PER_PAIR * pairs + FRAMES_PER_KEY * this.#keys;
    const framesMax = FRAMES_PER_COMMAND * done + settling * Math.max(1, seconds);
    const messagesMax = this.#messagesPerPair * pairs * Math.max(1, seconds);
    this.#tally.highest('frames % max', Math.round((100 * frames) / framesMax));
    this.#tally.highest('messages % max', Math.round((100 * sent) / messagesMax));
    const where = `${lasted.toFixed(0)} ms with ${done} commands`;
    if (frames > framesMax) return { what: `${frames} frames in ${where}`, key: null };
    if (sent > messagesMax) return { what: `${sent} control messages in ${where}`, key: null };
    return null;
  }

  #newFrames(process: Process): number {
    const { framesSent } = process.node.state.statistics;
    let frames = 0;
    for (const [, type] of COUNTED) frames += framesSent[type]!;
    const before = this.#framesOf.get(process) ?? 0;
    this.#framesOf.set(process, frames);
    return frames - before;
  }
}

/** A cluster where nothing happens, watched for a while: it must be quiet, and must have forgotten who is gone. */
export class Silence {
  readonly #processes: readonly Process[];
  readonly #before: ReadonlyMap<string, number>;
  readonly #keys: number;

  constructor(processes: readonly Process[], keys: number) {
    this.#processes = processes;
    this.#before = framesOf(processes);
    this.#keys = keys;
  }

  check(): Found | null {
    const sent = [...framesOf(this.#processes)].map(
      ([name, frames]) => [name, frames - this.#before.get(name)!] as const,
    );
    const frames = sum(sent.map(([, count]) => count));
    if (frames > QUIET_FRAMES_PER_KEY * this.#keys) {
      const kinds = sent.filter(([, count]) => count > 0).map((each) => each.join(' '));
      return { what: `${frames} frames in a cluster at rest: ${kinds.join(', ')}`, key: null };
    }
    for (const { name, node } of this.#processes) {
      const members = node.state.view!.members.length;
      const peers = node.state.peers.filter((peer) => peer !== null).length;
      if (peers > members - 1) return over(name, `${peers} peers in a view of ${members}`);
      const waiting = node.state
        .livePeers()
        .find(({ stream }) => stream.log.pendingBytes > QUIET_BACKLOG_BYTES_MAX);
      if (waiting !== undefined) return over(name, 'backlog of a cluster at rest');
      const { assemblyBytes, slotsRepaired } = node.state.statistics;
      if (assemblyBytes > 0)
        return over(name, `${assemblyBytes} bytes of values in parts, at rest`);
      if (slotsRepaired > 0) return { what: `${name} had to repair copies`, key: null };
    }
    return null;
  }
}

const over = (name: string, what: string): Found => ({
  what: `${name} is past a bound: ${what}`,
  key: null,
});

const sum = (numbers: Iterable<number>): number => {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
};

/** Frames by type. */
function framesOf(processes: readonly Process[]): Map<string, number> {
  const frames = new Map<string, number>();
  for (const [name, type] of COUNTED) {
    frames.set(name, sum(processes.map(({ node }) => node.state.statistics.framesSent[type]!)));
  }
  return frames;
}
