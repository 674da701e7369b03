import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { topScreen } from '../../lib/server/cli/show-top.js';
import { TestCluster } from '../support/test-cluster.js';
import { PROGRAM, tandis } from './processes.js';

t.test('locate, events, top and bench, of a cluster of two', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const [first, second] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
  const port = ['-p', String(second.port)];
  await first.client.set('sess:1', 'hello', 'EX', 600);
  await cluster.settled();

  await t.test('locate', async (t) => {
    const run = tandis(t, 'locate', 'sess:1', ...port);
    t.equal(await run.ended, 0);
    t.match(run.out, new RegExp(`^primary +127.0.0.1:${first.port}$`, 'm'));
    t.match(run.out, new RegExp(`^backup +127.0.0.1:${second.port}$`, 'm'));
    t.match(run.out, /^settled +yes$/m);
    t.match(run.out, /^expires +in (600|5\d\d) s, 20\d\d-/m);
    await first.client.set('sess:2', 'hello');
    const json = tandis(t, 'locate', 'sess:2', '--json', ...port);
    t.equal(await json.ended, 0);
    const found = JSON.parse(json.out);
    t.match(found, { key: 'sess:2', primary: `127.0.0.1:${first.port}`, expiresAt: null });
    const none = tandis(t, 'locate', 'other', ...port);
    t.equal(await none.ended, 1);
    t.equal(none.err, 'tandis: nobody has other\n');
  });

  await t.test('events', async (t) => {
    const run = tandis(t, 'events', ...port);
    t.equal(await run.ended, 0);
    t.match(run.out, /^20\d\d-\d\d-\d\dT[\d:.]+Z {2}view +a view of 2 members$/m);
    const json = tandis(t, 'events', '--count', '1', '--json', ...port);
    t.equal(await json.ended, 0);
    t.match(JSON.parse(json.out), { kind: 'settled', time: Number });
    const nobody = tandis(t, 'events', '-p', '1');
    t.equal(await nobody.ended, 1);
    t.match(nobody.err, /^tandis: 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/);
  });

  await t.test('top prints one table where there is no terminal', async (t) => {
    const run = tandis(t, 'top', ...port);
    t.equal(await run.ended, 0);
    t.match(
      run.out,
      /^tandis [\d.]+: view \d+, 2 of 2 members answer, 2 keys, 0 without a backup,/,
    );
    t.match(run.out, /\nmember +zone +state +primaries +backups +no backup +memory +clients +/);
    t.match(run.out, new RegExp(`\n127.0.0.1:${first.port} +- +settled +2 +0 +0 .* [\\d.]+\n`));
    t.notMatch(run.out, '\x1b');
  });

  await t.test('top in a terminal goes on until q', (t) => terminal(t, second.port));

  await t.test('bench loads keys of its own, and removes them', async (t) => {
    const load = ['--connections', '4', '--keys', '40', '--size', '100'];
    const run = tandis(t, 'bench', ...load, '--seconds', '1', '--json', ...port);
    t.equal(await run.ended, 0);
    const result = JSON.parse(run.out);
    t.match(result, { members: 2, errors: 0 });
    t.ok(result.commands > 100, `${result.commands} commands`);
    t.ok(result.p50 > 0 && result.p50 <= result.p99 && result.p999 <= result.max);
    t.match(run.err, /^creating 40 sessions under tandis-bench:/);
    t.equal(await first.client.dbsize(), 2, 'what was there before, and no more');

    const ended = tandis(t, 'bench', ...load, '--seconds', '100', ...port);
    while (!/of 100 s: [1-9]/.test(ended.err) && ended.child.exitCode === null) {
      await Promise.race([once(ended.child.stderr!, 'data'), ended.ended]);
    }
    t.equal(await first.client.dbsize(), 42);
    ended.child.kill('SIGINT');
    t.equal(await ended.ended, 0);
    t.match(ended.out, /^throughput +\d+ commands\/s, members: 2$/m);
    t.equal(await first.client.dbsize(), 2, 'also when it was ended');

    const wrong = tandis(t, 'bench', '--depth', '0', ...port);
    t.equal(await wrong.ended, 2);
    t.match(wrong.err, /^tandis: --depth must be between 1 and 256\n$/);
  });

  await t.test('events that follow tell of a death', async (t) => {
    const run = tandis(t, 'events', '--follow', '--count', '1', ...port);
    await run.printed(/\n/);
    await first.end('SIGKILL');
    await run.printed(new RegExp(`died +127.0.0.1:${first.port} is dead`));
    t.notMatch(run.out, /a view of 2 members/, 'and not of what was before');
  });
});

/** Runs top in a pseudo-terminal, which the program `script` makes. */
async function terminal(t: Test, port: number): Promise<void> {
  const command = `${process.execPath} ${PROGRAM} top -p ${port}`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout!.on('data', (chunk) => {
    out += chunk;
  });
  const ended = once(child, 'exit');
  while (!out.includes('last events') && child.exitCode === null) {
    await Promise.race([once(child.stdout!, 'data'), ended]);
  }
  child.stdin!.write('q');
  const [status] = await ended;
  t.equal(status, 0);
  t.ok(out.startsWith('\x1b[?1049h'), 'it has a screen of its own');
  t.ok(out.trimEnd().endsWith('\x1b[?1049l'), 'and leaves it');
}

t.test('top shows what fits', async (t) => {
  const lines = ['sum', 'titles', 'a', 'b', 'c'];
  const text = (columns: number, rows: number): string[] => {
    const escapes = new RegExp(`${'\x1b'}\\[[?\\d;]*[A-Za-z]`, 'g');
    const screen = topScreen(lines, ['event 1', 'event 2', 'event 3'], { columns, rows });
    return screen.replaceAll(escapes, '').split('\r\n');
  };
  t.strictSame(text(6, 5), ['sum', 'titles', 'a', '2 more', 'q ends']);
  t.strictSame(text(6, 6), ['sum', 'titles', 'a', 'b', 'c', 'q ends']);
  const larger = ['sum', 'titles', 'a', 'b', 'c', '', 'last e', 'event ', 'event ', 'q ends'];
  t.strictSame(text(6, 10), larger);
});
