import t from 'tap';
import { appendKeyFrame, FrameType, KeyFrame } from '../../lib/cluster/frames.js';
import { FramesAhead } from '../../lib/cluster/frames-ahead.js';
import { FrameLog, FrameReader } from '../../lib/protocol/bus-frames.js';
import { Store } from '../../lib/store/store.js';
import { find, put } from '../store/fixtures.js';

const NAMES = Array.from({ length: 100 }, (_, i) => `key:${100 + i}`);

/** Frames about the keys, as they go over the bus: every seventh is of another kind. */
function framesOf(names: readonly string[]): Buffer {
  const log = new FrameLog();
  names.forEach((name, i) => {
    const key = Buffer.from(name);
    const type = i % 7 === 3 ? FrameType.Revoke : i % 2 === 0 ? FrameType.Set : FrameType.Expire;
    const value = Buffer.from(i % 2 === 0 ? 'value' : '');
    appendKeyFrame(log, type, 0, 0, key, 0, key.length, 1, 0, value, 0, value.length);
  });
  const pieces: Buffer[] = [];
  log.eachUnsent(0, (buffer, start, end) => pieces.push(Buffer.from(buffer.subarray(start, end))));
  return Buffer.concat(pieces);
}

/** The entries that are found for the frames of `bytes`, fed in pieces that end at `cuts` through one shared buffer. */
function refsFound(store: Store, bytes: Buffer, cuts: readonly number[], frames = 1000): number[] {
  const reader = new FrameReader(1024);
  const frame = new KeyFrame();
  const refs: number[] = [];
  const ends = [...cuts, bytes.length];
  ends.forEach((end, piece) => {
    const start = ends[piece - 1] ?? 0;
    bytes.copy(SHARED, 0, start, end);
    reader.feed(SHARED, end - start);
    let lookAt = 0;
    while (refs.length < frames) {
      if (reader.at >= lookAt) lookAt = AHEAD.get(store)!.look(reader);
      if (!reader.next()) break;
      frame.read(reader.buffer, reader.start, reader.end);
      refs.push(AHEAD.get(store)!.find(frame));
    }
    reader.finish();
  });
  return refs;
}

const SHARED = Buffer.alloc(64 * 1024);
const AHEAD = new Map<Store, FramesAhead>();

function filled(): Store {
  const store = new Store({ seed: 3 });
  AHEAD.set(store, new FramesAhead(store));
  for (const name of NAMES) if (name !== 'key:150') put(store, name);
  return store;
}

t.test('the keys of all frames are found, wherever the bytes are cut', async (t) => {
  const store = filled();
  const bytes = framesOf(NAMES);
  const expected = NAMES.map((name) => find(store, name));
  t.same(refsFound(store, bytes, []), expected);
  for (let cut = 1; cut < 400; cut += 3) {
    t.same(refsFound(store, bytes, [cut, cut + 1, cut + 900]), expected, `cut at ${cut}`);
  }
});

t.test('what was seen ahead is forgotten when the buffer has other bytes', async (t) => {
  const store = filled();
  // Processing stops in the middle, as for want of a lease; then other frames come, with keys in the very same places.
  refsFound(store, framesOf(NAMES), [], 5);
  const others = [...NAMES].reverse();
  t.same(
    refsFound(store, framesOf(others), []),
    others.map((name) => find(store, name)),
  );
});
