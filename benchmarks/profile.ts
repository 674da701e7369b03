/**
 * Shows where a Tandis node spends its time under a case of the comparison: see README.md in this
 * directory.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { CASES, type Case } from './compare/cases.js';
import { checkedRun, fillSpec, specFor } from './compare/compare-load.js';
import { FULL } from './compare/settings.js';
import { number, table } from './compare/table.js';
import { GeneratorProcess } from './load/generator-process.js';
import type { RunResult } from './load/run-spec.js';
import { byFile, type CpuProfile, type SelfTime, selfTimes } from './profile/self-times.js';
import { endChildrenOnExit } from './servers/children.js';
import type { RunningServers } from './servers/server.js';
import { tandisLauncher } from './servers/tandis.js';

const PROGRAM = fileURLToPath(new URL('./profile/program.js', import.meta.url));
/** A node that leaves and writes its profile may take longer than one that is only stopped. */
const TERM_MS_MAX = 60_000;

interface Options {
  readonly case: string;
  readonly seconds: string;
  readonly top: string;
  readonly intervalUs: string;
  readonly directory?: string;
  readonly serverArgs: string[];
}

interface Window {
  readonly fromUs: number;
  readonly toUs: number;
  readonly result: RunResult;
}

function parseOptions(): Options {
  return new Command('profile')
    .description('Profiles Tandis under one case of the comparison.')
    .requiredOption('--case <name>', 'a case of npm run bench -- --list')
    .option('--seconds <n>', 'profiled time', '5')
    .option('--top <n>', 'functions shown', '30')
    .option('--interval-us <n>', 'time between samples', '250')
    .option('--directory <path>', 'where the .cpuprofile files are kept')
    .option('--server-args <option...>', 'further options for tandis server (after =)', [])
    .parse()
    .opts<Options>();
}

/**
 * Microseconds of the clock that V8 stamps its samples with: the same in all processes of the
 * machine.
 */
const monotonicUs = () => Number(process.hrtime.bigint() / 1000n);

/** The run that is profiled, while the clock is watched. */
async function watched(run: Promise<RunResult>): Promise<Window> {
  const fromUs = monotonicUs();
  const result = await run;
  return { fromUs, toUs: monotonicUs(), result };
}

/** Loads the keys, warms up, and runs the case; of a memory case the loading itself is profiled. */
async function drive(one: Case, servers: RunningServers, durationMs: number): Promise<Window> {
  const generator = new GeneratorProcess();
  const subject = one.subjects[0]!;
  try {
    if (one.kind === 'memory') {
      const spec = fillSpec(one, servers, { ...FULL, keys: FULL.memoryKeys });
      return await watched(checkedRun(generator, spec, subject));
    }
    await checkedRun(generator, fillSpec(one, servers, FULL), subject);
    const spec = { ...specFor(one, subject, servers, FULL), rampMs: 0 };
    await checkedRun(generator, { ...spec, durationMs: FULL.warmUpMs }, subject);
    return await watched(checkedRun(generator, { ...spec, durationMs }, subject));
  } finally {
    generator.stop();
  }
}

function print(title: string, times: readonly SelfTime[], totalUs: number, top: number): void {
  const rows = times
    .slice(0, top)
    .map(({ name, place, us }) => [
      `${number((us / totalUs) * 100).padStart(5)} %  ${name}`,
      place,
    ]);
  console.log(`\n${title}`);
  console.log(table(rows));
}

function printProfile(path: string, window: Window, top: number): void {
  const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const all = selfTimes(profile, window.fromUs, window.toUs);
  const busy = all.filter((time) => time.name !== '(idle)');
  const sum = (times: readonly SelfTime[]) => times.reduce((us, time) => us + time.us, 0);
  const busyUs = sum(busy);
  const perOperation = number(busyUs / window.result.operations);
  const idle = number((1 - busyUs / sum(all)) * 100);
  const title = `${path}: ${perOperation} us busy per operation, ${idle} % idle`;
  print(`${title}; self time`, busy, busyUs, top);
  print('by file', byFile(busy), busyUs, Math.ceil(top / 2));
}

async function main(): Promise<void> {
  const options = parseOptions();
  const one = CASES.find((candidate) => candidate.name === options.case);
  if (one?.subjects[0]?.server !== 'tandis')
    throw new Error(`no case of Tandis is named ${options.case}`);
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'tandis-profile-'));
  mkdirSync(directory, { recursive: true });
  const earlier = new Set(readdirSync(directory));
  endChildrenOnExit();
  const prof = ['--cpu-prof', `--cpu-prof-dir=${directory}`];
  const nodeArgs = [...prof, `--cpu-prof-interval=${options.intervalUs}`];
  const { serverArgs } = options;
  const launcher = tandisLauncher({ nodeArgs, serverArgs, program: PROGRAM });
  const servers = await launcher.start(one.subjects[0].nodes);
  let window: Window;
  try {
    window = await drive(one, servers, Number(options.seconds) * 1000);
  } finally {
    // One after the other: a profile is written when its process ends by itself.
    for (const child of [...servers.children].reverse()) {
      const began = performance.now();
      await child.stop(TERM_MS_MAX);
      console.error(
        `process ${child.pid} ended ${number(performance.now() - began)} ms after SIGTERM`,
      );
    }
  }
  const { operationsPerSecond, latencyUs, serverCores } = window.result;
  console.log(`${one.name}: ${one.title}`);
  console.log(
    `${number(operationsPerSecond)} operations/s (profiled), p99 ${latencyUs.p99} us, ` +
      `server cores ${number(serverCores)}`,
  );
  const files = readdirSync(directory).filter((name) => !earlier.has(name));
  if (files.length < servers.children.length)
    console.log(`only ${files.length} profiles were written: a node did not end by SIGTERM`);
  for (const file of files.sort()) printProfile(join(directory, file), window, Number(options.top));
}

await main();
