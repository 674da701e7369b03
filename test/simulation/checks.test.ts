import t from 'tap';
import { FrameType } from '../../lib/cluster/frames.js';
import { BACKLOG_BYTES_MAX } from '../../lib/cluster/stream.js';
import { Bounds, Silence } from './bounds.js';
import type { Call } from './history.js';
import type { Process } from './process.js';
import { Scans } from './scans.js';
import { Tally } from './tally.js';

const KEYS = 10;
const MACHINES = 2;
const NODE_TIMEOUT_MS = 2000;

/** What the bounds look at in a process. */
interface Facts {
  readonly backlog?: number;
  readonly unconfirmed?: number;
  readonly entries?: number;
  readonly assemblyBytes?: number;
  readonly slotsRepaired?: number;
  readonly peers?: number;
}

function processOf(facts: Facts = {}): Process & { frames(count: number): void } {
  const { backlog = 0, unconfirmed = 0, entries = 0, assemblyBytes = 0 } = facts;
  const peer = {
    stream: { log: { pendingBytes: backlog } },
    unconfirmed: Array.from({ length: unconfirmed }),
  };
  const framesSent = new Array<number>(256).fill(0);
  const state = {
    view: { members: [1, 2] },
    peers: [null, ...Array.from({ length: facts.peers ?? 1 }, () => peer)],
    livePeers: () => [peer],
    statistics: { framesSent, assemblyBytes, slotsRepaired: facts.slotsRepaired ?? 0 },
  };
  const frames = (count: number): void => {
    framesSent[FrameType.Claim]! += count;
  };
  const process = { name: 'n0.1', node: { state }, store: { size: entries }, frames };
  return process as unknown as Process & { frames(count: number): void };
}

const newBounds = (): Bounds => new Bounds(new Tally(), KEYS, MACHINES, NODE_TIMEOUT_MS);

function look(facts: Facts): string {
  return newBounds().look(0, [processOf(facts)], 0, 0)?.what ?? '';
}

t.test('a process past a bound is found', (t) => {
  t.equal(look({ backlog: BACKLOG_BYTES_MAX, unconfirmed: KEYS, entries: KEYS }), '');
  t.match(look({ backlog: BACKLOG_BYTES_MAX + 1 }), /backlog/);
  t.match(look({ unconfirmed: KEYS + 1 }), /unconfirmed claims/);
  t.match(look({ entries: KEYS + 1 }), /11 entries/);
  t.equal(look({ assemblyBytes: 400_000 }), '');
  t.match(look({ assemblyBytes: 400_001 }), /values in parts/);
  t.end();
});

t.test('frames and control messages without end are found', (t) => {
  const second = (frames: number, messages: number): string => {
    const bounds = newBounds();
    const process = processOf();
    t.equal(bounds.look(0, [process], 0, 0), null);
    process.frames(frames);
    return bounds.look(1000, [process], messages, 0)?.what ?? '';
  };
  // 20 for each of four pairs, 20 for each of ten keys; 40 messages for each of four pairs.
  t.equal(second(280, 160), '');
  t.match(second(281, 0), /281 frames in 1000 ms/);
  t.match(second(0, 161), /161 control messages/);
  t.end();
});

t.test('a cluster at rest that is not quiet is found', (t) => {
  const rest = (facts: Facts, frames = 0): string => {
    const process = processOf(facts);
    const silence = new Silence([process], KEYS);
    process.frames(frames);
    return silence.check()?.what ?? '';
  };
  t.equal(rest({ backlog: 4096 }, 60), '');
  t.match(rest({}, 61), /61 frames in a cluster at rest: Claim 61/);
  t.match(rest({ peers: 2 }), /2 peers in a view of 2/);
  t.match(rest({ backlog: 4097 }), /backlog of a cluster at rest/);
  t.match(rest({ assemblyBytes: 1 }), /in parts, at rest/);
  t.match(rest({ slotsRepaired: 1 }), /had to repair/);
  t.end();
});

t.test('a DBSIZE that cannot be is found', (t) => {
  const call = (args: string[], invokedAt: number, text: string): Call => ({
    id: invokedAt,
    client: 0,
    node: 'n0.1',
    args,
    keys: [],
    invokedAt,
    returnedAt: invokedAt + 1,
    outcome: 'replied',
    reply: { type: args[0] === 'DBSIZE' ? ':' : '+', text },
  });
  const sets = [call(['SET', 's0', 'a'], 1, 'OK'), call(['SET', 's1', 'a'], 3, 'OK')];
  const check = (size: string): string =>
    new Scans().checkSizes([...sets, call(['DBSIZE'], 5, size)], KEYS)?.what ?? '';
  t.equal(check('2'), '');
  t.equal(check('10'), '');
  t.match(check('1'), /says 1, of 2 to 10 keys/);
  t.match(check('11'), /says 11, of 2 to 10 keys/);
  t.end();
});
