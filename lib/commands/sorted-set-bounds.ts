import { parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { SortedSet } from '../store/collections/sorted-set.js';
import { integerOrReply } from './arguments.js';
import { Errors } from './errors.js';

/** What the bounds of a range are compared with. */
export const By = { Rank: 0, Score: 1, Lex: 2 } as const;
export type By = (typeof By)[keyof typeof By];

/** First and last rank of a range, from the smallest member on; the last is before the first where it is empty. */
export type Ranks = readonly [first: number, last: number];

/** A range as it was given: its ranks in a sorted set. */
export type Range = (members: SortedSet) => Ranks;

const OPEN = 40;
const CLOSED = 91;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

interface ScoreBound {
  readonly score: number;
  readonly isOpen: boolean;
}

/** As strtod reads the whole of a C string: nothing is 0, what is too large is infinite. NaN for no number. */
function looseDouble(text: string): number {
  if (text === '') return 0;
  const trimmed = text.replace(/^[ \t\n\v\f\r]+/, '');
  const bytes = Buffer.from(trimmed, 'latin1');
  const value = parseDouble(bytes, 0, bytes.length);
  return Number.isNaN(value) && DECIMAL.test(trimmed) ? Number(trimmed) : value;
}

function scoreBound(request: Request, index: number): ScoreBound | null {
  const text = request.latin1(index).split('\0', 1)[0]!;
  const isOpen = text.startsWith('(');
  const score = looseDouble(isOpen ? text.slice(1) : text);
  return Number.isNaN(score) ? null : { score, isOpen };
}

interface LexBound {
  /** -1 before all members, 1 behind all of them, 0 for one that is given. */
  readonly side: -1 | 0 | 1;
  readonly bytes: Buffer;
  readonly isOpen: boolean;
}

function lexBound(request: Request, index: number): LexBound | null {
  const bytes = request.bytes(index);
  if (bytes.length === 1 && bytes[0] === 45) return { side: -1, bytes, isOpen: false };
  if (bytes.length === 1 && bytes[0] === 43) return { side: 1, bytes, isOpen: false };
  if (bytes[0] !== OPEN && bytes[0] !== CLOSED) return null;
  return { side: 0, bytes: bytes.subarray(1), isOpen: bytes[0] === OPEN };
}

/** Members before a bound; `withEqual`: those that are it, too. */
function countToLex(members: SortedSet, bound: LexBound, withEqual: boolean): number {
  if (bound.side !== 0) return bound.side < 0 ? 0 : members.count;
  const { bytes } = bound;
  return members.countBefore((_score, offset) => {
    const order = members.compareMember(offset, bytes, 0, bytes.length);
    return order < 0 || (order === 0 && withEqual);
  });
}

const isEmptyLex = (min: LexBound, max: LexBound): boolean => {
  if (min.side > max.side) return true;
  if (min.side !== 0 || max.side !== 0) return false;
  const order = min.bytes.compare(max.bytes);
  return order > 0 || (order === 0 && (min.isOpen || max.isOpen));
};

const NONE: Ranks = [0, -1];

function scoreRange(min: ScoreBound, max: ScoreBound): Range {
  return (members) => {
    if (min.score > max.score) return NONE;
    const first = members.countBefore((score) =>
      min.isOpen ? score <= min.score : score < min.score,
    );
    const end = members.countBefore((score) =>
      max.isOpen ? score < max.score : score <= max.score,
    );
    return [first, end - 1];
  };
}

function lexRange(min: LexBound, max: LexBound): Range {
  return (members) => {
    if (isEmptyLex(min, max)) return NONE;
    const first = countToLex(members, min, min.isOpen);
    return [first, countToLex(members, max, !max.isOpen) - 1];
  };
}

function rankRange(first: number, last: number, isReverse: boolean): Range {
  return ({ count }) => {
    const from = Math.max(0, first < 0 ? count + first : first);
    const to = Math.min(count - 1, last < 0 ? count + last : last);
    if (from > to) return NONE;
    return isReverse ? [count - 1 - to, count - 1 - from] : [from, to];
  };
}

/** The range between two arguments, of which the smaller bound comes first; null after an error reply. */
export function rangeOrReply(
  request: Request,
  minIndex: number,
  maxIndex: number,
  by: By,
  isReverse: boolean,
  reply: ReplyWriter,
): Range | null {
  if (by === By.Rank) {
    const first = integerOrReply(request, minIndex, reply);
    if (first === undefined) return null;
    const last = integerOrReply(request, maxIndex, reply);
    if (last === undefined) return null;
    return rankRange(Number(first), Number(last), isReverse);
  }
  if (by === By.Score) {
    const min = scoreBound(request, minIndex);
    const max = scoreBound(request, maxIndex);
    if (min !== null && max !== null) return scoreRange(min, max);
    reply.error(Errors.scoreRange);
    return null;
  }
  const min = lexBound(request, minIndex);
  const max = lexBound(request, maxIndex);
  if (min !== null && max !== null) return lexRange(min, max);
  reply.error(Errors.lexRange);
  return null;
}
