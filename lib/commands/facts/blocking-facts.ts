import type { CommandFacts } from '../spec.js';

const timeout = { name: 'timeout', type: 'double' };
const count = { name: 'count', type: 'integer', token: 'COUNT', flags: 'optional' };
const keys = { name: 'key', type: 'key', keySpecIndex: 0, flags: 'multiple' };

const oneOf = (name: string, ...words: string[]) => ({
  name,
  type: 'oneof',
  arguments: words.map((word) => ({
    name: word,
    type: 'pure-token',
    token: word.toUpperCase(),
  })),
});

const fromAnyKey = [{ flags: 'RW access delete', begin: 1, last: -2, step: 1, limit: 0 }];
const fromCountedKeys = [{ flags: 'RW access delete', begin: 2, countAt: 0, first: 1, step: 1 }];
const fromKeyToKey = [
  { flags: 'RW access delete', begin: 1, last: 0, step: 1, limit: 0 },
  { flags: 'RW insert', begin: 2, last: 0, step: 1, limit: 0 },
];
const sourceAndDestination = [
  { name: 'source', type: 'key', keySpecIndex: 0 },
  { name: 'destination', type: 'key', keySpecIndex: 1 },
];

const timeoutBecameDouble = [
  ['6.0.0', '`timeout` is interpreted as a double instead of an integer.'],
] as const;

export const blockingFacts: readonly CommandFacts[] = [
  {
    name: 'blmove',
    arity: 6,
    flags: 'write denyoom noscript blocking',
    categories: 'write list slow blocking',
    keySpecs: fromKeyToKey,
    summary:
      'Pop an element from a list, push it to another list and return it; or block until one is available',
    since: '6.2.0',
    group: 'list',
    complexity: 'O(1)',
    arguments: [
      ...sourceAndDestination,
      oneOf('wherefrom', 'left', 'right'),
      oneOf('whereto', 'left', 'right'),
      timeout,
    ],
  },
  {
    name: 'blmpop',
    arity: -5,
    flags: 'write blocking movablekeys',
    categories: 'write list slow blocking',
    keySpecs: fromCountedKeys,
    summary: 'Pop elements from a list, or block until one is available',
    since: '7.0.0',
    group: 'list',
    complexity:
      'O(N+M) where N is the number of provided keys and M is the number of elements returned.',
    arguments: [
      timeout,
      { name: 'numkeys', type: 'integer' },
      keys,
      oneOf('where', 'left', 'right'),
      count,
    ],
  },
  {
    name: 'blpop',
    arity: -3,
    flags: 'write noscript blocking',
    categories: 'write list slow blocking',
    keySpecs: fromAnyKey,
    summary: 'Remove and get the first element in a list, or block until one is available',
    since: '2.0.0',
    group: 'list',
    complexity: 'O(N) where N is the number of provided keys.',
    history: timeoutBecameDouble,
    arguments: [keys, timeout],
  },
  {
    name: 'brpop',
    arity: -3,
    flags: 'write noscript blocking',
    categories: 'write list slow blocking',
    keySpecs: fromAnyKey,
    summary: 'Remove and get the last element in a list, or block until one is available',
    since: '2.0.0',
    group: 'list',
    complexity: 'O(N) where N is the number of provided keys.',
    history: timeoutBecameDouble,
    arguments: [keys, timeout],
  },
  {
    name: 'brpoplpush',
    arity: 4,
    flags: 'write denyoom noscript blocking',
    categories: 'write list slow blocking',
    keySpecs: fromKeyToKey,
    summary:
      'Pop an element from a list, push it to another list and return it; or block until one is available',
    since: '2.2.0',
    group: 'list',
    complexity: 'O(1)',
    docFlags: 'deprecated',
    deprecatedSince: '6.2.0',
    replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments',
    history: timeoutBecameDouble,
    arguments: [...sourceAndDestination, timeout],
  },
  {
    name: 'bzmpop',
    arity: -5,
    flags: 'write blocking movablekeys',
    categories: 'write sortedset slow blocking',
    keySpecs: fromCountedKeys,
    summary:
      'Remove and return members with scores in a sorted set or block until one is available',
    since: '7.0.0',
    group: 'sorted-set',
    complexity:
      'O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.',
    arguments: [
      timeout,
      { name: 'numkeys', type: 'integer' },
      keys,
      oneOf('where', 'min', 'max'),
      count,
    ],
  },
  {
    name: 'bzpopmax',
    arity: -3,
    flags: 'write noscript blocking fast',
    categories: 'write sortedset fast blocking',
    keySpecs: fromAnyKey,
    summary:
      'Remove and return the member with the highest score from one or more sorted sets, or block until one is available',
    since: '5.0.0',
    group: 'sorted-set',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    history: timeoutBecameDouble,
    arguments: [keys, timeout],
  },
  {
    name: 'bzpopmin',
    arity: -3,
    flags: 'write noscript blocking fast',
    categories: 'write sortedset fast blocking',
    keySpecs: fromAnyKey,
    summary:
      'Remove and return the member with the lowest score from one or more sorted sets, or block until one is available',
    since: '5.0.0',
    group: 'sorted-set',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    history: timeoutBecameDouble,
    arguments: [keys, timeout],
  },
];
