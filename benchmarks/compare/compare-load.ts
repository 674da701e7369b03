import { setTimeout as delay } from 'node:timers/promises';
import type { GeneratorProcess } from '../load/generator-process.js';
import {
  type FillName,
  MAY_ANSWER_ZERO,
  MAY_MISS,
  type RunResult,
  type RunSpec,
  type WorkloadName,
} from '../load/run-spec.js';
import { cpuSecondsOfMachine } from '../process-stats.js';
import { type Launcher, type RunningServers, stopAll } from '../servers/server.js';
import type { Case, Subject } from './cases.js';
import type { Settings } from './settings.js';

/**
 * Cores that processes beside servers and generator may use before a pair counts as disturbed and
 * is repeated.
 */
const OTHER_CORES_MAX = 0.3;
/**
 * A disturbed machine is not waited for for ever: at most so many times the pairs asked for are
 * run.
 */
const PAIRS_FACTOR_MAX = 2;
/** Before each round the machine is watched for so long, and at most so long it is waited for. */
const QUIET_CHECK_MS = 200;
const QUIET_WAIT_MS_MAX = 10_000;
/** Commands per write when the keys are loaded. */
const FILL_DEPTH = 16;

/** The runs of one round, one per subject in their order. */
export interface Round {
  readonly runs: readonly RunResult[];
  /** Cores that others used during the most disturbed of them. */
  readonly otherCores: number;
}

export const isDisturbed = (round: Round): boolean => round.otherCores > OTHER_CORES_MAX;

export type Progress = (text: string) => void;

export interface Side {
  readonly subject: Subject;
  readonly launcher: Launcher;
}

/**
 * Starts all sides, loads the keys, warms up, and runs A B A B. Disturbed rounds are repeated,
 * within bounds. Throws when a server fails, or answers what it should not.
 */
export async function compareLoad(
  generator: GeneratorProcess,
  one: Case,
  sides: readonly Side[],
  settings: Settings,
  progress: Progress,
): Promise<Round[]> {
  const started: RunningServers[] = [];
  try {
    for (const side of sides) {
      started.push(await side.launcher.start(side.subject.nodes));
      const servers = started.at(-1)!;
      progress(`${side.subject.label}: loading`);
      await checkedRun(generator, fillSpec(one, servers, settings), side.subject);
      const warmUp = {
        ...specFor(one, side.subject, servers, settings),
        durationMs: settings.warmUpMs,
      };
      await checkedRun(generator, warmUp, side.subject);
    }
    const runOnce = (i: number) => {
      const { subject } = sides[i]!;
      return checkedRun(generator, specFor(one, subject, started[i]!, settings), subject);
    };
    return await rounds(sides.length, settings, runOnce, progress);
  } finally {
    await stopAll(started.flatMap((servers) => servers.children));
  }
}

async function rounds(
  sides: number,
  settings: Settings,
  runOnce: (side: number) => Promise<RunResult>,
  progress: Progress,
): Promise<Round[]> {
  const done: Round[] = [];
  const wanted = settings.pairs;
  const most = settings.wantsQuiet ? wanted * PAIRS_FACTOR_MAX : wanted;
  const quiet = () => done.filter((round) => !isDisturbed(round)).length;
  while (quiet() < wanted && done.length < most) {
    const runs: RunResult[] = [];
    if (settings.wantsQuiet) await untilQuiet();
    for (let side = 0; side < sides; side++) runs.push(await runOnce(side));
    const round = { runs, otherCores: Math.max(...runs.map((run) => run.otherCores)) };
    done.push(round);
    const rates = runs.map((run) => Math.round(run.operationsPerSecond)).join(' / ');
    progress(`pair ${done.length}: ${rates} per second${isDisturbed(round) ? ', disturbed' : ''}`);
  }
  // Which pairs count is decided by what others did, never by what came out.
  return done.sort((a, b) => a.otherCores - b.otherCores).slice(0, wanted);
}

/**
 * Waits, but not for long, until nobody else uses the machine: the servers of the case are idle
 * now.
 */
async function untilQuiet(): Promise<void> {
  const giveUpAt = performance.now() + QUIET_WAIT_MS_MAX;
  let otherCores: number;
  do {
    const before = cpuSecondsOfMachine();
    const began = performance.now();
    await delay(QUIET_CHECK_MS);
    otherCores = ((cpuSecondsOfMachine() - before) * 1000) / (performance.now() - began);
  } while (otherCores > OTHER_CORES_MAX && performance.now() < giveUpAt);
}

/** Where endpoints share the keys, so many that all have the same number. */
function keysOf({ isLarge, isSpread, subjects }: Case, settings: Settings): number {
  const keys = isLarge ? settings.largeKeys : settings.keys;
  return isSpread ? keys - (keys % subjects[0]!.nodes) : keys;
}

/** The spec of a counted run. */
export function specFor(
  one: Case,
  subject: Subject,
  servers: RunningServers,
  settings: Settings,
): RunSpec {
  return {
    workload: one.workload,
    endpoints: one.isSpread ? servers.endpoints : servers.endpoints.slice(0, 1),
    connections: one.connections ?? settings.connections,
    depth: one.depth,
    keys: keysOf(one, settings),
    valueBytes: settings.valueBytes,
    ttlSeconds: one.workload === 'session' || one.workload === 'hash' ? 3600 : 0,
    waits: one.workload === 'get' ? 'none' : subject.waits,
    seed: settings.seed,
    rampMs: settings.rampMs,
    durationMs: settings.durationMs,
    ratePerSecond: one.ratePerSecond,
    serverPids: servers.children.map((child) => child.pid),
  };
}

/** What writes the keys of a workload; those of the others are written by 'fill'. */
const FILLS: Readonly<Partial<Record<WorkloadName, FillName>>> = {
  session: 'fill-sessions',
  hash: 'fill-hashes',
  'fill-fields': 'fill-fields',
};

/** The spec that writes all keys of a case once. */
export function fillSpec(one: Case, servers: RunningServers, settings: Settings): RunSpec {
  const workload = FILLS[one.workload] ?? 'fill';
  const spec = specFor(one, one.subjects[0]!, servers, settings);
  return { ...spec, workload, depth: FILL_DEPTH, waits: 'none', ratePerSecond: 0 };
}

/** A run all of whose replies were right; throws otherwise. */
export async function checkedRun(
  generator: GeneratorProcess,
  spec: RunSpec,
  subject: Subject,
): Promise<RunResult> {
  const wrong = (text: string) => new Error(`${subject.label}, ${spec.workload}: ${text}`);
  const result = await generator.run(spec).catch((error: Error) => {
    throw wrong(error.message);
  });
  if (result.errors > 0) throw wrong(`${result.errors} error replies, first: ${result.firstError}`);
  if (result.nils > 0 && !MAY_MISS.has(spec.workload))
    throw wrong(`${result.nils} keys were missing`);
  if (result.zeros > 0 && !MAY_ANSWER_ZERO.has(spec.workload))
    throw wrong(`${result.zeros} writes without effect or replica`);
  if (result.operations === 0) throw wrong('no operation was answered');
  return result;
}
