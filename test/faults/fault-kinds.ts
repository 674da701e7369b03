import type { BusProxy } from '../support/bus-proxy.js';
import type { Random } from '../support/control-network.js';
import { delay, type NodeProcess } from '../support/test-cluster.js';
import type { Probe } from './probe.js';
import { clockMs } from './recorder.js';
import type { KindReport } from './report.js';

export type Policy = 'available' | 'majority';

/** What a fault is done to, and with. */
export interface Stage {
  readonly nodes: readonly NodeProcess[];
  /** The cables of the cluster; null where nodes talk to each other directly. */
  readonly proxy: BusProxy | null;
  readonly random: Random;
  readonly nodeTimeoutMs: number;
  readonly report: KindReport;
  /** A node that may be restarted, or may be left out: null when there is none at the moment. */
  victim(use: 'restart' | 'exclude' | 'any'): NodeProcess | null;
  /** Its clients may see errors from now on, until all is settled. */
  disturb(node: NodeProcess): void;
  /** The load balancer sends it nothing new, until all is settled. */
  avoid(node: NodeProcess): void;
  /** Ends it in good order: nobody may notice. */
  leave(node: NodeProcess): Promise<void>;
  start(node: NodeProcess): void;
  probe(victim: NodeProcess): Promise<Probe>;
  /** Resolves when every node says that all is settled and every key has two copies. */
  settled(): Promise<void>;
  /** Clocks of nodes are apart by so many milliseconds more in this round. */
  skew(byMs: number): void;
}

export interface FaultKind {
  readonly name: string;
  readonly what: string;
  /** Whether it needs cables that can be cut. */
  readonly needsProxy: boolean;
  readonly policies: readonly Policy[];
  /** Whether a write in flight may end with an unknown outcome at nodes that nothing was done to. */
  readonly mayLeaveUnknown: boolean;
  /** Done to the whole cluster before clients begin. */
  readonly isFirst?: boolean;
  /** Resolves to false when there was nobody to do it to. */
  inject(stage: Stage): Promise<boolean>;
}

const BOTH: readonly Policy[] = ['available', 'majority'];
/** Milliseconds until a load balancer has noticed that a node does not answer. */
const NOTICED_MS = 700;
const LOAD_MS = 400;
/** What was sent to a process that is stopped lies in its sockets by then. */
const WRITTEN_MS = 20;
const CLOCK_STEPS_MS = [300, 5000, 60_000, 3_600_000];

async function kill(stage: Stage, isRestarted: boolean): Promise<boolean> {
  const victim = stage.victim('restart');
  if (victim === null) return false;
  const probe = await stage.probe(victim);
  stage.disturb(victim);
  stage.avoid(victim);
  const since = clockMs();
  const ended = victim.end('SIGKILL');
  probe.watch(since, stage.report);
  const probed = probe.run(since, stage.report);
  await ended;
  if (isRestarted) stage.start(victim);
  await probed;
  probe.close();
  if (isRestarted) return true;
  await stage.settled();
  stage.start(victim);
  return true;
}

/** What it has done last is known to nobody, or not to one of the others. */
async function unplug(stage: Stage): Promise<boolean> {
  const victim = stage.victim('restart');
  if (victim === null) return false;
  const { random } = stage;
  const others = stage.nodes.filter((node) => node.isRunning && node !== victim);
  const probe = await stage.probe(victim);
  stage.disturb(victim);
  await stage.proxy!.mute(victim, random.next() < 0.5 ? null : random.pick(others));
  const written = probe.writeThere();
  await delay(random.between(30, 0.2 * stage.nodeTimeoutMs));
  stage.avoid(victim);
  const since = clockMs();
  await victim.end('SIGKILL');
  stage.proxy!.mend();
  await written;
  await probe.run(since, stage.report);
  probe.close();
  await stage.settled();
  stage.start(victim);
  return true;
}

async function pause(stage: Stage): Promise<boolean> {
  const victim = stage.victim('any')!;
  victim.freeze();
  await delay(stage.random.between(10, 0.7 * stage.nodeTimeoutMs));
  victim.thaw();
  return true;
}

/** Silences one node, asks for its keys, and waits; null when none can be spared. `lastsMs`: how much longer. */
async function silence(
  stage: Stage,
  begin: (victim: NodeProcess) => void | Promise<void>,
  lastsMs: (since: number) => number,
): Promise<{ victim: NodeProcess; probe: Probe } | null> {
  const victim = stage.victim('exclude');
  if (victim === null) return null;
  const probe = await stage.probe(victim);
  stage.disturb(victim);
  const noticed = setTimeout(() => stage.avoid(victim), NOTICED_MS);
  const since = clockMs();
  await begin(victim);
  await probe.run(since, stage.report);
  await delay(Math.max(0, lastsMs(since)));
  clearTimeout(noticed);
  return { victim, probe };
}

async function freeze(stage: Stage): Promise<boolean> {
  const silenced = await silence(
    stage,
    (victim) => victim.freeze(),
    (since) => since + stage.random.between(1.3, 2.5) * stage.nodeTimeoutMs - clockMs(),
  );
  if (silenced === null) return false;
  // The first thing that it finds when it wakes.
  const asked = silenced.probe.askVictim();
  await delay(WRITTEN_MS);
  silenced.victim.thaw();
  await asked;
  return true;
}

/** It wakes without its cable, and is asked before it can hear that the others have gone on. */
async function freezeAlone(stage: Stage): Promise<boolean> {
  const silenced = await silence(
    stage,
    async (victim) => {
      await stage.proxy!.cutOff(victim);
      victim.freeze();
    },
    () => 0,
  );
  if (silenced === null) return false;
  const asked = silenced.probe.askVictim();
  await delay(WRITTEN_MS);
  silenced.victim.thaw();
  await delay(stage.random.between(0.05, 0.3) * stage.nodeTimeoutMs);
  stage.proxy!.mend();
  await asked;
  return true;
}

async function stop(stage: Stage): Promise<boolean> {
  const victim = stage.victim('restart');
  if (victim === null) return false;
  const probe = await stage.probe(victim);
  const since = clockMs();
  const left = stage.leave(victim);
  await probe.run(since, stage.report);
  await left;
  probe.close();
  stage.start(victim);
  return true;
}

async function cut(stage: Stage, oneWay: boolean): Promise<boolean> {
  const one = stage.victim('exclude');
  if (one === null) return false;
  const others = stage.nodes.filter((node) => node.isRunning && node !== one);
  const other = stage.random.pick(others);
  // Either of them may be left out.
  stage.disturb(one);
  stage.disturb(other);
  await stage.proxy!.cutLink(one, other, oneWay);
  await delay(stage.random.between(1.3, 2.5) * stage.nodeTimeoutMs);
  stage.proxy!.mend();
  return true;
}

/** A link that is silent for a moment, and then goes on where it stopped. */
async function blip(stage: Stage): Promise<boolean> {
  const one = stage.victim('any')!;
  const others = stage.nodes.filter((node) => node.isRunning && node !== one);
  await stage.proxy!.cutLink(one, stage.random.pick(others), stage.random.next() < 0.5);
  await delay(stage.random.between(10, 0.4 * stage.nodeTimeoutMs));
  stage.proxy!.mend({ keep: true });
  return true;
}

async function reset(stage: Stage): Promise<boolean> {
  await stage.proxy!.identify();
  for (let i = 0; i < 5; i++) {
    const one = stage.victim('any')!;
    const others = stage.nodes.filter((node) => node.isRunning && node !== one);
    stage.proxy!.reset(one, stage.random.pick(others));
    await delay(stage.random.between(1, 60));
  }
  return true;
}

async function cutOff(stage: Stage): Promise<boolean> {
  const silenced = await silence(
    stage,
    (victim) => stage.proxy!.cutOff(victim),
    () => stage.random.between(0, stage.nodeTimeoutMs),
  );
  if (silenced === null) return false;
  await silenced.probe.askVictim();
  stage.proxy!.mend();
  return true;
}

/** Nobody reads its log any more; then the disk that it logs to is full. It must not mind. */
async function fullLog(stage: Stage): Promise<boolean> {
  const victim = stage.victim('restart');
  if (victim === null) return false;
  await victim.client.config('SET', 'loglevel', 'debug');
  victim.closeLog();
  await delay(LOAD_MS);
  await stage.leave(victim);
  victim.setup = { ...victim.setup, outputPath: '/dev/full' };
  stage.start(victim);
  await stage.settled();
  await victim.client.config('SET', 'loglevel', 'debug');
  await delay(LOAD_MS);
  await stage.leave(victim);
  const { preload = [] } = victim.setup;
  victim.setup = { preload };
  stage.start(victim);
  return true;
}

async function stepClock(stage: Stage): Promise<boolean> {
  const victim = stage.victim('any')!;
  const stepMs = stage.random.pick(CLOCK_STEPS_MS) * (stage.random.next() < 0.5 ? 1 : -1);
  stage.skew(Math.abs(stepMs));
  victim.tell(`clock ${stepMs}`);
  await delay(stage.random.between(0.3, 1) * stage.nodeTimeoutMs);
  victim.tell(`clock ${-stepMs}`);
  return true;
}

async function leave(stage: Stage): Promise<boolean> {
  const victim = stage.victim('restart');
  if (victim === null || stage.nodes.filter((node) => node.isRunning).length <= 3) return false;
  await stage.leave(victim);
  return true;
}

async function join(stage: Stage): Promise<boolean> {
  const absent = stage.nodes.filter((node) => !node.isRunning);
  if (absent.length === 0) return false;
  stage.start(stage.random.pick(absent));
  return true;
}

async function together(stage: Stage): Promise<boolean> {
  for (const node of stage.nodes) {
    stage.disturb(node);
    if (node.isRunning) await node.end('SIGKILL');
  }
  for (const node of stage.nodes) node.start();
  return true;
}

type Traits = Partial<Omit<FaultKind, 'name' | 'what' | 'inject'>>;

function kind(
  name: string,
  what: string,
  inject: FaultKind['inject'],
  { needsProxy = false, policies = BOTH, mayLeaveUnknown = true, isFirst = false }: Traits = {},
): FaultKind {
  return { name, what, inject, needsProxy, policies, mayLeaveUnknown, isFirst };
}

const CALM: Traits = { mayLeaveUnknown: false };

export const FAULT_KINDS: readonly FaultKind[] = [
  kind('kill', 'kill -9; started again when the others are whole', (stage) => kill(stage, false)),
  kind('restart', 'kill -9, and started again in its place at once', (stage) => kill(stage, true)),
  kind('pause', 'SIGSTOP for less than node-timeout', pause, CALM),
  kind('freeze', 'SIGSTOP for longer than node-timeout', freeze),
  kind('stop', 'SIGTERM, and started again', stop, CALM),
  kind('together', 'all are killed, and all started at one moment', together, { isFirst: true }),
  kind('full-log', 'nobody reads its log; then the log goes to a full disk', fullLog, CALM),
  kind('clock', 'the wall clock of one node is set, and set right again', stepClock, CALM),
  kind('cut', 'one link is cut for longer than node-timeout', (stage) => cut(stage, false), {
    needsProxy: true,
  }),
  kind('one-way', 'one link is cut in one direction only', (stage) => cut(stage, true), {
    needsProxy: true,
  }),
  kind('blip', 'one link is silent for less than node-timeout', blip, {
    needsProxy: true,
    mayLeaveUnknown: false,
  }),
  kind('reset', 'links are reset, whatever is on its way', reset, {
    needsProxy: true,
    mayLeaveUnknown: false,
  }),
  kind('unplug', 'one node is not heard by one or all others, and then kill -9', unplug, {
    needsProxy: true,
  }),
  kind(
    'freeze-alone',
    'SIGSTOP until it is left out; its cable is back later than it',
    freezeAlone,
    {
      needsProxy: true,
    },
  ),
  kind('alone', 'one node is cut off from all others', cutOff, {
    needsProxy: true,
    policies: ['majority'],
  }),
];

/** Of the soak only: the cluster grows and shrinks. */
export const SIZE_KINDS: readonly FaultKind[] = [
  kind('leave', 'SIGTERM', leave, CALM),
  kind('join', 'one node more is started', join, CALM),
];
