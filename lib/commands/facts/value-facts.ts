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
