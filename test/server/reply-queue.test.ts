import fc from 'fast-check';
import t from 'tap';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import { ReplyQueue } from '../../lib/server/reply-queue.js';

/** Takes what the queue sends; `busy` keeps buffers as a socket does that could not write at once. */
function outputOf(isBusy: () => boolean) {
  const parts: { buffer: Buffer; start: number; end: number; kept: boolean }[] = [];
  const sent: Buffer[] = [];
  return {
    write(buffer: Buffer, start: number, end: number): boolean {
      const busy = isBusy();
      parts.push({ buffer, start, end, kept: busy });
      if (!busy) sent.push(Buffer.from(buffer.subarray(start, end)));
      else sent.push(buffer.subarray(start, end));
      return !busy;
    },
    text: () => Buffer.concat(sent).toString('latin1'),
  };
}

t.test('replies that wait for nothing go out as they were appended', async (t) => {
  const writer = new ReplyWriter();
  const queue = new ReplyQueue(writer);
  const output = outputOf(() => false);
  writer.ok();
  t.equal(queue.endReply(0), 0);
  writer.integer(7);
  t.equal(queue.endReply(0), 0);
  queue.drain(output);
  t.equal(output.text(), '+OK\r\n:7\r\n');
  t.equal(queue.isEmpty, true);
  t.equal(writer.length, 0, 'the buffer is used again');
});

t.test('a held reply holds back what follows it, and nothing before it', async (t) => {
  const writer = new ReplyWriter();
  const queue = new ReplyQueue(writer);
  const output = outputOf(() => false);
  writer.integer(1);
  queue.endReply(0);
  writer.integer(2);
  const held = queue.endReply(2);
  writer.integer(3);
  queue.endReply(0);
  queue.drain(output);
  t.equal(output.text(), ':1\r\n');
  t.equal(queue.acknowledged(held), false);
  queue.drain(output);
  t.equal(output.text(), ':1\r\n');
  t.equal(queue.acknowledged(held), true);
  queue.drain(output);
  t.equal(output.text(), ':1\r\n:2\r\n:3\r\n');
});

t.test('a deferred reply takes its place in the order', async (t) => {
  const writer = new ReplyWriter();
  const queue = new ReplyQueue(writer);
  const output = outputOf(() => false);
  const first = queue.deferReply();
  writer.ok();
  queue.endReply(0);
  const second = queue.deferReply();
  t.equal(queue.complete(second, Buffer.from(':2\r\n')), false);
  queue.drain(output);
  t.equal(output.text(), '');
  t.equal(queue.complete(first, Buffer.from(':1\r\n')), true);
  queue.drain(output);
  t.equal(output.text(), ':1\r\n+OK\r\n:2\r\n');
  t.equal(queue.bytes, 0);
});

t.test('a reply that is still being appended is not sent', async (t) => {
  const writer = new ReplyWriter();
  const queue = new ReplyQueue(writer);
  const output = outputOf(() => false);
  writer.ok();
  queue.endReply(0);
  writer.bulkLatin1('half');
  queue.drain(output);
  t.equal(output.text(), '+OK\r\n');
  queue.dropReply();
  queue.drain(output);
  t.equal(output.text(), '+OK\r\n');
});

t.test('a held reply that failed is replaced by the error', async (t) => {
  const writer = new ReplyWriter();
  const queue = new ReplyQueue(writer);
  const output = outputOf(() => false);
  writer.integer(1);
  queue.endReply(0);
  writer.bulkLatin1('not vouched for');
  const held = queue.endReply(2);
  writer.integer(3);
  queue.endReply(0);
  queue.acknowledged(held);
  t.equal(queue.fail(held, Buffer.from('-ERR lost\r\n')), true);
  queue.drain(output);
  t.equal(output.text(), ':1\r\n-ERR lost\r\n:3\r\n');
  t.equal(queue.bytes, 0);
});

t.test('an ack for a reply that is not held is a broken invariant', async (t) => {
  const writer = new ReplyWriter();
  const queue = new ReplyQueue(writer);
  writer.ok();
  const held = queue.endReply(1);
  queue.acknowledged(held);
  t.throws(() => queue.acknowledged(held));
  t.throws(() => queue.acknowledged(held + 1));
  t.throws(() => queue.complete(held, Buffer.alloc(0)));
});

/** One step of the model test; numbers choose among what is possible then. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('plain' as const), size: fc.nat(3000) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('held' as const),
      size: fc.nat(3000),
      acks: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('defer' as const) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      which: fc.nat(),
      size: fc.nat(5000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('drain' as const), busy: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail' as const), which: fc.nat() }) },
);

t.test('all that waits fails, and what comes for it later is ignored', async (t) => {
  const writer = new ReplyWriter();
  const queue = new ReplyQueue(writer);
  const output = outputOf(() => false);
  const error = Buffer.from('-ERR lost\r\n');
  t.notOk(queue.failAll(error), 'nothing waits');
  writer.ok();
  const held = queue.endReply(2);
  const deferred = queue.deferReply();
  writer.ok();
  queue.endReply(0);
  t.ok(queue.failAll(error));
  t.notOk(queue.acknowledged(held));
  t.notOk(queue.complete(deferred, Buffer.from('+late\r\n')));
  queue.drain(output);
  t.equal(output.text(), '-ERR lost\r\n-ERR lost\r\n+OK\r\n');
  t.notOk(queue.acknowledged(held), 'also when it was sent');
  t.notOk(queue.complete(deferred, Buffer.from('+late\r\n')));
  queue.drain(output);
  t.ok(queue.isEmpty);
  t.equal(queue.bytes, 0);
});

t.test(
  'any order of acks and completions gives the replies in the order of the commands',
  async () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
        const writer = new ReplyWriter();
        const queue = new ReplyQueue(writer);
        let busy = false;
        const output = outputOf(() => busy);
        const replies: { text: string | null; waits: number; token: number }[] = [];
        let made = 0;
        const textOf = (size: number): string => `${made++}:`.padEnd(size, 'x');
        const release = (reply: (typeof replies)[number], size: number): void => {
          if (reply.text === null) {
            reply.text = textOf(size);
            reply.waits = 0;
            queue.complete(reply.token, Buffer.from(reply.text));
          } else {
            reply.waits -= 1;
            queue.acknowledged(reply.token);
          }
        };
        const drain = (): void => {
          queue.drain(output);
          const firstWaiting = replies.findIndex((reply) => reply.waits > 0);
          const due = firstWaiting < 0 ? replies : replies.slice(0, firstWaiting);
          const expected = due.map((reply) => reply.text).join('');
          if (output.text() !== expected) throw new Error('sent is not what is due');
        };
        for (const one of steps) {
          const waiting = replies.filter((reply) => reply.waits > 0);
          if (one.kind === 'plain' || one.kind === 'held') {
            const text = textOf(one.size);
            writer.raw(Buffer.from(text), 0, text.length);
            const acks = one.kind === 'held' ? one.acks : 0;
            replies.push({ text, waits: acks, token: queue.endReply(acks) });
          } else if (one.kind === 'defer') {
            replies.push({ text: null, waits: 1, token: queue.deferReply() });
          } else if (one.kind === 'release' && waiting.length > 0) {
            release(waiting[one.which % waiting.length]!, one.size);
          } else if (one.kind === 'fail' && waiting.length > 0) {
            const reply = waiting[one.which % waiting.length]!;
            reply.text = textOf(20);
            reply.waits = 0;
            queue.fail(reply.token, Buffer.from(reply.text));
          } else if (one.kind === 'drain') {
            busy = one.busy;
            drain();
          }
        }
        for (const reply of replies) while (reply.waits > 0) release(reply, 10);
        drain();
        if (!queue.isEmpty || queue.bytes !== 0) throw new Error('not empty in the end');
      }),
      { numRuns: 300 },
    );
  },
);

t.test(
  'what is no reply goes out before a reply that may take for ever, if that is the newest',
  async (t) => {
    const writer = new ReplyWriter();
    const queue = new ReplyQueue(writer);
    const output = outputOf(() => false);
    const read = queue.deferReply();
    const blocked = queue.deferReply();
    writer.integer(1);
    queue.endReply(0);
    queue.moveBehind(read);
    queue.moveBehind(blocked);
    queue.drain(output);
    t.equal(output.text(), '', 'not before the replies that came before');
    t.equal(queue.released, read - 1);
    queue.complete(read, Buffer.from('+read\r\n'));
    queue.drain(output);
    t.equal(output.text(), '+read\r\n:1\r\n');
    t.equal(queue.released, read);
    queue.complete(blocked, Buffer.from('+late\r\n'));
    queue.drain(output);
    t.equal(output.text(), '+read\r\n:1\r\n+late\r\n');
  },
);
