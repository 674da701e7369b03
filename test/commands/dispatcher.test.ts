import t from 'tap';
import type { Handler } from '../../lib/commands/spec.js';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import { Request } from '../../lib/protocol/request.js';
import { self, TestNode } from '../support/local-services.js';

const OK = '+OK\r\n';

t.test(
  'a write is answered when its backups have acknowledged it, and holds what follows',
  async (t) => {
    const node = new TestNode();
    node.local.acksPerChange = 2;
    const client = node.connect();
    t.equal(node.run(client, 'SET', 'k', 'v'), '');
    t.equal(node.run(client, 'PING'), '', 'replies keep their order');
    const [wait] = node.local.registered;
    t.equal(wait?.sink, client);
    client.acknowledged(wait!.token);
    t.equal(client.replies(), '', 'one of two');
    client.acknowledged(wait!.token);
    t.equal(client.replies(), `${OK}+PONG\r\n`);
    t.equal(node.run(client, 'GET', 'k'), '$1\r\nv\r\n', 'what changes nothing waits for nothing');
  },
);

t.test('a command whose key is elsewhere is submitted with a copy of its bytes', async (t) => {
  const node = new TestNode();
  node.local.local = false;
  const client = node.connect();
  client.db = 3;
  node.run(client, 'HELLO', '3');
  const request = Request.of('GET', 'k');
  node.dispatcher.dispatch(client, request);
  request.buffer.fill(0);
  t.equal(node.run(client, 'ECHO', 'x'), '');
  t.match(node.local.submitted, [{ db: 3, proto: 3, keys: [1], traits: { name: 'get' } }]);
  node.local.runSubmitted();
  t.equal(client.replies(), '_\r\n$1\r\nx\r\n');
});

t.test('keys of each command are found for the router', async (t) => {
  const node = new TestNode();
  const keys = (...args: string[]) => node.dispatcher.classify(Request.of(...args))?.keys;
  t.same(keys('GET', 'a'), [1]);
  t.same(keys('mset', 'a', '1', 'b', '2'), [1, 3]);
  t.same(keys('DEL', 'a', 'b', 'c'), [1, 2, 3]);
  t.same(keys('Rename', 'a', 'b'), [1, 2]);
  t.same(keys('OBJECT', 'ENCODING', 'a'), [2]);
  t.equal(node.dispatcher.classify(Request.of('PING')), null, 'no key');
  t.equal(node.dispatcher.classify(Request.of('GET')), null, 'wrong arity');
  t.equal(node.dispatcher.classify(Request.of('FOO', 'a')), null);
  t.equal(node.dispatcher.classify(Request.of()), null);
});

t.test(
  'several keys: scattering commands run here when all keys may, gathering ones are submitted',
  async (t) => {
    const node = new TestNode();
    const client = node.connect();
    const submitted: string[] = [];
    node.local.submit = (operation) => {
      submitted.push(operation.traits.name);
      operation.sink.complete(operation.token, Buffer.from(OK));
    };
    node.run(client, 'DEL', 'a', 'b');
    node.run(client, 'MGET', 'a', 'b');
    node.run(client, 'MSET', 'a', '1');
    t.same(submitted, [], 'one key is no gathering');
    node.run(client, 'MSET', 'a', '1', 'b', '2');
    node.run(client, 'RENAME', 'a', 'b');
    t.same(submitted, ['mset', 'rename']);
    node.local.mayRun = (_db: number, request: Request, index: number) =>
      request.latin1(index) === 'a';
    node.run(client, 'EXISTS', 'a', 'a');
    t.same(submitted, ['mset', 'rename']);
    node.run(client, 'EXISTS', 'a', 'b');
    t.same(submitted, ['mset', 'rename', 'exists']);
  },
);

t.test('commands handed over by the cluster run in their database', async (t) => {
  const node = new TestNode();
  node.local.begin();
  const reply = new ReplyWriter();
  node.dispatcher.execute(Request.of('SET', 'k', 'v'), 2, reply);
  node.dispatcher.execute(Request.of('INCR', 'k'), 2, reply);
  t.match(
    reply.buffer.toString('latin1', 0, reply.length),
    /^\+OK\r\n-ERR value is not an integer/,
  );
  t.equal(node.local.databases[2]!.get('k')?.value.toString(), 'v');
  node.local.full = true;
  reply.reset();
  node.dispatcher.execute(Request.of('SET', 'k', 'w'), 2, reply);
  node.dispatcher.execute(Request.of('GET', 'k'), 2, reply);
  t.match(reply.buffer.toString('latin1', 0, reply.length), /^-OOM .*\r\n\$1\r\nv\r\n$/);
});

t.test('checks come in order: existence, arity, authentication, memory, state', async (t) => {
  const node = new TestNode();
  node.config.change([['requirepass', 'secret']]);
  const client = node.connect();
  client.authenticated = false;
  node.local.full = true;
  node.local.refusalText = 'LOADING Tandis is waiting for its first view';
  node.local.local = false;
  t.match(node.run(client, 'FOO'), /^-ERR unknown command 'FOO'/);
  t.match(node.run(client, 'GET'), /^-ERR wrong number of arguments for 'get'/);
  t.equal(node.run(client, 'SET', 'k', 'v'), '-NOAUTH Authentication required.\r\n');
  t.match(node.run(client, 'HELLO', '3'), /^-NOAUTH HELLO must be called/);
  t.match(node.run(client, 'AUTH', 'wrong'), /^-WRONGPASS /);
  t.match(node.run(client, 'AUTH', 'other', 'secret'), /^-WRONGPASS /);
  t.equal(node.run(client, 'AUTH', 'secret'), OK);
  t.match(node.run(client, 'SET', 'k', 'v'), /^-LOADING /);
  t.match(node.run(client, 'PING'), /^-LOADING /);
  t.match(node.run(client, 'INFO', 'server'), /redis_version:7/, 'INFO tells what is going on');
  node.local.refusalText = null;
  node.local.local = true;
  t.match(node.run(client, 'SET', 'k', 'v'), /^-OOM /);
  t.equal(node.run(client, 'GET', 'k'), '$-1\r\n');
  t.equal(node.statistics.errorsByKind.get('WRONGPASS'), 2);
  t.equal(node.statistics.errorsByKind.get('LOADING'), 2);
});

t.test(
  'a fault in what only reads is an error, one in what changes something ends the node',
  async (t) => {
    const node = new TestNode();
    const client = node.connect();
    const breaks = (name: string): void => {
      const run: Handler = (_context, _request, reply) => {
        reply.array(2);
        reply.integer(1);
        throw new TypeError(`${name} is broken`);
      };
      Object.assign(node.table.byName(name)!, { run });
    };
    breaks('get');
    breaks('set');
    t.match(
      node.run(client, 'GET', 'k'),
      /^-ERR this command has met a fault of the server[^\r]*\r\n$/,
    );
    t.match(node.logged, [['command-fault', { command: 'get', error: /get is broken/ }]]);
    t.equal(node.run(client, 'PING'), '+PONG\r\n');
    node.run(client, 'MULTI');
    node.run(client, 'GET', 'k');
    node.run(client, 'STRLEN', 'k');
    t.match(node.run(client, 'EXEC'), /^\*2\r\n-ERR this command [^\r]*\r\n:0\r\n$/);
    t.throws(() => node.run(client, 'SET', 'k', 'v'), { message: 'set is broken' });
  },
);

t.test('HELLO authenticates, names and switches the protocol', async (t) => {
  const node = new TestNode();
  node.config.change([['requirepass', 'secret']]);
  const client = node.connect();
  client.authenticated = false;
  t.match(node.run(client, 'HELLO', '3', 'AUTH', 'default', 'no'), /^-WRONGPASS/);
  const reply = node.run(client, 'HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'me');
  t.match(reply, /^%7\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n/);
  t.equal(client.name, 'me');
  t.equal(node.run(client, 'GET', 'none'), '_\r\n');
  t.equal(node.run(client, 'RESET'), '+RESET\r\n');
  t.equal(client.name, '');
  t.match(node.run(client, 'GET', 'none'), /^-NOAUTH/);
});

t.test('CLIENT REPLY: off, on, and one skipped', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  t.equal(node.run(client, 'CLIENT', 'REPLY', 'SKIP'), '');
  t.equal(node.run(client, 'SET', 'k', '1'), '');
  t.equal(node.run(client, 'INCR', 'k'), ':2\r\n', 'the next one only');
  t.equal(node.run(client, 'CLIENT', 'REPLY', 'SKIP'), '');
  t.equal(node.run(client, 'FOO'), '', 'an error is skipped too');
  t.equal(node.run(client, 'PING'), '+PONG\r\n');
  t.equal(node.run(client, 'CLIENT', 'REPLY', 'OFF'), '');
  t.equal(node.run(client, 'INCR', 'k'), '');
  t.equal(node.run(client, 'DEBUG', 'SLEEP', '0'), '');
  t.equal(node.run(client, 'DBSIZE'), '');
  t.equal(node.run(client, 'CLIENT', 'REPLY', 'SKIP'), '');
  t.equal(node.run(client, 'CLIENT', 'REPLY', 'ON'), OK);
  node.advance(1);
  t.equal(node.run(client, 'GET', 'k'), '$1\r\n3\r\n');
  t.equal(client.waiting, 0, 'no place is left without a reply');
});

t.test('CLIENT PAUSE holds commands until its time is over', async (t) => {
  const node = new TestNode();
  const [admin, client] = [node.connect(), node.connect()];
  t.equal(node.run(admin, 'CLIENT', 'PAUSE', '100'), OK);
  t.equal(node.run(client, 'SET', 'k', 'v'), '');
  t.equal(node.run(client, 'HELLO', '3'), '');
  t.equal(node.run(client, 'GET', 'none'), '');
  node.advance(99);
  t.equal(client.replies(), '');
  t.equal(node.local.databases[0]!.size, 0, 'nothing ran');
  node.advance(1);
  t.match(
    client.replies(),
    /^\+OK\r\n%7.*_\r\n$/s,
    'in order, and in the protocol asked for meanwhile',
  );
  t.equal(node.run(client, 'GET', 'k'), '$1\r\nv\r\n');
});

t.test('whose command a CLIENT PAUSE holds counts as a blocked client', async (t) => {
  const node = new TestNode();
  const [admin, client] = [node.connect(), node.connect()];
  node.run(admin, 'CLIENT', 'PAUSE', '100', 'WRITE');
  node.run(client, 'SET', 'k', 'v');
  t.match(node.run(admin, 'INFO', 'clients'), 'blocked_clients:1');
  t.match(node.run(admin, 'CLIENT', 'LIST'), /flags=N .*\n.*flags=b /);
  node.run(admin, 'CLIENT', 'UNPAUSE');
  t.match(node.run(admin, 'INFO', 'clients'), 'blocked_clients:0');
});

t.test('CLIENT PAUSE WRITE holds what would reach replicas of a Redis', async (t) => {
  const node = new TestNode();
  const admin = node.connect();
  node.run(admin, 'PFADD', 'hll', 'a');
  const commands = [
    ['PFCOUNT', 'hll'],
    ['PUBLISH', 'c', 'm'],
    ['SPUBLISH', 'c', 'm'],
  ];
  const reader = node.connect();
  const inTransaction = node.connect();
  node.run(inTransaction, 'MULTI');
  node.run(inTransaction, 'PFCOUNT', 'hll');
  node.run(admin, 'CLIENT', 'PAUSE', '100', 'WRITE');
  const held = commands.map((command) => {
    const client = node.connect();
    t.equal(node.run(client, ...command), '', command.join(' '));
    return client;
  });
  t.equal(node.run(inTransaction, 'EXEC'), '');
  t.equal(node.run(reader, 'STRLEN', 'none'), ':0\r\n', 'not what only reads');
  node.run(admin, 'CLIENT', 'UNPAUSE');
  node.advance(1);
  t.same(
    held.map((client) => client.replies()),
    [':1\r\n', ':0\r\n', ':0\r\n'],
  );
  t.equal(inTransaction.replies(), '*1\r\n:1\r\n');
});

t.test('CLIENT PAUSE WRITE holds scripts that may write', async (t) => {
  const writes = "return redis.call('SET', KEYS[1], 'v')";
  const reads = "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])";
  const node = new TestNode();
  const [admin, ...clients] = [1, 2, 3, 4].map(() => node.connect());
  node.run(clients[1]!, 'MULTI');
  node.run(clients[1]!, 'EVAL', writes, '1', 'k');
  node.run(admin!, 'CLIENT', 'PAUSE', '100', 'WRITE');
  t.equal(node.run(clients[0]!, 'EVAL', writes, '1', 'k'), '');
  t.equal(node.run(clients[1]!, 'EXEC'), '');
  t.equal(node.run(clients[2]!, 'EVAL', reads, '1', 'k'), '$-1\r\n');
  t.equal(
    node.run(clients[2]!, 'EVAL_RO', "return redis.call('GET', KEYS[1])", '1', 'k'),
    '$-1\r\n',
  );
  node.run(admin!, 'CLIENT', 'UNPAUSE');
  // They run in turns, with others in between.
  for (let turn = 0; turn < 10; turn++) {
    await new Promise(setImmediate);
    node.advance(10);
  }
  t.equal(clients[0]!.replies(), OK);
  t.equal(clients[1]!.replies(), `*1\r\n${OK}`);
});

t.test('CLIENT PAUSE ends also when its timer fires too early', async (t) => {
  const node = new TestNode();
  const [admin, client] = [node.connect(), node.connect()];
  node.run(admin, 'CLIENT', 'PAUSE', '100');
  node.run(client, 'SET', 'k', 'v');
  node.advance(99.5, 0.5);
  t.equal(client.replies(), '', 'not before its time');
  node.advance(0.5);
  t.equal(client.replies(), OK);
});

t.test(
  'the end of CLIENT PAUSE keeps the order of commands that are sent on their way',
  async (t) => {
    const node = new TestNode();
    node.local.local = false;
    const [admin, client] = [node.connect(), node.connect()];
    node.run(admin, 'CLIENT', 'PAUSE', '100', 'WRITE');
    node.run(client, 'SET', 'k', '1');
    node.run(client, 'INCR', 'k');
    node.advance(100);
    t.equal(client.held.length, 1, 'the second waits for the first');
  },
);

t.test(
  'CLIENT PAUSE WRITE lets reads pass, and what stands behind a write waits with it',
  async (t) => {
    const node = new TestNode();
    const [admin, writer, reader] = [node.connect(), node.connect(), node.connect()];
    node.run(admin, 'CLIENT', 'PAUSE', '1000', 'WRITE');
    t.equal(node.run(reader, 'GET', 'k'), '$-1\r\n');
    t.match(node.run(writer, 'SET', 'k'), /^-ERR wrong number/, 'what is refused does not wait');
    t.equal(node.run(writer, 'SET', 'k', 'v'), '');
    t.equal(node.run(writer, 'GET', 'k'), '');
    t.equal(node.run(admin, 'CLIENT', 'PAUSE', '10', 'ALL'), OK);
    t.equal(node.run(reader, 'PING'), '', 'the wider pause counts');
    node.advance(100);
    t.equal(writer.replies(), '', 'and the longer one');
    node.advance(900);
    t.equal(writer.replies(), `${OK}$1\r\nv\r\n`);
    t.equal(reader.replies(), '+PONG\r\n');
  },
);

t.test('CLIENT UNPAUSE lets held commands go', async (t) => {
  const node = new TestNode();
  const [admin, client] = [node.connect(), node.connect()];
  node.run(admin, 'CLIENT', 'PAUSE', '100000', 'WRITE');
  node.run(client, 'SET', 'k', 'v');
  node.run(client, 'CLIENT', 'PAUSE', '50', 'WRITE');
  node.run(client, 'SET', 'k', 'w');
  t.equal(node.run(admin, 'CLIENT', 'UNPAUSE'), OK);
  node.advance(0);
  t.equal(client.replies(), `${OK}${OK}`, 'up to the pause that was held itself');
  node.advance(50);
  t.equal(client.replies(), OK);
});

t.test('QUIT answers and closes; a request of a browser is cut off unanswered', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  t.equal(node.run(client, 'QUIT'), OK);
  t.equal(client.closed, 'after replies');
  const browser = node.connect();
  t.equal(node.run(browser, 'POST', '/', 'HTTP/1.1'), '');
  t.equal(browser.closed, 'killed');
});

t.test('DEBUG SLEEP stalls its own client only', async (t) => {
  const node = new TestNode();
  const [sleeper, other] = [node.connect(), node.connect()];
  t.equal(node.run(sleeper, 'DEBUG', 'SLEEP', '0.5'), '');
  t.equal(node.run(sleeper, 'PING'), '');
  t.equal(node.run(other, 'PING'), '+PONG\r\n');
  node.advance(500);
  t.equal(sleeper.replies(), `${OK}+PONG\r\n`);
});

t.test('WAIT counts the other holder where there is one', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  t.equal(node.run(client, 'WAIT', '1', '100'), ':0\r\n');
  node.members = [self, { ...self, id: 'c'.repeat(40), port: 7002 }];
  t.equal(node.run(client, 'WAIT', '1', '100'), ':1\r\n');
});

t.test('SHUTDOWN asks the node, answers when that failed, and can be aborted', async (t) => {
  const node = new TestNode();
  const [admin, client] = [node.connect(), node.connect()];
  t.equal(node.run(admin, 'SHUTDOWN', 'ABORT'), '-ERR No shutdown in progress.\r\n');
  t.equal(node.run(client, 'SHUTDOWN', 'NOSAVE', 'NOW', 'FORCE'), '');
  t.same(node.shutdowns, [{ now: true, force: true, save: false }]);
  t.equal(node.run(admin, 'SHUTDOWN', 'ABORT'), OK);
  t.match(client.replies(), /^-ERR Errors trying to SHUTDOWN/);
});

t.test('a key longer than the store takes is refused', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const key = Buffer.alloc(2 ** 24, 'k');
  t.match(node.run(client, 'SET', key, 'v'), /^-ERR key is longer/);
  t.match(node.run(client, 'MGET', 'a', key), /^-ERR key is longer/);
  t.equal(node.run(client, 'SET', 'k', key), OK, 'a value may be as long');
});

t.test('values of other types', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const wrong = /^-WRONGTYPE /;
  node.local.set(0, 'list', Buffer.from('x'), 0, 2);
  for (const command of [
    'GET',
    'GETSET x',
    'GETDEL',
    'GETEX',
    'STRLEN',
    'APPEND x',
    'GETRANGE 0 1',
    'SETRANGE 0 x',
    'INCR',
    'INCRBYFLOAT 1',
    'SET x GET',
  ]) {
    const [name, ...rest] = command.split(' ');
    t.match(node.run(client, name!, 'list', ...rest), wrong, command);
  }
  t.equal(node.run(client, 'TYPE', 'list'), '+list\r\n');
  t.equal(node.run(client, 'MGET', 'list'), '*1\r\n$-1\r\n');
  t.equal(node.run(client, 'SETNX', 'list', 'x'), ':0\r\n');
  t.equal(node.run(client, 'SET', 'list', 'x'), OK, 'SET replaces any type');
});

t.test('expiry ends keys, and commands show it', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'SET', 'k', 'v', 'PX', '1500');
  t.equal(node.run(client, 'TTL', 'k'), ':2\r\n', 'rounded');
  node.advance(1001);
  t.equal(node.run(client, 'TTL', 'k'), ':0\r\n');
  t.equal(node.run(client, 'PTTL', 'k'), ':499\r\n');
  t.equal(node.run(client, 'PEXPIRE', 'k', '499', 'GT'), ':0\r\n', 'not later');
  t.equal(node.run(client, 'PEXPIRE', 'k', '500', 'GT'), ':1\r\n');
  node.advance(499);
  t.equal(node.run(client, 'GET', 'k'), '$1\r\nv\r\n');
  node.advance(1);
  t.equal(node.run(client, 'GET', 'k'), '$-1\r\n');
  t.equal(node.run(client, 'TTL', 'k'), ':-2\r\n');
  node.run(client, 'SET', 'k', 'v', 'EX', '10', 'EX', '20');
  t.equal(node.run(client, 'TTL', 'k'), ':20\r\n', 'the last of repeated options wins');
});
