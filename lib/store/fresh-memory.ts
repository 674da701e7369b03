import { CHUNK_BYTES } from './page-pool.js';

/** What the C library takes from its heap it clears at once: this much in some milliseconds. */
const CLEARED_AT_ONCE_MAX = 2 * 1024 * 1024;

/**
 * Memory of at least so many bytes, all of them 0, of which no more is cleared at once than the one who asks can wait for. More is
 * mapped as a chunk of the arena is: a page costs nothing before it is used. (Tables of 16 MB took up to 60 ms, when memory that
 * had been used before was cleared for them.)
 */
export function freshMemory(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes <= CLEARED_AT_ONCE_MAX ? bytes : Math.max(bytes, CHUNK_BYTES));
}
