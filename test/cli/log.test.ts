import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { textLine } from '../../lib/base/logger.js';
import { serves, startNode } from './processes.js';

t.test('a line of text says when, how bad, what, and the facts', async (t) => {
  const facts = { host: '::1', text: 'a b', list: [1, 2], empty: '' };
  const json = JSON.stringify({ level: 40, time: Date.UTC(2024, 4, 1), msg: 'event', ...facts });
  t.equal(
    textLine(json),
    '2024-05-01 00:00:00.000 # event host=::1 text="a b" list=[1,2] empty=""\n',
  );
});

t.test('a node whose log has no reader any more serves, and ends when told to', async (t) => {
  const { run, port } = await startNode(t);
  const client = await serves(t, port);
  run.child.stdout!.destroy();
  await client.config('SET', 'loglevel', 'debug');
  for (let i = 0; i < 3; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('*1\r\n!\r\n');
    await once(socket.resume(), 'close');
  }
  t.equal(await client.ping(), 'PONG');
  run.child.kill('SIGTERM');
  const [code] = await once(run.child, 'exit');
  t.equal(code, 0);
});

t.test('a node whose log is not read serves, and ends when told to', async (t) => {
  const { run, port } = await startNode(t, '--loglevel', 'debug');
  const client = await serves(t, port);
  run.child.stdout!.pause();
  // More lines than the pipe holds: "protocol error", with up to 100 bytes each.
  for (let i = 0; i < 40; i++) {
    const sockets = Array.from({ length: 50 }, () => connect(port, '127.0.0.1').resume());
    for (const socket of sockets) socket.on('error', () => undefined).write('*1\r\n!\r\n');
    await Promise.all(sockets.map((socket) => once(socket, 'close')));
  }
  t.equal(await client.ping(), 'PONG');
  run.child.kill('SIGTERM');
  const [code] = await once(run.child, 'exit');
  t.equal(code, 0);
  run.child.stdout!.resume();
});
