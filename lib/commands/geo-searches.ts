import { KeyMode } from '../cluster/operation.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { ValueType } from '../store/entry.js';
import { type Position, readPosition } from '../store/geo/geohash.js';
import { distanceWithin, scoresToSearch } from '../store/geo/shape.js';
import { findPosition, writeDistance, writePosition } from './geo.js';
import { type SearchKind, type SearchOptions, searchOrReply } from './geo-options.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { findOfType } from './open-value.js';
import { writeMemberOf } from './sorted-sets.js';
import type { CommandContext, Handler, Handlers, MovableKey } from './spec.js';

const INT64_LIMIT = 2 ** 63;

/** The target of STORE or STOREDIST as the handler finds it: the last one counts. */
const targetOfRadius: MovableKey = (request, first) => {
  let found = 0;
  for (let i = first + 5; i < request.argc - 1; i++) {
    if (request.is(i, 'STORE') || request.is(i, 'STOREDIST')) found = ++i;
  }
  return found;
};

/** A member that was found. */
interface Found extends Position {
  /** Of its record in the sorted set. */
  readonly offset: number;
  readonly score: number;
  /** Metres. */
  readonly distance: number;
}

const set = new OpenSortedSet();
const { members } = set;
const result = new OpenSortedSet();
const position: Position = { longitude: 0, latitude: 0 };

/** Adds the members within the shape whose scores lie in a range, until there are `limit`. */
function findBetween(
  min: number,
  max: number,
  options: SearchOptions,
  limit: number,
  found: Found[],
): void {
  const { count } = members;
  let rank = members.countBefore((score) => score < min);
  if (rank < count) members.seek(rank);
  for (; rank < count && found.length < limit; rank++) {
    const { score, offset } = members;
    if (score >= max) return;
    readPosition(score, position);
    const distance = distanceWithin(options, position);
    if (distance >= 0) found.push({ ...position, offset, score, distance });
    members.step(1);
  }
}

/** As many as are wanted, in the order in which they are. */
function search(options: SearchOptions): Found[] {
  const { count, isAny, order } = options;
  const limit = isAny ? count : Number.POSITIVE_INFINITY;
  const found: Found[] = [];
  for (const { min, max } of scoresToSearch(options)) findBetween(min, max, options, limit, found);
  if (order === 'ascending') found.sort((a, b) => a.distance - b.distance);
  else if (order === 'descending') found.sort((a, b) => b.distance - a.distance);
  return count > 0 && count < found.length ? found.slice(0, count) : found;
}

/** A score as C makes an integer of it. */
function integerOf(score: number): number | bigint {
  const whole = Math.trunc(score);
  if (Number.isSafeInteger(whole)) return whole + 0;
  return whole >= -INT64_LIMIT && whole < INT64_LIMIT ? BigInt(whole) : -(2n ** 63n);
}

function write(found: readonly Found[], options: SearchOptions, reply: ReplyWriter): void {
  const { withDistance, withHash, withPosition } = options;
  const words = 1 + Number(withDistance) + Number(withHash) + Number(withPosition);
  reply.array(found.length);
  for (const one of found) {
    if (words > 1) reply.array(words);
    members.at(one.offset);
    writeMemberOf(members, reply);
    if (withDistance) writeDistance(one.distance / options.unit, reply);
    if (withHash) reply.integer(integerOf(one.score));
    if (withPosition) writePosition(one, reply);
  }
}

function store(
  context: CommandContext,
  request: Request,
  found: readonly Found[],
  options: SearchOptions,
  reply: ReplyWriter,
): void {
  const { keyspace, db } = context;
  reply.integer(found.length);
  if (found.length === 0) {
    const ref = keyspace.find(db, request, options.store);
    if (ref !== 0) keyspace.remove(ref);
    return;
  }
  result.begin(context, request, options.store);
  for (const { offset, score, distance } of found) {
    members.at(offset);
    const kept = options.storesDistances ? distance / options.unit : score;
    result.collect(kept, members.buffer, members.keyStart, members.keyEnd);
  }
  result.commitResult();
}

const searchHandler =
  (kind: SearchKind): Handler =>
  (context, request, reply) => {
    const ref = findOfType(context, request, kind.source, ValueType.ZSet, reply);
    if (ref < 0) return;
    const isThere = ref > 0;
    if (isThere) set.open(set.value.openForRead(context, ref));
    const findMember = (index: number, to: Position): boolean =>
      findPosition(set, request, index, to);
    const options = searchOrReply(request, kind, isThere ? findMember : null, reply);
    if (options === null) return;
    const found = isThere ? search(options) : [];
    if (options.store === 0) write(found, options, reply);
    else store(context, request, found, options, reply);
  };

const radius = (from: 'position' | 'member') => ({
  run: searchHandler({ source: 1, from, stores: 'by-option' }),
  creates: true,
  keyMode: KeyMode.Gather,
  movableKey: targetOfRadius,
});

export const geoSearchHandlers: Handlers = {
  geosearch: { run: searchHandler({ source: 1, from: 'options', stores: 'never' }) },
  geosearchstore: {
    run: searchHandler({ source: 2, from: 'options', stores: 'always' }),
    creates: true,
    keyMode: KeyMode.Gather,
  },
  georadius: radius('position'),
  georadius_ro: { run: searchHandler({ source: 1, from: 'position', stores: 'never' }) },
  georadiusbymember: radius('member'),
  georadiusbymember_ro: { run: searchHandler({ source: 1, from: 'member', stores: 'never' }) },
};
