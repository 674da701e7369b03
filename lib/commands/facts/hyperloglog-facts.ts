import type { CommandFacts } from '../spec.js';

export const hyperLogLogFacts: readonly CommandFacts[] = [
  {
    name: 'pfadd',
    arity: -2,
    flags: 'write denyoom fast',
    categories: 'write hyperloglog fast',
    keySpecs: [{ flags: 'RW insert', begin: 1, last: 0, step: 1, limit: 0 }],
    summary: 'Adds the specified elements to the specified HyperLogLog.',
    since: '2.8.9',
    group: 'hyperloglog',
    complexity: 'O(1) to add every element.',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'element', type: 'string', flags: 'optional multiple' },
    ],
  },
  {
    name: 'pfcount',
    arity: -2,
    flags: 'readonly',
    categories: 'read hyperloglog slow',
    keySpecs: [
      {
        flags: 'RW access',
        notes:
          'RW because it may change the internal representation of the key, and propagate to replicas',
        begin: 1,
        last: -1,
        step: 1,
        limit: 0,
      },
    ],
    summary:
      'Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).',
    since: '2.8.9',
    group: 'hyperloglog',
    complexity:
      'O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.',
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0, flags: 'multiple' }],
  },
  {
    name: 'pfmerge',
    arity: -2,
    flags: 'write denyoom',
    categories: 'write hyperloglog slow',
    keySpecs: [
      { flags: 'RW access insert', begin: 1, last: 0, step: 1, limit: 0 },
      { flags: 'RO access', begin: 2, last: -1, step: 1, limit: 0 },
    ],
    summary: 'Merge N different HyperLogLogs into a single one.',
    since: '2.8.9',
    group: 'hyperloglog',
    complexity: 'O(N) to merge N HyperLogLogs, but with high constant times.',
    arguments: [
      { name: 'destkey', type: 'key', keySpecIndex: 0 },
      { name: 'sourcekey', type: 'key', keySpecIndex: 1, flags: 'multiple' },
    ],
  },
];
