import t from 'tap';
import type { ReplySink } from '../../lib/cluster/operation.js';
import { CommandOrder } from '../../lib/commands/command-order.js';
import { TestNode } from '../support/local-services.js';

const NOTHING = Buffer.alloc(0);
const SINK: ReplySink = { acknowledged() {}, complete() {}, fail() {} };

t.test('a command waits for those on its keys, and is woken once', async (t) => {
  let woken = 0;
  const order = new CommandOrder(() => woken++);
  t.notOk(order.mustWait([1]) || order.mustWait(null), 'nothing is under way');
  const first = order.begin([1, 2], SINK);
  const second = order.begin([2], SINK);
  const other = order.begin([7], SINK);
  t.notOk(order.mustWait([3]), 'another key');
  t.notOk(order.mustWait([]), 'no key');
  t.notOk(order.isWaiting);
  t.ok(order.mustWait([3, 2]));
  first.complete(0, NOTHING);
  t.ok(order.isWaiting, 'the second one is under way');
  t.equal(woken, 0);
  second.fail(0, 'ERR lost');
  second.fail(0, 'ERR lost');
  t.equal(woken, 1);
  t.notOk(order.isWaiting);
  other.complete(0, NOTHING);
  t.equal(order.open, 0);
  t.equal(woken, 1);
});

t.test('a command on all keys waits for everybody, and everybody for it', async (t) => {
  let woken = 0;
  const order = new CommandOrder(() => woken++);
  const one = order.begin([1], SINK);
  t.ok(order.mustWait(null));
  one.complete(0, NOTHING);
  t.equal(woken, 1);
  const all = order.begin(null, SINK);
  t.ok(order.mustWait([5]));
  all.complete(0, NOTHING);
  t.equal(woken, 2);
});

t.test('what is abandoned stops nobody, and ends nothing that has begun since', async (t) => {
  let woken = 0;
  const order = new CommandOrder(() => woken++);
  const lost = order.begin([1], SINK);
  order.begin(null, SINK);
  t.ok(order.mustWait([1]));
  order.abandon();
  t.equal(woken, 1);
  t.notOk(order.mustWait([1]));
  order.begin([1], SINK);
  lost.complete(0, NOTHING);
  t.ok(order.mustWait([1]));
  t.equal(woken, 1);
});

t.test('the dispatcher holds a command back, and those that touch no such key not', async (t) => {
  const node = new TestNode();
  node.local.local = false;
  const client = node.connect();
  node.run(client, 'SET', 'k', '1');
  node.run(client, 'PING');
  node.run(client, 'INCR', 'k');
  t.equal(client.held.length, 1);
  node.local.runSubmitted();
  t.equal(client.replies(), '+OK\r\n+PONG\r\n');
  for (const request of client.held.splice(0)) node.dispatcher.dispatch(client, request);
  t.equal(client.held.length, 0);
  node.local.runSubmitted();
  t.match(client.replies(), /:2\r\n$/);
});
