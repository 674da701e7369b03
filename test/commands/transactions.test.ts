import t from 'tap';
import { TRANSACTION_ARGUMENTS } from '../../lib/base/limits.js';
import { TestNode } from '../support/local-services.js';

const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';

t.test('commands are queued, and run as one at EXEC', async (t) => {
  const node = new TestNode();
  const [client, other] = [node.connect(), node.connect()];
  t.equal(node.run(client, 'MULTI'), '+OK\r\n');
  t.equal(node.run(client, 'SET', 'a', '1'), '+QUEUED\r\n');
  t.equal(node.run(client, 'INCR', 'a'), '+QUEUED\r\n');
  t.equal(node.run(other, 'GET', 'a'), '$-1\r\n');
  t.match(node.run(other, 'CLIENT', 'LIST'), /flags=x .* multi=2 watch=0 .*multi-mem=[1-9]/);
  t.equal(node.run(client, 'EXEC'), '*2\r\n+OK\r\n:2\r\n');
  t.equal(node.run(other, 'GET', 'a'), '$1\r\n2\r\n');
  t.match(node.run(other, 'CLIENT', 'LIST'), /flags=N .* multi=-1 watch=0 .*multi-mem=0/);
});

t.test('an error of a command undoes none of the others', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  for (const command of ['MULTI', 'SET a x', 'INCR a', 'SET b y']) {
    node.run(client, ...command.split(' '));
  }
  const reply = node.run(client, 'EXEC');
  t.equal(reply, '*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n');
  t.equal(node.run(client, 'GET', 'b'), '$1\r\ny\r\n');
});

t.test('a command that is refused discards all of them', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const refused: readonly (readonly [string, string])[] = [
    ['FOO', "-ERR unknown command 'FOO', with args beginning with: \r\n"],
    ['SET a', "-ERR wrong number of arguments for 'set' command\r\n"],
    ['WATCH', "-ERR wrong number of arguments for 'watch' command\r\n"],
    ['SHUTDOWN', '-ERR Command not allowed inside a transaction\r\n'],
    [
      'FLUSHALL',
      "-ERR 'flushall' is not allowed inside a transaction: its reply does not come at once\r\n",
    ],
  ];
  for (const [command, error] of refused) {
    node.run(client, 'MULTI');
    t.equal(node.run(client, ...command.split(' ')), error);
    t.equal(node.run(client, 'SET', 'b', '1'), '+QUEUED\r\n');
    t.equal(node.run(client, 'EXEC'), ABORTED);
    t.equal(node.run(client, 'GET', 'b'), '$-1\r\n', 'nothing has run');
  }
  t.equal(node.run(client, 'EXEC'), '-ERR EXEC without MULTI\r\n');
});

t.test('MULTI and WATCH inside MULTI are errors that discard nothing', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'MULTI');
  t.equal(node.run(client, 'MULTI'), '-ERR MULTI calls can not be nested\r\n');
  t.equal(node.run(client, 'WATCH', 'a'), '-ERR WATCH inside MULTI is not allowed\r\n');
  t.equal(node.run(client, 'EXEC'), '*0\r\n');
});

t.test('EXEC with an argument discards what it would have run', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const error =
    "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n";
  t.equal(node.run(client, 'EXEC', 'x'), error);
  node.run(client, 'MULTI');
  t.equal(node.run(client, 'EXEC', 'x'), error);
  t.equal(node.run(client, 'EXEC'), '-ERR EXEC without MULTI\r\n');
});

t.test('what is watched has changed: nothing runs', async (t) => {
  const changes: readonly (readonly [string, string])[] = [
    ['SET k v', 'SET k w'],
    ['SET k v', 'SET k v'],
    ['SET k v', 'DEL k'],
    ['SET k v', 'EXPIRE k 100'],
    ['SET k v', 'FLUSHALL'],
    ['PING', 'SET k v'],
    ['SADD k v', 'SADD k w'],
    ['SET x 1', 'RENAME x k'],
  ];
  for (const [before, change] of changes) {
    const node = new TestNode();
    const [client, other] = [node.connect(), node.connect()];
    node.run(other, ...before.split(' '));
    t.equal(node.run(client, 'WATCH', 'k'), '+OK\r\n');
    node.run(other, ...change.split(' '));
    node.run(client, 'MULTI');
    node.run(client, 'SET', 'done', '1');
    t.equal(node.run(client, 'EXEC'), '*-1\r\n', change);
    t.equal(node.run(client, 'EXISTS', 'done'), ':0\r\n');
    node.run(client, 'MULTI');
    t.equal(node.run(client, 'EXEC'), '*0\r\n', 'it is watched no more');
  }
});

t.test('an absent key that was made and deleted again has changed', async (t) => {
  const node = new TestNode();
  const [client, other] = [node.connect(), node.connect()];
  node.run(client, 'WATCH', 'k');
  node.run(other, 'SET', 'k', 'v');
  node.run(other, 'DEL', 'k');
  node.run(client, 'MULTI');
  t.equal(node.run(client, 'EXEC'), '*-1\r\n');
});

t.test('UNWATCH, DISCARD and RESET end the watch', async (t) => {
  for (const command of ['UNWATCH', 'DISCARD', 'RESET']) {
    const node = new TestNode();
    const [client, other] = [node.connect(), node.connect()];
    node.run(client, 'WATCH', 'k');
    t.match(node.run(other, 'CLIENT', 'LIST'), /watch=1 /);
    node.run(client, 'MULTI');
    if (command === 'UNWATCH') {
      node.run(client, 'DISCARD');
      node.run(client, 'WATCH', 'k');
    }
    node.run(client, command);
    node.run(other, 'SET', 'k', 'v');
    node.run(client, 'MULTI');
    t.equal(node.run(client, 'EXEC'), '*0\r\n', command);
  }
});

t.test('SELECT inside a transaction counts for the commands behind it', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  for (const command of ['MULTI', 'SET k 0', 'SELECT 1', 'SET k 1', 'SELECT 99', 'GET k']) {
    node.run(client, ...command.split(' '));
  }
  const reply = node.run(client, 'EXEC');
  t.equal(reply, '*5\r\n+OK\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n$1\r\n1\r\n');
  t.equal(node.run(client, 'GET', 'k'), '$1\r\n1\r\n');
  node.run(client, 'SELECT', '0');
  t.equal(node.run(client, 'GET', 'k'), '$1\r\n0\r\n');
});

t.test('later commands wait for a transaction that may change what they mean', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.local.local = false;
  for (const command of ['MULTI', 'SELECT 1', 'SET k 1', 'EXEC', 'SELECT 0', 'PING']) {
    node.run(client, ...command.split(' '));
  }
  node.local.runSubmitted();
  t.equal(client.db, 1, 'SELECT 0 has not run yet');
  node.advance(1);
  t.equal(client.db, 0);
  t.match(client.replies(), /\+PONG\r\n$/);
});

t.test('without memory a command is refused, and so is EXEC', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  node.run(client, 'MULTI');
  node.local.full = true;
  t.equal(node.run(client, 'SET', 'k', 'v'), oom);
  t.equal(node.run(client, 'EXEC'), ABORTED);
  node.run(client, 'MULTI');
  t.equal(node.run(client, 'GET', 'k'), '+QUEUED\r\n');
  t.equal(node.run(client, 'EXEC'), '*1\r\n$-1\r\n', 'reading needs none');
});

t.test('a transaction has a bound', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const many = Array.from({ length: TRANSACTION_ARGUMENTS / 16 }, () => 'k');
  node.run(client, 'MULTI');
  for (let i = 1; i < 16; i++) t.equal(node.run(client, 'DEL', ...many), '+QUEUED\r\n');
  t.equal(node.run(client, 'DEL', ...many), '-ERR transaction is too large\r\n');
  t.equal(node.run(client, 'EXEC'), ABORTED);
  node.config.change([['client-query-buffer-limit', String(1024 * 1024)]]);
  node.run(client, 'MULTI');
  t.equal(node.run(client, 'SET', 'k', 'x'.repeat(900_000)), '+QUEUED\r\n');
  t.equal(node.run(client, 'SET', 'k', 'x'.repeat(900_000)), '-ERR transaction is too large\r\n');
  t.equal(node.run(client, 'EXEC'), ABORTED);
});

t.test('with CLIENT REPLY OFF a transaction runs as it does else', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'CLIENT', 'REPLY', 'OFF');
  for (const command of ['WATCH k', 'MULTI', 'SET k v', 'EXEC']) {
    t.equal(node.run(client, ...command.split(' ')), '');
  }
  node.run(client, 'CLIENT', 'REPLY', 'ON');
  t.equal(node.run(client, 'GET', 'k'), '$1\r\nv\r\n');
});
