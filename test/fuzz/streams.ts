import { ScriptedCluster } from '../scenarios/scripted-cluster.js';
import { below, type Draw, mutate, pick } from './mutations.js';
import type { Target } from './targets.js';

/** Commands of one run, and one of how many chunks between the nodes is changed. */
const COMMANDS = 40;
const CHANGED_EVERY = 60;
const KEYS = ['a', 'b', '{t}c', '{t}d', 'hash', 'list', 'zset', 'large'];

function command(draw: Draw): string[] {
  const key = pick(draw, KEYS);
  const forms: readonly string[][] = [
    ['SET', key, 'x'.repeat(below(draw, 300))],
    ['SET', key, 'y', 'PX', '100000'],
    ['GET', key],
    ['DEL', key],
    ['INCR', key],
    ['APPEND', key, 'more'],
    ['PEXPIRE', key, '5000'],
    ['HSET', 'hash', 'field', String(below(draw, 100))],
    ['RPUSH', 'list', 'one', 'two'],
    ['LPOP', 'list'],
    ['ZADD', 'zset', '1.5', 'member', '2', key],
    ['SET', 'large', 'L'.repeat(100_000)],
    ['MSET', '{t}c', '1', '{t}d', '2'],
    ['RENAME', '{t}c', '{t}d'],
    ['MGET', 'a', 'b', 'large'],
    ['DBSIZE'],
    ['SCAN', '0'],
    ['PUBLISH', 'channel', 'message'],
    ['FLUSHDB'],
  ];
  return pick(draw, forms);
}

/**
 * Two nodes of a simulated cluster whose data is changed on its way, as a member would send it that has gone wrong. They may
 * lose their link over it, or believe it, as one member believes another; but no frame may be too much for a node.
 */
export const streams: Target = {
  name: 'bus, streams of a member',
  inputsOfTest: 8,
  sample: (draw) => Buffer.from(String(below(draw, 2 ** 31))),
  run: (input, draw) => {
    const cluster = new ScriptedCluster(below(draw, 2 ** 31), { nodes: 2, loses: true });
    cluster.form();
    let fault: unknown = null;
    let last = input;
    let links = 0;
    for (const { node } of cluster.running) {
      const receive = node.dataReceived.bind(node);
      node.dataReceived = (link, chunk, length) => {
        const valid = Buffer.from(chunk.subarray(0, length));
        const isChanged = below(draw, CHANGED_EVERY) === 0;
        const bytes = isChanged ? mutate(valid, last, draw) : valid;
        last = valid;
        try {
          receive(link, Buffer.from(bytes), bytes.length);
        } catch (error) {
          fault ??= error;
        }
      };
      const closed = node.dataClosed.bind(node);
      node.dataClosed = (link) => {
        links += 1;
        closed(link);
      };
    }
    try {
      for (let i = 0; i < COMMANDS && fault === null; i++) {
        cluster.send(below(draw, 2), ...command(draw));
        cluster.run(below(draw, 60));
      }
    } catch (error) {
      // What they were made to believe may be that they have two primaries, or a reply that is none: with that members are trusted.
      if (isOfNode(error as Error)) fault ??= error;
    }
    if (fault !== null) throw fault;
    return links > 0 ? 'refused' : 'taken';
  },
};

/** Whether it comes from the node, and not from what looks at it. */
function isOfNode({ stack }: Error): boolean {
  const places = (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return places.slice(0, 2).some((line) => line.includes('/lib/'));
}
