import { formatFixed } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { ValueType } from '../store/entry.js';
import { geohashOf, type Position, readPosition, scoreOf } from '../store/geo/geohash.js';
import { distanceBetween } from '../store/geo/shape.js';
import { Errors } from './errors.js';
import { positionOrReply, unitOrReply } from './geo-arguments.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { findOfType } from './open-value.js';
import { addMembers, Option } from './sorted-sets.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

/** Decimals of a degree, and of a distance, that Redis shows. */
const DEGREE_DECIMALS = 17;
const DISTANCE_DECIMALS = 4;

export function writeDistance(distance: number, reply: ReplyWriter): void {
  reply.bulkLatin1(formatFixed(distance, DISTANCE_DECIMALS));
}

export function writePosition({ longitude, latitude }: Position, reply: ReplyWriter): void {
  reply.array(2);
  for (const degrees of [longitude, latitude]) {
    reply.doubleText(formatFixed(degrees, DEGREE_DECIMALS).replace(/\.?0+$/, ''));
  }
}

const set = new OpenSortedSet();
const position: Position = { longitude: 0, latitude: 0 };

/** Reads the position of the member that an argument names; false where there is none. */
export function findPosition(
  opened: OpenSortedSet,
  request: Request,
  index: number,
  found: Position,
): boolean {
  const { start, end, buffer } = request;
  if (!opened.members.find(buffer, start[index]!, end[index]!)) return false;
  readPosition(opened.members.score, found);
  return true;
}

/** Options before the first longitude, and where that is. */
function addOptions(request: Request): [options: number, first: number] {
  let options = 0;
  for (let i = 2; i < request.argc; i++) {
    if (request.is(i, 'NX')) options |= Option.Nx;
    else if (request.is(i, 'XX')) options |= Option.Xx;
    else if (request.is(i, 'CH')) options |= Option.Ch;
    else return [options, i];
  }
  return [options, request.argc];
}

const geoadd: Handler = (context, request, reply) => {
  const [options, first] = addOptions(request);
  const words = request.argc - first;
  const excludesAll = (options & Option.Nx) !== 0 && (options & Option.Xx) !== 0;
  if (words === 0 || words % 3 !== 0 || excludesAll) {
    reply.error(Errors.syntax);
    return;
  }
  const scores: number[] = [];
  for (let i = first; i < request.argc; i += 3) {
    const given = positionOrReply(request, i, reply);
    if (given === null) return;
    scores.push(scoreOf(given));
  }
  addMembers(context, request, scores, first + 2, 3, options, reply);
};

/** Replies for each member that is named, null where there is none. */
const eachHandler =
  (
    write: (found: Position, reply: ReplyWriter) => void,
    none: (reply: ReplyWriter) => void,
  ): Handler =>
  (context, request, reply) => {
    const ref = findOfType(context, request, 1, ValueType.ZSet, reply);
    if (ref < 0) return;
    if (ref > 0) set.open(set.value.openForRead(context, ref));
    reply.array(request.argc - 2);
    for (let i = 2; i < request.argc; i++) {
      if (ref > 0 && findPosition(set, request, i, position)) write(position, reply);
      else none(reply);
    }
  };

const other: Position = { longitude: 0, latitude: 0 };

function geodist(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const unit = request.argc === 5 ? unitOrReply(request, 4, reply) : 1;
  if (unit === null) return;
  if (request.argc > 5) {
    reply.error(Errors.syntax);
    return;
  }
  if (set.read(context, request, 1, reply, (to) => to.nil()) === null) return;
  const areThere = findPosition(set, request, 2, position) && findPosition(set, request, 3, other);
  if (areThere) writeDistance(distanceBetween(position, other) / unit, reply);
  else reply.nil();
}

export const geoHandlers: Handlers = {
  geoadd: { run: geoadd, creates: true },
  geopos: { run: eachHandler(writePosition, (reply) => reply.nilArray()) },
  geohash: {
    run: eachHandler(
      (found, reply) => reply.bulkLatin1(geohashOf(found)),
      (reply) => reply.nil(),
    ),
  },
  geodist: { run: geodist },
};
