import { seededRandom } from '../store/seeded-random.js';
import type { Target } from './differential-targets.js';
import { type Answer, END_TRANSACTION, isSame, isSameExec, Queue } from './equal-replies.js';
import { BIT_KEYS, RandomBits } from './random-bits.js';
import { RandomCollections } from './random-collections.js';
import { KEYS, RandomCommands } from './random-commands.js';
import { GEO_KEYS, RandomGeo } from './random-geo.js';
import { RandomScripts } from './random-scripts.js';
import { type Commands, OTHER_CLIENT, RandomTransactions } from './random-transactions.js';

/** What one seed draws, for clients that speak RESP2 or RESP3. */
export interface Round {
  readonly family: string;
  readonly seed: number;
  readonly proto: '2' | '3';
}

/** The first command that was not answered as Redis answers it. */
export interface Mismatch {
  readonly where: string;
  readonly difference: string;
  /** The bytes of both replies. */
  readonly ours: string;
  readonly theirs: string;
  /** What may have led to it, the last of them the command itself. */
  readonly recent: readonly string[];
}

/** Where two replies part, for the one line that is always shown. */
function difference(command: readonly string[], ours: Answer, theirs: Answer): string {
  let at = 0;
  while (at < ours.bytes.length && ours.bytes[at] === theirs.bytes[at]) at++;
  const from = Math.max(0, at - 10);
  const shown = [ours, theirs].map(({ bytes }) => JSON.stringify(bytes.slice(from, at + 30)));
  return `${command[0]}, byte ${at}: ${shown[0]}, Redis: ${shown[1]}`;
}

const DATABASE_COMMANDS = ['FLUSHALL', 'FLUSHDB', 'SELECT', 'SWAPDB'];
const RELATED_MAX = 20;

/** What may have led to the last command's reply: the latest ones that share an argument with it or concern databases. */
function related(history: readonly string[][]): string[][] {
  const last = history.at(-1)!;
  if (END_TRANSACTION.includes(last[0]!)) return history.slice(-RELATED_MAX);
  return history
    .filter(([name, ...args]) => {
      if (DATABASE_COMMANDS.includes(name!.toUpperCase())) return true;
      return args.some((arg) => last.indexOf(arg) > 0);
    })
    .slice(-RELATED_MAX);
}

type Draw = (seed: number, tandis: Target) => Commands;

const anyCommands: Draw = (seed, tandis) => {
  const mix = { floats: seed % 2 === 0, ...tandis.can };
  return new RandomCommands(seededRandom(seed), mix, Date.now());
};
/** Each seed draws from some of the families, so that keys of one type live for a while. */
const collections: Draw = (seed) =>
  new RandomCollections(seededRandom(seed), FAMILIES[seed % FAMILIES.length]!);
const FAMILIES = ['z', 'zs', 'l', 'hsz', 's', 'lhsz', 'h', 'z'];
const bits: Draw = (seed) => new RandomBits(seededRandom(seed));
const geo: Draw = (seed) => new RandomGeo(seededRandom(seed));

/** What runs within transactions and scripts, and some of its keys. As many as no number of seeds in a row divides. */
const INNER: readonly (readonly [Draw, readonly string[]])[] = [
  [collections, KEYS.slice(0, 5)],
  [anyCommands, KEYS.slice(0, 5)],
  [geo, GEO_KEYS],
  [bits, BIT_KEYS],
  [anyCommands, KEYS.slice(0, 5)],
];

const transactions: Draw = (seed, tandis) => {
  const { pipeline = 1, turns = false } = tandis;
  const [draw, keys] = INNER[seed % INNER.length]!;
  const mix = { others: pipeline === 1, selects: !turns };
  return new RandomTransactions(seededRandom(seed + 1), draw(seed, tandis), keys, mix);
};
const scripts: Draw = (seed, tandis) => {
  const [draw] = INNER[seed % INNER.length]!;
  return new RandomScripts(seededRandom(seed + 1), draw(seed, tandis));
};

/** What is drawn, and by how many seeds in a row: half of them in RESP2, half in RESP3. */
const DRAWS: Readonly<Record<string, readonly [Draw, number]>> = {
  any: [anyCommands, 4],
  collections: [collections, 4],
  bits: [bits, 2],
  geo: [geo, 2],
  transactions: [transactions, 4],
  scripts: [scripts, 4],
};

export const FAMILY_NAMES: readonly string[] = Object.keys(DRAWS);
/** Seeds that `roundsFrom` uses. */
export const SEEDS_IN_A_ROW = 4;

/** One round of each family and seed, from a first seed on. */
export function roundsFrom(first: number): Round[] {
  return Object.entries(DRAWS).flatMap(([family, [, seeds]]) =>
    Array.from({ length: seeds }, (_, i): Round => {
      return { family, seed: first + i, proto: i < seeds / 2 ? '2' : '3' };
    }),
  );
}

const noAnswer = (error: Error): Answer => ({
  reply: { type: '-', text: error.message },
  bytes: error.message,
});

async function prepare(target: Target, proto: string): Promise<void> {
  await target.ask('RESET');
  await target.ask('FLUSHALL');
  await target.ask('SELECT', '0');
  await target.ask('CLIENT', 'SETNAME', '');
  await target.ask('HELLO', proto);
}

/** Sends both the same commands, `count` or a few more, until one is answered in another way; null where none is. */
export async function compareRound(
  redis: Target,
  tandis: Target,
  { family, seed, proto }: Round,
  count: number,
): Promise<Mismatch | null> {
  const commands = DRAWS[family]![0](seed, tandis);
  const queue = new Queue();
  for (const target of [redis, tandis]) await prepare(target, proto);
  const history: string[][] = [];
  const { pipeline = 1 } = tandis;
  while (history.length < count) {
    const sent = Array.from({ length: pipeline }, () => commands.next());
    const answers = await Promise.all(
      sent.map(([name, ...args]) =>
        name === OTHER_CLIENT
          ? Promise.all([redis.askAsOther(...args), tandis.askAsOther(...args)])
          : Promise.all([redis.ask(name!, ...args), tandis.ask(name!, ...args).catch(noAnswer)]),
      ),
    );
    for (const [i, command] of sent.entries()) {
      const [theirs, ours] = answers[i]!;
      history.push(command);
      if (areSame(queue, command, ours, theirs)) continue;
      return {
        where: `${family}, seed ${seed}, RESP${proto}, command ${history.length}`,
        difference: difference(command, ours, theirs),
        ours: ours.bytes,
        theirs: theirs.bytes,
        recent: related(history).map((one) => JSON.stringify(one.map((arg) => arg.slice(0, 400)))),
      };
    }
  }
  return null;
}

function areSame(queue: Queue, command: readonly string[], ours: Answer, theirs: Answer): boolean {
  const isOther = command[0] === OTHER_CLIENT;
  if (isOther) return isSame(command.slice(1), ours, theirs);
  const ran = queue.ran(command, theirs.reply);
  return isSame(command, ours, theirs) || (ran !== null && isSameExec(ran, ours, theirs));
}
