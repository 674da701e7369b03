import t from 'tap';
import { TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { type Reply, ReplyReader } from '../support/resp.js';

t.test('SLOWLOG keeps what takes long, latest first, and no more than it may', (t) => {
  const node = new TestNode({ 'slowlog-log-slower-than': '60000000' });
  const client = node.connect();
  node.run(client, 'CLIENT', 'SETNAME', 'me');
  node.run(client, 'KEYS', '*');
  t.equal(node.run(client, 'SLOWLOG', 'LEN'), ':0\r\n', 'nothing takes a minute');
  node.run(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '3');
  node.run(client, 'SET', 'key', 'x'.repeat(200));
  node.run(client, 'DEL', ...Array.from({ length: 40 }, (_, i) => `k${i}`));
  node.run(client, 'AUTH', 'secret');
  const text = node.run(client, 'SLOWLOG', 'GET', '-1');
  t.match(text, /^\*3\r\n\*6\r\n:\d+\r\n:\d+\r\n:\d+\r\n\*32\r\n\$3\r\nDEL\r\n/);
  t.match(text, '... (10 more arguments)');
  t.match(text, '... (72 more bytes)');
  t.match(text, '$2\r\nme\r\n');
  t.notMatch(text, 'secret');
  node.run(client, 'CONFIG', 'SET', 'requirepass', 'hidden');
  t.notMatch(node.run(client, 'SLOWLOG', 'GET', '10'), 'hidden');
  t.equal(node.run(client, 'SLOWLOG', 'LEN'), ':3\r\n');
  node.run(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '-1');
  t.equal(node.run(client, 'SLOWLOG', 'RESET'), '+OK\r\n');
  node.run(client, 'GET', 'key');
  t.equal(node.run(client, 'SLOWLOG', 'GET'), '*0\r\n');
  t.equal(
    node.run(client, 'SLOWLOG', 'GET', '-2'),
    '-ERR count should be greater than or equal to -1\r\n',
  );
  t.end();
});

t.test('SLOWLOG and INFO show what a client has sent, also where it had to wait', (t) => {
  const node = new TestNode();
  const client = node.connect();
  const other = node.connect();
  node.run(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '0');
  node.run(client, 'BLPOP', 'list', '0');
  t.notMatch(node.run(other, 'SLOWLOG', 'GET'), /LPOP/, 'not before it has been served');
  node.run(other, 'RPUSH', 'list', 'a', 'b');
  t.match(client.replies(), /\$4\r\nlist\r\n\$1\r\na\r\n/);
  node.run(client, 'BRPOP', 'list', '0');
  const slow = node.run(other, 'SLOWLOG', 'GET');
  t.match(slow, /\*3\r\n\$5\r\nBLPOP\r\n\$4\r\nlist\r\n\$1\r\n0\r\n/);
  t.match(slow, 'BRPOP');
  t.notMatch(slow, /\$4\r\n[LR]POP\r\n/);
  const used = node.run(other, 'INFO', 'commandstats');
  t.match(used, /cmdstat_blpop:calls=1,/);
  t.match(used, /cmdstat_brpop:calls=1,/);
  t.notMatch(used, /cmdstat_[lr]pop:/);
  t.end();
});

t.test('SLOWLOG has a script that could not run at once, with the time that it ran', (t) => {
  const node = new TestNode();
  const client = node.connect();
  const other = node.connect();
  node.run(client, 'CLIENT', 'SETNAME', 'app');
  node.run(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '1000');
  const script = 'local n = 0 for i = 1, 200000 do n = n + i end return n';
  // Other commands may be slow, too, where the machine is.
  const slow = /:(\d+)\r\n\*\d\r\n\$4\r\nEVAL\r\n/g;
  const kept = (): RegExpExecArray[] => [...node.run(other, 'SLOWLOG', 'GET').matchAll(slow)];
  node.local.local = false;
  t.equal(node.run(client, 'EVAL', script, '1', 'key'), '');
  t.equal(kept().length, 0, 'it has not run yet');
  node.local.runSubmitted();
  t.match(client.replies(), ':20000100000');
  t.equal(kept().length, 1);
  t.ok(Number(kept()[0]![1]) >= 1000, `${kept()[0]![1]} us`);
  const text = node.run(other, 'SLOWLOG', 'GET');
  t.match(text, `${script}\r\n$1\r\n1\r\n$3\r\nkey\r\n`);
  t.match(text, '$3\r\napp\r\n');

  node.local.local = true;
  node.run(client, 'EVAL', script, '0');
  t.equal(kept().length, 2, 'once, where it runs at once');
  t.end();
});

/** Of each entry its arguments, who has called it, and the client's name. */
function shownOf(bytes: string): string[][] {
  const reader = new ReplyReader();
  reader.feed(Buffer.from(bytes, 'latin1'));
  const { items } = reader.next()!.reply as Extract<Reply, { items: unknown }>;
  return items.map((entry) => {
    const [, , , args, address, name] = (entry as Extract<Reply, { items: unknown }>).items;
    const texts = (args as Extract<Reply, { items: unknown }>).items.map((arg) => textOf(arg));
    const caller = textOf(address!);
    return [...texts, caller === '?:0' ? caller : 'a client', textOf(name!)];
  });
}

const textOf = (reply: Reply): string => (reply as Extract<Reply, { text: unknown }>).text;

const missing = missingRedis();

t.test(
  'SLOWLOG has the commands of transactions and scripts, and no EXEC, as Redis',
  { skip: missing ?? false },
  async (t) => {
    const redis = await RedisServer.start();
    t.teardown(() => redis.stop());
    const theirs = await RespConnection.open(redis.port);
    t.teardown(() => theirs.close());
    const node = new TestNode();
    const client = node.connect();
    const sent = [
      ['CONFIG', 'SET', 'slowlog-log-slower-than', '0'],
      ['CLIENT', 'SETNAME', 'app'],
      ['MULTI'],
      ['SET', 'key', '1'],
      ['EVAL', "redis.call('incr', KEYS[1]) return redis.call('GET', KEYS[1])", '1', 'key'],
      ['BLPOP', 'none', '0'],
      ['EXEC'],
      ['EVAL', "return redis.call('LLEN', 'list')", '1', 'list'],
    ];
    for (const args of sent) {
      const { bytes } = await theirs.ask(...args);
      t.equal(node.run(client, ...args), bytes);
    }
    const shown = shownOf((await theirs.ask('SLOWLOG', 'GET', '20')).bytes);
    t.same(shownOf(node.run(client, 'SLOWLOG', 'GET', '20')), shown);
    t.match(shown, [
      ['EVAL'],
      ['LLEN', 'list', '?:0', ''],
      ['BLPOP', 'none', '0', 'a client', 'app'],
    ]);
  },
);

t.test('LATENCY keeps the longest time of each second in which a command was slow', (t) => {
  const node = new TestNode({ 'slowlog-log-slower-than': '-1' });
  const client = node.connect();
  const latency = (...args: string[]): string => node.run(client, 'LATENCY', ...args);
  t.match(latency('DOCTOR'), 'not monitored');
  node.run(client, 'CONFIG', 'SET', 'latency-monitor-threshold', '60000');
  node.run(client, 'KEYS', '*');
  t.equal(latency('LATEST'), '*0\r\n', 'nothing takes a minute');
  t.match(latency('DOCTOR'), 'No command has taken 60000 ms');

  node.run(client, 'CONFIG', 'SET', 'latency-monitor-threshold', '1');
  const values = Array.from({ length: 20_000 }, (_, i) => String(i));
  node.run(client, 'SADD', 'set', ...values);
  node.run(client, 'SORT', 'set');
  node.run(client, 'GET', 'key');
  const latest = /^\*1\r\n\*4\r\n\$7\r\ncommand\r\n:(\d+)\r\n:(\d+)\r\n:(\d+)\r\n$/;
  t.match(latency('LATEST'), latest);
  const [, at, took, most] = latest.exec(latency('LATEST'))!;
  t.ok(Number(took) >= 1 && Number(most) >= Number(took));
  t.match(latency('HISTORY', 'command'), `*2\r\n:${at}\r\n:${took}\r\n`);
  t.equal(latency('HISTORY', 'fork'), '*0\r\n');
  t.match(latency('GRAPH', 'command'), `# ${took} ms`);
  t.equal(latency('GRAPH', 'fork'), "-ERR No samples available for event 'fork'\r\n");
  t.match(latency('DOCTOR'), `${most} ms at most`);
  t.equal(node.run(client, 'SLOWLOG', 'LEN'), ':0\r\n');

  t.equal(latency('RESET', 'fork'), ':0\r\n');
  t.equal(latency('RESET'), ':1\r\n');
  t.equal(latency('LATEST'), '*0\r\n');
  node.run(client, 'CONFIG', 'SET', 'latency-monitor-threshold', '0');
  node.run(client, 'SORT', 'set');
  t.equal(latency('LATEST'), '*0\r\n');
  t.end();
});
