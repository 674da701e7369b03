import { execFile, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { connect as connectPlain, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { Config } from '../../lib/base/config.js';
import { TLS_HANDSHAKE_MS, TLS_HANDSHAKES } from '../../lib/base/limits.js';
import type { OptionName } from '../../lib/base/options.js';
import { readTlsMaterial } from '../../lib/server/tls-files.js';
import { clientOf, freePorts, type Node, startNode, tandis } from '../cli/processes.js';
import { certificatePath, clientTls, nodeTls } from '../support/certificates.js';
import { Flood, Times } from '../support/flood.js';

/** A node with a TLS port beside its plain one. */
async function start(t: Test, ...options: string[]): Promise<Node & { tlsPort: number }> {
  const port = await freePorts(2);
  const tlsPort = port + 1;
  const ports = ['--port', String(port), '--tls-port', String(tlsPort)];
  const node = await startNode(t, ...ports, ...nodeTls(), ...options);
  return { ...node, tlsPort };
}

function redisOver(t: Test, port: number, name: string | null = 'client'): Redis {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    tls: clientTls(name),
    retryStrategy: null,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  return client;
}

/** What the server says to one PING, or what becomes of the connection. */
async function ping(t: Test, port: number, name: string | null): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ...clientTls(name) });
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('error', (error) => {
    text += error.message;
  });
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    socket.end();
  });
  socket.write('PING\r\n');
  await once(socket, 'close');
  return text;
}

async function fact(client: Redis, name: string): Promise<number> {
  const match = new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info());
  return Number(match?.[1] ?? Number.NaN);
}

/** Asks again until the answer is this one. */
async function becomes(client: Redis, name: string, wanted: (value: number) => boolean) {
  for (;;) {
    const value = await fact(client, name);
    if (wanted(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

t.test('clients over TLS are served as others are', async (t) => {
  const { port, tlsPort } = await start(t);
  const client = redisOver(t, tlsPort);
  const large = 'x'.repeat(3_000_000);
  t.equal(await client.set('key', large), 'OK');
  t.equal(await client.get('key'), large);
  const pipeline = client.pipeline();
  for (let i = 0; i < 5000; i++) pipeline.set(`key:${i}`, `value ${i}`);
  for (let i = 0; i < 5000; i++) pipeline.get(`key:${i}`);
  const replies = await pipeline.exec();
  t.same(replies?.at(-1), [null, 'value 4999']);
  const plain = clientOf(t, port);
  t.equal(await plain.get('key:7'), 'value 7');
  t.match(await plain.client('LIST'), new RegExp(`laddr=127.0.0.1:${tlsPort} `));

  t.match(await client.cluster('NODES'), new RegExp(` 127.0.0.1:${tlsPort}@`));
  t.match(await plain.cluster('NODES'), new RegExp(` 127.0.0.1:${port}@`));
  t.match(await client.cluster('SLOTS'), [[0, 16383, ['127.0.0.1', tlsPort]]]);
  const [shard] = (await client.call('CLUSTER', 'SHARDS')) as [unknown[]];
  const [facts] = shard[3] as unknown[][];
  t.match(facts, ['id', String, 'port', port, 'tls-port', tlsPort]);
});

/** Why redis-cli cannot be run; false when it can. Under CI=true a missing one is an error. */
function missingCli(): string | false {
  if (spawnSync('redis-cli', ['--version']).error === undefined) return false;
  const reason = 'redis-cli is not installed (Debian package redis-tools)';
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

t.test('redis-cli --tls', { skip: missingCli() }, async (t) => {
  const { tlsPort } = await start(t);
  const files = ['ca', 'client'].map((name) => certificatePath(`${name}.crt`)) as [string, string];
  const args = ['--tls', '--cacert', files[0], '--cert', files[1]];
  const key = ['--key', certificatePath('client.key'), '-p', String(tlsPort)];
  const { stdout } = await promisify(execFile)('redis-cli', [...args, ...key, 'PING']);
  t.equal(stdout, 'PONG\n');
});

t.test('without a plain port there is none', async (t) => {
  const [first, second] = [await freePorts(1), await freePorts(1)];
  const only = ['--port', '0', '--tls-port', String(first), '--cluster-port', String(second)];
  const { run, port } = await startNode(t, ...only, ...nodeTls());
  t.equal(port, 0);
  const client = redisOver(t, first);
  t.equal(await client.ping(), 'PONG');
  t.equal(await fact(client, 'tcp_port'), first);
  const member = new RegExp(` 127.0.0.1:${first}@${second} `);
  t.match(await client.cluster('NODES'), member);
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
});

t.test('tls-auth-clients', async (t) => {
  const { port, tlsPort } = await start(t);
  const plain = clientOf(t, port);
  const needed = '-ERR a certificate of the CA is needed';
  t.equal(await ping(t, tlsPort, 'client'), '+PONG\r\n');
  t.equal(await ping(t, tlsPort, null), `${needed} (none)\r\n`);
  t.match(await ping(t, tlsPort, 'stranger'), needed);
  t.equal(await fact(plain, 'tls_handshakes_failed'), 2);
  await plain.config('SET', 'tls-auth-clients', 'optional');
  t.equal(await ping(t, tlsPort, null), '+PONG\r\n');
  t.match(await ping(t, tlsPort, 'stranger'), needed);
  await plain.config('SET', 'tls-auth-clients', 'no');
  t.equal(await ping(t, tlsPort, null), '+PONG\r\n');
  t.equal(await ping(t, tlsPort, 'stranger'), '+PONG\r\n');
});

t.test('protocols and ciphers', async (t) => {
  const suites = ['--tls-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256'];
  const { port, tlsPort } = await start(t, '--tls-auth-clients', 'no', ...suites);
  const plain = clientOf(t, port);
  const spoken = async (options: object): Promise<string> => {
    const socket = connect({ port: tlsPort, host: '127.0.0.1', ...clientTls(null), ...options });
    t.teardown(() => socket.destroy());
    const failed = once(socket, 'error').then(([error]) => (error as Error).message);
    const done = once(socket, 'secureConnect').then(() => {
      return `${socket.getProtocol()} ${socket.getCipher().name}`;
    });
    return Promise.race([done, failed]);
  };
  t.equal(await spoken({}), 'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256');
  await plain.config('SET', 'tls-protocols', 'TLSv1.2', 'tls-ciphers', 'ECDHE-ECDSA-AES256-SHA384');
  t.equal(await spoken({}), 'TLSv1.2 ECDHE-ECDSA-AES256-SHA384');
  t.match(await spoken({ minVersion: 'TLSv1.3' }), /alert protocol version/);
  await plain.config('SET', 'tls-protocols', 'TLSv1.3');
  t.match(await spoken({ maxVersion: 'TLSv1.2' }), /alert protocol version/);
  await t.rejects(plain.config('SET', 'tls-protocols', 'SSLv3'), {
    message:
      "ERR CONFIG SET failed (possibly related to argument 'tls-protocols') - Unable to update TLS configuration. tls-protocols: give TLSv1.2, TLSv1.3, or both",
  });
  t.same(await plain.config('GET', 'tls-protocols'), ['tls-protocols', 'TLSv1.3']);
});

t.test('a certificate is renewed without a restart', async (t) => {
  const directory = t.testdir({});
  const use = (name: string): void => {
    for (const kind of ['crt', 'key'])
      copyFileSync(certificatePath(`${name}.${kind}`), join(directory, `own.${kind}`));
  };
  use('node');
  const files = ['cert', 'key'].flatMap((kind) => [
    `--tls-${kind}-file`,
    join(directory, `own.${kind === 'cert' ? 'crt' : 'key'}`),
  ]);
  const { run, port, tlsPort } = await start(t, ...files);
  const plain = clientOf(t, port);
  const old = redisOver(t, tlsPort);
  await old.ping();
  const shown = async (): Promise<string> => {
    const socket = connect({ port: tlsPort, host: '127.0.0.1', ...clientTls() });
    t.teardown(() => socket.destroy());
    await once(socket, 'secureConnect');
    return String(socket.getPeerCertificate().subject.CN);
  };
  t.equal(await shown(), 'node');

  use('renewed');
  t.equal(await shown(), 'node', 'not before it is told');
  run.child.kill('SIGHUP');
  await run.printed(/"subject":"CN=renewed"/);
  t.equal(await shown(), 'renewed');
  const { validTo } = new X509Certificate(readFileSync(certificatePath('renewed.crt')));
  t.equal(await fact(plain, 'tls_certificate_not_after'), Date.parse(validTo) / 1000);

  use('node');
  await plain.config('SET', 'tls-cert-file', join(directory, 'own.crt'));
  t.equal(await shown(), 'node', 'by CONFIG SET to the same name, as in Redis');

  copyFileSync(certificatePath('renewed.crt'), join(directory, 'own.crt'));
  run.child.kill('SIGHUP');
  await run.printed(/"reason":"tls-key-file: not the key of the certificate in tls-cert-file"/);
  t.equal(await shown(), 'node', 'what does not fit is not taken');
  await t.rejects(plain.config('SET', 'tls-key-file', '/none'), /tls-key-file: cannot read it: /);
  t.same(await plain.config('GET', 'tls-key-file'), ['tls-key-file', join(directory, 'own.key')]);
  t.equal(await old.ping(), 'PONG', 'who was there before has noticed nothing');
});

t.test('a key with a password', async (t) => {
  const encrypted = ['--tls-key-file', certificatePath('node-encrypted.key')];
  const { tlsPort } = await start(t, ...encrypted, '--tls-key-file-pass', 'only for tests');
  const client = redisOver(t, tlsPort);
  t.equal(await client.ping(), 'PONG');
  t.same(await client.config('GET', 'tls-key-file-pass'), []);
});

const bad: [string, Partial<Record<OptionName, string>>, RegExp][] = [
  ['no certificate', { 'tls-cert-file': '' }, /^tls-cert-file: TLS needs it$/],
  [
    'a file that is none',
    { 'tls-cert-file': certificatePath('make.sh') },
    /^tls-cert-file: no certificate: ./,
  ],
  [
    'the key of another one',
    { 'tls-key-file': certificatePath('client.key') },
    /^tls-key-file: not the key of the certificate in tls-cert-file$/,
  ],
  [
    'a password that is missing',
    { 'tls-key-file': certificatePath('node-encrypted.key') },
    /^tls-key-file: no key that can be used: ./,
  ],
  ['no CA to judge clients by', { 'tls-ca-cert-file': '' }, /^tls-ca-cert-file: TLS needs it$/],
  [
    'no CA to judge members by',
    { 'tls-ca-cert-file': '', 'tls-auth-clients': 'no', 'tls-cluster': 'yes' },
    /^tls-ca-cert-file: TLS needs it$/,
  ],
  ['ciphers that are none', { 'tls-ciphersuites': 'TLS_NONE' }, /^TLS: .*no cipher match/],
  ['a cipher of TLS 1.2', { 'tls-ciphersuites': 'AES256-SHA' }, /begin with TLS_$/],
];

t.test('certificates that cannot be used', async (t) => {
  const [, cert, , key, , ca] = nodeTls() as [string, string, string, string, string, string];
  const good = { 'tls-port': '1', 'tls-cert-file': cert, 'tls-key-file': key };
  for (const [what, texts, message] of bad) {
    const config = new Config({ ...good, 'tls-ca-cert-file': ca, ...texts });
    t.throws(() => readTlsMaterial(config), { name: 'OptionError', message }, what);
  }
  const run = tandis(t, 'server', '--tls-port', '1', ...nodeTls(), '--tls-cert-file', '/none');
  t.equal(await run.ended, 2);
  t.match(run.err, /^tandis: tls-cert-file: cannot read it: ENOENT: .*'\/none'\n$/);
  t.equal(run.out, '');
});

t.test('bytes without TLS on the TLS port get a clear answer', async (t) => {
  const { port, tlsPort } = await start(t);
  const plain = clientOf(t, port);
  const socket = connectPlain(tlsPort, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('*1\r\n$4\r\nPING\r\n');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'end');
  t.equal(text, '-ERR no TLS, on a port for it\r\n');
  t.equal(await fact(plain, 'tls_handshakes_failed'), 1);
});

/** Begins a handshake by its first message and says nothing more, or less than that. */
async function helloBytes(t: Test, tlsPort: number): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client: TLSSocket = connect({ port, host: '127.0.0.1', servername: `at-${tlsPort}` });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  t.ok(hello.length > 100);
  return hello;
}

t.test('a handshake that does not go on: TLS_HANDSHAKE_MS', async (t) => {
  const { port, tlsPort } = await start(t);
  const plain = clientOf(t, port);
  const from = performance.now();
  const socket = connectPlain(tlsPort, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(Buffer.from([22, 3, 1]));
  await becomes(plain, 'tls_handshakes', (value) => value === 1);
  await once(socket.resume(), 'close');
  t.ok(performance.now() - from > TLS_HANDSHAKE_MS - 500);
  t.equal(await fact(plain, 'tls_handshakes_failed'), 1);
});

t.test('a flood of half handshakes is bounded, and others go on', async (t) => {
  const { port, tlsPort, run } = await start(t);
  const plain = clientOf(t, port);
  const over = redisOver(t, tlsPort);
  await over.set('key', 'value');
  const hello = await helloBytes(t, tlsPort);
  const beginnings = [hello, hello.subarray(0, 3), hello.subarray(0, hello.length - 1)];
  const flood = await Flood.start(t, '127.0.0.1', tlsPort, 2 * TLS_HANDSHAKES, beginnings);
  const times = new Times();
  let most = 0;
  while (flood.opened < 4 * TLS_HANDSHAKES || times.count < 100) {
    for (let i = 0; i < 20; i++) t.equal(await times.of(() => over.get('key')), 'value');
    most = Math.max(most, await fact(plain, 'tls_handshakes'));
    t.equal(await ping(t, tlsPort, 'client'), '+PONG\r\n', 'a new client still comes in');
  }
  t.comment(`GET of another client during ${flood.opened} connections: ${times}`);
  t.ok(most > TLS_HANDSHAKES / 4 && most <= TLS_HANDSHAKES, `${most} under way at most`);
  await flood.end();
  await becomes(plain, 'tls_handshakes', (value) => value === 0);
  const failed = await fact(plain, 'tls_handshakes_failed');
  t.ok(failed >= 2 * TLS_HANDSHAKES, `${failed} have failed`);
  t.ok((await fact(plain, 'limit_tls_handshakes')) > 0, 'who had to go for others is counted');
  t.equal(run.child.exitCode, null);
});
