import { ValueType } from '../store/entry.js';

/** Raw is what APPEND, SETRANGE and the like make of a string: OBJECT ENCODING says so whatever its bytes are. */
export const StringEncoding = { Plain: 0, Raw: 1 } as const;
/** Encodings of a hash, as OBJECT ENCODING says them. */
export const HashEncoding = { Listpack: 0, Hashtable: 1 } as const;
export const SetEncoding = { Intset: 0, Hashtable: 1 } as const;
export const SortedSetEncoding = { Listpack: 0, Skiplist: 1 } as const;

const NAMES: Readonly<Record<number, readonly string[]>> = {
  [ValueType.List]: ['quicklist'],
  [ValueType.Set]: ['intset', 'hashtable'],
  [ValueType.ZSet]: ['listpack', 'skiplist'],
  [ValueType.Hash]: ['listpack', 'hashtable'],
};

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [ValueType.None]: 'none',
  [ValueType.String]: 'string',
  [ValueType.List]: 'list',
  [ValueType.Set]: 'set',
  [ValueType.ZSet]: 'zset',
  [ValueType.Hash]: 'hash',
};

/** What TYPE says. */
export const typeName = (type: number): string => TYPE_NAMES[type]!;

/** What OBJECT ENCODING says of a collection: the first bit of its encoding. */
export function encodingName(type: number, encoding: number): string {
  return NAMES[type]![encoding & 1]!;
}
