/**
 * How long a command with very many keys holds up the nodes: docs/testing/stand-still.md.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { number, table } from './compare/table.js';
import type { Endpoint } from './load/run-spec.js';
import { AdminClient, askOnce } from './servers/admin-client.js';
import { type Child, endChildrenOnExit } from './servers/children.js';
import { infoOf, type RunningServers, stopAll, untilReady } from './servers/server.js';
import { tandisLauncher } from './servers/tandis.js';

const PROBE = fileURLToPath(new URL('./stand-still/probe.js', import.meta.url));
const VALUE = 'v'.repeat(20);
/** Between two GETs of the other connection, milliseconds. */
const GET_PAUSE_MS = 1;
const PROBE_CHECK_MS = 5;
const REPLY_MS_MAX = 60_000;

interface Options {
  readonly nodes: string[];
  readonly pairs: string[];
  readonly rounds: string;
}

/** What was seen while one command ran. */
interface Seen {
  readonly reply: string;
  readonly ms: number;
  readonly getP99Ms: number;
  readonly getMaxMs: number;
  /** Of each node, milliseconds of processor time. */
  readonly standStills: readonly number[];
}

function parseOptions(): Options {
  return new Command('stand-still')
    .description('Measures how long MSET of many pairs holds up the nodes.')
    .option('--nodes <n...>', 'sizes of the cluster', ['1', '3'])
    .option('--pairs <n...>', 'pairs of a command', ['2000', '20000', '200000'])
    .option('--rounds <n>', 'commands of each kind, with keys of their own', '3')
    .parse()
    .opts<Options>();
}

/** As `encode`, of more arguments than a call can have. */
const encoded = (args: readonly string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;

async function standStillOf(child: Child): Promise<number> {
  const file = join(child.directory, 'stand-still');
  rmSync(file, { force: true });
  process.kill(child.pid, 'SIGUSR2');
  while (!existsSync(file) || readFileSync(file, 'utf8').at(-1) !== '\n')
    await delay(PROBE_CHECK_MS);
  return Number(readFileSync(file, 'utf8'));
}

/** GETs of a key that the command does not touch, one after the other, on a connection of their own. */
async function answersUntil(endpoint: Endpoint, end: Promise<unknown>): Promise<number[]> {
  const client = new AdminClient(endpoint);
  const times: number[] = [];
  let isOver = false;
  const over = end.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const began = performance.now();
    await client.ask('GET', 'untouched');
    times.push(performance.now() - began);
    await delay(GET_PAUSE_MS);
  }
  await over;
  client.close();
  return times.sort((a, b) => a - b);
}

async function measure(servers: RunningServers, command: readonly string[]): Promise<Seen> {
  const [endpoint] = servers.endpoints;
  await Promise.all(servers.children.map(standStillOf));
  const client = new AdminClient(endpoint!);
  const began = performance.now();
  let ms = 0;
  const reply = client.send(encoded(command), REPLY_MS_MAX).then((text) => {
    ms = performance.now() - began;
    return String(text instanceof Error ? text.message : text);
  });
  const times = await answersUntil(endpoint!, reply);
  await settled(servers);
  const standStills = await Promise.all(servers.children.map(standStillOf));
  client.close();
  const getP99Ms = times[Math.floor(times.length * 0.99)] ?? 0;
  return { reply: await reply, ms, getP99Ms, getMaxMs: times.at(-1) ?? 0, standStills };
}

async function settled({ children, endpoints }: RunningServers): Promise<void> {
  if (endpoints.length === 1) return;
  await untilReady(children, 'tandis cluster', async () => {
    const infos = await Promise.all(endpoints.map(infoOf));
    return infos.every((info) => info.get('settled') === '1');
  });
}

const row = (what: string, seen: Seen): string[] => [
  what,
  seen.reply,
  number(seen.ms),
  number(seen.getP99Ms),
  number(seen.getMaxMs),
  seen.standStills.map((ms) => number(ms)).join(' / '),
];

async function measureNodes(nodes: number, options: Options): Promise<void> {
  const launcher = tandisLauncher({ nodeArgs: ['--import', PROBE], serverArgs: [] });
  const servers = await launcher.start(nodes);
  const rows = [
    ['command', 'reply', 'ms', 'GET p99 ms', 'GET max ms', 'stand-still of each node, ms'],
  ];
  try {
    for (const pairs of options.pairs.map(Number)) {
      await askOnce(servers.endpoints[0]!, 'SET', 'untouched', VALUE);
      const refused = ['ECHO', ...Array<string>(2 * pairs).fill(VALUE)];
      rows.push(row(`only parsed, ${2 * pairs} arguments`, await measure(servers, refused)));
      for (let round = 0; round < Number(options.rounds); round++) {
        const keys = Array.from({ length: pairs }, (_, i) => `k:${round}:${i}`);
        const command = ['MSET', ...keys.flatMap((key) => [key, VALUE])];
        rows.push(row(`MSET of ${pairs} new`, await measure(servers, command)));
        rows.push(row('again', await measure(servers, command)));
      }
      await askOnce(servers.endpoints[0]!, 'FLUSHALL');
    }
  } finally {
    await stopAll(servers.children);
  }
  console.log(`\n${nodes} nodes\n${table(rows)}`);
}

async function main(): Promise<void> {
  const options = parseOptions();
  endChildrenOnExit();
  for (const nodes of options.nodes) await measureNodes(Number(nodes), options);
}

await main();
