import t from 'tap';
import { TestNode } from '../support/local-services.js';

t.test('SLOWLOG keeps what takes long, latest first, and no more than it may', (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'CLIENT', 'SETNAME', 'me');
  node.run(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '60000000');
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
