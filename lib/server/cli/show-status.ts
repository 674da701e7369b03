import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';

/** Milliseconds that a node has to answer. */
const ANSWER_MS = 2000;

/** How nodes are asked. */
export interface Access {
  /** Whose password it is; empty for the default user. */
  readonly user: string;
  /** Empty for none. */
  readonly password: string;
  /** Undefined for none. */
  readonly tls: ConnectionOptions | undefined;
}

export interface StatusOptions extends Access {
  readonly host: string;
  readonly port: number;
  readonly json: boolean;
}

/** One member of a cluster, as it says of itself; null where it does not answer. */
export interface MemberStatus {
  readonly id: string;
  readonly address: string;
  readonly zone: string;
  readonly state: string;
  readonly primaries: number | null;
  readonly backups: number | null;
  readonly keysWithoutBackup: number | null;
  readonly memoryBytes: number | null;
  readonly operationsPerSecond: number | null;
}

export interface NodeLine {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly flags: string;
}

/** "<id> <host>:<port>@<bus port> <flags> ...": lines of CLUSTER NODES. */
export function parseClusterNodes(text: string): NodeLine[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.flatMap((line) => {
    const [id, address, flags] = line.split(' ');
    const match = /^(.*):(\d+)@\d+/.exec(address ?? '');
    if (id === undefined || match === null) return [];
    return [{ id, host: match[1]!, port: Number(match[2]), flags: flags ?? '' }];
  });
}

/** "name:value" lines of INFO. */
export function parseInfo(text: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) facts.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return facts;
}

/** Asks a node over a connection of its own, which has so many milliseconds for each answer. */
export async function ask<Answer>(
  host: string,
  port: number,
  { user, password, tls }: Access,
  question: (client: Redis) => Promise<Answer>,
  answerMs = ANSWER_MS,
): Promise<Answer> {
  const client = new Redis({
    host,
    port,
    ...(password === '' ? {} : { password }),
    ...(user === '' ? {} : { username: user }),
    ...(tls === undefined ? {} : { tls }),
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    connectTimeout: ANSWER_MS,
    commandTimeout: answerMs,
  });
  // The error that matters is the one that the question ends with.
  let failure: Error | undefined;
  client.on('error', (error) => {
    failure ??= error;
  });
  try {
    await client.connect();
    return await question(client);
  } catch (error) {
    throw failure ?? error;
  } finally {
    client.disconnect();
  }
}

async function statusOf(node: NodeLine, access: Access): Promise<MemberStatus> {
  const known = { id: node.id, address: `${node.host}:${node.port}` };
  const unknown = { primaries: null, backups: null, keysWithoutBackup: null, memoryBytes: null };
  const silent = { ...known, zone: '', ...unknown, operationsPerSecond: null };
  if (node.port === 0) return { ...silent, state: 'in a process' };
  let facts: Map<string, string>;
  try {
    const text = await ask(node.host, node.port, access, (client) => client.info('everything'));
    facts = parseInfo(text);
  } catch {
    return { ...silent, state: 'no answer' };
  }
  const number = (name: string): number | null =>
    facts.has(name) ? Number(facts.get(name)) : null;
  const settled = facts.get('settled') === '1' ? 'settled' : 'settling';
  const serving = facts.get('serving') === '1' ? settled : 'not serving';
  return {
    ...known,
    zone: facts.get('zone') ?? '',
    state: node.flags.includes('leaving') ? 'leaving' : serving,
    primaries: number('primaries'),
    backups: number('backups'),
    keysWithoutBackup: number('keys_without_backup'),
    memoryBytes: number('used_memory'),
    operationsPerSecond: number('instantaneous_ops_per_sec'),
  };
}

function showBytes(bytes: number | null): string {
  if (bytes === null) return '-';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = bytes === 0 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

const COLUMNS: [string, (member: MemberStatus) => string][] = [
  ['address', (member) => member.address],
  ['zone', (member) => member.zone || '-'],
  ['state', (member) => member.state],
  ['primaries', (member) => String(member.primaries ?? '-')],
  ['backups', (member) => String(member.backups ?? '-')],
  ['without backup', (member) => String(member.keysWithoutBackup ?? '-')],
  ['memory', (member) => showBytes(member.memoryBytes)],
  ['ops/s', (member) => String(member.operationsPerSecond ?? '-')],
];
/** Columns from here on hold numbers, aligned to the right. */
const FIRST_NUMBER = 3;

export function statusTable(members: readonly MemberStatus[]): string {
  const rows = [
    COLUMNS.map(([title]) => title),
    ...members.map((m) => COLUMNS.map(([, f]) => f(m))),
  ];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i < FIRST_NUMBER ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** `tandis status`: prints what the members say; the exit status is 1 when the node asked does not answer. */
export async function showStatus(options: StatusOptions): Promise<number> {
  const { host, port, json } = options;
  let nodes: NodeLine[];
  try {
    const text = await ask(host, port, options, (client) => client.cluster('NODES'));
    nodes = parseClusterNodes(String(text));
  } catch (error) {
    process.stderr.write(`tandis: ${host}:${port}: ${(error as Error).message}\n`);
    return 1;
  }
  const members = await Promise.all(nodes.map((node) => statusOf(node, options)));
  process.stdout.write(json ? `${JSON.stringify(members, null, 2)}\n` : statusTable(members));
  return 0;
}
