import { f64At, putF64, u32At } from './bytes.js';
import { putCrc64 } from './crc64.js';

/**
 * The format of snapshot files, version 1:
 *
 *     "TANDISS1" | block | block | ... | end block
 *     block: u32 bytes of its body, little-endian | u8 type | body | CRC-64 of all of that
 *     header (type 1, first): JSON {"set","seed","number","at","part","parts"}
 *     records (type 2): u8 role (0 primary, 1 backup) | u8 database | f64 expiry, Unix ms, 0 for none |
 *                       u32 bytes of key | u32 bytes of payload | key | payload as DUMP gives it; one after the other
 *     end (type 3, last): JSON {"records","stopped","dead"}
 */
export const SNAPSHOT_MAGIC = Buffer.from('TANDISS1', 'latin1');
export const BlockType = { Header: 1, Records: 2, End: 3 } as const;
export type BlockType = (typeof BlockType)[keyof typeof BlockType];

/** Records are put into one block up to so many bytes; a larger one has a block of its own. */
export const BLOCK_BYTES = 256 * 1024;
/** A body is never larger: a value of 512 MB, as a payload. */
export const BODY_BYTES_MAX = 1024 * 1024 * 1024;
export const BLOCK_HEADER_BYTES = 5;
export const BLOCK_FOOTER_BYTES = 8;
const RECORD_HEADER_BYTES = 18;

export interface SnapshotRecord {
  readonly isPrimary: boolean;
  readonly db: number;
  readonly expireAt: number;
  readonly key: Buffer;
  readonly payload: Buffer;
}

export function encodeBlock(type: BlockType, body: Buffer): Buffer {
  const block = Buffer.allocUnsafeSlow(BLOCK_HEADER_BYTES + body.length + BLOCK_FOOTER_BYTES);
  block.writeUInt32LE(body.length, 0);
  block[4] = type;
  body.copy(block, BLOCK_HEADER_BYTES);
  const end = BLOCK_HEADER_BYTES + body.length;
  putCrc64(block, 0, end, block, end);
  return block;
}

const checksum = Buffer.alloc(BLOCK_FOOTER_BYTES);

/** Whether the checksum of a whole block is right. */
export function isWhole(block: Buffer): boolean {
  const end = block.length - BLOCK_FOOTER_BYTES;
  putCrc64(block, 0, end, checksum, 0);
  return checksum.compare(block, end) === 0;
}

export function encodeRecord(record: SnapshotRecord): Buffer {
  const { isPrimary, db, expireAt, key, payload } = record;
  const bytes = Buffer.allocUnsafeSlow(RECORD_HEADER_BYTES + key.length + payload.length);
  bytes[0] = isPrimary ? 0 : 1;
  bytes[1] = db;
  putF64(bytes, 2, expireAt);
  bytes.writeUInt32LE(key.length, 10);
  bytes.writeUInt32LE(payload.length, 14);
  key.copy(bytes, RECORD_HEADER_BYTES);
  payload.copy(bytes, RECORD_HEADER_BYTES + key.length);
  return bytes;
}

/** The records of a body, as views of it; null where it is none. */
export function decodeRecords(body: Buffer): SnapshotRecord[] | null {
  const records: SnapshotRecord[] = [];
  let at = 0;
  while (at < body.length) {
    if (body.length - at < RECORD_HEADER_BYTES || body[at]! > 1) return null;
    const keyAt = at + RECORD_HEADER_BYTES;
    const payloadAt = keyAt + u32At(body, at + 10);
    const end = payloadAt + u32At(body, at + 14);
    const expireAt = f64At(body, at + 2);
    if (end > body.length || !Number.isSafeInteger(expireAt) || expireAt < 0) return null;
    records.push({
      isPrimary: body[at] === 0,
      db: body[at + 1]!,
      expireAt,
      key: body.subarray(keyAt, payloadAt),
      payload: body.subarray(payloadAt, end),
    });
    at = end;
  }
  return records;
}
