import type { Request } from '../protocol/request.js';
import type { CommandSpec, KeySpecFacts } from './spec.js';
import { keyIndex } from './table.js';

/** What a command does with a key, for permissions: bits. A command that shows nothing of a value (EXISTS) does neither. */
export const KeyAccess = { None: 0, Read: 1, Write: 2, Both: 3 } as const;

const ACCESS_BITS: Readonly<Record<string, number>> = {
  access: KeyAccess.Read,
  insert: KeyAccess.Write,
  update: KeyAccess.Write,
  delete: KeyAccess.Write,
};
/** What was made of the flags before: there are as many as the facts have. */
const ACCESS_OF_FLAGS = new Map<string, number>();
const READS = 'RO access';
const BOTH = 'RW access update';

/** The spec of a command's facts that the `position`-th key of a command line belongs to. */
function keySpecOf(spec: CommandSpec, request: Request, position: number, first: number) {
  const specs = spec.facts.keySpecs!;
  const index = keyIndex(spec, request, position, first) - first;
  let found: KeySpecFacts = specs[specs.length - 1]!;
  if (spec.movableKey !== null && spec.movableKey(request, first) === index + first) return found;
  const isRanged = spec.firstKey > 0 && (spec.countedKeys === null || index <= spec.lastKey);
  if (!isRanged) return spec.countedKeys ?? found;
  for (const one of specs) {
    if ('limit' in one && !('keyword' in one) && one.begin <= index) found = one;
  }
  return found;
}

/** SET writes only, unless it gives back what was there. */
function flagsOfSet(request: Request, first: number): string {
  for (let i = first + 3; i < request.argc; i++) if (request.is(i, 'GET')) return BOTH;
  return 'OW update';
}

/** BITFIELD of nothing but GET reads only. */
function flagsOfBitfield(request: Request, first: number): string {
  for (let i = first + 2; i < request.argc; i++) {
    const left = request.argc - i - 1;
    if (request.is(i, 'GET') && left >= 2) i += 2;
    else if (request.is(i, 'OVERFLOW') && left >= 1) i += 1;
    else return BOTH;
  }
  return READS;
}

/** Flags of the `position`-th key of a command line that begins at argument `first`, separated by spaces. */
export function keyFlags(
  spec: CommandSpec,
  request: Request,
  position: number,
  first: number,
): string {
  const { flags } = keySpecOf(spec, request, position, first);
  if (!flags.includes('variable_flags')) return flags;
  return spec.name === 'set' ? flagsOfSet(request, first) : flagsOfBitfield(request, first);
}

/** What the command does with that key. */
export function keyAccess(
  spec: CommandSpec,
  request: Request,
  position: number,
  first: number,
): number {
  const flags = keyFlags(spec, request, position, first);
  let access = ACCESS_OF_FLAGS.get(flags);
  if (access === undefined) {
    access = flags.split(' ').reduce((bits, flag) => bits | (ACCESS_BITS[flag] ?? 0), 0);
    ACCESS_OF_FLAGS.set(flags, access);
  }
  return access;
}
