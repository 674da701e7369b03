import t from 'tap';
import { TestNode } from '../support/local-services.js';

t.test('CLIENT LIST shows each client in a line of fields', async (t) => {
  const node = new TestNode();
  const [a, b] = [node.connect(), node.connect()];
  node.run(b, 'CLIENT', 'SETNAME', 'worker');
  node.run(b, 'CLIENT', 'SETINFO', 'lib-name', 'ioredis');
  node.run(b, 'CLIENT', 'SETINFO', 'LIB-VER', '6.0.0');
  node.run(b, 'SELECT', '2');
  node.advance(3500);
  const lines = node.run(a, 'CLIENT', 'LIST').split('\r\n')[1]!.trim().split('\n');
  t.equal(lines.length, 2);
  t.match(lines[0], /^id=1 addr=127\.0\.0\.1:50001 laddr=127\.0\.0\.1:7001 .* cmd=client\|list /);
  t.match(lines[1], /^id=2 .* name=worker age=3 idle=3 flags=N db=2 .* cmd=select .* resp=2 /);
  t.match(lines[1], / lib-name=ioredis lib-ver=6\.0\.0$/);
  t.equal(node.run(a, 'CLIENT', 'LIST', 'ID', '2', '99').split('\r\n')[1], `${lines[1]}\n`);
  t.equal(node.run(a, 'CLIENT', 'LIST', 'TYPE', 'pubsub'), '$0\r\n\r\n');
  t.match(node.run(a, 'CLIENT', 'SETINFO', 'foo', 'x'), /^-ERR Unrecognized option 'foo'/);
  t.match(node.run(a, 'CLIENT', 'SETINFO', 'lib-name', 'a b'), /^-ERR lib-name cannot contain/);
  node.run(a, 'HELLO', '3');
  t.match(node.run(a, 'CLIENT', 'INFO'), /^=\d+\r\ntxt:id=1 /);
});

t.test('CLIENT KILL closes whom its filter means, itself only when asked to', async (t) => {
  const node = new TestNode();
  const [a, b, c] = [node.connect(), node.connect(), node.connect()];
  t.equal(node.run(a, 'CLIENT', 'KILL', 'ID', '2'), ':1\r\n');
  t.equal(b.closed, 'killed');
  t.equal(node.run(a, 'CLIENT', 'KILL', 'ID', '1'), ':0\r\n');
  t.equal(node.run(a, 'CLIENT', 'KILL', 'ADDR', c.address, 'TYPE', 'pubsub'), ':0\r\n');
  t.equal(node.run(a, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no'), ':2\r\n');
  t.equal(c.closed, 'killed');
  t.equal(a.closed, 'after replies', 'it still gets its answer');
});

t.test('the old form of CLIENT KILL takes an address', async (t) => {
  const node = new TestNode();
  const [a, b] = [node.connect(), node.connect()];
  t.equal(node.run(a, 'CLIENT', 'KILL', b.address), '+OK\r\n');
  t.equal(b.closed, 'killed');
  t.equal(node.run(a, 'CLIENT', 'KILL', a.address), '+OK\r\n');
  t.equal(a.closed, 'after replies');
});
