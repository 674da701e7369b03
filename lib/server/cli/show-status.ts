import { type Access, ask } from './asking.js';
import { showBytes, textTable } from './text-table.js';

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

/** What a member's INFO says; null where it does not answer. */
export function memberStatus(node: NodeLine, facts: Map<string, string> | null): MemberStatus {
  const number = (name: string): number | null => {
    const value = facts?.get(name);
    return value === undefined ? null : Number(value);
  };
  const settled = facts?.get('settled') === '1' ? 'settled' : 'settling';
  const serving = facts?.get('serving') === '1' ? settled : 'not serving';
  // A member inside an application has no port for clients.
  const silent = node.port === 0 ? 'in a process' : 'no answer';
  const state = node.flags.includes('leaving') ? 'leaving' : serving;
  return {
    id: node.id,
    address: `${node.host}:${node.port}`,
    zone: facts?.get('zone') ?? '',
    state: facts === null ? silent : state,
    primaries: number('primaries'),
    backups: number('backups'),
    keysWithoutBackup: number('keys_without_backup'),
    memoryBytes: number('used_memory'),
    operationsPerSecond: number('instantaneous_ops_per_sec'),
  };
}

async function statusOf(node: NodeLine, access: Access): Promise<MemberStatus> {
  const { host, port } = node;
  if (port === 0) return memberStatus(node, null);
  return ask(host, port, access, (client) => client.info('everything')).then(
    (text) => memberStatus(node, parseInfo(text)),
    () => memberStatus(node, null),
  );
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
  return `${textTable(rows, FIRST_NUMBER).join('\n')}\n`;
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
