import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import t, { type Test } from 'tap';
import { Config } from '../../lib/base/config.js';
import { BUS_CONNECTIONS, BUS_STRANGERS } from '../../lib/base/limits.js';
import { silentLogger } from '../../lib/base/logger.js';
import type { Address, Member } from '../../lib/cluster/member.js';
import type { ControlMessage } from '../../lib/cluster/membership/messages.js';
import { Statistics } from '../../lib/commands/statistics.js';
import { linkEndOf } from '../../lib/server/bus-link.js';
import { type BusHandler, BusTransport } from '../../lib/server/bus-transport.js';
import type { ReadMode } from '../../lib/server/socket-reading.js';
import { TlsFiles } from '../../lib/server/tls-files.js';
import { TurnEnd } from '../../lib/server/turn-end.js';
import { certificatePath, clientTls } from '../support/certificates.js';

const ID_A = 'a'.repeat(40);
const ID_B = 'b'.repeat(40);
const FOUND: ControlMessage = {
  kind: 'found',
  from: ID_A,
  to: '',
  installed: null,
  seed: 0,
  includes: false,
};

/** A transport that writes down what it is told: lines such as "controlClosed 1 refused". */
async function start(
  t: Test,
  self: string,
  mode: ReadMode = 'onread',
  secret: string | readonly string[] = [],
  tls: TlsFiles | null = null,
  connectionsMax = BUS_CONNECTIONS,
) {
  const secrets = [secret].flat().filter((one) => one !== '');
  const lines: string[] = [];
  const warnings: string[] = [];
  const waiting: { wanted: string; resolve: () => void }[] = [];
  let turns = 0;
  const tell = (line: string): void => {
    t.ok(turns > 0, `${line}: in a turn that has begun`);
    lines.push(line);
    for (const one of waiting) if (line.startsWith(one.wanted)) one.resolve();
  };
  const handler: BusHandler = {
    beginTurn: () => void turns++,
    controlOpened: (link) => tell(`controlOpened ${link}`),
    controlAccepted: (link) => tell(`controlAccepted ${link}`),
    controlClosed: (link, end) => tell(`controlClosed ${link} ${end}`),
    controlMessage: (link, message) => tell(`controlMessage ${link} ${message.kind}`),
    dataOpened: (link) => tell(`dataOpened ${link}`),
    dataAccepted: (link, from) => tell(`dataAccepted ${link} ${from[0]}`),
    dataClosed: (link) => tell(`dataClosed ${link}`),
    dataReceived: (link, chunk, length) =>
      tell(`data ${link} ${chunk.toString('latin1', 0, length)}`),
    flush: () => undefined,
  };
  const logger = {
    ...silentLogger,
    warn: (_event: string, facts: Record<string, unknown> = {}) => {
      const { reason } = facts;
      warnings.push(String(reason));
    },
  };
  const statistics = new Statistics();
  const turnEnd = new TurnEnd();
  const bus = new BusTransport(
    {
      host: '127.0.0.1',
      port: 0,
      connectionsMax,
      dialTimeoutMs: 1000,
      readMode: mode,
      secrets: () => secrets,
      tls,
      logger,
      statistics,
      self: () => self,
    },
    handler,
    turnEnd,
  );
  turnEnd.steps.push(bus);
  const busPort = await bus.listen();
  bus.open();
  t.teardown(() => bus.close());
  const address: Address = { host: '127.0.0.1', port: 1, busPort };
  const member: Member = { ...address, id: self, zone: '', leaving: false };
  return {
    bus,
    statistics,
    lines,
    warnings,
    address,
    member,
    handler,
    /** Resolves once a line that begins so was told, also when it was before. */
    told: (wanted: string): Promise<void> =>
      lines.some((line) => line.startsWith(wanted))
        ? Promise.resolve()
        : new Promise((resolve) => void waiting.push({ wanted, resolve })),
  };
}

const SECRET = 'what only members know';

for (const [mode, secret] of [
  ['onread', ''],
  ['stream', ''],
  ['onread', SECRET],
  ['stream', SECRET],
] as const) {
  t.test(`messages and bytes go both ways (${mode}, secret "${secret}")`, async (t) => {
    const a = await start(t, ID_A, mode, secret);
    const b = await start(t, ID_B, mode, secret);
    const control = a.bus.dialControl(b.address);
    await a.told(`controlOpened ${control}`);
    a.bus.sendControl(control, FOUND);
    await b.told('controlMessage 1 found');
    b.bus.sendControl(1, { ...FOUND, from: ID_B });
    await a.told(`controlMessage ${control} found`);

    const data = a.bus.dialData(b.member);
    await a.told(`dataOpened ${data}`);
    a.bus.sendData(data, Buffer.from('xhellox'), 1, 6);
    await b.told('data 2 hello');
    t.match(b.lines, ['controlAccepted 1', 'controlMessage 1 found', 'dataAccepted 2 a']);
    b.bus.sendData(2, Buffer.from('back'), 0, 4);
    await a.told(`data ${data} back`);

    b.bus.closeLink(2);
    await a.told(`dataClosed ${data}`);
    t.notOk(b.lines.includes('dataClosed 2'), 'who closes a link is not told so');
  });
}

t.test('a flush is asked for once per turn', async (t) => {
  const a = await start(t, ID_A);
  let flushes = 0;
  a.handler.flush = () => void flushes++;
  a.bus.wantFlush();
  a.bus.wantFlush();
  await new Promise(setImmediate);
  t.equal(flushes, 1);
  a.bus.wantFlush();
  await new Promise(setImmediate);
  t.equal(flushes, 2);
});

t.test('a port where nobody listens refuses', async (t) => {
  const a = await start(t, ID_A);
  const b = await start(t, ID_B);
  b.bus.close();
  const link = a.bus.dialControl(b.address);
  await a.told(`controlClosed ${link} refused`);
});

t.test('an error code says how a link ended', async (t) => {
  t.equal(linkEndOf('ECONNREFUSED'), 'refused');
  t.equal(linkEndOf('ECONNRESET'), 'reset');
  t.equal(linkEndOf('ETIMEDOUT'), 'timeout');
  t.equal(linkEndOf('EHOSTUNREACH'), 'unreachable');
  t.equal(linkEndOf('ENOTFOUND'), 'unreachable');
  t.equal(linkEndOf(undefined), 'closed');
});

t.test('a data link meant for an earlier incarnation is closed', async (t) => {
  const a = await start(t, ID_A);
  const b = await start(t, ID_B);
  const link = a.bus.dialData({ ...b.member, id: 'c'.repeat(40) });
  await a.told(`dataClosed ${link}`);
  t.same(b.lines, []);
});

const frame = (type: number, payload: string): Buffer => {
  const bytes = Buffer.alloc(5 + payload.length);
  bytes.writeUInt32LE(1 + payload.length, 0);
  bytes[4] = type;
  bytes.write(payload, 5);
  return bytes;
};
const hello = (facts: object): Buffer => frame(1, JSON.stringify(facts));
const good = { protocol: 2, kind: 'control', from: ID_A, to: '' };

const hostile: [string, Buffer, string | RegExp][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'no hello'],
  ['a hello of another type', frame(9, JSON.stringify(good)), 'no hello'],
  ['no JSON', frame(1, '{'), 'no hello'],
  ['null', frame(1, 'null'), 'no hello'],
  ['a nonce that is none', hello({ ...good, nonce: 'x' }), 'hello with a nonce that is none'],
  ['a protocol of the future', hello({ ...good, protocol: 4 }), 'protocol 4, not 2'],
  ['an unknown kind', hello({ ...good, kind: 'x' }), 'hello of an unknown kind'],
  ['no sender', hello({ ...good, from: 7 }), 'hello without a sender'],
  ['a strange receiver', hello({ ...good, to: 'me' }), 'hello to nobody'],
  ['an unknown frame', Buffer.concat([hello(good), frame(3, 'x')]), 'frame of type 3'],
  ['an unknown message', Buffer.concat([hello(good), frame(2, '{"kind":"x"}')]), 'unknown message'],
  ['deep JSON', Buffer.concat([hello(good), frame(2, '['.repeat(200_000))]), 'unknown message'],
  [
    'an endless frame',
    Buffer.concat([hello(good), Buffer.from([255, 255, 255, 255, 2])]),
    /frame of 4294967295 bytes/,
  ],
];

for (const [what, bytes, reason] of hostile) {
  t.test(`${what} closes that link, with one line in the log`, async (t) => {
    const b = await start(t, ID_B);
    const a = await start(t, ID_A);
    const other = a.bus.dialControl(b.address);
    await a.told(`controlOpened ${other}`);
    const socket = connect(b.address.busPort, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(bytes);
    await once(socket, 'close');
    t.match(b.warnings, [reason]);
    t.equal(b.warnings.length, 1);
    a.bus.sendControl(other, FOUND);
    await b.told('controlMessage');
  });
}

t.test('a connection that says nothing is closed', async (t) => {
  const b = await start(t, ID_B);
  const socket = connect(b.address.busPort, '127.0.0.1');
  await once(socket.resume(), 'close');
  t.same(b.lines, []);
});

for (const [what, ours, theirs, reason] of [
  ['another secret', 'x'.repeat(16), SECRET, 'the other end has another cluster-secret'],
  ['no secret', '', SECRET, 'the other end has no cluster-secret'],
  ['a secret that is missing there', SECRET, '', 'cluster-secret is missing here'],
] as const) {
  t.test(`who dials with ${what} is told nothing and reaches nothing`, async (t) => {
    const a = await start(t, ID_A, 'onread', ours);
    const b = await start(t, ID_B, 'onread', theirs);
    const link = a.bus.dialControl(b.address);
    a.bus.sendControl(link, FOUND);
    await a.told(`controlClosed ${link}`);
    t.same(b.lines, []);
    t.same(b.warnings, [reason]);
  });
}

t.test('who answers without the secret is not spoken to', async (t) => {
  const a = await start(t, ID_A, 'onread', SECRET);
  const received: Buffer[] = [];
  const impostor = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      socket.write(frame(3, JSON.stringify({ nonce: '1'.repeat(64) })));
      if (received.length > 1) socket.write(frame(4, JSON.stringify({ proof: '2'.repeat(64) })));
    });
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(impostor, 'listening');
  t.teardown(() => impostor.close());
  const { port } = impostor.address() as { port: number };
  const link = a.bus.dialControl({ host: '127.0.0.1', port: 1, busPort: port });
  await a.told(`controlClosed ${link}`);
  t.notOk(a.lines.includes(`controlOpened ${link}`));
  t.same(a.warnings, ['the other end lacks cluster-secret']);
});

t.test('a conversation that was recorded opens no other connection', async (t) => {
  const a = await start(t, ID_A, 'onread', SECRET);
  const b = await start(t, ID_B, 'onread', SECRET);
  const recorded: Buffer[] = [];
  const proxy = createServer((socket) => {
    const onward = connect(b.address.busPort, '127.0.0.1');
    socket.on('data', (chunk: Buffer) => {
      recorded.push(Buffer.from(chunk));
      onward.write(chunk);
    });
    onward.pipe(socket);
    socket.on('close', () => onward.destroy());
    for (const one of [socket, onward]) one.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => proxy.close());
  const { port } = proxy.address() as { port: number };
  const link = a.bus.dialControl({ host: '127.0.0.1', port: 1, busPort: port });
  await a.told(`controlOpened ${link}`);
  a.bus.sendControl(link, FOUND);
  await b.told('controlMessage 1 found');
  a.bus.closeLink(link);
  await b.told('controlClosed 1');
  const seen = [...b.lines];
  const socket = connect(b.address.busPort, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume().write(Buffer.concat(recorded));
  await once(socket, 'close');
  t.same(b.lines, seen, 'nothing came of it');
  t.same(b.warnings, ['the other end has another cluster-secret']);
});

const NEW_SECRET = 'what members know from now on';
const both = [NEW_SECRET, SECRET];

for (const [dialler, acceptor] of [
  [both, [SECRET]],
  [[SECRET], both],
  [both, both],
  [both, [NEW_SECRET]],
  [[NEW_SECRET], both],
]) {
  t.test('while the secret is changed two nodes need one in common', async (t) => {
    const a = await start(t, ID_A, 'onread', dialler);
    const b = await start(t, ID_B, 'onread', acceptor);
    const link = a.bus.dialControl(b.address);
    await a.told(`controlOpened ${link}`);
    a.bus.sendControl(link, FOUND);
    await b.told('controlMessage 1 found');
    t.same([...a.warnings, ...b.warnings], []);
  });
}

function tlsFiles(): TlsFiles {
  const config = new Config({
    'tls-cluster': 'yes',
    'tls-cert-file': certificatePath('node.crt'),
    'tls-key-file': certificatePath('node.key'),
    'tls-ca-cert-file': certificatePath('ca.crt'),
  });
  return new TlsFiles(config, silentLogger, new Statistics());
}

t.test('a certificate without the secret cannot pass on the proofs of others', async (t) => {
  const tls = tlsFiles();
  const a = await start(t, ID_A, 'onread', SECRET, tls);
  const b = await start(t, ID_B, 'onread', SECRET, tls);
  const direct = a.bus.dialControl(b.address);
  await a.told(`controlOpened ${direct}`);
  a.bus.sendControl(direct, FOUND);
  await b.told('controlMessage 1 found');
  const told = b.lines.length;

  const between = createTlsServer({ ...clientTls('renewed'), requestCert: true }, (socket) => {
    const { busPort: port } = b.address;
    const onward = connectTls({ port, host: '127.0.0.1', ...clientTls('renewed') });
    socket.pipe(onward).pipe(socket);
    for (const one of [socket, onward]) one.on('error', () => undefined);
    socket.on('close', () => onward.destroy());
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  t.teardown(() => between.close());
  const { port } = between.address() as { port: number };
  const link = a.bus.dialControl({ host: '127.0.0.1', port: 1, busPort: port });
  await a.told(`controlClosed ${link}`);
  t.same(b.warnings, ['the other end has another cluster-secret']);
  t.equal(b.lines.length, told, 'nothing came of it');
});

t.test('strangers who say nothing keep no member out', async (t) => {
  const b = await start(t, ID_B, 'onread', SECRET);
  const sockets = Array.from({ length: BUS_STRANGERS + 20 }, () => {
    const socket = connect(b.address.busPort, '127.0.0.1');
    socket.on('error', () => undefined);
    return socket.resume();
  });
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.slice(0, 20).map((socket) => once(socket, 'close')));
  const a = await start(t, ID_A, 'onread', SECRET);
  const link = a.bus.dialControl(b.address);
  await a.told(`controlOpened ${link}`);
});

for (const encrypted of [false, true]) {
  const over = encrypted ? 'TLS' : 'TCP';
  t.test(`strangers who hold all places of the bus give way to members (${over})`, async (t) => {
    const places = 6;
    const tls = encrypted ? tlsFiles() : null;
    const a = await start(t, ID_A, 'onread', SECRET, tls);
    const b = await start(t, ID_B, 'onread', SECRET, tls, places);
    const { busPort: port } = b.address;
    const strangers = Array.from({ length: places + 2 }, () => {
      const socket = encrypted
        ? connectTls({ port, host: '127.0.0.1', ...clientTls('client') })
        : connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      t.teardown(() => socket.destroy());
      return { closed: once(socket.resume(), 'close') };
    });
    await Promise.race(strangers.map(({ closed }) => closed));
    t.ok(b.statistics.busConnections <= places, 'no more than there are places');
    for (let i = 0; i < places; i++) {
      const link = a.bus.dialControl(b.address);
      await a.told(`controlOpened ${link}`);
      t.ok(b.statistics.busConnections <= places);
    }
    await Promise.all(strangers.map(({ closed }) => closed));
    t.equal(b.statistics.busConnections, places, 'members hold them all');
    const reached = b.statistics.limits.all.get('bus-connections')!;
    const last = a.bus.dialControl(b.address);
    await a.told(`controlClosed ${last}`);
    t.equal(b.statistics.limits.all.get('bus-connections'), reached + 1);
    t.match(b.warnings, ['too many bus connections']);
    t.equal(b.lines.filter((line) => line.startsWith('controlClosed')).length, 0);
  });
}
