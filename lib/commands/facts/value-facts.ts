import type { CommandFacts } from '../spec.js';

export const valueFacts: readonly CommandFacts[] = [
  {
    name: 'copy',
    arity: -3,
    flags: 'write denyoom',
    categories: 'keyspace write slow',
    keySpecs: [
      { flags: 'RO access', begin: 1, last: 0, step: 1, limit: 0 },
      { flags: 'OW update', begin: 2, last: 0, step: 1, limit: 0 },
    ],
    summary: 'Copy a key',
    since: '6.2.0',
    group: 'generic',
    complexity:
      'O(N) worst case for collections, where N is the number of nested items. O(1) for string values.',
    arguments: [
      { name: 'source', type: 'key', keySpecIndex: 0 },
      { name: 'destination', type: 'key', keySpecIndex: 1 },
      { name: 'destination-db', type: 'integer', token: 'DB', flags: 'optional' },
      { name: 'replace', type: 'pure-token', token: 'REPLACE', flags: 'optional' },
    ],
  },
  {
    name: 'move',
    arity: 3,
    flags: 'write fast',
    categories: 'keyspace write fast',
    keySpecs: [{ flags: 'RW access update', begin: 1, last: 0, step: 1, limit: 0 }],
    summary: 'Move a key to another database',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(1)',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'db', type: 'integer' },
    ],
  },
  {
    name: 'dump',
    arity: 2,
    flags: 'readonly',
    categories: 'keyspace read slow',
    tips: ['nondeterministic_output'],
    keySpecs: [{ flags: 'RO access', begin: 1, last: 0, step: 1, limit: 0 }],
    summary: 'Return a serialized version of the value stored at the specified key.',
    since: '2.6.0',
    group: 'generic',
    complexity:
      'O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).',
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0 }],
  },
  {
    name: 'restore',
    arity: -4,
    flags: 'write denyoom',
    categories: 'keyspace write slow dangerous',
    keySpecs: [{ flags: 'OW update', begin: 1, last: 0, step: 1, limit: 0 }],
    summary: 'Create a key using the provided serialized value, previously obtained using DUMP.',
    since: '2.6.0',
    group: 'generic',
    complexity:
      'O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).',
    history: [
      ['3.0.0', 'Added the `REPLACE` modifier.'],
      ['5.0.0', 'Added the `ABSTTL` modifier.'],
      ['5.0.0', 'Added the `IDLETIME` and `FREQ` options.'],
    ],
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'ttl', type: 'integer' },
      { name: 'serialized-value', type: 'string' },
      { name: 'replace', type: 'pure-token', token: 'REPLACE', since: '3.0.0', flags: 'optional' },
      { name: 'absttl', type: 'pure-token', token: 'ABSTTL', since: '5.0.0', flags: 'optional' },
      { name: 'seconds', type: 'integer', token: 'IDLETIME', since: '5.0.0', flags: 'optional' },
      { name: 'frequency', type: 'integer', token: 'FREQ', since: '5.0.0', flags: 'optional' },
    ],
  },
  {
    name: 'sort',
    arity: -2,
    flags: 'write denyoom movablekeys',
    categories: 'write set sortedset list slow dangerous',
    keySpecs: [
      { flags: 'RO access', begin: 1, last: 0, step: 1, limit: 0 },
      {
        flags: 'RO access',
        notes:
          "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
        unknown: true,
      },
      {
        flags: 'OW update',
        notes:
          "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
        unknown: true,
      },
    ],
    summary: 'Sort the elements in a list, set or sorted set',
    since: '1.0.0',
    group: 'generic',
    complexity:
      'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'pattern', type: 'pattern', keySpecIndex: 1, token: 'BY', flags: 'optional' },
      {
        name: 'offset_count',
        type: 'block',
        token: 'LIMIT',
        flags: 'optional',
        arguments: [
          { name: 'offset', type: 'integer' },
          { name: 'count', type: 'integer' },
        ],
      },
      {
        name: 'pattern',
        type: 'pattern',
        keySpecIndex: 1,
        token: 'GET',
        flags: 'optional multiple multiple_token',
      },
      {
        name: 'order',
        type: 'oneof',
        flags: 'optional',
        arguments: [
          { name: 'asc', type: 'pure-token', token: 'ASC' },
          { name: 'desc', type: 'pure-token', token: 'DESC' },
        ],
      },
      { name: 'sorting', type: 'pure-token', token: 'ALPHA', flags: 'optional' },
      { name: 'destination', type: 'key', keySpecIndex: 2, token: 'STORE', flags: 'optional' },
    ],
  },
  {
    name: 'sort_ro',
    arity: -2,
    flags: 'readonly movablekeys',
    categories: 'read set sortedset list slow dangerous',
    keySpecs: [
      { flags: 'RO access', begin: 1, last: 0, step: 1, limit: 0 },
      {
        flags: 'RO access',
        notes:
          "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
        unknown: true,
      },
    ],
    summary: 'Sort the elements in a list, set or sorted set. Read-only variant of SORT.',
    since: '7.0.0',
    group: 'generic',
    complexity:
      'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'pattern', type: 'pattern', keySpecIndex: 1, token: 'BY', flags: 'optional' },
      {
        name: 'offset_count',
        type: 'block',
        token: 'LIMIT',
        flags: 'optional',
        arguments: [
          { name: 'offset', type: 'integer' },
          { name: 'count', type: 'integer' },
        ],
      },
      {
        name: 'pattern',
        type: 'pattern',
        keySpecIndex: 1,
        token: 'GET',
        flags: 'optional multiple multiple_token',
      },
      {
        name: 'order',
        type: 'oneof',
        flags: 'optional',
        arguments: [
          { name: 'asc', type: 'pure-token', token: 'ASC' },
          { name: 'desc', type: 'pure-token', token: 'DESC' },
        ],
      },
      { name: 'sorting', type: 'pure-token', token: 'ALPHA', flags: 'optional' },
    ],
  },
  {
    name: 'lcs',
    arity: -3,
    flags: 'readonly',
    categories: 'read string slow',
    keySpecs: [{ flags: 'RO access', begin: 1, last: 1, step: 1, limit: 0 }],
    summary: 'Find longest common substring',
    since: '7.0.0',
    group: 'string',
    complexity: 'O(N*M) where N and M are the lengths of s1 and s2, respectively',
    arguments: [
      { name: 'key1', type: 'key', keySpecIndex: 0 },
      { name: 'key2', type: 'key', keySpecIndex: 0 },
      { name: 'len', type: 'pure-token', token: 'LEN', flags: 'optional' },
      { name: 'idx', type: 'pure-token', token: 'IDX', flags: 'optional' },
      { name: 'len', type: 'integer', token: 'MINMATCHLEN', flags: 'optional' },
      { name: 'withmatchlen', type: 'pure-token', token: 'WITHMATCHLEN', flags: 'optional' },
    ],
  },
];
