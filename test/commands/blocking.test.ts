import t from 'tap';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import { Request } from '../../lib/protocol/request.js';
import { type FakeClient, TestNode } from '../support/local-services.js';

const NIL = '*-1\r\n';

function start(): { node: TestNode; clients: FakeClient[] } {
  const node = new TestNode();
  return { node, clients: [node.connect(), node.connect(), node.connect()] };
}

t.test('who came first is served first, and one push serves several', async (t) => {
  const { node, clients } = start();
  const [first, second, pusher] = clients as [FakeClient, FakeClient, FakeClient];
  t.equal(node.run(first, 'BLPOP', 'q', '0'), '');
  t.equal(node.run(second, 'BRPOP', 'q', '0'), '');
  t.match(node.run(pusher, 'CLIENT', 'LIST'), /flags=b .*cmd=blpop .*\n.*flags=b .*cmd=brpop /);
  t.match(node.run(pusher, 'INFO', 'clients'), 'blocked_clients:2');
  t.equal(node.run(pusher, 'RPUSH', 'q', 'a', 'b', 'c'), ':3\r\n');
  t.equal(first.replies(), '*2\r\n$1\r\nq\r\n$1\r\na\r\n');
  t.equal(second.replies(), '*2\r\n$1\r\nq\r\n$1\r\nc\r\n');
  t.equal(node.run(pusher, 'LRANGE', 'q', '0', '-1'), '*1\r\n$1\r\nb\r\n', 'nobody took more');
  t.match(node.run(pusher, 'INFO', 'clients'), 'blocked_clients:0');
});

t.test('a chain of moves', async (t) => {
  const { node, clients } = start();
  const [mover, last, pusher] = clients as [FakeClient, FakeClient, FakeClient];
  node.run(last, 'BLPOP', 'to', '0');
  node.run(mover, 'BLMOVE', 'from', 'to', 'LEFT', 'RIGHT', '0');
  node.run(pusher, 'RPUSH', 'from', 'x');
  t.equal(mover.replies(), '$1\r\nx\r\n');
  t.equal(last.replies(), '*2\r\n$2\r\nto\r\n$1\r\nx\r\n');
});

t.test('timeouts, with fractions, and none after the element', async (t) => {
  const { node, clients } = start();
  const [one, other, pusher] = clients as [FakeClient, FakeClient, FakeClient];
  node.run(one, 'BLPOP', 'q', '0.05');
  node.run(other, 'BZPOPMIN', 'z', '0.02');
  node.advance(19);
  t.equal(one.replies() + other.replies(), '');
  node.advance(1);
  t.equal(other.replies(), NIL);
  node.run(pusher, 'ZADD', 'z', '1', 'm');
  t.equal(node.run(pusher, 'ZCARD', 'z'), ':1\r\n', 'who has gone takes nothing');
  node.run(pusher, 'RPUSH', 'q', 'x');
  t.equal(one.replies(), '*2\r\n$1\r\nq\r\n$1\r\nx\r\n');
  node.advance(100);
  t.equal(one.replies(), '', 'no second reply');
});

t.test('what comes behind a command that waits, waits', async (t) => {
  const { node, clients } = start();
  const [one, , pusher] = clients as [FakeClient, FakeClient, FakeClient];
  node.run(one, 'BLPOP', 'q', '0');
  t.equal(node.run(one, 'SET', 'k', 'v'), '');
  t.equal(node.run(pusher, 'GET', 'k'), '$-1\r\n');
  node.run(pusher, 'RPUSH', 'q', 'x');
  node.advance(0);
  t.equal(one.replies(), '*2\r\n$1\r\nq\r\n$1\r\nx\r\n+OK\r\n');
});

t.test('CLIENT UNBLOCK', async (t) => {
  const { node, clients } = start();
  const [one, other, admin] = clients as [FakeClient, FakeClient, FakeClient];
  node.run(one, 'BLPOP', 'q', '0');
  node.run(other, 'BLPOP', 'q', '0');
  t.equal(node.run(admin, 'CLIENT', 'UNBLOCK', '1', 'error'), ':1\r\n');
  t.equal(one.replies(), '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n');
  t.equal(node.run(admin, 'CLIENT', 'UNBLOCK', '2'), ':1\r\n');
  t.equal(other.replies(), NIL);
  t.equal(node.run(admin, 'CLIENT', 'UNBLOCK', '2', 'TIMEOUT'), ':0\r\n', 'it waits no more');
});

t.test('CLIENT UNBLOCK of a client that still looks whether there is something', async (t) => {
  const { node, clients } = start();
  const [one, admin] = clients as [FakeClient, FakeClient, FakeClient];
  node.local.local = false;
  node.run(one, 'BLPOP', 'q', '0');
  t.equal(node.local.submitted.length, 1, 'it looks');
  t.equal(node.run(admin, 'CLIENT', 'UNBLOCK', '1'), ':1\r\n');
  t.equal(one.replies(), '');
  node.local.runSubmitted();
  t.equal(one.replies(), NIL);
});

t.test('an outcome that is on its way comes before a timeout', async (t) => {
  const { node, clients } = start();
  const [one, other, pusher] = clients as [FakeClient, FakeClient, FakeClient];
  node.run(one, 'BLPOP', 'q', '0.05');
  node.run(other, 'BLPOP', 'q', '0');
  node.run(pusher, 'SET', 'q', 'of another type');
  node.run(pusher, 'DEL', 'q');
  node.local.local = false;
  node.run(pusher, 'RPUSH', 'q', 'x');
  const [push] = node.local.submitted.splice(0);
  node.local.submitted.push(push!);
  node.local.runSubmitted();
  await new Promise(setImmediate);
  t.equal(node.local.submitted.length, 1, 'one attempt, of the first in line');
  node.advance(100);
  t.equal(one.replies(), '', 'it is not told of the end of its time yet');
  node.local.runSubmitted();
  t.equal(one.replies(), '*2\r\n$1\r\nq\r\n$1\r\nx\r\n');
  await new Promise(setImmediate);
  node.local.runSubmitted();
  t.equal(other.replies(), '', 'the other one waits on');
});

t.test('whoever goes away while an attempt is to come takes nothing', async (t) => {
  const { node, clients } = start();
  const [one, other, pusher] = clients as [FakeClient, FakeClient, FakeClient];
  node.run(one, 'BLPOP', 'q', '0');
  node.run(other, 'BLPOP', 'q', '0');
  one.blocked!.cancel();
  node.run(pusher, 'RPUSH', 'q', 'x');
  t.equal(one.replies(), '');
  t.equal(other.replies(), '*2\r\n$1\r\nq\r\n$1\r\nx\r\n');
});

t.test('a pause of writes holds back who waits', async (t) => {
  const { node, clients } = start();
  const [one, , admin] = clients as [FakeClient, FakeClient, FakeClient];
  node.run(one, 'BLPOP', 'q', '0');
  node.run(admin, 'CLIENT', 'PAUSE', '50', 'WRITE');
  // As from another node, which does not pause.
  node.local.begin();
  node.dispatcher.execute(Request.of('RPUSH', 'q', 'x'), 0, new ReplyWriter());
  await new Promise(setImmediate);
  t.equal(one.replies(), '', 'to take something is to write');
  node.advance(50);
  await new Promise(setImmediate);
  t.equal(one.replies(), '*2\r\n$1\r\nq\r\n$1\r\nx\r\n');
});
