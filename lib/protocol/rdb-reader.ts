import { f64At } from './bytes.js';
import { putCrc64 } from './crc64.js';
import { isLzfLength, lzfDecompress } from './lzf.js';
import { parseDouble } from './numbers.js';
import {
  BadPayload,
  bad,
  readIntset,
  readListpack,
  readZiplist,
  type VisitElement,
} from './rdb-packed.js';
import { FOOTER_BYTES, RDB_VERSION } from './rdb-writer.js';

type ReadPacked = (source: Buffer, visit: VisitElement) => void;

export type RdbKind = 'string' | 'list' | 'set' | 'zset' | 'hash';

/** Takes up what a payload holds. Those that return false have met something twice, or more than there can be. */
export interface RdbTarget {
  /** The string, or an element of the list. */
  string(buffer: Buffer, start: number, end: number): boolean;
  member(buffer: Buffer, start: number, end: number): boolean;
  scored(score: number, buffer: Buffer, start: number, end: number): boolean;
  field(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean;
}

const KINDS: Readonly<Record<number, RdbKind>> = {
  0: 'string',
  1: 'list',
  2: 'set',
  3: 'zset',
  4: 'hash',
  5: 'zset',
  10: 'list',
  11: 'set',
  12: 'zset',
  13: 'hash',
  14: 'list',
  16: 'hash',
  17: 'zset',
  18: 'list',
};

const STRING_BYTES_MAX = 512 * 1024 * 1024;
/** Containers of the nodes of a list. */
const PLAIN = 1;
const PACKED = 2;

/** Whether version and checksum of a payload are right. */
export function isPayload(source: Buffer): boolean {
  const end = source.length - FOOTER_BYTES;
  if (end < 0 || source.readUInt16LE(end) > RDB_VERSION) return false;
  const checksum = Buffer.alloc(8);
  putCrc64(source, 0, end + 2, checksum, 0);
  return checksum.compare(source, end + 2) === 0;
}

/** What kind of value a payload holds; null for one that is not known here. */
export const kindOfPayload = (source: Buffer): RdbKind | null =>
  source.length > FOOTER_BYTES ? (KINDS[source[0]!] ?? null) : null;

/** Gives the value of a payload to the target; false where it is none, after which the target has taken up some of it. */
export function readPayload(source: Buffer, target: RdbTarget): boolean {
  try {
    new RdbReader(source, target).read();
    return true;
  } catch (error) {
    if (error instanceof BadPayload) return false;
    throw error;
  }
}

class RdbReader {
  readonly #source: Buffer;
  readonly #end: number;
  readonly #target: RdbTarget;
  #at = 1;
  /** The string that was read last. */
  #text: Buffer;
  #textStart = 0;
  #textEnd = 0;

  constructor(source: Buffer, target: RdbTarget) {
    this.#source = source;
    this.#end = source.length - FOOTER_BYTES;
    this.#target = target;
    this.#text = source;
  }

  read(): void {
    const type = this.#source[0]!;
    switch (type) {
      case 0:
        return this.#element();
      case 1:
        return this.#times(() => this.#element());
      case 2:
        return this.#times(() => this.#member());
      case 3:
        return this.#times(() => this.#scored(() => this.#textDouble()));
      case 4:
        return this.#times(() => this.#field());
      case 5:
        return this.#times(() => this.#scored(() => this.#double()));
      case 10:
        this.#packed(readZiplist, this.#visitElement);
        return;
      case 11:
        this.#packed(readIntset, (...text) => this.#unique(this.#target.member(...text)));
        return;
      case 12:
        return this.#packedPairs(readZiplist, this.#addScored);
      case 13:
        return this.#packedPairs(readZiplist, this.#addField);
      case 14:
        return this.#times(() => this.#packed(readZiplist, this.#visitElement));
      case 16:
        return this.#packedPairs(readListpack, this.#addField);
      case 17:
        return this.#packedPairs(readListpack, this.#addScored);
      case 18:
        return this.#times(() => this.#node());
      default:
        bad();
    }
  }

  // --- elements

  #element(): void {
    this.#string();
    this.#unique(this.#target.string(this.#text, this.#textStart, this.#textEnd));
  }

  readonly #visitElement: VisitElement = (buffer, start, end) =>
    this.#unique(this.#target.string(buffer, start, end));

  #member(): void {
    this.#string();
    this.#unique(this.#target.member(this.#text, this.#textStart, this.#textEnd));
  }

  #scored(readScore: () => number): void {
    this.#string();
    const [text, start, end] = [this.#text, this.#textStart, this.#textEnd];
    const score = readScore();
    if (Number.isNaN(score)) bad();
    this.#unique(this.#target.scored(score, text, start, end));
  }

  #field(): void {
    this.#string();
    const [text, start, end] = [this.#text, this.#textStart, this.#textEnd];
    this.#string();
    const { field } = this.#target;
    this.#unique(
      field.call(this.#target, text, start, end, this.#text, this.#textStart, this.#textEnd),
    );
  }

  #node(): void {
    const container = this.#length();
    if (container === PLAIN) this.#element();
    else if (container === PACKED) this.#packed(readListpack, this.#visitElement);
    else bad();
  }

  // --- packed values

  /** A string that is a packed value, of at least one element; returns how many. */
  #packed(read: ReadPacked, visit: VisitElement): number {
    this.#string();
    let count = 0;
    read(this.#text.subarray(this.#textStart, this.#textEnd), (buffer, start, end) => {
      count++;
      visit(buffer, start, end);
    });
    if (count === 0) bad();
    return count;
  }

  /** The same of pairs. */
  #packedPairs(read: ReadPacked, add: (key: Buffer, value: Buffer) => void): void {
    let key: Buffer | null = null;
    const count = this.#packed(read, (buffer, start, end) => {
      const element = buffer.subarray(start, end);
      if (key === null) key = element;
      else {
        add(key, element);
        key = null;
      }
    });
    if (count % 2 === 1) bad();
  }

  readonly #addScored = (member: Buffer, text: Buffer): void => {
    const score = parseDouble(text, 0, text.length);
    if (Number.isNaN(score)) bad();
    this.#unique(this.#target.scored(score, member, 0, member.length));
  };

  readonly #addField = (key: Buffer, value: Buffer): void =>
    this.#unique(this.#target.field(key, 0, key.length, value, 0, value.length));

  // --- bytes

  #unique(isTaken: boolean): void {
    if (!isTaken) bad();
  }

  /** A number of elements, and these: at least one, and each takes a byte at least. */
  #times(read: () => unknown): void {
    const count = this.#length();
    if (count === 0 || count > this.#end - this.#at) bad();
    for (let i = 0; i < count; i++) read();
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) bad();
    this.#at += bytes;
    return at;
  }

  #length(): number {
    const first = this.#source[this.#take(1)]!;
    if (first >= 0xc0) bad();
    return this.#lengthOf(first);
  }

  #lengthOf(first: number): number {
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 0x3f) << 8) | this.#source[this.#take(1)]!;
    if (first === 0x80) return this.#source.readUInt32BE(this.#take(4));
    if (first !== 0x81) bad();
    return Number(this.#source.readBigUInt64BE(this.#take(8)));
  }

  #string(): void {
    const first = this.#source[this.#take(1)]!;
    if (first < 0xc0) {
      const bytes = this.#lengthOf(first);
      this.#text = this.#source;
      this.#textStart = this.#take(bytes);
      this.#textEnd = this.#textStart + bytes;
    } else if (first === 0xc3) this.#compressed();
    else {
      const bytes = first === 0xc0 ? 1 : first === 0xc1 ? 2 : first === 0xc2 ? 4 : bad();
      const value = this.#source.readIntLE(this.#take(bytes), bytes);
      this.#setText(Buffer.from(String(value), 'latin1'));
    }
  }

  #compressed(): void {
    const compressed = this.#length();
    const bytes = this.#length();
    const start = this.#take(compressed);
    if (!isLzfLength(compressed, bytes) || bytes > STRING_BYTES_MAX) bad();
    this.#setText(lzfDecompress(this.#source, start, start + compressed, bytes) ?? bad());
  }

  #setText(text: Buffer): void {
    this.#text = text;
    this.#textStart = 0;
    this.#textEnd = text.length;
  }

  #double(): number {
    return f64At(this.#source, this.#take(8));
  }

  #textDouble(): number {
    const bytes = this.#source[this.#take(1)]!;
    if (bytes === 253) return Number.NaN;
    if (bytes >= 254) return bytes === 254 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    const start = this.#take(bytes);
    return parseDouble(this.#source, start, start + bytes);
  }
}
