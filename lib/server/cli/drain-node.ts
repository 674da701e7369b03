import { setTimeout as delay } from 'node:timers/promises';
import { ask, type NodeLine, parseClusterNodes, parseInfo } from './show-status.js';

/** Between two looks at what a leaving node still holds, milliseconds. */
const LOOK_MS = 250;
/** Others tell each other of a leaving within this; milliseconds. */
const SETTLE_MS_MAX = 30_000;
/** A leaving takes as long as leave-timeout lets it, and a day is the most that it can be set to; seconds. */
const LEAVE_S_MAX = 86_400;

export interface DrainOptions {
  readonly host: string;
  readonly port: number;
  /** Empty for none. */
  readonly password: string;
}

/**
 * `tandis drain`: the node hands everything over, answering all the while, and ends. Prints what it still holds, and at the end
 * whether every key has its two copies on the others. Exit status 1 when it stays, or cannot be reached.
 */
export async function drainNode(options: DrainOptions): Promise<number> {
  const { host, port } = options;
  try {
    const other = await otherMember(options);
    await leave(options);
    process.stdout.write(`${host}:${port} has left\n`);
    return await untilWhole(options, other);
  } catch (error) {
    process.stderr.write(`tandis: ${host}:${port}: ${(error as Error).message}\n`);
    return 1;
  }
}

/** One of the members that stay. */
async function otherMember({ host, port, password }: DrainOptions): Promise<NodeLine> {
  const text = await ask(host, port, password, (client) => client.cluster('NODES'));
  const members = parseClusterNodes(String(text));
  const other = members.find(({ flags }) => !/myself|leaving|fail/.test(flags));
  if (other === undefined) {
    throw new Error(
      'there is no other member that could take its keys; SHUTDOWN ends it all the same',
    );
  }
  return other;
}

async function leave(options: DrainOptions): Promise<void> {
  const { host, port, password } = options;
  const ended = ask(
    host,
    port,
    password,
    (client) =>
      client.call('SHUTDOWN').catch((error: Error) => {
        // A node that is done says nothing: it closes.
        if (!/closed/i.test(error.message)) throw error;
      }),
    LEAVE_S_MAX * 1000,
  );
  let isOver = false;
  const over = ended.finally(() => {
    isOver = true;
  });
  const watched = watch(options, () => isOver);
  await over;
  await watched;
}

async function watch({ host, port, password }: DrainOptions, isOver: () => boolean): Promise<void> {
  let said = '';
  while (!isOver()) {
    const facts = await factsOf(host, port, password);
    const text = `primaries ${facts?.get('primaries')}, backups ${facts?.get('backups')}\n`;
    if (facts !== null && text !== said) process.stdout.write(text);
    said = text;
    await delay(LOOK_MS);
  }
}

function factsOf(
  host: string,
  port: number,
  password: string,
): Promise<Map<string, string> | null> {
  return ask(host, port, password, (client) => client.info('everything')).then(
    parseInfo,
    () => null,
  );
}

async function untilWhole({ password }: DrainOptions, { host, port }: NodeLine): Promise<number> {
  const giveUpAt = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const facts = await factsOf(host, port, password);
    const missing = facts?.get('keys_without_backup');
    const members = facts?.get('members');
    if (missing === '0') {
      process.stdout.write(`${host}:${port} says: members ${members}, keys without backup 0\n`);
      return 0;
    }
    if (performance.now() > giveUpAt) {
      throw new Error(`${host}:${port} says: keys without backup ${missing ?? 'unknown'}`);
    }
    await delay(LOOK_MS);
  }
}
