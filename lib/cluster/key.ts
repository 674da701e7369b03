import { copyOf } from '../protocol/bytes.js';
import { keySlot } from '../protocol/crc16.js';
import type { Request } from '../protocol/request.js';

/** A key off the hot path: owns its bytes, and can be the key of a Map by `id`. */
export interface Key {
  readonly db: number;
  readonly bytes: Buffer;
  readonly slot: number;
  readonly id: string;
}

export function keyOf(db: number, buffer: Buffer, start: number, end: number): Key {
  const bytes = copyOf(buffer, start, end);
  return {
    db,
    bytes,
    slot: keySlot(bytes, 0, bytes.length),
    id: `${db}:${bytes.latin1Slice(0, bytes.length)}`,
  };
}

export const keyOfArgument = (db: number, request: Request, index: number): Key =>
  keyOf(db, request.buffer, request.start[index]!, request.end[index]!);
