import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { KeyedRecords } from '../store/collections/keyed-records.js';
import { rangeOrReply } from './arguments.js';
import { Errors } from './errors.js';
import type { CommandContext } from './spec.js';

const LONG_MAX = 2n ** 63n - 1n;
/** Elements of one reply with repetitions. Redis has no such bound, and is busy for as long as it takes. */
const REPEATED_MAX = 10_000_000;

/** What HRANDFIELD and ZRANDMEMBER are asked for: `count` distinct elements, or -count where they may repeat. */
export interface RandomCount {
  readonly count: number;
  readonly withValues: boolean;
}

/** A count of elements, negative where they may repeat; undefined after an error reply. */
export function repeatedCountOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
): number | undefined {
  const given = rangeOrReply(request, index, -LONG_MAX, LONG_MAX, reply);
  if (given === undefined) return undefined;
  if (given >= -REPEATED_MAX) return Number(given);
  reply.error(Errors.outOfRange);
  return undefined;
}

/** The count at argument 2, and the option behind it; null after an error reply. */
export function countOrReply(
  request: Request,
  option: 'WITHVALUES' | 'WITHSCORES',
  reply: ReplyWriter,
): RandomCount | null {
  const count = repeatedCountOrReply(request, 2, reply);
  if (count === undefined) return null;
  if (request.argc > 4 || (request.argc === 4 && !request.is(3, option))) {
    reply.error(Errors.syntax);
    return null;
  }
  const withValues = request.argc === 4;
  if (withValues && count > LONG_MAX / 2n) {
    reply.error(Errors.outOfRange);
    return null;
  }
  return { count, withValues };
}

/** Writes random elements; `writeValue` appends what belongs to the record found. */
export function writeRandom(
  context: CommandContext,
  records: KeyedRecords,
  { count, withValues }: RandomCount,
  writeValue: (reply: ReplyWriter) => void,
  reply: ReplyWriter,
): void {
  const random = () => context.services.random();
  const isPaired = withValues && reply.proto === 3;
  const write = (): void => {
    if (isPaired) reply.array(2);
    reply.bulk(records.buffer, records.keyStart, records.keyEnd);
    if (withValues) writeValue(reply);
  };
  const elements = count < 0 ? -count : Math.min(count, records.count);
  reply.array(withValues && !isPaired ? elements * 2 : elements);
  if (count < 0) {
    for (let i = 0; i < elements; i++) {
      records.pick(random);
      write();
    }
  } else if (elements === records.count) {
    records.rewind();
    while (records.next()) write();
  } else {
    records.sample(elements, random, write);
  }
}
