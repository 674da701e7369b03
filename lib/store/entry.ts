/**
 * Words of the store, and the fixed header that every entry starts with. Offsets in bytes; all numbers little-endian:
 *
 *      0  version        float64   hybrid logical clock of the last change
 *      8  expireAt       float64   Unix milliseconds, 0 = never
 *     16  changeOffset   float64   stream offset of the last change
 *     24  hash           uint32    seeded hash of the key
 *     28  usedAt         uint32    seconds
 *     32  valueLength    uint32    bytes
 *     36  database       uint8     its number (database-numbers.ts), with the key length as one word
 *     37  keyLength      uint24    bytes
 *     40  slot           uint16    with the peer as one word
 *     42  peer           uint16
 *     44  flags          uint8     meaning is the cluster's
 *     45  kind           uint8     role (2 bits), type (3 bits), encoding (3 bits)
 *     46  frequency      uint8
 *     47  isLarge        uint8     1: key and value are in allocations of their own
 *     48  key bytes, then value bytes; of a large entry the number of its allocations (uint32)
 *
 * Every field is aligned to its size, so that it is read as one element of a typed array over the chunk.
 */

/**
 * Where an entry is: its address in units of UNIT_BYTES. 0 is none. Valid until the next call that creates, resizes or
 * removes any entry, or compacts: the slab is dense, so those may move others.
 */
export type Ref = number;

/** What this node is to a key. A Record is a location only, without value; so is a Tombstone, of a deleted key. */
export const Role = { Primary: 0, Backup: 1, Record: 2, Tombstone: 3 } as const;
export type Role = (typeof Role)[keyof typeof Role];
export const ROLES = 4;

export const ValueType = { None: 0, String: 1, List: 2, Set: 3, ZSet: 4, Hash: 5 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];
export const VALUE_TYPES = 6;

export const DATABASES_MAX = 256;
/** Numbers of other holders. */
export const PEERS = 65_536;
export const KEY_LENGTH_MAX = 0xffffff;
export const VALUE_LENGTH_MAX = 512 * 1024 * 1024;

export const UNIT_BYTES = 8;
export const HEADER_UNITS = 6;
export const HEADER_BYTES = HEADER_UNITS * UNIT_BYTES;
/** What a large entry occupies in the slab: its header and the number of its allocations. */
export const LARGE_UNITS = HEADER_UNITS + 1;

/** Offsets in the header, in elements of the typed array that the name says. */
export const DOUBLE_VERSION = 0;
export const DOUBLE_EXPIRE_AT = 1;
export const DOUBLE_CHANGE_OFFSET = 2;
export const WORD_HASH = 6;
export const WORD_USED_AT = 7;
export const WORD_VALUE_LENGTH = 8;
export const WORD_DATABASE_KEY_LENGTH = 9;
export const WORD_SLOT_PEER = 10;
export const WORD_LARGE_NUMBER = 12;
export const BYTE_FLAGS = 44;
export const BYTE_KIND = 45;
export const BYTE_FREQUENCY = 46;
export const BYTE_IS_LARGE = 47;

/** Units of an entry that is kept in the slab as a whole. */
export function inlineUnits(payloadBytes: number): number {
  return HEADER_UNITS + Math.ceil(payloadBytes / UNIT_BYTES);
}
