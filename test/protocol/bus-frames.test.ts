import fc from 'fast-check';
import t from 'tap';
import { FrameLog, FrameReader } from '../../lib/protocol/bus-frames.js';
import { f64At, u16At, u32At } from '../../lib/protocol/bytes.js';

const FRAME_BYTES_MAX = 1024 * 1024;

interface Frame {
  readonly type: number;
  readonly payload: string;
}

/** Reads `stream` cut at `cuts` through one socket buffer, which is scribbled over after every chunk. */
function readInPieces(stream: Buffer, cuts: readonly number[], reader = newReader()) {
  const shared = Buffer.alloc(stream.length + 8, 0xee);
  const frames: Frame[] = [];
  const ends = [...cuts, stream.length];
  ends.forEach((end, piece) => {
    const start = ends[piece - 1] ?? 0;
    stream.copy(shared, 0, start, end);
    reader.feed(shared, end - start);
    while (reader.next()) frames.push(frameOf(reader));
    reader.finish();
    shared.fill(0xee);
  });
  return { frames, error: reader.error };
}

const newReader = () => new FrameReader(FRAME_BYTES_MAX);

const frameOf = ({ type, buffer, start, end }: FrameReader): Frame => ({
  type,
  payload: buffer.latin1Slice(start, end),
});

function append(log: FrameLog, { type, payload }: Frame): void {
  log.begin(type, payload.length);
  log.latin1(payload);
}

function unsent(log: FrameLog, fromOffset: number): Buffer {
  const ranges: Buffer[] = [];
  log.eachUnsent(fromOffset, (buffer, start, end) => {
    ranges.push(Buffer.from(buffer.subarray(start, end)));
  });
  return Buffer.concat(ranges);
}

function streamOf(frames: readonly Frame[]): Buffer {
  const log = new FrameLog();
  for (const frame of frames) append(log, frame);
  return unsent(log, 0);
}

const frameArbitrary = fc.record(
  {
    type: fc.nat(255),
    payload: fc.oneof(
      { weight: 6, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 40 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 150_000 }).map((n) => 'p'.repeat(n)) },
    ),
  },
  { noNullPrototype: true },
);

t.test('a frame is a length of what follows, a type and a payload', async (t) => {
  t.equal(streamOf([{ type: 7, payload: 'abc' }]).toString('hex'), '0400000007616263');
  t.equal(streamOf([{ type: 255, payload: '' }]).toString('hex'), '01000000ff');
});

t.test('every split of a short stream gives the same frames', async (t) => {
  const frames = [
    { type: 1, payload: 'first' },
    { type: 2, payload: '' },
    { type: 3, payload: 'the third' },
  ];
  const stream = streamOf(frames);
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      const outcome = readInPieces(stream, [first, second]);
      if (fc.stringify(outcome) !== fc.stringify({ frames, error: '' }))
        t.fail(`cut at ${first} and ${second}`, { found: outcome });
    }
  }
  const everyByte = Array.from({ length: stream.length }, (_, index) => index);
  t.same(readInPieces(stream, everyByte), { frames, error: '' });
});

t.test('random frames in random pieces', async () => {
  fc.assert(
    fc.property(
      fc.array(frameArbitrary, { minLength: 1, maxLength: 12 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
      (frames, fractions) => {
        const stream = streamOf(frames);
        const cuts = fractions.map((f) => Math.floor(f * stream.length)).sort((a, b) => a - b);
        const outcome = readInPieces(stream, cuts);
        return fc.stringify(outcome) === fc.stringify({ frames, error: '' });
      },
    ),
    { numRuns: 200 },
  );
});

t.test('hostile lengths end the stream', async (t) => {
  const good = streamOf([{ type: 9, payload: 'x' }]);
  for (const [length, error] of [
    [0, /without a type/],
    [FRAME_BYTES_MAX + 1, /1048577 bytes, at most 1048576/],
    [0xffffffff, /4294967295 bytes/],
  ] as const) {
    const bad = Buffer.alloc(4);
    bad.writeUInt32LE(length);
    const stream = Buffer.concat([good, bad, good]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const reader = newReader();
      const outcome = readInPieces(stream, [cut], reader);
      t.match(outcome, { frames: [{ type: 9, payload: 'x' }], error });
      t.equal(outcome.frames.length, 1);
      t.equal(reader.pendingBytes, 0);
    }
  }
});

t.test('a length alone allocates nothing', async (t) => {
  const reader = newReader();
  readInPieces(Buffer.from('ffff0f00', 'hex'), [], reader);
  t.equal(reader.pendingBytes, 4);
  const { allocUnsafe } = Buffer;
  let bytes = 0;
  Buffer.allocUnsafe = (size) => {
    bytes += size;
    return allocUnsafe(size);
  };
  t.teardown(() => {
    Buffer.allocUnsafe = allocUnsafe;
  });
  readInPieces(Buffer.alloc(10), [], reader);
  t.ok(bytes < 4096, `${bytes} bytes allocated`);
});

t.test('a whole frame is yielded in place; a caller may stop and go on later', async (t) => {
  const stream = streamOf(['a', 'b', 'c'].map((payload) => ({ type: 1, payload })));
  const reader = newReader();
  reader.feed(stream, stream.length);
  t.equal(reader.next(), true);
  t.equal(reader.buffer, stream);
  reader.finish();
  t.equal(reader.pendingBytes, 12);
  stream.fill(0);
  const rest = streamOf([{ type: 2, payload: 'd' }]);
  reader.feed(rest, rest.length);
  const payloads: string[] = [];
  while (reader.next()) payloads.push(frameOf(reader).payload);
  t.same(payloads, ['b', 'c', 'd']);
  t.equal(reader.buffer.length, 0, 'nothing of the past is kept alive');
});

t.test('what is put is read back', async () => {
  fc.assert(
    fc.property(
      fc.nat(255),
      fc.nat(0xffff),
      fc.nat(0xffffffff),
      fc.double(),
      fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 100 }),
      (u8, u16, u32, f64, text) => {
        const log = new FrameLog();
        const source = Buffer.from(`<${text}>`, 'latin1');
        log.begin(200, 1 + 2 + 4 + 8 + 2 * text.length);
        log.u8(u8);
        log.u16(u16);
        log.u32(u32);
        log.f64(f64);
        log.latin1(text);
        log.bytes(source, 1, source.length - 1);
        const payload = unsent(log, 5);
        return (
          payload[0] === u8 &&
          u16At(payload, 1) === u16 &&
          u32At(payload, 3) === u32 &&
          Object.is(f64At(payload, 7), f64) &&
          payload.readUInt32LE(3) === u32 &&
          Object.is(payload.readDoubleLE(7), f64) &&
          payload.latin1Slice(15, payload.length) === text + text
        );
      },
    ),
    { numRuns: 500 },
  );
});

t.test('a frame that is not filled exactly is a broken invariant', async (t) => {
  const short = new FrameLog();
  short.begin(1, 4);
  short.u16(1);
  t.throws(() => short.begin(1, 0), /frame ends at 9, put to 7/);
  t.throws(() => short.eachUnsent(0, () => {}));
});

t.test('offsets, acknowledgement and what is visited', async (t) => {
  const log = new FrameLog();
  const frames = Array.from({ length: 2000 }, (_, index) => ({
    type: index % 256,
    payload: `${index}`.padEnd(index % 701, '.'),
  }));
  const ends: number[] = [];
  for (const frame of frames) {
    append(log, frame);
    ends.push(log.endOffset);
  }
  const whole = unsent(log, 0);
  t.equal(whole.length, log.endOffset);
  t.same(readInPieces(whole, []).frames, frames);

  const middle = ends[999]!;
  t.equal(log.acknowledge(middle), true);
  t.equal(log.acknowledge(ends[10]!), true, 'an older acknowledgement changes nothing');
  t.equal(log.ackedOffset, middle);
  t.equal(log.pendingBytes, log.endOffset - middle);
  t.equal(log.acknowledge(log.endOffset + 1), false, 'more than was ever written');
  t.equal(log.acknowledge(Number.NaN), false);
  t.ok(unsent(log, middle).equals(whole.subarray(middle)));
  t.ok(unsent(log, middle + 3).equals(whole.subarray(middle + 3)), 'also from within a frame');
  t.throws(() => unsent(log, middle - 1), 'what was acknowledged is gone');

  const seen: Frame[] = [];
  const seenEnds: number[] = [];
  log.eachFrame(middle, (type, buffer, start, end, endOffset) => {
    seen.push({ type, payload: buffer.latin1Slice(start, end) });
    seenEnds.push(endOffset);
    if (seen.length === 1) append(log, { type: 1, payload: 'appended meanwhile' });
  });
  t.same(seen, frames.slice(1000));
  t.same(seenEnds, ends.slice(1000));

  log.acknowledge(log.endOffset);
  t.equal(log.pendingBytes, 0);
  t.equal(unsent(log, log.endOffset).length, 0);
  append(log, { type: 5, payload: 'next' });
  t.same(readInPieces(unsent(log, log.ackedOffset), []).frames, [{ type: 5, payload: 'next' }]);
});

t.test('ranges handed out stay as they are while more is appended', async (t) => {
  const log = new FrameLog();
  append(log, { type: 1, payload: 'kept' });
  let range: Buffer = Buffer.alloc(0);
  log.eachUnsent(0, (buffer, start, end) => {
    range = buffer.subarray(start, end);
  });
  const before = range.toString('hex');
  for (let i = 0; i < 500; i++) append(log, { type: 2, payload: 'x'.repeat(1000) });
  t.equal(range.toString('hex'), before);
});

t.test('a frame larger than a chunk, among small ones', async (t) => {
  const log = new FrameLog();
  const frames = [10, 200_000, 5, 70_000, 65_531, 65_532, 1, 65_526, 2, 3].map((size, type) => ({
    type,
    payload: 'z'.repeat(size),
  }));
  for (const frame of frames) append(log, frame);
  t.same(readInPieces(unsent(log, 0), []).frames, frames);
  log.acknowledge(log.endOffset - 1);
  t.equal(log.pendingBytes, 1);
  t.equal(unsent(log, log.endOffset - 1).length, 1, 'kept up to its last byte');
});

t.test('a steady stream reuses its memory', async (t) => {
  const log = new FrameLog();
  const { allocUnsafeSlow } = Buffer;
  let bytes = 0;
  Buffer.allocUnsafeSlow = (size) => {
    bytes += size;
    return allocUnsafeSlow(size);
  };
  t.teardown(() => {
    Buffer.allocUnsafeSlow = allocUnsafeSlow;
  });
  for (let i = 0; i < 20_000; i++) {
    append(log, { type: 1, payload: 'y'.repeat(1000) });
    if (log.pendingBytes > 200_000) log.acknowledge(log.endOffset - 50_000);
  }
  t.ok(bytes < 1024 * 1024, `${bytes} bytes allocated for ${log.endOffset}`);
});
