import t from 'tap';
import { MemoryReturn } from '../../lib/server/memory-return.js';

const MB = 1024 * 1024;
const CHUNK = 32 * MB;

/** A store of chunks that are emptied page by page, as a clock says that goes by with each page. */
function fixture(pageMs = 0.5) {
  let now = 0;
  let pages = 0;
  const seen = { collections: 0, commands: 0, droppedBytes: 0 };
  const memory = new MemoryReturn({
    store: {
      compact: (max) => {
        const moved = Math.min(max, pages);
        pages -= moved;
        now += pageMs * moved;
        return moved;
      },
      get droppedBytes() {
        return seen.droppedBytes;
      },
    },
    clock: { monotonicMs: () => now },
    collectGarbage: () => {
      seen.collections++;
    },
    commands: () => seen.commands,
  });
  return {
    seen,
    memory,
    wait: (ms: number) => {
      now += ms;
    },
    sparse: (count: number) => {
      pages = count;
    },
    get now() {
      return now;
    },
    get pages() {
      return pages;
    },
  };
}

t.test(
  'a slice takes two milliseconds, and asks for another one only while nobody uses the node',
  (t) => {
    const node = fixture();
    node.sparse(100);
    const began = node.now;
    t.equal(node.memory.step(), true);
    t.equal(node.now - began, 2);
    t.equal(node.pages, 96);
    node.seen.commands = 1;
    t.equal(node.memory.step(), false, 'a command has come');
    t.equal(node.memory.step(), true, 'none since');
    node.sparse(1);
    t.equal(node.memory.step(), false, 'all is done');
    t.end();
  },
);

t.test('what a busy node lets go now and then costs one collection when that is over', (t) => {
  const node = fixture();
  for (let i = 0; i < 5; i++) {
    node.seen.droppedBytes += CHUNK;
    node.memory.step();
    node.wait(900);
    node.memory.step();
  }
  t.equal(node.seen.collections, 0);
  node.memory.step();
  node.wait(1000);
  node.memory.step();
  t.equal(node.seen.collections, 1);
  node.wait(5000);
  node.memory.step();
  t.equal(node.seen.collections, 1, 'nothing was let go since');
  t.end();
});

t.test('memory does not wait for that without a bound', (t) => {
  const node = fixture();
  node.sparse(1_000_000);
  for (let i = 0; i < 16; i++) {
    node.seen.droppedBytes += CHUNK;
    node.memory.step();
    node.wait(100);
  }
  t.equal(node.seen.collections, 2, 'one for each 256 MB');
  t.end();
});
