import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { TestCluster } from '../support/test-cluster.js';

/** Redis's own tools against Tandis, as an operator would use them. */

/** Requests of each kind of command. */
const REQUESTS = 20_000;

/** Why the tools cannot be run; null when they can. Under CI=true missing ones are an error. */
function missingTools(): string | false {
  const missing = ['redis-cli', 'redis-benchmark'].filter(
    (tool) => spawnSync(tool, ['--version']).error !== undefined,
  );
  if (missing.length === 0) return false;
  const reason = `not installed: ${missing.join(', ')} (Debian package redis-tools)`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

interface Output {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function runTool(tool: string, port: number, args: readonly string[]): Promise<Output> {
  const child = spawn(tool, ['-h', '127.0.0.1', '-p', String(port), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ]);
  return { status, out, err };
}

const skip = missingTools();

t.test('redis-cli', { skip }, async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [first, second, third] = cluster.nodes.map((node) => node.port) as [number, number, number];
  const cli = (port: number, ...args: string[]) => runTool('redis-cli', port, args);

  t.same(await cli(first, 'SET', 'sess:abc', '{"user":"ann"}'), {
    status: 0,
    out: 'OK\n',
    err: '',
  });
  for (const port of [first, second, third]) {
    const got = await cli(port, 'GET', 'sess:abc');
    t.same(got, { status: 0, out: '{"user":"ann"}\n', err: '' }, 'from any node');
  }
  t.equal((await cli(second, '-3', 'GET', 'sess:abc')).out, '{"user":"ann"}\n', 'in RESP3 too');
  t.equal((await cli(second, 'GET', 'sess:none')).out, '\n', 'an absent key is nil');
  t.equal((await cli(third, 'EXPIRE', 'sess:abc', '100')).out, '1\n');
  t.match((await cli(first, 'TTL', 'sess:abc')).out, /^(99|100)\n$/);
  t.equal((await cli(third, '--scan', '--pattern', 'sess:*')).out, 'sess:abc\n');
  t.match((await cli(third, 'INFO', 'tandis')).out, /^members:3\r?$/m);
  t.match((await cli(first, 'CLUSTER', 'LOCATE', 'sess:abc')).out, new RegExp(`:${first}\n`));
  t.match(await cli(first, 'SET', 'sess:abc'), {
    out: "ERR wrong number of arguments for 'set' command\n",
  });
  t.equal((await cli(first, 'DEL', 'sess:abc')).out, '1\n');
});

for (const nodes of [1, 3]) {
  t.test(`redis-benchmark, ${nodes} of ${nodes} nodes`, { skip }, async (t) => {
    const cluster = await TestCluster.start(t, nodes);
    const { port, client } = cluster.nodes[0]!;
    const args = ['-t', 'set,get', '-P', '16', '-n', String(REQUESTS), '-r', '1000', '--csv'];
    const { status, out, err } = await runTool('redis-benchmark', port, args);
    t.equal(status, 0);
    t.equal(err, '');
    const rates = [...out.matchAll(/^"(SET|GET)","([\d.]+)"/gm)];
    t.same(
      rates.map(([, command]) => command),
      ['SET', 'GET'],
    );
    for (const [, command, perSecond] of rates) {
      t.ok(Number(perSecond) > 0);
      t.comment(`${command} 16 deep, ${nodes} nodes: ${Math.round(Number(perSecond))} per second`);
    }
    const keys = await client.dbsize();
    t.ok(keys > 900 && keys <= 1000, `${keys} keys of at most 1000 random ones`);
    await cluster.settled();
    t.equal((await cluster.nodes[0]!.facts())['primaries'], String(keys));
  });
}
