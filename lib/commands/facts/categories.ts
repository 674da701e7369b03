/** The categories of commands, in the order in which Redis lists them. */
export const CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
] as const;

/** The bit of a category, by its name in lower case; 0 where there is none. */
export function categoryBit(name: string): number {
  const index = (CATEGORIES as readonly string[]).indexOf(name);
  return index < 0 ? 0 : 1 << index;
}

/** The bits of the categories of a command's facts. */
export function categoryBits(names: string): number {
  let bits = 0;
  for (const name of names.split(' ')) bits |= categoryBit(name);
  return bits;
}
