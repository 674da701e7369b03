import t from 'tap';
import { Stream } from '../../lib/cluster/stream.js';

function append(stream: Stream, bytes: number): number {
  stream.log.begin(20, bytes);
  stream.log.bytes(Buffer.alloc(bytes), 0, bytes);
  return stream.log.endOffset;
}

t.test('a reply waits for exactly the offset it was given', async (t) => {
  const stream = new Stream();
  const released: number[] = [];
  const sink = { acknowledged: (token: number) => released.push(token), complete() {}, fail() {} };
  const first = append(stream, 100);
  const second = append(stream, 100);
  stream.awaitAck(first, sink, 1);
  stream.awaitAck(second, sink, 2);
  t.ok(stream.acknowledged(first, 0));
  t.same(released, [1]);
  t.ok(stream.acknowledged(second, 0));
  t.same(released, [1, 2]);
});

t.test('an ack of what was never sent is refused', async (t) => {
  const stream = new Stream();
  const end = append(stream, 100);
  t.notOk(stream.acknowledged(end + 1, 0));
  t.ok(stream.acknowledged(end, 0));
  t.notOk(stream.acknowledged(end - 1, 0), 'nor does one go back');
});

t.test('what was acked on a link that broke is acked again on the next one', async (t) => {
  const stream = new Stream();
  stream.attach(1);
  t.notOk(stream.ackDue, 'nothing has come yet');
  stream.received = 19;
  stream.attach(2);
  t.ok(stream.ackDue);
});

t.test('a resumed stream releases nothing by the resume itself', async (t) => {
  const stream = new Stream();
  const released: number[] = [];
  const sink = { acknowledged: (token: number) => released.push(token), complete() {}, fail() {} };
  const end = append(stream, 100);
  stream.awaitAck(end, sink, 1);
  stream.attach(7);
  t.ok(stream.resumeFrom(end), 'the peer has processed all');
  t.same(released, [], 'a REJECT may still have to come again before the ack');
  t.notOk(stream.hasUnsent);
  stream.detach();
  stream.attach(8);
  t.ok(stream.resumeFrom(0), 'a peer that has processed nothing gets all again');
  t.ok(stream.hasUnsent);
  t.notOk(stream.resumeFrom(end + 1));
});

t.test(
  'what was once handed to a link may be at the peer, whatever was resumed since',
  async (t) => {
    const stream = new Stream();
    const first = append(stream, 100);
    t.notOk(stream.wasSent(first), 'it waits for a connection');
    stream.attach(7);
    t.ok(stream.resumeFrom(0));
    stream.sentAll();
    const second = append(stream, 100);
    stream.detach();
    stream.attach(8);
    t.ok(stream.resumeFrom(0));
    t.ok(stream.wasSent(first));
    t.notOk(stream.wasSent(second));
  },
);
