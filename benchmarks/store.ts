/**
 * Memory and speed of the store alone: `node --expose-gc dist/benchmarks/store.js [keys] [rounds]`.
 * Live bytes are those of keys and values; resident is what the process has grown by since its start.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { Role, Store, ValueType } from '../lib/store/store.js';

const keys = Number(process.argv[2] ?? 2_000_000);
/** Rounds of updates of every key, on average. */
const rounds = Number(process.argv[3] ?? 10);
const VALUE_BYTES = 500;
const KEY_BYTES = 40;
/** As many operations as a pipelining client brings in one turn: pauses are measured between turns. */
const OPERATIONS_PER_TURN = 64;

const store = new Store({ seed: 1 });
const key = Buffer.alloc(KEY_BYTES, '0');
const value = Buffer.alloc(4096, 'v');
let state = 1;

function below(n: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}

function setKey(i: number): void {
  key.latin1Write(`sess:${String(i).padStart(KEY_BYTES - 5, '0')}`, 0);
}

function write(length: number): void {
  let ref = store.find(0, key, 0, KEY_BYTES);
  if (ref === 0) ref = store.create(0, key, 0, KEY_BYTES, ValueType.String, length);
  else if (store.valueLength(ref) !== length) ref = store.resize(ref, length);
  value.copy(store.valueBuffer(ref), store.valueStart(ref), 0, length);
  store.setVersion(ref, state);
  store.setExpireAt(ref, 1e12 + state);
}

/** Runs `operation` for 0 to count - 1, in turns; prints nanoseconds per operation and the longest turns. */
async function measure(name: string, count: number, operation: (i: number) => void): Promise<void> {
  const pauses: number[] = [];
  let busy = 0;
  for (let i = 0; i < count; ) {
    const start = performance.now();
    const end = Math.min(count, i + OPERATIONS_PER_TURN);
    for (; i < end; i++) operation(i);
    const took = performance.now() - start;
    busy += took;
    pauses.push(took);
    if (i % (OPERATIONS_PER_TURN * 256) === 0) await turn();
  }
  pauses.sort((a, b) => b - a);
  const longest = pauses.slice(0, 3).map((ms) => ms.toFixed(1));
  const perOperation = ((busy * 1e6) / count).toFixed(0);
  console.log(`${name.padEnd(24)} ${perOperation.padStart(6)} ns  longest turns ${longest} ms`);
}

function collect(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}

collect();
const residentAtStart = process.memoryUsage.rss();

function memory(name: string): void {
  collect();
  const live = store.valueBytes(Role.Primary) + store.countOfRole(Role.Primary) * KEY_BYTES;
  const resident = process.memoryUsage.rss() - residentAtStart;
  const ratio = (bytes: number) => (bytes / live).toFixed(3);
  console.log(
    `${name.padEnd(24)} resident ${ratio(resident)}  used ${ratio(store.usedBytes)}  ` +
      `reserved ${ratio(store.reservedBytes)}  live ${(live / 2 ** 20).toFixed(0)} MB`,
  );
}

async function compactAll(): Promise<void> {
  let pages = 0;
  let longest = 0;
  for (;;) {
    const start = performance.now();
    const moved = store.compact(1);
    longest = Math.max(longest, performance.now() - start);
    if (moved === 0) break;
    pages += moved;
    if (pages % 64 === 0) await turn();
  }
  console.log(`  compacted ${pages} pages, longest step ${longest.toFixed(1)} ms`);
}

await measure('create', keys, (i) => {
  setKey(i);
  write(VALUE_BYTES);
});
memory('fresh');
await measure('key only (harness)', keys, (i) => setKey(i));
await measure('find, random', keys, () => {
  setKey(below(keys));
  if (store.find(0, key, 0, KEY_BYTES) === 0) throw new Error('not found');
});
await measure('miss', keys, (i) => {
  setKey(keys + i);
  if (store.find(0, key, 0, KEY_BYTES) !== 0) throw new Error('found');
});
await measure('overwrite, same size', keys, () => {
  setKey(below(keys));
  write(VALUE_BYTES);
});
await measure('update, 200 to 2000', keys * rounds, () => {
  setKey(below(keys));
  write(200 + below(1801));
});
memory('after updates');
await measure('shrink to 300', keys, (i) => {
  setKey(i);
  write(300);
});
memory('shrunk');
await compactAll();
memory('shrunk, compacted');
await measure('grow to 900', keys, (i) => {
  setKey(i);
  write(900);
});
memory('grown');
await measure('remove', keys, (i) => {
  setKey(i);
  store.remove(store.find(0, key, 0, KEY_BYTES));
});
await compactAll();
console.log(
  `empty: ${((process.memoryUsage.rss() - residentAtStart) / 2 ** 20).toFixed(0)} MB resident`,
);
