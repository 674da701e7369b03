import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { EMPTY_RECORDS } from '../store/collections/keyed-records.js';
import { SortedSet } from '../store/collections/sorted-set.js';
import { ValueType } from '../store/entry.js';
import { SortedSetEncoding } from './encodings.js';
import { findOfType, OpenValue } from './open-value.js';
import type { CommandContext } from './spec.js';

/** Bit of the encoding: the records do not lie in their order. */
const UNSORTED = 2;

/** A sorted set that is open for a command: its members, and its value. */
export class OpenSortedSet {
  readonly value: OpenValue = new OpenValue();
  readonly members: SortedSet = new SortedSet();
  #isListpack = true;
  #longest = 0;
  #entriesMax = 0;
  #bytesMax = 0;

  /** Of a key that is there; null after WRONGTYPE or `absent`. */
  read(
    context: CommandContext,
    request: Request,
    keyIndex: number,
    reply: ReplyWriter,
    absent: (reply: ReplyWriter) => void,
  ): SortedSet | null {
    const ref = findOfType(context, request, keyIndex, ValueType.ZSet, reply);
    if (ref === 0) absent(reply);
    if (ref <= 0) return null;
    return this.open(this.value.openForRead(context, ref));
  }

  /** Of a key that was found to be of this type. */
  open(value: OpenValue): SortedSet {
    this.#isListpack = (value.encoding & 1) === SortedSetEncoding.Listpack;
    this.#longest = 0;
    return this.members.openSorted(value, (value.encoding & UNSORTED) === 0);
  }

  write(
    context: CommandContext,
    request: Request,
    keyIndex: number,
    reply: ReplyWriter,
  ): SortedSet | null {
    this.#readLimits(context);
    const opened = this.value.openForWrite(
      context,
      request,
      keyIndex,
      ValueType.ZSet,
      EMPTY_RECORDS,
      SortedSetEncoding.Listpack,
      reply,
    );
    return opened === null ? null : this.open(opened);
  }

  /** A sorted set that replaces whatever the key has. */
  begin(context: CommandContext, request: Request, keyIndex: number): SortedSet {
    const { Listpack } = SortedSetEncoding;
    this.#readLimits(context);
    return this.open(
      this.value.openNew(context, request, keyIndex, ValueType.ZSet, EMPTY_RECORDS, Listpack),
    );
  }

  #readLimits({ services }: CommandContext): void {
    this.#entriesMax = services.config.get('zset-max-listpack-entries');
    this.#bytesMax = services.config.get('zset-max-listpack-value');
  }

  /** Adds a member that is not there. */
  insert(score: number, member: Buffer, start: number, end: number): void {
    const { members } = this;
    if (end - start > this.#bytesMax || members.count >= this.#entriesMax) this.#isListpack = false;
    members.insert(this.#kept(score), member, start, end);
  }

  /** Gives the member found another score. */
  setScore(score: number, member: Buffer, start: number, end: number): void {
    this.members.setScore(this.#kept(score), member, start, end);
  }

  /** A listpack of Redis keeps integers as such, of which none is -0. */
  #kept(score: number): number {
    return this.#isListpack ? score + 0 : score;
  }

  /** Adds a member that is not there to a result, which is no listpack before it is complete. */
  collect(score: number, member: Buffer, start: number, end: number): void {
    this.#isListpack = false;
    this.#longest = Math.max(this.#longest, end - start);
    this.members.insert(score, member, start, end);
  }

  commitResult(expireAt = 0): void {
    const { members } = this;
    this.#isListpack = this.#longest <= this.#bytesMax && members.count <= this.#entriesMax;
    if (this.#isListpack) members.dropNegativeZeros();
    this.commit(expireAt);
  }

  commit(expireAt = 0): void {
    const { value, members } = this;
    members.close();
    const { Listpack, Skiplist } = SortedSetEncoding;
    const encoding = this.#isListpack ? Listpack : Skiplist;
    value.encoding = encoding | (members.isSorted ? 0 : UNSORTED);
    value.commit(members.count === 0, expireAt);
  }
}
