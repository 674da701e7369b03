import { Config } from '../base/config.js';
import { garbageCollector } from '../base/garbage.js';
import { silentLogger } from '../base/logger.js';
import { type Command, LocalClient } from './local-client.js';
import { TandisServer } from './server.js';

/**
 * One node after the other: what V8 compiles while there is only one of everything is bound to those very objects, and
 * dropped when there are others. With a second node it learns what holds for any, the real one as well.
 */
const NODES = 2;
const CLIENTS = 10;
/** Commands that a client sends together; those of one batch in `BATCHES_PER_SINGLE` are sent one by one. */
const PIPELINED = 16;
const BATCHES_PER_SINGLE = 16;
const VALUES = [200, 500, 1000, 2000].map((bytes) => Buffer.alloc(bytes, 'x'));
const EXPIRY_SECONDS = 600;

/** What is done with session number `session` of a client in its life: `COMMANDS_PER_SESSION` commands. */
function sessionOf(client: number, session: number): Command[] {
  const key = `session:${client}:${session}`;
  const value = (use: number): Buffer => VALUES[(session + use) % VALUES.length]!;
  const other: Command[] = [
    ['HSET', `cart:${key}`, 'item', session],
    ['HGETALL', `cart:${client}:0`],
    ['INCR', `hits:${client}`],
    ['DEL', key],
  ];
  return [
    ['SET', key, value(0), 'EX', EXPIRY_SECONDS],
    ['GET', key],
    ['EXPIRE', key, EXPIRY_SECONDS],
    ['SET', key, value(1), 'EX', EXPIRY_SECONDS],
    ['GET', key],
    ['SET', `${key}:page`, value(2), 'EX', EXPIRY_SECONDS],
    ['GET', `${key}:none`],
    other[session % other.length]!,
  ];
}

const COMMANDS_PER_SESSION = sessionOf(0, 0).length;
const SESSIONS_PER_BATCH = PIPELINED / COMMANDS_PER_SESSION;

/** Resolves to the number of commands that were served: one that meets an error costs nothing but its turn. */
async function browse(client: LocalClient, number: number, batches: number): Promise<number> {
  let served = 0;
  const serve = async (command: Command): Promise<void> => {
    await client.callBuffer(...command).then(
      () => served++,
      () => undefined,
    );
  };
  for (let batch = 0; batch < batches; batch++) {
    const commands = Array.from({ length: SESSIONS_PER_BATCH }, (_, i) =>
      sessionOf(number, batch * SESSIONS_PER_BATCH + i),
    ).flat();
    if (batch % BATCHES_PER_SINGLE === BATCHES_PER_SINGLE - 1) {
      for (const command of commands) await serve(command);
    } else {
      await Promise.all(commands.map(serve));
    }
  }
  return served;
}

/** A node that nobody reaches serves about so many commands, and is gone. Resolves to how many it has served. */
async function serveInPrivate(commands: number): Promise<number> {
  let ended!: () => void;
  const stopped = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const server = new TandisServer({
    config: new Config(),
    isIsolated: true,
    logger: silentLogger,
    onStopped: ended,
  });
  await server.start();
  const batches = Math.ceil(commands / CLIENTS / PIPELINED);
  const clients = Array.from({ length: CLIENTS }, () => new LocalClient(server.locals, false));
  const served = await Promise.all(
    clients.map((client, number) => browse(client, number, batches)),
  );
  server.stopNow();
  await stopped;
  return served.reduce((sum, count) => sum + count, 0);
}

/**
 * Lets V8 compile what serves commands, before there is anybody who would wait for it: nodes of this process's own, without
 * ports and files, serve about so many commands of session traffic, and are thrown away with all that they held. Resolves to
 * how many were served.
 */
export async function warmUp(commands: number): Promise<number> {
  let served = 0;
  for (let node = 0; node < NODES; node++) served += await serveInPrivate(commands / NODES);
  garbageCollector()();
  return served;
}
