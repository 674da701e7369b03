import t from 'tap';
import type { Reply } from '../support/resp.js';
import { type Call, outcomeOf } from './history.js';
import { KeyModel } from './key-model.js';
import { linearize } from './linearizability.js';

/** "from-to COMMAND -> reply": a reply as RESP writes its first byte, `nil`, or `?` for an outcome that is not known. */
function history(...lines: string[]): Call[] {
  return lines.map((line, id) => {
    const [, from, to, command, result] = /^(\d+)-(\d+) (.*) -> (.*)$/.exec(line)!;
    const args = command!.split(' ');
    const reply = result === '?' ? null : replyOf(result!);
    return {
      id,
      client: id,
      node: 'n',
      args,
      keys: [args[1]!],
      invokedAt: Number(from),
      returnedAt: reply === null ? Number.POSITIVE_INFINITY : Number(to),
      outcome: reply === null ? 'unknown' : outcomeOf(reply),
      reply,
    };
  });
}

function replyOf(text: string): Reply {
  if (text === 'nil') return { type: '_', text: '$' };
  return { type: text[0], text: text.slice(1) } as Reply;
}

const verdict = (...lines: string[]): string => linearize(history(...lines), new KeyModel(5)).kind;

t.test('histories that one copy could have made', (t) => {
  t.equal(verdict('1-2 SET k a -> +OK', '3-4 GET k -> $a'), 'linearizable');
  t.equal(verdict('1-9 SET k a -> +OK', '2-3 GET k -> nil', '4-5 GET k -> $a'), 'linearizable');
  t.equal(verdict('1-9 SET k a -> +OK', '1-9 SET k b -> +OK', '10-11 GET k -> $a'), 'linearizable');
  t.equal(verdict('1-2 INCR k -> :1', '3-9 INCR k -> :3', '4-8 INCR k -> :2'), 'linearizable');
  t.equal(verdict('1-2 SET k a -> ?', '3-4 GET k -> nil', '5-6 GET k -> $a'), 'linearizable');
  t.equal(verdict('1-2 SET k a -> ?', '3-4 GET k -> nil', '50-60 GET k -> nil'), 'linearizable');
  t.equal(verdict('1-2 SET k a -> -TRYAGAIN later', '3-4 GET k -> nil'), 'linearizable');
  t.equal(
    verdict('1-2 SET k a -> +OK', '3-4 SET k b NX -> nil', '5-6 DEL k -> :1', '7-8 GET k -> nil'),
    'linearizable',
  );
  t.end();
});

t.test('histories that no single copy could have made', (t) => {
  t.equal(verdict('1-2 SET k a -> +OK', '3-4 GET k -> nil'), 'violation', 'lost');
  t.equal(
    verdict('1-2 SET k a -> +OK', '3-4 SET k b -> +OK', '5-6 GET k -> $a'),
    'violation',
    'stale',
  );
  t.equal(
    verdict('1-9 SET k a -> +OK', '2-3 GET k -> $a', '4-5 GET k -> nil'),
    'violation',
    'seen, and gone again',
  );
  t.equal(verdict('1-2 SET k a -> +OK', '3-4 DEL k -> :1', '5-6 GET k -> $a'), 'violation', 'back');
  t.equal(verdict('1-2 INCR k -> :1', '3-4 INCR k -> :1'), 'violation', 'two primaries');
  t.equal(verdict('1-2 INCR k -> :1', '3-4 INCR k -> ?', '5-6 GET k -> $3'), 'violation', 'twice');
  t.equal(
    verdict('1-2 SET k a -> ?', '3-4 GET k -> $a', '5-6 GET k -> nil'),
    'violation',
    'once seen it has happened',
  );
  t.equal(verdict('1-2 SET k a -> -TRYAGAIN later', '3-4 GET k -> $a'), 'violation', 'ran');
  t.end();
});

t.test('times to live are known up to the skew of the clocks', (t) => {
  const set = '100-101 SET k a PX 50 -> +OK';
  t.equal(verdict(set, '120-121 GET k -> $a', '170-171 GET k -> nil'), 'linearizable');
  t.equal(verdict(set, '148-149 GET k -> nil'), 'linearizable', 'judged by a fast clock');
  t.equal(verdict(set, '154-155 GET k -> $a'), 'linearizable', 'judged by a slow clock');
  t.equal(verdict(set, '120-121 GET k -> nil'), 'violation', 'too early');
  t.equal(verdict(set, '170-171 GET k -> $a'), 'violation', 'too late');
  t.equal(verdict(set, '148-149 GET k -> nil', '150-151 GET k -> $a'), 'violation', 'back again');
  t.equal(verdict(set, '110-111 PTTL k -> :40'), 'linearizable');
  t.equal(verdict(set, '110-111 PTTL k -> :400'), 'violation');
  t.equal(verdict(set, '110-111 PERSIST k -> :1', '999-999 GET k -> $a'), 'linearizable');
  t.end();
});

t.test('a history of many clients is decided', (t) => {
  const lines = ['1-2 SET k 0 -> +OK'];
  for (let i = 0; i < 200; i++) lines.push(`${i * 10 + 3}-${i * 10 + 45} INCR k -> :${i + 1}`);
  t.equal(verdict(...lines), 'linearizable');
  lines.push('3000-3001 INCR k -> :200');
  t.equal(verdict(...lines), 'violation');
  t.end();
});

t.test('a history of very many calls is judged as well', (t) => {
  const counting = Array.from(
    { length: 20_000 },
    (_, i) => `${2 * i}-${2 * i + 1} INCR k -> :${i + 1}`,
  );
  t.equal(verdict(...counting), 'linearizable');
  t.equal(verdict(...counting, '50000-50001 GET k -> $19999'), 'violation');
  t.end();
});
