import RedisParser from 'redis-parser';
import t from 'tap';
import type { RunSpec } from '../../benchmarks/load/run-spec.js';
import { uniformSequence, zipfSequence } from '../../benchmarks/load/sequence.js';
import { sourcesFor } from '../../benchmarks/load/workloads.js';

const SPEC: RunSpec = {
  workload: 'set',
  endpoints: [{ host: '127.0.0.1', port: 1 }],
  connections: 4,
  depth: 3,
  keys: 1000,
  valueBytes: 500,
  ttlSeconds: 0,
  waits: 'none',
  seed: 7,
  rampMs: 0,
  durationMs: 0,
  ratePerSecond: 0,
  serverPids: [],
};

/** The commands of some bytes: a request has the form of a reply, an array of strings. */
function commandsIn(bytes: Uint8Array): string[][] {
  const commands: string[][] = [];
  const parser = new RedisParser({
    returnReply: (reply: string[]) => commands.push(reply),
    returnError: (error: Error) => t.fail(error.message),
  });
  parser.execute(Buffer.from(bytes));
  return commands;
}

const batches = (spec: RunSpec, count: number) => {
  const source = sourcesFor(spec)[0]!;
  return Array.from({ length: count }, () => {
    const commands = commandsIn(source.next()!);
    return { commands, replies: source.replies, operations: source.operations };
  });
};

t.test('every batch is as many commands as it says, with keys of the range', async (t) => {
  for (const workload of ['set', 'get'] as const) {
    const [first, second] = batches({ ...SPEC, workload }, 2);
    t.match(first, { operations: 3, replies: 3 });
    t.equal(first!.commands.length, 3);
    for (const command of first!.commands) {
      t.equal(command[0], workload.toUpperCase());
      t.match(command[1], /^sess:000000000\d{3}$/);
      t.equal(command[2]?.length ?? 500, 500);
    }
    t.notSame(first!.commands, second!.commands, 'the next batch has other keys');
  }
});

t.test('WAIT is owed a reply and counts as no operation', async (t) => {
  const [each] = batches({ ...SPEC, waits: 'each' }, 1);
  t.match(each, { operations: 3, replies: 6 });
  t.same(
    each!.commands.map((command) => command[0]),
    ['SET', 'WAIT', 'SET', 'WAIT', 'SET', 'WAIT'],
  );
  const [batch] = batches({ ...SPEC, waits: 'batch' }, 1);
  t.match(batch, { operations: 3, replies: 4 });
  t.same(
    batch!.commands.map((command) => command[0]),
    ['SET', 'SET', 'SET', 'WAIT'],
  );
});

t.test('a fill writes every key once', async (t) => {
  for (const workload of ['fill', 'fill-sessions'] as const) {
    const seen: string[] = [];
    for (const source of sourcesFor({ ...SPEC, workload })) {
      for (let bytes = source.next(); bytes !== null; bytes = source.next()) {
        const commands = commandsIn(bytes);
        t.equal(commands.length, source.replies);
        t.equal(commands.length, source.operations);
        seen.push(...commands.map((command) => command[1]!));
      }
    }
    t.equal(seen.length, 1000);
    t.equal(new Set(seen).size, 1000);
  }
});

t.test('session traffic reads users, then touches the same ones, one in five by SET', async (t) => {
  const all = batches({ ...SPEC, workload: 'session', ttlSeconds: 60, waits: 'each' }, 2000);
  let sets = 0;
  for (let i = 0; i < all.length; i += 2) {
    const [reads, touches] = [all[i]!, all[i + 1]!];
    const writes = touches.commands.filter((command) => command[0] !== 'WAIT');
    if (reads.replies !== 3 || touches.replies !== 6 || touches.commands.length !== 6)
      t.fail(`batch ${i} is not 3 reads and 3 writes with WAIT`);
    const users = (commands: string[][]) => commands.map((command) => command[1]).join();
    if (users(reads.commands) !== users(writes)) t.fail(`batch ${i} touches other users`);
    sets += writes.filter((command) => command[0] === 'SET').length;
    for (const [name, , value, ...rest] of writes) {
      const size = value!.length;
      if (name === 'SET' && !(size >= 200 && size <= 2000)) t.fail(`value of ${size} bytes`);
      if (name === 'SET' ? rest.join() !== 'EX,60' : value !== '60') t.fail('no expiry of 60 s');
    }
  }
  const share = sets / 3000;
  t.ok(share > 0.17 && share < 0.23, `SET in ${share} of the requests`);
});

t.test('with two endpoints, connections use keys of their own class only', async (t) => {
  const endpoints = [SPEC.endpoints[0]!, { host: '127.0.0.1', port: 2 }];
  for (const workload of ['set', 'session', 'fill'] as const) {
    const sources = sourcesFor({ ...SPEC, workload, endpoints });
    sources.forEach((source, i) => {
      for (const command of commandsIn(source.next()!))
        t.equal(Number(command[1]!.slice(5)) % 2, i % 2, `${workload}, connection ${i}`);
    });
  }
  t.throws(() => sourcesFor({ ...SPEC, endpoints, connections: 3 }), /connections/);
  t.throws(() => sourcesFor({ ...SPEC, endpoints, keys: 999 }), /keys/);
});

t.test('sequences have the distribution they say, and repeat from their seed', async (t) => {
  const uniform = uniformSequence(10, 1, 100_000);
  const counts = new Array<number>(10).fill(0);
  for (const key of uniform) counts[key]!++;
  t.ok(
    counts.every((count) => count > 9500 && count < 10_500),
    `uniform: ${counts}`,
  );
  const zipf = zipfSequence(1000, 1, 1, 100_000);
  const share = (key: number) => zipf.filter((drawn) => drawn === key).length / zipf.length;
  // The harmonic number of 1000 is 7.485: key 0 gets 1/7.485 of the draws, key 9 a tenth of that.
  t.ok(Math.abs(share(0) - 0.1336) < 0.005, `busiest: ${share(0)}`);
  t.ok(Math.abs(share(9) - 0.01336) < 0.002, `tenth: ${share(9)}`);
  t.ok(zipf.every((key) => key >= 0 && key < 1000));
  t.same(uniformSequence(10, 1, 100), uniformSequence(10, 1, 100));
  t.notSame(uniformSequence(10, 1, 100), uniformSequence(10, 2, 100));
});

t.test('hash sessions are read whole, and written field by field with an expiry', async (t) => {
  const all = batches({ ...SPEC, workload: 'hash', ttlSeconds: 60 }, 200);
  for (let i = 0; i < all.length; i += 2) {
    const [reads, writes] = [all[i]!, all[i + 1]!];
    const users = reads.commands.map((command) => command[1]);
    if (reads.commands.some(([name]) => name !== 'HGETALL')) t.fail('not read whole');
    if (writes.operations !== 6 || writes.replies !== 6) t.fail(`${writes.replies} replies`);
    const expected = users.flatMap((user) => [`HSET ${user}`, `EXPIRE ${user}`]);
    const sent = writes.commands.map((command) => command.slice(0, 2).join(' '));
    if (sent.join() !== expected.join()) t.fail(`${sent} instead of ${expected}`);
  }
});

t.test('half of mixed reads, and all of unknown ones, are of keys that nobody wrote', async (t) => {
  const missing = (workload: 'mixed' | 'unknown') => {
    const commands = batches({ ...SPEC, workload }, 1000).flatMap((batch) => batch.commands);
    const numbers = commands.map((command) => Number(command[1]!.slice(5)));
    return numbers.filter((key) => key >= SPEC.keys).length / numbers.length;
  };
  const share = missing('mixed');
  t.ok(share > 0.45 && share < 0.55, `${share}`);
  t.equal(missing('unknown'), 1);
});

t.test('a round of updates writes as many keys as there are, of any size', async (t) => {
  const sizes = new Set<number>();
  let count = 0;
  for (const source of sourcesFor({ ...SPEC, workload: 'update' })) {
    for (let bytes = source.next(); bytes !== null; bytes = source.next())
      for (const [, key, value] of commandsIn(bytes)) {
        if (Number(key!.slice(5)) >= SPEC.keys) t.fail(`${key} was never written`);
        sizes.add(value!.length);
        count++;
      }
  }
  t.ok(count >= SPEC.keys && count < SPEC.keys * 1.1, `${count} updates of ${SPEC.keys} keys`);
  t.equal(sizes.size, 64);
});

t.test('only the keys asked for are used', async (t) => {
  const commands = batches({ ...SPEC, workload: 'get', only: [3, 7, 500] }, 100);
  const seen = new Set(commands.flatMap((batch) => batch.commands.map((command) => command[1])));
  t.same([...seen].map((key) => Number(key!.slice(5))).sort(), [3, 500, 7]);
});
