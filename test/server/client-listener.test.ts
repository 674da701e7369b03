import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Config } from '../../lib/base/config.js';
import {
  COMMANDS_PER_TURN,
  HELD_REPLIES_PAUSE,
  OUTPUT_PAUSE_BYTES,
} from '../../lib/base/limits.js';
import { silentLogger } from '../../lib/base/logger.js';
import type { OptionName } from '../../lib/base/options.js';
import { Users } from '../../lib/commands/acl/users.js';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { Statistics } from '../../lib/commands/statistics.js';
import type { Request } from '../../lib/protocol/request.js';
import type { ClientConnection } from '../../lib/server/client-connection.js';
import { ClientListener } from '../../lib/server/client-listener.js';
import type { ReadMode } from '../../lib/server/socket-reading.js';
import { TurnEnd } from '../../lib/server/turn-end.js';

const PING = '*1\r\n$4\r\nPING\r\n';

/** How often a client sends that does not notice that it was told to close. */
const SENDING_MS = 20;

/** A listener whose commands are PING, BIG n (n bytes), HOLD (waits for an ack), DEFER, QUIT, COUNT. */
async function start(t: Test, mode: ReadMode, options: Partial<Record<OptionName, string>> = {}) {
  const held: { client: ClientConnection; token: number }[] = [];
  const warnings: string[] = [];
  /** "warning" for each of them, "congested" when a client has more output than its requests are read with. */
  const events = new EventEmitter();
  let dispatched = 0;
  let outputBytesMax = 0;
  const config = new Config({ port: '0', ...options });
  const turnEnd = new TurnEnd();
  const listener = new ClientListener(
    {
      config,
      logger: {
        ...silentLogger,
        warn: (event) => {
          warnings.push(event);
          events.emit('warning');
        },
      },
      statistics: new Statistics(),
      users: new Users(config, createCommandTable()),
      tls: null,
      beginTurn: () => Date.now(),
      prefetch: () => undefined,
      departed: () => undefined,
      dispatch: (client: ClientConnection, request: Request) => {
        dispatched += 1;
        const name = request.latin1(0).toUpperCase();
        if (name === 'STOP' && held.length === 0) {
          held.push({ client, token: 0 });
          client.hold(request.copy());
          return;
        }
        if (name === 'BIG') client.reply.bulkLatin1('x'.repeat(Number(request.latin1(1))));
        else if (name === 'ECHO') client.reply.bulkLatin1(request.latin1(1));
        else client.reply.simple(name === 'PING' ? 'PONG' : 'OK');
        if (name === 'DEFER') {
          client.reply.truncate(client.reply.length - 5);
          held.push({ client, token: client.deferReply() });
          return;
        }
        const token = client.endReply(name === 'HOLD' ? 1 : 0);
        if (name === 'HOLD') held.push({ client, token });
        if (name === 'QUIT') client.closeAfterReplies();
        outputBytesMax = Math.max(outputBytesMax, client.outputBytes);
        if (client.outputBytes > OUTPUT_PAUSE_BYTES) events.emit('congested');
      },
    },
    turnEnd,
    mode,
  );
  turnEnd.steps.push(listener.inputs, listener.flushList);
  const { port } = await listener.listen();
  t.teardown(() => {
    listener.stopAccepting();
    listener.closeAll();
  });
  const counted = { dispatched: () => dispatched, outputBytesMax: () => outputBytesMax };
  return { listener, config, port, held, warnings, events, ...counted };
}

async function open(t: Test, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Reads until `length` bytes have come, or the end. */
function read(socket: Socket, length: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const finish = (): void => {
      socket.off('data', take).off('close', finish).pause();
      resolve(text);
    };
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (text.length >= length) finish();
    };
    socket.on('data', take).on('close', finish).resume();
  });
}

for (const mode of ['onread', 'stream'] as const) {
  t.test(`sockets read by ${mode}`, async (t) => {
    t.test('commands are answered in order, over any split of the input', async (t) => {
      const { port, listener } = await start(t, mode);
      const socket = await open(t, port);
      const input = `${PING}*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\nPING\r\n`;
      for (const byte of input) {
        socket.write(byte);
        await new Promise(setImmediate);
      }
      t.equal(await read(socket, 25), '+PONG\r\n$5\r\nhello\r\n+PONG\r\n');
      t.equal(listener.size, 1);
      socket.end();
      while (listener.size > 0) await new Promise(setImmediate);
      t.equal(socket.destroyed || socket.writableEnded, true);
    });

    t.test('a value larger than the shared buffer comes back whole', async (t) => {
      const { port } = await start(t, mode);
      const socket = await open(t, port);
      const value = 'abcdefgh'.repeat(50_000);
      socket.write(`*2\r\n$4\r\nECHO\r\n$${value.length}\r\n${value}\r\n`);
      const expected = `$${value.length}\r\n${value}\r\n`;
      t.ok((await read(socket, expected.length)) === expected);
    });

    t.test('held and deferred replies keep the order of the commands', async (t) => {
      const { port, held } = await start(t, mode);
      const socket = await open(t, port);
      socket.write('PING\r\nHOLD\r\nDEFER\r\nPING\r\n');
      t.equal(await read(socket, 7), '+PONG\r\n');
      const [hold, defer] = held;
      defer!.client.complete(defer!.token, Buffer.from(':1\r\n'));
      hold!.client.acknowledged(hold!.token);
      t.equal(await read(socket, 16), '+OK\r\n:1\r\n+PONG\r\n');
      socket.write('HOLD\r\n');
      while (held.length < 3) await new Promise(setImmediate);
      held[2]!.client.fail(held[2]!.token, 'ERR lost');
      t.equal(await read(socket, 11), '-ERR lost\r\n');
    });

    t.test('commands behind the one that ends the connection are not run', async (t) => {
      const { port, dispatched } = await start(t, mode);
      const socket = await open(t, port);
      socket.write(`${PING}QUIT\r\n${PING.repeat(40)}`);
      t.equal(await read(socket, 1000), '+PONG\r\n+OK\r\n');
      t.equal(dispatched(), 2);
    });

    t.test('what a client has sent is run, also when it closes at once', async (t) => {
      const { port, dispatched, listener } = await start(t, mode);
      for (const end of [
        (socket: Socket) => socket.end(),
        (socket: Socket) => socket.resetAndDestroy(),
      ]) {
        const before = dispatched();
        const socket = await open(t, port);
        socket.write(PING.repeat(30), () => end(socket));
        while (listener.size > 0) await new Promise(setImmediate);
        // A reset may overtake the data in the kernel: then none of it has arrived.
        if (dispatched() !== before) t.equal(dispatched(), before + 30);
      }
      t.ok(dispatched() >= 30);
    });

    t.test('a command that stops its connection in the middle of a pipeline', async (t) => {
      const { port, held, dispatched } = await start(t, mode);
      const socket = await open(t, port);
      socket.write(`${PING}STOP\r\n${PING.repeat(20)}`);
      while (held.length === 0) await new Promise(setImmediate);
      t.equal(dispatched(), 2, 'nothing behind it runs');
      held[0]!.client.release();
      const replies = `+PONG\r\n+OK\r\n${'+PONG\r\n'.repeat(20)}`;
      t.equal(await read(socket, replies.length), replies);
      t.equal(dispatched(), 23, 'the held command once more, and all behind it');
    });

    t.test('a pipeline deeper than one turn takes is answered whole', async (t) => {
      const { port, dispatched, listener } = await start(t, mode);
      const socket = await open(t, port);
      const count = COMMANDS_PER_TURN * 3 + 7;
      socket.write(PING.repeat(count));
      t.equal((await read(socket, 7 * count)).length, 7 * count);
      t.equal(dispatched(), count);
      t.ok(listener.statistics.limits.all.get('turn')! > 0, 'that it had to wait is counted');
    });

    t.test('a client that awaits too many replies is not read meanwhile', async (t) => {
      const { port, dispatched, held, listener } = await start(t, mode);
      const socket = await open(t, port);
      const count = 2 * HELD_REPLIES_PAUSE;
      socket.write('HOLD\r\n'.repeat(count));
      const { limits } = listener.statistics;
      while (limits.all.get('awaited-replies') === 0) await new Promise(setImmediate);
      const before = dispatched();
      t.ok(
        before > HELD_REPLIES_PAUSE && before <= HELD_REPLIES_PAUSE + COMMANDS_PER_TURN,
        `${before}`,
      );
      const acknowledge = setInterval(() => {
        for (const { client, token } of held.splice(0)) client.acknowledged(token);
      }, 1);
      t.teardown(() => clearInterval(acknowledge));
      t.equal((await read(socket, 5 * count)).length, 5 * count);
      t.equal(dispatched(), count);
    });

    t.test(
      'a client that does not read is not read either, and goes on where it stopped',
      async (t) => {
        const { port, dispatched, outputBytesMax, events, listener } = await start(t, mode);
        const socket = await open(t, port);
        const size = 100_000;
        const count = 1000;
        const congested = once(events, 'congested');
        socket.write(`*2\r\n$3\r\nBIG\r\n$6\r\n${size}\r\n`.repeat(count));
        await congested;
        t.ok(dispatched() < count, `stopped after ${dispatched()} of ${count} commands`);
        const reply = `$${size}\r\n${'x'.repeat(size)}\r\n`;
        t.equal((await read(socket, reply.length * count)).length, reply.length * count);
        t.equal(dispatched(), count);
        t.ok(listener.statistics.limits.all.get('unread-replies')! > 0);
        // What the socket has not taken, and what was run on top of it.
        t.ok(outputBytesMax() < 2 * (OUTPUT_PAUSE_BYTES + reply.length), `${outputBytesMax()} B`);
      },
    );

    t.test(
      'output past client-output-buffer-limit closes the client, with a warning',
      async (t) => {
        const limits = { 'client-output-buffer-limit': 'normal 8mb 0 0' };
        const { port, warnings, events } = await start(t, mode, limits);
        const socket = await open(t, port);
        const warned = once(events, 'warning');
        const closed = once(socket, 'close');
        socket.write(`*2\r\n$3\r\nBIG\r\n$8\r\n${32 * OUTPUT_PAUSE_BYTES}\r\n`);
        socket.resume();
        socket.pause();
        await warned;
        t.match(warnings, ['client closed: output buffer limit']);
        socket.resume();
        await closed;
      },
    );

    t.test('output past the soft limit for its seconds closes the client', async (t) => {
      const limits = { 'client-output-buffer-limit': 'normal 0 1mb 1' };
      const { port, warnings, events } = await start(t, mode, limits);
      const socket = await open(t, port);
      const warned = once(events, 'warning');
      const closed = once(socket, 'close');
      socket.pause();
      socket.write(`*2\r\n$3\r\nBIG\r\n$8\r\n${32 * OUTPUT_PAUSE_BYTES}\r\n`);
      await warned;
      t.match(warnings, ['client closed: output buffer limit']);
      socket.resume();
      await closed;
    });

    t.test('a protocol error is answered behind the replies before it, then closed', async (t) => {
      const { port } = await start(t, mode);
      const socket = await open(t, port);
      socket.write(`${PING}*1\r\n:3\r\nPING\r\n`);
      t.match(
        await read(socket, 1000),
        /^\+PONG\r\n-ERR Protocol error: expected '\$', got ':'\r\n$/,
      );
    });

    t.test(
      'who goes on after a protocol error is closed before others that do not close',
      async (t) => {
        const { port } = await start(t, mode);
        const [quits, breaks] = [0, 1].map(() => {
          const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
          t.teardown(() => socket.destroy());
          socket.on('error', () => undefined);
          return socket;
        });
        quits!.write('QUIT\r\n');
        t.equal(await read(quits!, 5), '+OK\r\n');
        const closed = new Promise((resolve) => breaks!.once('close', resolve));
        breaks!.write('*1\r\n:3\r\nPING\r\n');
        t.match(await read(breaks!, 30), /^-ERR Protocol error/);
        const sending = setInterval(() => breaks!.resume().write('x'), SENDING_MS);
        await closed;
        clearInterval(sending);
        t.notOk(quits!.closed, 'which was told to close earlier');
      },
    );

    t.test('QUIT is answered, what follows it is not run', async (t) => {
      const { port, dispatched } = await start(t, mode);
      const socket = await open(t, port);
      socket.write('PING\r\nQUIT\r\nPING\r\n');
      t.equal(await read(socket, 1000), '+PONG\r\n+OK\r\n');
      t.equal(dispatched(), 2);
    });

    t.test('a client that has said all it wants still gets its replies', async (t) => {
      const { port, held } = await start(t, mode);
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      t.teardown(() => socket.destroy());
      socket.end('PING\r\nHOLD\r\n');
      t.equal(await read(socket, 7), '+PONG\r\n');
      held[0]!.client.acknowledged(held[0]!.token);
      t.equal(await read(socket, 1000), '+OK\r\n');
    });

    t.test('replies for a client that has gone are dropped', async (t) => {
      const { port, held, listener } = await start(t, mode);
      const socket = await open(t, port);
      socket.write('HOLD\r\n');
      while (held.length === 0) await new Promise(setImmediate);
      socket.resetAndDestroy();
      while (listener.size > 0) await new Promise(setImmediate);
      t.doesNotThrow(() => held[0]!.client.acknowledged(held[0]!.token));
      const other = await open(t, port);
      other.write(PING);
      t.equal(await read(other, 7), '+PONG\r\n');
    });

    t.test('clients past maxclients are told so', async (t) => {
      const { port, config, listener } = await start(t, mode, { maxclients: '1' });
      const first = await open(t, port);
      const second = await open(t, port);
      t.equal(await read(second, 1000), '-ERR max number of clients reached\r\n');
      t.equal(listener.statistics.connectionsRejected, 1);
      config.change([['maxclients', '2']]);
      const third = await open(t, port);
      third.write(PING);
      t.equal(await read(third, 7), '+PONG\r\n');
      first.write(PING);
      t.equal(await read(first, 7), '+PONG\r\n');
    });

    t.test(
      'a client that idles past timeout is closed, one that waits for a reply is not',
      async (t) => {
        const { port, held, listener } = await start(t, mode, { timeout: '1' });
        const waiting = await open(t, port);
        waiting.write('HOLD\r\n');
        const idle = await open(t, port);
        await once(idle.resume(), 'close');
        t.equal(listener.statistics.clientsClosed.idle, 1);
        held[0]!.client.acknowledged(held[0]!.token);
        t.equal(await read(waiting, 5), '+OK\r\n');
      },
    );
  });
}
