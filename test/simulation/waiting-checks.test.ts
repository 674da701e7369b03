import t from 'tap';
import type { Reply } from '../support/resp.js';
import { CollectionModel } from './collections.js';
import type { Call, Outcome } from './history.js';
import { linearize } from './linearizability.js';
import { DELIVERY_MS, Messages } from './messages.js';
import { Peace } from './peace.js';
import type { Process } from './process.js';
import { queueHistory } from './queues.js';

/** The checks of clients that wait, and of subscribers, given good and bad histories. */

let ids = 0;

function call(
  text: string,
  [invokedAt, returnedAt]: readonly [number, number],
  reply: Reply | null,
  outcome: Outcome = 'replied',
): Call {
  const args = text.split(' ');
  const keys = ['Q0', 'Q1', 'P0'].filter((key) => args.includes(key));
  const end = outcome === 'replied' ? returnedAt : Number.POSITIVE_INFINITY;
  return {
    id: ids++,
    client: 0,
    node: 'n0',
    args,
    keys,
    invokedAt,
    returnedAt: end,
    outcome,
    reply,
  };
}

const bulk = (text: string): Reply => ({ type: '$', text });
const count = (number: number): Reply => ({ type: ':', text: String(number) });
const list = (...items: string[]): Reply => ({ type: '*', items: items.map(bulk) });
const NIL: Reply = { type: '_', text: '*' };

const verdict = (calls: readonly Call[], key: string): string =>
  linearize(
    queueHistory(
      calls.filter(({ keys }) => keys.includes(key)),
      key,
    ),
    new CollectionModel(),
  ).kind;

t.test('an element is taken once, by who waits for it', (t) => {
  const push = call('RPUSH Q0 v1.', [5, 6], count(1));
  const waits = call('BLPOP Q1 Q0 0', [1, 7], list('Q0', 'v1.'));
  const end = call('LRANGE Q0 0 -1', [20, 21], list());
  t.equal(verdict([push, waits, end], 'Q0'), 'linearizable');
  const again = call('BLPOP Q0 0', [2, 8], list('Q0', 'v1.'));
  t.equal(verdict([push, waits, again, end], 'Q0'), 'violation', 'taken twice');
  t.equal(verdict([push, end], 'Q0'), 'violation', 'lost');
  const unknown = call('BRPOP Q0 0', [2, 0], null, 'unknown');
  t.equal(verdict([push, unknown, end], 'Q0'), 'linearizable', 'who is gone may have taken it');
  const late = call('BLPOP Q0 1', [10, 1010], NIL);
  const still = call('LRANGE Q0 0 -1', [2000, 2001], list('v1.'));
  t.equal(verdict([push, late, still], 'Q0'), 'violation', 'not given although it was there');
  t.end();
});

t.test('an element that is moved is in one list', (t) => {
  const push = call('RPUSH Q0 v1.', [1, 2], count(1));
  const moves = call('BLMOVE Q0 Q1 LEFT RIGHT 0', [3, 4], bulk('v1.'));
  const here = call('LRANGE Q1 0 -1', [5, 6], list('v1.'));
  const gone = call('LRANGE Q0 0 -1', [5, 6], list());
  for (const key of ['Q0', 'Q1']) t.equal(verdict([push, moves, here, gone], key), 'linearizable');
  const unknown = call('BLMOVE Q0 Q1 LEFT RIGHT 0', [3, 0], null, 'unknown');
  for (const key of ['Q0', 'Q1'])
    t.equal(verdict([push, unknown, here, gone], key), 'linearizable');
  t.equal(verdict([push, here], 'Q1'), 'violation', 'it has come from nowhere');
  t.equal(
    verdict([push, moves, call('LRANGE Q1 0 -1', [5, 6], list())], 'Q1'),
    'violation',
    'lost',
  );
  t.end();
});

t.test('the least of a sorted set is taken', (t) => {
  const add = [
    call('ZADD P0 2000001 v1.', [1, 2], count(1)),
    call('ZADD P0 1000002 v2.', [3, 4], count(1)),
  ];
  const least = call('BZPOPMIN P0 0', [5, 6], list('P0', 'v2.', '1000002'));
  t.equal(verdict([...add, least], 'P0'), 'linearizable');
  const other = call('BZPOPMIN P0 0', [5, 6], list('P0', 'v1.', '2000001'));
  t.equal(verdict([...add, other], 'P0'), 'violation');
  t.end();
});

/** A node that lives through all of it. */
const nodeOf = (name: string): Process =>
  ({
    name,
    incarnation: name,
    endedAt: Number.POSITIVE_INFINITY,
    node: { state: { view: {} } },
  }) as unknown as Process;

/** Two messages of one node at 2000 ms; `got` are those that the one subscriber was told. */
function heard(got: readonly string[], counted = 1, disturbedAt = 0, incarnation = 'n1.1'): string {
  const messages = new Messages();
  const [here, there] = [nodeOf('n0.1'), nodeOf('n1.1')];
  messages.subscriptions.push({
    topic: 'news.*',
    process: there,
    askedAt: 100,
    confirmedAt: 200,
    incarnation,
    endedAt: Number.POSITIVE_INFINITY,
    got: [...got],
  });
  const peace = new Peace();
  for (let now = 0; now < 2100 + 2 * DELIVERY_MS; now += 100) {
    if (now === disturbedAt && now > 0) peace.disturbed();
    peace.look(now, false, true, [here, there]);
  }
  messages.published(call('PUBLISH news.a v1.', [2000, 2001], count(1)), here);
  messages.published(call('PUBLISH news.b v2.', [2002, 2003], count(counted)), here);
  return messages.check(peace) ?? '';
}

t.test('messages come once, in order, and all of them while nothing fails', (t) => {
  t.equal(heard(['v1.', 'v2.']), '');
  t.match(heard(['v1.', 'v2.', 'v2.']), /told twice/);
  t.match(heard(['v2.', 'v1.']), /after/);
  t.match(heard(['v1.']), /was lost between/);
  t.match(heard(['v1.'], 1, 0, 'n1.0'), /did not come/);
  t.match(heard(['v1.', 'v2.', 'v3.']), /nobody has published/);
  t.match(heard(['v1.', 'v2.'], 2), /counted others/);
  t.match(heard(['v1.'], 1, 2500), /was lost between/, 'a broken connection loses none');
  t.equal(heard(['v1.'], 1, 2500, 'n1.0'), '', 'to be left out may');
  t.match(heard(['v2.', 'v1.'], 1, 2500), /after/);
  t.end();
});
