import t from 'tap';
import { LossyStream, MESSAGES_BYTES_MAX } from '../../lib/cluster/lossy-stream.js';
import { FRAME_BYTES_MAX } from '../../lib/cluster/stream.js';
import { FrameReader } from '../../lib/protocol/bus-frames.js';

const TYPE = 60;
const MB = 1024 * 1024;

function append(stream: LossyStream, text: string): boolean {
  const log = stream.begin(TYPE, text.length);
  log?.latin1(text);
  return log !== null;
}

/** Two ends of a new connection: pieces are handed over when `carry` is called. */
function connected(from: LossyStream, to: LossyStream) {
  const heard: string[] = [];
  from.attach();
  to.attach();
  if (!from.acknowledged(to.taken)) throw new Error('what was taken cannot be');
  return {
    heard,
    carry(piecesMax = Number.POSITIVE_INFINITY): number {
      const pieces: Buffer[] = [];
      from.pump((buffer, start, end) => pieces.push(Buffer.from(buffer.subarray(start, end))));
      for (const piece of pieces.slice(0, piecesMax)) {
        const isFine = to.receive(piece, (type, buffer, start, end) => {
          heard.push(`${type} ${buffer.latin1Slice(start, end)}`);
          return true;
        });
        if (!isFine) throw new Error('malformed');
      }
      return pieces.reduce((bytes, piece) => bytes + piece.length, 0);
    },
    take: () => from.acknowledged(to.taken),
  };
}

t.test('frames come whole and in order, however many pieces they take', async (t) => {
  const [a, b] = [new LossyStream(), new LossyStream()];
  const link = connected(a, b);
  const large = 'x'.repeat(100_000);
  for (const text of ['one', large, 'two']) t.ok(append(a, text));
  link.carry();
  t.same(link.heard, [`${TYPE} one`, `${TYPE} ${large}`, `${TYPE} two`]);
  t.ok(b.isTakenDue);
  t.ok(link.take());
  t.notOk(a.hasUnsent);
});

t.test('no more is on its way than the window has room for', async (t) => {
  const [a, b] = [new LossyStream(), new LossyStream()];
  const link = connected(a, b);
  append(a, 'x'.repeat(MB));
  const sent = link.carry();
  t.equal(sent, 256 * 1024);
  t.equal(link.carry(), 0, 'before it was taken');
  for (let i = 0; a.hasUnsent && i < 10; i++) {
    t.ok(link.take());
    link.carry();
  }
  t.equal(link.heard.length, 1);
});

t.test(
  'what finds the backlog full is dropped; a single message has room, however large',
  async (t) => {
    const stream = new LossyStream();
    t.ok(append(stream, 'x'.repeat(MESSAGES_BYTES_MAX)));
    t.notOk(append(stream, 'small'));
    t.equal(stream.dropped, 1);
    const empty = new LossyStream();
    t.equal(empty.begin(TYPE, FRAME_BYTES_MAX), null, 'but one that no frame holds');
  },
);

t.test('a broken connection loses nothing, and nothing comes twice', async (t) => {
  const [a, b] = [new LossyStream(), new LossyStream()];
  const first = connected(a, b);
  append(a, 'sent');
  append(a, 'y'.repeat(200_000));
  append(a, 'z'.repeat(300_000));
  append(a, 'last');
  // All of the first two, and a part of the third, are on their way; the second comes only in part.
  first.carry(2);
  t.same(first.heard, [`${TYPE} sent`]);
  const second = connected(a, b);
  for (let i = 0; a.hasUnsent && i < 10; i++) {
    second.carry();
    t.ok(second.take());
  }
  t.same(
    second.heard.map((text) => text.length - `${TYPE} `.length),
    [200_000, 300_000, 4],
  );
});

t.test('nothing is sent before the other end has said what it has', async (t) => {
  const [a, b] = [new LossyStream(), new LossyStream()];
  connected(a, b).carry();
  append(a, 'hello');
  a.attach();
  let sent = 0;
  a.pump(() => sent++);
  t.equal(sent, 0);
  t.same(
    [connected(a, b)].map((link) => link.carry() > 0 && link.heard),
    [[`${TYPE} hello`]],
  );
});

t.test('a link that came late, with an old word, does not stop the next one', async (t) => {
  const [a, b] = [new LossyStream(), new LossyStream()];
  const link = connected(a, b);
  const old = b.taken;
  append(a, 'one');
  link.carry();
  a.attach();
  t.ok(a.acknowledged(old));
  t.equal(connected(a, b).carry(), 0, 'what it has does not come again');
  t.notOk(a.acknowledged(b.taken + 1));
});

t.test('after a wrong length one link is lost, and not the next ones', async (t) => {
  const stream = new LossyStream();
  const fed = (bytes: number[]): boolean => stream.receive(Buffer.from(bytes), () => true);
  t.notOk(fed([0, 0, 0, 0, 1]));
  t.ok(fed([2, 0, 0, 0, 60, 1]));
  t.equal(stream.taken, 11);
});

t.test('of a piece with a malformed message the others are taken', async (t) => {
  const [a, b] = [new LossyStream(), new LossyStream()];
  connected(a, b);
  for (const text of ['one', 'bad', 'two']) append(a, text);
  const heard: string[] = [];
  a.pump((buffer, start, end) => {
    const isSound = b.receive(
      Buffer.from(buffer.subarray(start, end)),
      (_type, bytes, from, to) => {
        heard.push(bytes.latin1Slice(from, to));
        return heard.at(-1) !== 'bad';
      },
    );
    t.notOk(isSound);
  });
  t.same(heard, ['one', 'bad', 'two']);
  t.equal(connected(a, b).carry(), 0, 'and do not come again');
});

t.test('acks of what was never sent are refused', async (t) => {
  const [a, b] = [new LossyStream(), new LossyStream()];
  const link = connected(a, b);
  append(a, 'hello');
  t.notOk(a.acknowledged(3), 'nothing is sent yet');
  link.carry();
  t.ok(link.take());
  t.notOk(a.acknowledged(b.taken - 1), 'nor does one go back');
  t.notOk(a.acknowledged(Number.NaN));
});

t.test('a piece that is no part of a frame is found', async (t) => {
  const stream = new LossyStream();
  stream.attach();
  const taken = stream.receive(Buffer.from([0, 0, 0, 0, 1]), () => true);
  t.notOk(taken);
  t.ok(new FrameReader(100), 'as the reader of all frames finds it');
});
