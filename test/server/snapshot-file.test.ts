import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { SnapshotRecord } from '../../lib/protocol/snapshot-blocks.js';
import {
  type SnapshotEnd,
  SnapshotReader,
  SnapshotWriter,
} from '../../lib/server/snapshot-file.js';
import { checkSnapshot } from '../../lib/server/snapshot-keeper.js';

const HEADER = { set: '1-2-a', seed: 1, number: 2, at: 3, part: 'a', parts: ['a', 'b'] };

const END: SnapshotEnd = { stopped: ['b'], dead: [], leftOut: ['b'] };

function writeSnapshot(path: string, records: Iterable<SnapshotRecord>, end = END): number {
  const writer = new SnapshotWriter(path, HEADER);
  writer.write(records);
  return writer.finish(end);
}

function recordsOf(count: number, bytes: number): SnapshotRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    isPrimary: i % 3 > 0,
    db: i % 16,
    expireAt: i % 2 === 0 ? 0 : 1_900_000_000_000 + i,
    key: Buffer.from(`key:${i}`),
    payload: Buffer.alloc(bytes, i),
  }));
}

async function readAll(path: string): Promise<SnapshotRecord[]> {
  const { reader } = (await SnapshotReader.open(path))!;
  const records: SnapshotRecord[] = [];
  try {
    for (let block = await reader.next(); block !== null; block = await reader.next())
      records.push(...block);
  } finally {
    await reader.close();
  }
  return records;
}

t.test('what is written is read, in one block or in many', async (t) => {
  const path = join(t.testdir({}), 'snapshot');
  for (const [count, bytes] of [
    [0, 0],
    [50, 30],
    [40, 20_000],
    [3, 1_000_000],
  ] as const) {
    const records = recordsOf(count, bytes);
    t.equal(writeSnapshot(path, records), count);
    t.same(await checkSnapshot(path, 16), { ...HEADER, ...END });
    t.same(await readAll(path), records);
  }
  t.notOk(existsSync(`${path}.new`));
});

t.test('what an earlier release has written is read', async (t) => {
  const path = join(t.testdir({}), 'snapshot');
  const end = { stopped: ['b'], dead: [] };
  writeSnapshot(path, recordsOf(3, 10), end);
  t.same(await checkSnapshot(path, 16), { ...HEADER, ...end, leftOut: [] });
});

t.test('a file that is cut off or changed anywhere is refused, and left as it is', async (t) => {
  const path = join(t.testdir({}), 'snapshot');
  writeSnapshot(path, recordsOf(2, 5));
  const good = readFileSync(path);
  const refused = async (bytes: Buffer, what: string): Promise<void> => {
    writeFileSync(path, bytes);
    await checkSnapshot(path, 16).then(
      () => t.fail(`${what} is taken`),
      ({ name, message }: Error) => {
        if (name !== 'SnapshotError' || !message.includes('Move it away'))
          t.fail(`${what}: ${message}`);
      },
    );
    if (!readFileSync(path).equals(bytes)) t.fail(`${what} was changed`);
  };
  for (let length = 0; length < good.length; length++)
    await refused(good.subarray(0, length), `${length} bytes`);
  for (let bit = 0; bit < 8 * good.length; bit += 5) {
    const bad = Buffer.from(good);
    bad[bit >> 3]! ^= 1 << (bit & 7);
    await refused(bad, `bit ${bit}`);
  }
  await refused(Buffer.concat([good, Buffer.from([0])]), 'one byte more');
  await refused(Buffer.concat([good, good]), 'twice the same');
  await refused(Buffer.from('REDIS0010'), 'a file of Redis');
  await t.rejects(checkSnapshot(t.testdirName, 16), /is no file; it was left as it is/);
  t.equal(await checkSnapshot(`${path}.none`, 16), null);
  await t.rejects(checkSnapshot(join(path, 'none'), 16), /could not be written: .*; give it a dir/);

  writeSnapshot(path, recordsOf(20, 5));
  await t.rejects(checkSnapshot(path, 15), /has keys in database 15, and databases is 15; it was/);
});

t.test('a writer that fails in the middle leaves the old file', async (t) => {
  const path = join(t.testdir({}), 'snapshot');
  const before = recordsOf(5, 10);
  writeSnapshot(path, before);
  const failing = function* (): Generator<SnapshotRecord> {
    yield* recordsOf(100, 10_000);
    throw new Error('no space');
  };
  t.throws(() => writeSnapshot(path, failing()), /no space/);
  t.same(await readAll(path), before);
  t.notOk(existsSync(`${path}.new`));
});

const ENDLESS_WRITER = `
  import { SnapshotWriter } from ${JSON.stringify(new URL('../../lib/server/snapshot-file.js', import.meta.url).href)};
  const record = { isPrimary: true, db: 0, expireAt: 0, key: Buffer.from('key'), payload: Buffer.alloc(50_000) };
  const endless = function* () {
    for (let i = 0; ; i++) {
      if (i === 100) console.log('begun');
      yield record;
    }
  };
  new SnapshotWriter(process.argv[1], ${JSON.stringify(HEADER)}).write(endless());`;

t.test('a writer that is killed in the middle leaves the old file', async (t) => {
  const path = join(t.testdir({}), 'snapshot');
  const before = recordsOf(5, 10);
  writeSnapshot(path, before);
  const child = spawn(process.execPath, ['--input-type=module', '-e', ENDLESS_WRITER, path]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.ok(statSync(`${path}.new`).size > 1_000_000);
  t.same(await readAll(path), before);
  writeSnapshot(path, recordsOf(6, 10));
  t.same(await readAll(path), recordsOf(6, 10), "what was left half written is in nobody's way");
});
