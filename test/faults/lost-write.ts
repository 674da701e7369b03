import type { Call } from '../simulation/history.js';
import type { Reply } from '../support/resp.js';

type Row = readonly [number, string, number, number, string, Reply];

const KEY = '1:counter:1';

/**
 * A history as a run of faults has recorded it, of real nodes that were broken on purpose (`--break ack-before-apply --fault
 * kill`): n2 was killed, and the third increment, which its client had been told of, was gone.
 */
const ROWS: readonly Row[] = [
  [5, 'n2.1', 4033.326, 4124.372, 'INCR', { type: ':', text: '1' }],
  [2, 'n3.1', 4323.001, 4325.665, 'INCR', { type: ':', text: '2' }],
  [1, 'n1.1', 5080.306, 5082.433, 'GET', { type: '$', text: '2' }],
  [0, 'n1.1', 5886.395, 5889.863, 'INCR', { type: ':', text: '3' }],
  [200, 'n1.1', 21957.484, 21958.462, 'GET', { type: '$', text: '2' }],
  [202, 'n3.1', 21957.577, 21958.68, 'GET', { type: '$', text: '2' }],
  [201, 'n2.2', 21958.559, 21986.38, 'GET', { type: '$', text: '2' }],
];

export const LOST_WRITE: readonly Call[] = ROWS.map(
  ([client, node, invokedAt, returnedAt, name, reply], id) => ({
    id,
    client,
    node,
    args: [name, KEY],
    keys: [KEY],
    invokedAt,
    returnedAt,
    outcome: 'replied',
    reply,
  }),
);
