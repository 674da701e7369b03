import type { Reply } from '../support/resp.js';
import { RANDOM, UNORDERED, UNORDERED_SCANS } from './random-collections.js';
import { DISTANCES_KEY } from './random-geo.js';

/** How far clocks of the two may be apart when they show the same expiry. */
const CLOCK_TOLERANCE_MS = 2000;

export interface Answer {
  readonly reply: Reply;
  readonly bytes: string;
}

export const itemsOf = (reply: Reply): readonly Reply[] => ('items' in reply ? reply.items : []);
export const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');
/** References of an object that all keys with its value have in common. */
const SHARED = '2147483647';
const sorted = (replies: readonly Reply[]) => replies.map((one) => JSON.stringify(one)).sort();

const milliseconds: Readonly<Record<string, number>> = {
  TTL: 1000,
  EXPIRETIME: 1000,
  PTTL: 1,
  PEXPIRETIME: 1,
};

/** What ends a transaction. */
export const END_TRANSACTION = ['EXEC', 'DISCARD'];

const asAnswer = (reply: Reply): Answer => ({ reply, bytes: JSON.stringify(reply) });

/** What a client has queued since MULTI, by the replies. */
export class Queue {
  #commands: (readonly string[])[] | null = null;

  /** The commands that this one runs; null for a command that is none of a transaction's. */
  ran(command: readonly string[], reply: Reply): readonly (readonly string[])[] | null {
    const name = command[0]!.toUpperCase();
    const commands = this.#commands;
    if (name === 'MULTI' && textOf(reply) === 'OK') this.#commands = [];
    else if (textOf(reply) === 'QUEUED') commands?.push(command);
    else if (END_TRANSACTION.includes(name)) this.#commands = null;
    return name === 'EXEC' ? commands : null;
  }
}

export function isSameExec(
  commands: readonly (readonly string[])[],
  ours: Answer,
  theirs: Answer,
): boolean {
  const [a, b] = [itemsOf(ours.reply), itemsOf(theirs.reply)];
  return (
    a.length === commands.length &&
    b.length === commands.length &&
    commands.every((command, i) => isSame(command, asAnswer(a[i]!), asAnswer(b[i]!)))
  );
}

/** Whether two replies say the same, but for what Redis leaves open. */
export function isSame(command: readonly string[], ours: Answer, theirs: Answer): boolean {
  if (ours.bytes === theirs.bytes) return true;
  const name = command[0]!.toUpperCase();
  const [a, b] = [ours.reply, theirs.reply];
  if (a.type !== b.type) return false;
  const unitMs = milliseconds[name];
  if (unitMs !== undefined && a.type === ':') {
    const [x, y] = [Number(textOf(a)), Number(textOf(b))];
    // Expiries beyond 2^53 ms, 285,000 years, are kept as that moment.
    if (Math.min(x, y) * unitMs > 2 ** 52) return true;
    return x > 0 && y > 0 && Math.abs(x - y) * unitMs <= CLOCK_TOLERANCE_MS;
  }
  const together = UNORDERED[name];
  if (together !== undefined) return isSameInAnyOrder(itemsOf(a), itemsOf(b), together);
  const scanned = UNORDERED_SCANS[name];
  if (scanned !== undefined) {
    const [[ourCursor, ourItems], [theirCursor, theirItems]] = [itemsOf(a), itemsOf(b)];
    if (!ourCursor || !ourItems || !theirCursor || !theirItems) return false;
    const isSameCursor = textOf(ourCursor) === textOf(theirCursor);
    return isSameCursor && isSameInAnyOrder(itemsOf(ourItems), itemsOf(theirItems), scanned);
  }
  if (RANDOM.includes(name)) return isSameShape(a, b);
  if (hasDistances(name, command)) return areSameDistances(a, b);
  switch (name) {
    case 'KEYS':
      return String(sorted(itemsOf(a))) === String(sorted(itemsOf(b)));
    case 'SCAN': {
      const [ourCursor, ourKeys] = itemsOf(a);
      const [theirCursor, theirKeys] = itemsOf(b);
      if (!ourKeys || !theirKeys || !ourCursor || !theirCursor) return false;
      return (
        textOf(ourCursor) === textOf(theirCursor) &&
        String(sorted(itemsOf(ourKeys))) === String(sorted(itemsOf(theirKeys)))
      );
    }
    case 'WAIT':
      return a.type === ':' && (textOf(a) === '0' || textOf(a) === '1');
    case 'RANDOMKEY':
      return a.type === '$';
    case 'OBJECT':
      // Redis has one object for all keys with the same small integer, and shows when that was used.
      if (command[1]!.toUpperCase() === 'IDLETIME') return a.type === ':';
      // A copy that COPY has made of one has that object for itself, and EXEC holds on to the arguments of its commands.
      return textOf(b) === (textOf(a) === SHARED ? '1' : textOf(a) === '1' ? '2' : '');
    case 'HELLO':
      return (
        a.type !== '-' &&
        itemsOf(a).every((item, i) => {
          const isId = textOf(itemsOf(a)[i - 1] ?? item) === 'id';
          return isId || JSON.stringify(item) === JSON.stringify(itemsOf(b)[i]);
        })
      );
    default:
      return false;
  }
}

function isSameInAnyOrder(a: readonly Reply[], b: readonly Reply[], together: 1 | 2): boolean {
  const grouped = (replies: readonly Reply[]): string[] =>
    Array.from({ length: Math.ceil(replies.length / together) }, (_, i) =>
      JSON.stringify(replies.slice(i * together, (i + 1) * together)),
    ).sort();
  return a.length === b.length && String(grouped(a)) === String(grouped(b));
}

/** Random elements: as many of them, each of the same type. */
function isSameShape(a: Reply, b: Reply): boolean {
  const [ours, theirs] = [itemsOf(a), itemsOf(b)];
  if (a.type !== b.type || ours.length !== theirs.length) return false;
  if (a.type === '-' && textOf(a) !== textOf(b)) return false;
  return ours.every((item, i) => isSameShape(item, theirs[i]!));
}

/** Whether the reply may tell of distances; that of a script wherever it names a command of these. */
function hasDistances(name: string, command: readonly string[]): boolean {
  if (name.startsWith('GEO') || command.includes(DISTANCES_KEY)) return true;
  return name.startsWith('EVAL') && /GEO|distances/.test(command[1]!);
}

/** As Redis shows a distance. */
const SHOWN_DISTANCE = /^\d+\.\d{4}$/;
const LAST_DECIMAL = 1.01e-4;
const LAST_BITS = 1e-14;

/**
 * Distances may differ in their last bit, as the C library's sine does from V8's, and so now and then in the last decimal that is
 * shown; all else is the same.
 */
function areSameDistances(a: Reply, b: Reply): boolean {
  const [ours, theirs] = [itemsOf(a), itemsOf(b)];
  if (a.type !== b.type || ours.length !== theirs.length) return false;
  const [x, y] = [textOf(a), textOf(b)];
  if (x === y) return ours.every((item, i) => areSameDistances(item, theirs[i]!));
  const isShown = SHOWN_DISTANCE.test(x) && SHOWN_DISTANCE.test(y);
  const tolerance = isShown ? LAST_DECIMAL : LAST_BITS * Math.abs(Number(y));
  return (a.type === '$' || a.type === ',') && Math.abs(Number(x) - Number(y)) <= tolerance;
}
