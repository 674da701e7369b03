import t from 'tap';
import type { Call } from '../simulation/history.js';
import { LOST_WRITE } from './lost-write.js';
import { Recorder } from './recorder.js';
import { judge } from './verdict.js';

t.test('a recorded history in which an acknowledged write is lost does not pass', async (t) => {
  const { violation, keys, undecided } = judge(LOST_WRITE, 200);
  t.match([keys, undecided], [1, 0]);
  t.equal(violation?.key, '1:counter:1');
  t.equal(violation?.history.length, LOST_WRITE.length);
  t.match(violation?.what, /INCR 1:counter:1 -> :3/, 'the write that was lost is shown');
});

t.test('it passes when the write is of unknown outcome, or had not been lost', async (t) => {
  const isLost = ({ reply }: Call): boolean => reply?.type === ':' && reply.text === '3';
  const unknown = LOST_WRITE.map(
    (call): Call =>
      isLost(call)
        ? { ...call, outcome: 'unknown', reply: null, returnedAt: Number.POSITIVE_INFINITY }
        : call,
  );
  t.equal(judge(unknown, 200).violation, null);
  const kept = LOST_WRITE.map(
    (call): Call => (call.invokedAt > 20_000 ? { ...call, reply: { type: '$', text: '3' } } : call),
  );
  t.equal(judge(kept, 200).violation, null);
});

t.test(
  'what was there before a round, and what may still run, is part of its history',
  async (t) => {
    const recorder = new Recorder();
    const lost = recorder.begin(1, ['SET', 'old', 'b'], 'n1');
    recorder.lost(lost);
    recorder.lost(recorder.begin(1, ['SET', 'gone', 'b'], 'n1'));
    recorder.clear(new Map([['old', 'a']]));
    t.same(new Set(recorder.calls.map((call) => call.args[1])), new Set(['old']));
    for (const value of ['a', 'b']) {
      const read = recorder.begin(2, ['GET', 'old'], 'n2');
      recorder.replied(read, { type: '$', text: value });
    }
    t.equal(judge(recorder.calls, 0).violation, null, 'late, but it ran');
    const stale = recorder.begin(2, ['GET', 'old'], 'n2');
    recorder.replied(stale, { type: '$', text: 'a' });
    t.equal(judge(recorder.calls, 0).violation?.key, 'old', 'and it is not undone');
  },
);

t.test('an error that says so is an unknown outcome', async (t) => {
  const recorder = new Recorder();
  const call = recorder.begin(1, ['INCR', 'c'], 'n1');
  recorder.replied(call, { type: '-', text: 'ERR outcome unknown: the node was lost' });
  const refused = recorder.begin(1, ['INCR', 'c'], 'n1');
  recorder.replied(refused, { type: '-', text: 'TRYAGAIN not now' });
  t.match([call.outcome, refused.outcome], ['unknown', 'not-run']);
  for (const value of ['1', null]) {
    const read = recorder.begin(1, ['GET', 'c'], 'n1');
    recorder.replied(read, value === null ? { type: '_', text: '$' } : { type: '$', text: value });
    const isRun = value !== null;
    t.equal(judge(recorder.calls, 0).violation === null, isRun, 'once it was seen it stays');
  }
});
