import type { CommandFacts } from '../spec.js';

/** Subcommands that Redis 7.0 has not, by their container: ours, and of Redis 7.2 what clients send on connecting. */
export const additionalSubcommands: Readonly<Record<string, readonly CommandFacts[]>> = {
  client: [
    {
      name: 'setinfo',
      arity: 4,
      flags: 'noscript loading stale',
      categories: 'slow connection',
      tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      summary: 'Set client or connection specific info',
      since: '7.2.0',
      group: 'connection',
      complexity: 'O(1)',
      arguments: [
        {
          name: 'attr',
          type: 'oneof',
          arguments: [
            { name: 'libname', type: 'string', token: 'LIB-NAME' },
            { name: 'libver', type: 'string', token: 'LIB-VER' },
          ],
        },
      ],
    },
    {
      name: 'no-touch',
      arity: 3,
      flags: 'noscript loading stale',
      categories: 'slow connection',
      summary: 'Controls whether commands sent by the client affect the use clock of keys',
      since: '7.2.0',
      group: 'connection',
      complexity: 'O(1)',
      arguments: [
        {
          name: 'enabled',
          type: 'oneof',
          arguments: [
            { name: 'on', type: 'pure-token', token: 'ON' },
            { name: 'off', type: 'pure-token', token: 'OFF' },
          ],
        },
      ],
    },
  ],
  cluster: [
    {
      name: 'locate',
      arity: 3,
      flags: 'stale',
      categories: 'slow',
      tips: ['nondeterministic_output'],
      summary: 'Return the nodes that hold a key: its anchor, its primary and its backup',
      since: '7.0.0',
      group: 'cluster',
      complexity: 'O(1)',
      arguments: [{ name: 'key', type: 'string' }],
    },
    {
      name: 'events',
      arity: -2,
      flags: 'loading stale',
      categories: 'slow',
      tips: ['nondeterministic_output'],
      summary: 'Return the last events of the cluster as this node has seen them',
      since: '7.0.0',
      group: 'cluster',
      complexity: 'O(N) where N is the number of events returned',
      arguments: [{ name: 'count', type: 'integer', flags: 'optional' }],
    },
    {
      name: 'copies',
      arity: 2,
      flags: 'stale',
      categories: 'slow',
      tips: ['nondeterministic_output'],
      summary: 'Return how many keys this node holds together with each other node',
      since: '7.0.0',
      group: 'cluster',
      complexity: 'O(N) where N is the total number of cluster nodes',
    },
  ],
};
