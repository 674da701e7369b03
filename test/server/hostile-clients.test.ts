import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { serves, startNode } from '../cli/processes.js';

/** Sends bytes; resolves to what comes back until the server closes, or says nothing more for `quietMs`. */
function exchange(t: Test, port: number, bytes: Buffer | string, quietMs = 150): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const finish = (closed: boolean): void => {
      clearTimeout(quiet);
      socket.destroy();
      resolve(closed ? `${text}<closed>` : text);
    };
    let quiet = setTimeout(() => finish(false), 10 * quietMs);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      clearTimeout(quiet);
      quiet = setTimeout(() => finish(false), quietMs);
    });
    socket.on('close', () => finish(true));
    t.teardown(() => socket.destroy());
    socket.write(bytes);
  });
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024;

const MIB = 1024 * 1024;

/** What Redis answers to the same (its tests/unit/protocol.tcl), and what it then does with the connection. */
const cases: [string, string, string][] = [
  ['nothing but line ends', '\r\n\r\nPING\r\n', '+PONG\r\n'],
  [
    'a count that is no number',
    '*blabla\r\n',
    '-ERR Protocol error: invalid multibulk length\r\n<closed>',
  ],
  ['a negative count', '*-10\r\nPING\r\n', '+PONG\r\n'],
  [
    'a count out of range',
    '*3000000000\r\n',
    '-ERR Protocol error: invalid multibulk length\r\n<closed>',
  ],
  [
    'an argument without a length',
    '*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n',
    "-ERR Protocol error: expected '$', got 'f'\r\n<closed>",
  ],
  [
    'a negative length',
    '*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n',
    '-ERR Protocol error: invalid bulk length\r\n<closed>',
  ],
  [
    'a length out of range',
    '*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n',
    '-ERR Protocol error: invalid bulk length\r\n<closed>',
  ],
  [
    'quotes that do not close',
    'SET x "a\r\n',
    '-ERR Protocol error: unbalanced quotes in request\r\n<closed>',
  ],
  ['bytes that are no text', 'SET k \xfe\xff\x01\r\nGET k\r\n', '+OK\r\n$3\r\n\xfe\xff\x01\r\n'],
  [
    'an error behind good commands',
    'PING\r\nPING\r\n*1\r\n!\r\n',
    "+PONG\r\n+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n<closed>",
  ],
];

t.test('malformed input gets the answer of Redis, on that connection alone', async (t) => {
  const { port } = await startNode(t);
  const other = await serves(t, port);
  for (const [what, bytes, reply] of cases) {
    t.equal(await exchange(t, port, Buffer.from(bytes, 'latin1')), reply, what);
    t.equal(await other.ping(), 'PONG', `${what}: others notice nothing`);
  }
  const long = await exchange(t, port, 'x'.repeat(70_000));
  t.equal(long, '-ERR Protocol error: too big inline request\r\n<closed>');
  const digits = await exchange(t, port, `*${'1'.repeat(70_000)}`);
  t.equal(digits, '-ERR Protocol error: too big mbulk count string\r\n<closed>');
});

t.test('random bytes end no node', async (t) => {
  const { port, run } = await startNode(t);
  const other = await serves(t, port);
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const words = [
    '*',
    '$',
    '\r\n',
    '-1',
    '1000',
    'SET',
    'GET',
    'k',
    '\x00',
    '"',
    ':',
    '3',
    'HELLO',
    '_',
  ];
  for (let i = 0; i < 60; i++) {
    let bytes = '';
    for (let n = random(200); n > 0; n--) {
      bytes += random(4) === 0 ? String.fromCharCode(random(256)) : words[random(words.length)];
    }
    await exchange(t, port, Buffer.from(bytes, 'latin1'), 2);
  }
  t.equal(await other.ping(), 'PONG', `seed ${seed}`);
  t.equal(run.child.exitCode, null, `seed ${seed}`);
});

t.test('lengths that are announced and never sent take no memory', async (t) => {
  const { port, run } = await startNode(t);
  const other = await serves(t, port);
  const before = residentBytes(run.child.pid!);
  const sockets: Socket[] = [];
  for (let i = 0; i < 200; i++) {
    const socket = connect(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.write('*1000000\r\n$3\r\nSET\r\n$1\r\nx\r\n$536870912\r\nabc');
    sockets.push(socket);
  }
  t.equal(await other.ping(), 'PONG');
  await other.set('k', 'v');
  t.ok(residentBytes(run.child.pid!) - before < 64 * MIB, '200 such clients');
});

t.test('before AUTH little is taken', async (t) => {
  const { port } = await startNode(t, '--requirepass', 'secret');
  const noAuth = '-NOAUTH Authentication required.\r\n';
  t.equal(await exchange(t, port, 'GET k\r\nFLUSHALL\r\n'), noAuth.repeat(2));
  t.equal(
    await exchange(t, port, '*11\r\n$3\r\nSET\r\n'),
    '-ERR Protocol error: unauthenticated multibulk length\r\n<closed>',
  );
  t.equal(
    await exchange(t, port, '*2\r\n$3\r\nGET\r\n$20000\r\n'),
    '-ERR Protocol error: unauthenticated bulk length\r\n<closed>',
  );
  t.equal(await exchange(t, port, 'AUTH secret\r\nSET k v\r\n'), '+OK\r\n+OK\r\n');
});

t.test(
  'a client that asks for much and reads nothing costs little, and delays nobody',
  async (t) => {
    const { port, run } = await startNode(t);
    const other = await serves(t, port);
    await other.set('big', 'x'.repeat(MIB));
    const before = residentBytes(run.child.pid!);
    for (let i = 0; i < 10; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      t.teardown(() => socket.destroy());
      socket.pause();
      // 10 GB of replies, all clients together.
      socket.write('*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n'.repeat(1000));
    }
    for (let i = 0; i < 50; i++) t.equal(await other.get('none'), null);
    const grown = (residentBytes(run.child.pid!) - before) / MIB;
    t.ok(grown < 200, `resident memory grew by ${grown.toFixed(0)} MB`);
  },
);

t.test('clients that send one byte at a time are answered as others are', async (t) => {
  const { port } = await startNode(t);
  await serves(t, port);
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  for (const byte of '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n') {
    socket.write(byte);
    await new Promise(setImmediate);
  }
  const expected = '+OK\r\n$2\r\n\r\n\r\n';
  while (text.length < expected.length) await new Promise(setImmediate);
  t.equal(text, expected);
});

t.test('random bytes on the bus port end no node', async (t) => {
  const { port, busPort, run } = await startNode(t);
  const other = await serves(t, port);
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\xff'.repeat(5000),
    '\x00'.repeat(5000),
    '\x05\x00\x00\x00',
  ]) {
    await exchange(t, busPort, Buffer.from(bytes, 'latin1'), 50);
  }
  t.equal(await other.ping(), 'PONG');
  t.equal(run.child.exitCode, null);
});
