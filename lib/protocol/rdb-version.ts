import { putCrc64 } from './crc64.js';
import { FOOTER_BYTES, RDB_VERSION } from './rdb-writer.js';

/**
 * The payload of a DUMP by a newer Redis, as one of the version that is read here: a type that both know is written the
 * same way by both. Others, and payloads whose checksum is wrong, are returned as they are; RESTORE says what is wrong with them.
 */
export function withReadableVersion(payload: Buffer): Buffer {
  const end = payload.length - FOOTER_BYTES;
  if (end < 0 || payload.readUInt16LE(end) <= RDB_VERSION) return payload;
  const sum = Buffer.alloc(8);
  putCrc64(payload, 0, end + 2, sum, 0);
  if (!sum.equals(payload.subarray(end + 2))) return payload;
  const readable = Buffer.from(payload);
  readable.writeUInt16LE(RDB_VERSION, end);
  putCrc64(readable, 0, end + 2, readable, end + 2);
  return readable;
}
