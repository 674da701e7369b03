import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import t from 'tap';
import { clientOf, startNode } from '../cli/processes.js';

/** An address of this machine that is not loopback. */
const outside = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

async function answer(port: number, host: string): Promise<string> {
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('PING\r\n');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return bytes.toString();
}

t.test(
  'without a password nobody from elsewhere is let in',
  { skip: outside === undefined && 'this machine has no address but loopback' },
  async (t) => {
    const { port } = await startNode(t, '--bind', '0.0.0.0', '--cluster-insecure', 'yes');
    const admin = clientOf(t, port);
    const refused = /^-DENIED Redis is running in protected mode /;
    t.match(await answer(port, outside!), refused);
    t.equal(await answer(port, '127.0.0.1'), '+PONG\r\n');
    await admin.config('SET', 'protected-mode', 'no');
    t.equal(await answer(port, outside!), '+PONG\r\n');
    await admin.config('SET', 'protected-mode', 'yes');
    t.match(await answer(port, outside!), refused);
    await admin.acl('SETUSER', 'default', 'resetpass', '>secret');
    t.match(await answer(port, outside!), /^-NOAUTH /);
  },
);
