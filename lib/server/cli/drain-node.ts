import { setTimeout as delay } from 'node:timers/promises';
import { type Access, ask } from './asking.js';
import { type NodeLine, parseClusterNodes, parseInfo } from './show-status.js';

/** Between two looks at what a leaving node still holds, milliseconds. */
const LOOK_MS = 250;
const STAYS =
  'it stays: leave-timeout was over before others had all it held, or SHUTDOWN ABORT came; its log says which';
/** Others tell each other of a leaving within this; milliseconds. */
const SETTLE_MS_MAX = 30_000;
/** A leaving takes as long as leave-timeout lets it, and a day is the most that it can be set to; seconds. */
const LEAVE_S_MAX = 86_400;

export interface DrainOptions extends Access {
  readonly host: string;
  readonly port: number;
}

/**
 * `tandis drain`: the node hands everything over, answering all the while, and ends. Prints what it still holds, and at the end
 * whether every key has its two copies on the others, or that only one is left. Exit status 1 when it stays, or cannot be reached.
 */
export async function drainNode(options: DrainOptions): Promise<number> {
  const { host, port } = options;
  try {
    const members = await membersAt(options, options);
    const other = whoStays(members);
    const id = members.find(({ flags }) => flags.includes('myself'))?.id;
    await leave(options);
    process.stdout.write(`${host}:${port} has left\n`);
    return await untilWhole(options, other, id);
  } catch (error) {
    process.stderr.write(`tandis: ${host}:${port}: ${(error as Error).message}\n`);
    return 1;
  }
}

async function membersAt({ host, port }: Place, access: Access): Promise<NodeLine[]> {
  const text = await ask(host, port, access, (client) => client.cluster('NODES'));
  return parseClusterNodes(String(text)).filter(({ flags }) => !flags.includes('fail'));
}

/** One of the members that stay; one that can be asked, where there is one (a member in an application has no port). */
function whoStays(members: readonly NodeLine[]): NodeLine {
  const staying = members.filter(({ flags }) => !/myself|leaving/.test(flags));
  const other = staying.find(({ port }) => port !== 0) ?? staying[0];
  if (other === undefined) {
    throw new Error(
      'there is no other member that could take its keys; SHUTDOWN ends it all the same',
    );
  }
  return other;
}

async function leave(options: DrainOptions): Promise<void> {
  const { host, port } = options;
  const ended = ask(
    host,
    port,
    options,
    (client) =>
      client.call('SHUTDOWN').catch((error: Error) => {
        // A node that is done says nothing: it closes.
        if (/closed/i.test(error.message)) return;
        throw /^ERR Errors trying/.test(error.message) ? new Error(STAYS) : error;
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

async function watch(options: DrainOptions, isOver: () => boolean): Promise<void> {
  let said = '';
  while (!isOver()) {
    const facts = await factsOf(options, options);
    const text = `primaries ${facts?.get('primaries')}, backups ${facts?.get('backups')}\n`;
    if (facts !== null && text !== said) process.stdout.write(text);
    said = text;
    await delay(LOOK_MS);
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
}

function factsOf({ host, port }: Place, access: Access): Promise<Map<string, string> | null> {
  return ask(host, port, access, (client) => client.info('everything')).then(parseInfo, () => null);
}

/**
 * Waits for the one that stays to be in a view without `gone`: before that it speaks of a cluster that has both, and finds
 * nothing amiss.
 */
async function untilWhole(
  access: Access,
  stayer: NodeLine,
  gone: string | undefined,
): Promise<number> {
  const { host, port } = stayer;
  const giveUpAt = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const members = await membersAt(stayer, access).catch(() => null);
    const facts = await factsOf(stayer, access);
    const missing = facts?.get('keys_without_backup') ?? 'unknown';
    const count = facts?.get('members') ?? 'unknown';
    const says = `${host}:${port} says: members ${count}, keys without backup ${missing}`;
    if (members?.every(({ id }) => id !== gone)) {
      if (members.length === 1) {
        process.stdout.write(`${host}:${port} is alone now: its keys have one copy each\n`);
        return 0;
      }
      if (missing === '0') {
        process.stdout.write(`${says}\n`);
        return 0;
      }
    }
    if (performance.now() > giveUpAt) throw new Error(says);
    await delay(LOOK_MS);
  }
}
