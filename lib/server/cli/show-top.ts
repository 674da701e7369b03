import { setTimeout as delay } from 'node:timers/promises';
import { VERSION } from '../../base/package.js';
import type { Access } from './asking.js';
import { type MemberFigures, MembersLook } from './members-look.js';
import { eventText, lastEvents } from './show-events.js';
import { showBytes, textTable } from './text-table.js';

/** Events below the members, at most. */
const EVENTS_SHOWN = 8;
const CTRL_C = '\x03';
const BOLD = '\x1b[1m';
const REVERSE = '\x1b[7m';
const PLAIN = '\x1b[0m';
/** The terminal's other screen, without a cursor, and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_END_OF_LINE = '\x1b[K';
const TO_END_OF_SCREEN = '\x1b[J';

export interface TopOptions extends Access {
  readonly host: string;
  readonly port: number;
  /** Seconds between two looks. */
  readonly interval: number;
  readonly once: boolean;
}

const count = (value: number | null): string => (value === null ? '-' : String(value));

const COLUMNS: [string, (member: MemberFigures) => string][] = [
  ['member', (member) => member.address],
  ['zone', (member) => member.zone || '-'],
  ['state', (member) => member.state],
  ['primaries', (member) => count(member.primaries)],
  ['backups', (member) => count(member.backups)],
  ['no backup', (member) => count(member.keysWithoutBackup)],
  ['memory', (member) => showBytes(member.memoryBytes)],
  ['clients', (member) => count(member.clients)],
  ['ops/s', (member) => count(member.operationsPerSecond)],
  ['ping ms', (member) => member.pingMs?.toFixed(1) ?? '-'],
];
const FIRST_NUMBER = 3;

/** One line over all members: what an operator looks at first. */
function summary(members: readonly MemberFigures[]): string {
  const answering = members.filter(({ pingMs }) => pingMs !== null);
  const sum = (of: (member: MemberFigures) => number | null): number =>
    answering.reduce((total, member) => total + (of(member) ?? 0), 0);
  // Each says how many there are in the whole cluster, as far as it knows.
  const without = Math.max(0, ...answering.map((member) => member.keysWithoutBackup ?? 0));
  const view = Math.max(0, ...answering.map((member) => member.view ?? 0));
  const facts = [
    `view ${view}`,
    `${answering.length} of ${members.length} members answer`,
    `${sum((member) => member.primaries)} keys, ${without} without a backup`,
    `${sum((member) => member.operationsPerSecond)} ops/s`,
  ];
  return `tandis ${VERSION}: ${facts.join(', ')}`;
}

/** The lines of one look; the first one sums up, the second one has the titles. */
export function topLines(members: readonly MemberFigures[]): string[] {
  const titles = COLUMNS.map(([title]) => title);
  const rows = members.map((member) => COLUMNS.map(([, show]) => show(member)));
  return [summary(members), ...textTable([titles, ...rows], FIRST_NUMBER)];
}

/** What fits on a screen of that size: members first, then as many events as there is room for, the newest of them. */
export function topScreen(
  lines: readonly string[],
  events: readonly string[],
  { columns, rows }: { readonly columns: number; readonly rows: number },
): string {
  const room = Math.max(rows - 1, 1);
  const hidden = lines.length - room;
  const shown = hidden > 0 ? [...lines.slice(0, room - 1), `${hidden + 1} more`] : [...lines];
  const left = room - shown.length - 2;
  if (left > 0 && events.length > 0) shown.push('', 'last events', ...events.slice(-left));
  const cut = shown.map((line) => line.slice(0, columns));
  const styled = cut.map((line, i) => {
    if (i === 0 || line === 'last events') return `${BOLD}${line}${PLAIN}`;
    return i === 1 ? `${REVERSE}${line.padEnd(columns)}${PLAIN}` : line;
  });
  const text = styled.map((line) => `${line}${TO_END_OF_LINE}\r\n`).join('');
  return `${HOME}${text}${TO_END_OF_SCREEN}q ends`;
}

/** `tandis top`: exit status 1 when no member answers, in a terminal only if that is so from the beginning. */
export async function showTop(options: TopOptions): Promise<number> {
  const look = new MembersLook(options.host, options.port, options);
  try {
    const lines = topLines(await look.look());
    if (options.once || !process.stdout.isTTY) process.stdout.write(`${lines.join('\n')}\n`);
    else await watch(look, options, lines);
    return 0;
  } catch (error) {
    process.stderr.write(`tandis: ${options.host}:${options.port}: ${(error as Error).message}\n`);
    return 1;
  } finally {
    look.close();
  }
}

/** Shows one look after the other until the reader has enough. */
async function watch(look: MembersLook, options: TopOptions, first: string[]): Promise<void> {
  const { stdin, stdout } = process;
  const over = new AbortController();
  const end = (): void => over.abort();
  const key = (bytes: Buffer): void => {
    if (['q', 'Q', CTRL_C].includes(bytes.toString('latin1'))) end();
  };
  let lines = first;
  let events: string[] = [];
  const draw = (): void => {
    // Some terminals do not say how large they are.
    const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 };
    stdout.write(topScreen(lines, events, size));
  };
  stdin.setRawMode?.(true);
  stdin.on('data', key);
  stdout.on('resize', draw);
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(signal, end);
  stdout.write(ENTER);
  try {
    while (!over.signal.aborted) {
      draw();
      await delay(options.interval * 1000, null, { signal: over.signal }).catch(() => undefined);
      lines = await look.look().then(topLines, (error: Error) => [error.message]);
      const happened = await lastEvents(options, EVENTS_SHOWN).catch(() => []);
      if (happened.length > 0) events = happened.map(eventText);
    }
  } finally {
    stdout.write(LEAVE);
    stdin.setRawMode?.(false);
    stdin.off('data', key);
    stdin.pause();
    stdout.off('resize', draw);
  }
}
