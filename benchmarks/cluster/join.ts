import { setTimeout as delay } from 'node:timers/promises';
import { summarize } from '../compare/statistics.js';
import { number, table } from '../compare/table.js';
import type { GeneratorProcess } from '../load/generator-process.js';
import { infoOf, type RunningServers, stopAll } from '../servers/server.js';
import { isWhole, startJoiner, tandisLauncher } from '../servers/tandis.js';
import { fill, runLoad } from './load.js';

const NODES = 2;
/** Foreground traffic: operations per second in an open loop, in runs of a second; what connecting costs is not counted. */
const RATE = 2000;
const SECOND = { rampMs: 200, durationMs: 1000 };
const QUIET_RUNS = 5;
const JOIN_MS_MAX = 120_000;
const CHECK_MS = 50;
const TARGETS = { ms: 15_000, p99: 2 };

/** A third node joins two that hold so many sessions, while clients go on. */
export async function join(generator: GeneratorProcess, keys: number): Promise<void> {
  const servers = await tandisLauncher({ nodeArgs: [], serverArgs: [] }).start(NODES);
  const all: RunningServers[] = [servers];
  const second = async (): Promise<number> => {
    const run = { workload: 'session', keys, depth: 16, ratePerSecond: RATE, ...SECOND } as const;
    return (await runLoad(generator, servers, servers.endpoints[0]!, run)).latencyUs.p99;
  };
  try {
    await fill(generator, servers, servers.endpoints[0]!, keys);
    const quiet: number[] = [];
    for (let i = 0; i < QUIET_RUNS; i++) quiet.push(await second());
    const before = await bytesOf(servers);
    const began = performance.now();
    const busPort = Number((await infoOf(servers.endpoints[0]!)).get('bus_port'));
    all.push(await startJoiner(busPort));
    const joined = whole(all).then(() => performance.now() - began);
    const during = await untilDone(joined, second);
    const ms = await joined;
    const mb = ((await bytesOf(servers)) - before) / 1e6;
    report(keys, ms, mb, quiet, during);
  } finally {
    for (const one of all) await stopAll(one.children);
  }
}

async function untilDone(done: Promise<unknown>, act: () => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  let isDone = false;
  const over = done.finally(() => {
    isDone = true;
  });
  while (!isDone) results.push(await act());
  await over;
  return results;
}

/** All are in one view, and every key is where it belongs. */
async function whole(all: readonly RunningServers[]): Promise<void> {
  const endpoints = all.flatMap((servers) => servers.endpoints);
  const giveUpAt = performance.now() + JOIN_MS_MAX;
  for (;;) {
    const infos = await Promise.all(endpoints.map(infoOf));
    const isThere = (info: Map<string, string>) =>
      isWhole(info, NODES + 1) && info.get('settled') === '1';
    if (infos.every(isThere)) return;
    if (performance.now() > giveUpAt) throw new Error(`not joined after ${JOIN_MS_MAX} ms`);
    await delay(CHECK_MS);
  }
}

async function bytesOf({ endpoints }: RunningServers): Promise<number> {
  const infos = await Promise.all(endpoints.map(infoOf));
  return infos.reduce((sum, info) => sum + Number(info.get('bus_output_bytes')), 0);
}

function report(keys: number, ms: number, mb: number, quiet: number[], during: number[]): void {
  const [before, meanwhile] = [summarize(quiet).median, summarize(during)];
  const ratio = meanwhile.median / before;
  const verdict = (isMet: boolean) => (isMet ? 'met' : 'MISSED');
  const rows = [
    ['', 'measured', 'target', ''],
    ['seconds', number(ms / 1000), `${TARGETS.ms / 1000}`, verdict(ms <= TARGETS.ms)],
    ['MB sent', number(mb), '', ''],
    ['MB/s', number((mb * 1000) / ms), '', ''],
    ['p99 before, us', number(before), '', ''],
    ['p99 meanwhile, us', number(meanwhile.median), '', ''],
    ['p99 of the worst second, us', number(meanwhile.max), '', ''],
    ['p99 meanwhile to before', number(ratio), `${TARGETS.p99}`, verdict(ratio <= TARGETS.p99)],
  ];
  console.log(`\njoin: ${number(keys)} sessions, foreground ${RATE}/s\n${table(rows)}`);
}
