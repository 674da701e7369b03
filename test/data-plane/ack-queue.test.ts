import t from 'tap';
import { AckQueue } from '../../lib/cluster/ack-queue.js';
import type { ReplySink } from '../../lib/cluster/operation.js';

function recorder(): { sink: ReplySink; released: number[] } {
  const released: number[] = [];
  const sink: ReplySink = {
    acknowledged: (token) => released.push(token),
    complete() {},
    fail() {},
  };
  return { sink, released };
}

t.test('releases what an ack covers, in the order of offsets', async (t) => {
  const queue = new AckQueue();
  const { sink, released } = recorder();
  queue.push(10, sink, 1);
  queue.push(20, sink, 2);
  queue.push(20, sink, 3);
  queue.push(30, sink, 4);
  queue.release(9);
  t.same(released, []);
  queue.release(20);
  t.same(released, [1, 2, 3]);
  queue.release(100);
  t.same(released, [1, 2, 3, 4]);
  t.equal(queue.length, 0);
});

t.test('a read that waits for an older change goes in front of newer ones', async (t) => {
  const queue = new AckQueue();
  const { sink, released } = recorder();
  queue.push(10, sink, 1);
  queue.push(30, sink, 3);
  queue.push(20, sink, 2);
  queue.release(20);
  t.same(released, [1, 2]);
});

t.test('grows past its first size, also when its ring has wrapped', async (t) => {
  const queue = new AckQueue();
  const { sink, released } = recorder();
  let offset = 0;
  for (let i = 0; i < 200; i++) queue.push(++offset, sink, offset);
  queue.release(150);
  for (let i = 0; i < 2000; i++) queue.push(++offset, sink, offset);
  queue.release(offset);
  t.same(
    released,
    Array.from({ length: offset }, (_, i) => i + 1),
  );
});

t.test('a queue that is released from within a release loses nothing', async (t) => {
  const queue = new AckQueue();
  const released: number[] = [];
  const sink: ReplySink = {
    acknowledged(token) {
      released.push(token);
      if (token === 1) queue.push(50, sink, 5);
    },
    complete() {},
    fail() {},
  };
  queue.push(10, sink, 1);
  queue.push(20, sink, 2);
  queue.release(20);
  t.same(released, [1, 2]);
  t.equal(queue.length, 1);
  queue.drain((offset, _sink, token) => released.push(offset + token));
  t.same(released, [1, 2, 55]);
});
