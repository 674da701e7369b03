import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';
import { PYTHON, skipWithout } from './debian-packages.js';

/**
 * Clients of other languages, from Debian's packages. Each script lives a session's life through two nodes, is asked again
 * when the second one, the primary of a session that it left, has been killed, and ends with status 0 when all was right.
 */

const SCRIPTS = fileURLToPath(new URL('../../../test/stores/debian/', import.meta.url));

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

async function outcomeOf(program: string, args: readonly string[]): Promise<Outcome> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { status, output: out + err };
}

interface Client {
  readonly name: string;
  readonly skip: string | false;
  readonly argv: readonly string[];
}

const DIRECTORY = mkdtempSync(join(tmpdir(), 'tandis-clients-'));
t.teardown(() => rmSync(DIRECTORY, { recursive: true }));
const HIREDIS = join(DIRECTORY, 'hiredis');
const REDISTORE = join(DIRECTORY, 'redistore');

function compileHiredis(): string | false {
  const probe = ['cc', '-o', HIREDIS, `${SCRIPTS}hiredis.c`, '-lhiredis'];
  return skipWithout('gcc libc6-dev libhiredis-dev', probe);
}

function compileRedistore(): string | false {
  const packages = 'golang-go golang-github-gomodule-redigo-dev golang-github-boj-redistore-dev';
  const go = ['GO111MODULE=off', 'GOPATH=/usr/share/gocode', `GOCACHE=${join(DIRECTORY, 'go')}`];
  const probe = ['env', ...go, 'go', 'build', '-o', REDISTORE, `${SCRIPTS}redistore.go`];
  return skipWithout(packages, probe);
}

const CLIENTS: readonly Client[] = [
  {
    name: 'Python, redis-py',
    skip: skipWithout('python3-redis', [PYTHON, '-c', 'import redis']),
    argv: [PYTHON, `${SCRIPTS}redis-py.py`],
  },
  {
    name: 'PHP, phpredis',
    skip: skipWithout('php-cli php-redis', ['php', '-r', 'exit((int) !class_exists("Redis"));']),
    argv: ['php', `${SCRIPTS}php-redis.php`],
  },
  {
    name: 'Ruby, redis-rb and redis-store',
    skip: skipWithout('ruby-redis-store', ['ruby', '-e', 'require "redis-store"']),
    argv: ['ruby', `${SCRIPTS}redis-rb.rb`],
  },
  {
    name: 'PHP, Predis',
    skip: skipWithout('php-cli php-predis', ['php', '-r', 'require "Predis/autoload.php";']),
    argv: ['php', `${SCRIPTS}predis.php`],
  },
  {
    name: 'Ruby, redis-rack',
    skip: skipWithout('ruby-redis-rack', ['ruby', '-e', 'require "redis-rack"']),
    argv: ['ruby', `${SCRIPTS}redis-rack.rb`],
  },
  {
    name: 'PHP, session handler of phpredis',
    skip: skipWithout('php-cli php-redis', ['php', '-r', 'exit((int) !class_exists("Redis"));']),
    argv: ['php', `${SCRIPTS}php-session.php`],
  },
  {
    name: 'Django, its sessions and cache over django-redis',
    skip: skipWithout('python3-django-redis', [PYTHON, '-c', 'import django_redis']),
    argv: [PYTHON, `${SCRIPTS}django-sessions.py`],
  },
  {
    name: 'Flask-Session',
    skip: skipWithout('python3-flask-session python3-redis', [
      PYTHON,
      '-c',
      'import flask_session',
    ]),
    argv: [PYTHON, `${SCRIPTS}flask-session.py`],
  },
  { name: 'Go, redistore over redigo', skip: compileRedistore(), argv: [REDISTORE] },
  {
    name: 'Perl, Redis',
    skip: skipWithout('libredis-perl', ['perl', '-MRedis', '-e', '1']),
    argv: ['perl', `${SCRIPTS}redis-perl.pl`],
  },
  { name: 'C, hiredis', skip: compileHiredis(), argv: [HIREDIS] },
];

t.test('clients of other languages', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [home, dies, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  const runAll = (phase: string, other: NodeProcess) =>
    Promise.all(
      CLIENTS.map(async ({ name, skip, argv: [program, ...args] }) => {
        if (skip) {
          t.test(name, { skip }, async () => {});
          return;
        }
        const ports = [String(home.port), String(other.port)];
        const outcome = await outcomeOf(program!, [...args, phase, ...ports]);
        t.same(outcome, { status: 0, output: '' }, `${name}: ${phase}`);
      }),
    );
  await runAll('before', dies);
  await dies.end('SIGKILL');
  await runAll('after', third);
});

/** The first row that `redis-cli --stat` prints, which goes on until it is ended. */
async function firstStatistics(port: number): Promise<string> {
  const args = ['-oL', 'redis-cli', '-p', String(port), '-i', '0.1', '--stat'];
  const child = spawn('stdbuf', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (/^\d/.test(line)) return line;
    }
    throw new Error('redis-cli --stat has ended by itself');
  } finally {
    child.kill();
  }
}

const skip = skipWithout('redis-tools', ['redis-benchmark', '--version']);

t.test(
  'redis-cli looks at the keyspace, redis-benchmark runs all its tests',
  { skip },
  async (t) => {
    const cluster = await TestCluster.start(t, 3);
    const [home, other] = cluster.nodes as [NodeProcess, NodeProcess];
    await other.client.mset(
      Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`s${i}`, 'v'])),
    );
    await other.client.hset('hash', { a: '1', b: '2', c: '3' });
    const cli = (...args: string[]) => outcomeOf('redis-cli', ['-p', String(home.port), ...args]);
    const scanned = await cli('-3', '--scan', '--pattern', 's*');
    t.equal(scanned.output.trim().split('\n').length, 50);
    const big = await cli('--bigkeys');
    t.match(big.output, /Sampled 51 keys/);
    t.match(big.output, /Biggest\s+hash found '"hash"' has 3 fields/);
    t.match((await cli('--latency')).output, /^\d+ \d+ \d+\.\d+ \d+\n$/, 'of a second');
    t.match(await firstStatistics(home.port), /^\d+ +\d+\.\d+K +\d+ +0 +\d+ \(\+\d+\)/);
    const benchmark = await outcomeOf('redis-benchmark', [
      ...['-p', String(home.port), '-n', '500', '-P', '16', '-r', '100', '--csv'],
    ]);
    t.equal(benchmark.status, 0);
    const rates = [...benchmark.output.matchAll(/^"(\w[^"]*)","([\d.]+)"/gm)];
    t.equal(rates.length, 20, benchmark.output);
    t.ok(rates.every(([, , perSecond]) => Number(perSecond) > 0));
  },
);
