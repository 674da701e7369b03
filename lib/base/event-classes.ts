import { OptionError } from './option-values.js';

/** Classes of keyspace events, and the two forms in which they are published, as bits. */
export const EventClass = {
  Keyspace: 1,
  Keyevent: 2,
  Generic: 4,
  String: 8,
  List: 16,
  Set: 32,
  Hash: 64,
  SortedSet: 128,
  Expired: 256,
  Evicted: 512,
  Stream: 1024,
  KeyMiss: 2048,
  Module: 4096,
  New: 8192,
  /** No class that can be asked for: changes are told to clients that track. */
  Invalidation: 16384,
} as const;

/** Those that "A" stands for, and those behind them, in the order in which CONFIG GET shows them. */
const IN_ALL: readonly (readonly [string, number])[] = [
  ['g', EventClass.Generic],
  ['$', EventClass.String],
  ['l', EventClass.List],
  ['s', EventClass.Set],
  ['h', EventClass.Hash],
  ['z', EventClass.SortedSet],
  ['x', EventClass.Expired],
  ['e', EventClass.Evicted],
  ['t', EventClass.Stream],
  ['d', EventClass.Module],
];
const BEHIND: readonly (readonly [string, number])[] = [
  // Redis 7.0 does not show it behind "A", so that whoever reads the option, and sets it with a letter more, loses it.
  ['n', EventClass.New],
  ['K', EventClass.Keyspace],
  ['E', EventClass.Keyevent],
  ['m', EventClass.KeyMiss],
];
const ALL = IN_ALL.reduce((bits, [, bit]) => bits | bit, 0);
const LETTERS = new Map([...IN_ALL, ...BEHIND, ['A', ALL] as const]);

/** "KEg$": the bits of these letters. Throws OptionError. */
export function readEventClasses(text: string): number {
  let bits = 0;
  for (const letter of text) {
    const bit = LETTERS.get(letter);
    if (bit === undefined)
      throw new OptionError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    bits |= bit;
  }
  return bits;
}

export function showEventClasses(bits: number): string {
  const show = (letters: readonly (readonly [string, number])[]): string =>
    letters.map(([letter, bit]) => ((bits & bit) !== 0 ? letter : '')).join('');
  const isAll = (bits & ALL) === ALL;
  return (isAll ? 'A' : show(IN_ALL)) + show(BEHIND);
}
