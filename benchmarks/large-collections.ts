/**
 * How long a command on a large collection holds up a node, Tandis beside Redis: "Large collections" of benchmarks/README.md.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { number, table } from './compare/table.js';
import { encode } from './load/request-bytes.js';
import { AdminClient } from './servers/admin-client.js';
import { type Child, endChildrenOnExit } from './servers/children.js';
import { redisLauncher } from './servers/redis.js';
import { type RunningServers, stopAll } from './servers/server.js';
import { tandisLauncher } from './servers/tandis.js';

const PROBE = fileURLToPath(new URL('./stand-still/probe.js', import.meta.url));
const PROBE_CHECK_MS = 5;
const REPLY_MS_MAX = 120_000;
/** Elements of one command that fills a collection. */
const FILL = 1000;

/** What fills a collection: the name of the command, and of an element its arguments. */
const FILLED: readonly (readonly [
  name: string,
  key: string,
  element: (n: number) => readonly string[],
])[] = [
  ['SADD', 'set', (n) => [`member:${n}`]],
  ['SADD', 'set2', (n) => [`member:${n * 2}`]],
  ['HSET', 'hash', (n) => [`field:${n}`, `value:${n}`]],
  ['ZADD', 'zset', (n) => [`${(n * 7919) % 1_000_003}`, `member:${n}`]],
  ['ZADD', 'zset2', (n) => [`${n}`, `member:${n * 2}`]],
  ['RPUSH', 'list', (n) => [`${(n * 7919) % 1_000_003}`]],
];

/** What is measured, one after the other; what is deleted was copied there before. */
function measuredOf(elements: number): readonly string[] {
  const half = elements / 2;
  const quarter = elements / 4;
  return [
    'SMEMBERS set',
    'HGETALL hash',
    'HKEYS hash',
    'ZRANGE zset 0 -1',
    'ZRANGE zset 0 -1 WITHSCORES',
    'LRANGE list 0 -1',
    'SUNION set set2',
    'SINTER set set2',
    'SDIFF set set2',
    'SUNIONSTORE made set set2',
    'ZUNIONSTORE made 2 zset zset2',
    'ZINTERSTORE made 2 zset zset2',
    'ZRANGESTORE made zset 0 -1',
    'SORT list',
    'SORT list ALPHA LIMIT 0 10',
    'SORT list BY none LIMIT 0 10',
    'SORT list STORE made',
    'SMEMBERS made-nothing',
    'LPOS list none',
    'LINSERT list BEFORE none x',
    `LINDEX list ${half}`,
    `LRANGE list ${half} ${half + 100}`,
    `LSET list ${half} another-element`,
    'LREM list 1 another-element',
    'LPOS list another-element',
    'ZCOUNT zset 1000 900000',
    'ZLEXCOUNT zset - +',
    `SRANDMEMBER set ${half}`,
    'DUMP zset',
    'COPY set copied',
    'COPY hash copied-hash',
    'COPY zset copied-zset',
    'COPY list copied-list',
    'SADD copied another',
    'HSET copied-hash another field',
    'ZADD copied-zset 1 another',
    'LPUSH copied-list another',
    'RPUSH copied-list another',
    'RENAME copied-hash renamed-hash',
    'RENAME renamed-hash copied-hash',
    `ZREMRANGEBYRANK copied-zset 0 ${half - 1}`,
    `LTRIM copied-list ${quarter} ${half + quarter}`,
    `SPOP copied ${half}`,
    'DEL copied copied-hash copied-zset copied-list made',
  ];
}

interface Options {
  readonly elements: string;
  readonly rounds: string;
  readonly only: readonly string[];
}

function parseOptions(): Options {
  return new Command('large-collections')
    .description('Measures how long commands on large collections hold up a node.')
    .option('--elements <n>', 'of each collection', '1000000')
    .option('--rounds <n>', 'of which the shortest counts', '3')
    .option('--only <text...>', 'commands that begin so', [''])
    .parse()
    .opts<Options>();
}

async function standStillOf(child: Child): Promise<number> {
  const file = join(child.directory, 'stand-still');
  rmSync(file, { force: true });
  child.signal('SIGUSR2');
  while (!existsSync(file) || readFileSync(file, 'utf8').at(-1) !== '\n')
    await delay(PROBE_CHECK_MS);
  return Number(readFileSync(file, 'utf8'));
}

/** Processor time of the thread that runs the commands, milliseconds. */
const workedMs = ({ pid }: Child): number =>
  Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

async function ask(client: AdminClient, ...args: string[]): Promise<void> {
  const reply = await client.send(encode(...args), REPLY_MS_MAX);
  if (reply instanceof Error) throw new Error(`${args.slice(0, 3).join(' ')}: ${reply.message}`);
}

async function fill(client: AdminClient, elements: number): Promise<void> {
  for (const [name, key, element] of FILLED) {
    for (let from = 0; from < elements; from += FILL) {
      const numbers = Array.from({ length: FILL }, (_, i) => from + i);
      await ask(client, name, key, ...numbers.flatMap(element));
    }
  }
}

/** Of each command the shortest of what `held` says of it, milliseconds; NaN for those that were not asked for. */
async function measure(
  { endpoints, children }: RunningServers,
  { elements, rounds, only }: Options,
  measured: readonly string[],
  held: (child: Child, run: () => Promise<void>) => Promise<number>,
): Promise<number[]> {
  const client = new AdminClient(endpoints[0]!);
  const least = measured.map(() => Number.POSITIVE_INFINITY);
  try {
    await fill(client, Number(elements));
    for (let round = 0; round < Number(rounds); round++) {
      for (const [i, command] of measured.entries()) {
        if (!only.some((text) => command.startsWith(text))) continue;
        const ms = await held(children[0]!, () => ask(client, ...command.split(' ')));
        least[i] = Math.min(least[i]!, ms);
      }
    }
  } finally {
    client.close();
    await stopAll(children);
  }
  return least;
}

async function main(): Promise<void> {
  const options = parseOptions();
  const measured = measuredOf(Number(options.elements));
  endChildrenOnExit();
  const launcher = tandisLauncher({ nodeArgs: ['--import', PROBE], serverArgs: [] });
  const ours = await measure(await launcher.start(1), options, measured, async (child, run) => {
    await standStillOf(child);
    await run();
    return standStillOf(child);
  });
  const redis = await redisLauncher('redis', 'redis-server').start(1);
  const theirs = await measure(redis, options, measured, async (child, run) => {
    const before = workedMs(child);
    await run();
    return workedMs(child) - before;
  });
  const rows = measured.flatMap((command, i) =>
    Number.isFinite(ours[i])
      ? [[command, number(ours[i]!), number(theirs[i]!), number(ours[i]! / theirs[i]!)]]
      : [],
  );
  console.log(table([['command', 'Tandis ms', 'Redis ms', 'ratio'], ...rows]));
}

await main();
