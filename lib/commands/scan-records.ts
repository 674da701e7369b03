import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { KeyedRecords } from '../store/collections/keyed-records.js';
import type { ValueType } from '../store/entry.js';
import { findOfType, OpenValue } from './open-value.js';
import { cursorOrReply, isWanted, scanOptionsOrReply } from './scan-options.js';
import type { CommandContext, Handler } from './spec.js';

const NOTHING = (reply: ReplyWriter): void => {
  reply.array(2);
  reply.bulkLatin1('0');
  reply.array(0);
};

const value = new OpenValue();
const elements = new ReplyWriter();

/**
 * HSCAN, SSCAN and ZSCAN. A cursor is a hash of keys of records, the same on all nodes: what is there all along is found
 * although the value grows, shrinks or moves to another node meanwhile. `write` appends the record found, of a value of this
 * encoding, and returns how many elements it appended.
 */
export const scanHandler =
  (
    type: ValueType,
    records: KeyedRecords,
    write: (records: KeyedRecords, reply: ReplyWriter, encoding: number) => number,
  ): Handler =>
  (context: CommandContext, request: Request, reply: ReplyWriter) => {
    const cursor = cursorOrReply(request, 2, reply);
    if (cursor === undefined) return;
    const ref = findOfType(context, request, 1, type, reply);
    if (ref === 0) NOTHING(reply);
    if (ref <= 0) return;
    const options = scanOptionsOrReply(request, 3, false, reply);
    if (options === undefined) return;
    records.open(value.openForRead(context, ref));
    let count = 0;
    elements.reset();
    elements.proto = reply.proto;
    const from = Number(cursor & 0xffffffffn);
    const next = records.scan(from, options.count, () => {
      if (isWanted(options.pattern, records.buffer, records.keyStart, records.keyEnd)) {
        count += write(records, elements, value.encoding);
      }
    });
    reply.array(2);
    // Beyond the largest hash there is nothing.
    reply.bulkInteger(next >= 2 ** 32 ? 0 : next);
    reply.array(count);
    reply.raw(elements.buffer, 0, elements.length);
  };
