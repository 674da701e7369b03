import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import { runClosed } from '../../benchmarks/load/closed-loop.js';
import { dueAfterMs, runOpen } from '../../benchmarks/load/open-loop.js';
import { ReplyScanner } from '../../benchmarks/load/reply-scanner.js';
import type { RunSpec } from '../../benchmarks/load/run-spec.js';

/** A server that answers PING, and then as `answer` says; `commands` counts what it was sent. */
async function serverWith(answer: (commands: number, socket: Socket) => void) {
  const server = createServer((socket) => {
    const scanner = new ReplyScanner();
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('+PONG\r\n');
      socket.on('data', (data) => answer(scanner.feed(data, data.length), socket));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function specFor(server: Server, change: Partial<RunSpec>): RunSpec {
  const { port } = server.address() as { port: number };
  return {
    workload: 'set',
    endpoints: [{ host: '127.0.0.1', port }],
    connections: 4,
    depth: 2,
    keys: 1001,
    valueBytes: 50,
    ttlSeconds: 0,
    waits: 'none',
    seed: 1,
    rampMs: 20,
    durationMs: 100,
    ratePerSecond: 0,
    serverPids: [],
    ...change,
  };
}

const OK = '+OK\r\n';

t.test('a fill counts every command once', async (t) => {
  let commands = 0;
  const server = await serverWith((count, socket) => {
    commands += count;
    socket.write(OK.repeat(count));
  });
  const result = await runClosed(specFor(server, { workload: 'fill' }));
  t.equal(commands, 1001);
  t.equal(result.operations, 1001);
  t.equal(result.latencyUs.count, 1001);
  server.close();
});

t.test('a closed run counts what was answered in its time', async (t) => {
  let commands = 0;
  const server = await serverWith((count, socket) => {
    commands += count;
    socket.write(OK.repeat(count));
  });
  const result = await runClosed(specFor(server, {}));
  t.ok(result.operations > 0 && result.operations <= commands);
  t.equal(result.latencyUs.count, result.operations);
  t.ok(result.elapsedMs >= 99 && result.elapsedMs < 1000, `${result.elapsedMs} ms`);
  const rate = (result.operations / result.elapsedMs) * 1000;
  t.ok(Math.abs(result.operationsPerSecond - rate) < 1e-6 * rate);
  server.close();
});

t.test('what is answered while a run warms up is not counted', async (t) => {
  let commands = 0;
  const server = await serverWith((count, socket) => {
    commands += count;
    socket.write(OK.repeat(count));
  });
  const result = await runClosed(specFor(server, { rampMs: 300, durationMs: 50 }));
  t.ok(result.operations < commands / 2, `${result.operations} of ${commands}`);
  server.close();
});

t.test('replies that are errors or nil are counted as such', async (t) => {
  const server = await serverWith((count, socket) => {
    for (let i = 0; i < count; i++) socket.write(i % 2 === 0 ? '-ERR full\r\n' : '$-1\r\n');
  });
  const result = await runClosed(specFor(server, { workload: 'fill', keys: 1000 }));
  t.match(result, { operations: 1000, errors: 500, nils: 500, firstError: 'ERR full' });
  server.close();
});

t.test('a run fails when there are more replies than commands', async (t) => {
  const server = await serverWith((count, socket) => socket.write(OK.repeat(count + 1)));
  await t.rejects(runClosed(specFor(server, {})), /1 more replies than commands/);
  await t.rejects(runOpen(specFor(server, { ratePerSecond: 500 })), /more replies than commands/);
  server.close();
});

t.test('a run fails when the server goes', async (t) => {
  const server = await serverWith((_, socket) => socket.destroy());
  await t.rejects(runClosed(specFor(server, {})), /closed the connection|ECONNRESET/);
  server.close();
});

t.test('an open run sends at its rate, and counts what was due', async (t) => {
  let commands = 0;
  const server = await serverWith((count, socket) => {
    commands += count;
    socket.write(OK.repeat(count));
  });
  const result = await runOpen(
    specFor(server, { ratePerSecond: 2000, rampMs: 50, durationMs: 200 }),
  );
  // 50 ms of ramp and 200 ms counted, at 2 per ms; the edges of a tick are a matter of rounding.
  t.ok(Math.abs(commands - 500) <= 2, `${commands} sent`);
  t.ok(Math.abs(result.operations - 400) <= 2, `${result.operations} counted`);
  t.equal(result.unanswered, 0);
  t.equal(result.sendLatenessUs?.count, result.operations);
  server.close();
});

t.test('a pause of the server is charged to all who came in it', async (t) => {
  const pauseMs = 200;
  let pausedUntil = 0;
  let begun = 0;
  const server = await serverWith((count, socket) => {
    const now = performance.now();
    begun ||= now;
    // Once, 100 ms after the first command, nothing is answered for 200 ms.
    if (pausedUntil === 0 && now - begun > 100) pausedUntil = now + pauseMs;
    const wait = Math.max(0, pausedUntil - now);
    if (wait === 0) socket.write(OK.repeat(count));
    else setTimeout(() => socket.write(OK.repeat(count)), wait);
  });
  const spec = specFor(server, { ratePerSecond: 1000, depth: 1, rampMs: 0, durationMs: 500 });
  const result = await runOpen(spec);
  t.ok(Math.abs(result.operations - 500) <= 2, `${result.operations} counted`);
  // 200 of 500 operations fell into the pause, whose waiting times run from 200 ms down to 0: the
  // worst tenth of all waited for more than 150 ms. One connection alone, measured from sending,
  // would show 4 slow ones of 500.
  t.ok(result.latencyUs.p99 > 180_000, `p99 ${result.latencyUs.p99} us`);
  t.ok(result.latencyUs.mean > 25_000, `mean ${result.latencyUs.mean} us`);
  server.close();
});

t.test('operations are due evenly, at ticks', async (t) => {
  t.equal(dueAfterMs(0, 1000), 0);
  t.equal(dueAfterMs(1, 1000), 1);
  t.equal(dueAfterMs(10_000, 4000), 2500);
  t.equal(dueAfterMs(1, 16_000), 0.25, 'between ticks: at the next one');
});
