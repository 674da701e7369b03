import { register } from 'node:module';
import type { Edit } from '../simulation/variant.js';

/**
 * Loaded before a node (`NodeProcess.setup`): it is of the next release, as far as others can see. It says so in its hello, and tells
 * them things that they have never heard of.
 */
const EDITS: readonly Edit[] = [
  {
    file: 'lib/server/bus-hello.js',
    find: 'BUS_PROTOCOL = 2;',
    replace: 'BUS_PROTOCOL = 3;',
  },
  {
    file: 'lib/server/bus-link.js',
    find: 'JSON.stringify(message)',
    replace: 'JSON.stringify({ ...message, later: { of: ["the next release"] } })',
  },
  {
    file: 'lib/cluster/node.js',
    find: '...this.snapshots.status(),',
    replace: '...this.snapshots.status(), later: 1,',
  },
];

register('../simulation/variant-hook.js', import.meta.url, { data: EDITS });
