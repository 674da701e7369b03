import t from 'tap';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { keyOf } from '../../lib/cluster/key.js';
import { Preparing } from '../../lib/cluster/preparing.js';
import { ClusterStatistics } from '../../lib/cluster/statistics.js';
import { putNumber } from '../../lib/store/collections/numbers.js';
import { Store, ValueType } from '../../lib/store/store.js';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';
import { Connection } from '../simulation/connection.js';
import { type Call, showReply } from '../simulation/history.js';

/** Commands on large collections that came whole from elsewhere: they wait until the index is made, and others do not. */

const PREPARING_MAX = 1000;
const NODES = 3;
/** Elements of each collection: so many that its index takes a hundred slices of this size. */
const ELEMENTS = 4000;
const LIST_ELEMENTS = 40_000;
const STEP_KEYS = 2;
/** Ticks come every 200 ms: nothing may have to wait for one. */
const NODE_TIMEOUT_MS = 8000;
const WAIT_MS_MAX = 150;
const DAMAGED = '-ERR the value of this key is damaged';

t.setTimeout(240_000);

const names = (prefix: string, count = ELEMENTS): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}:${i}`);

/** How a collection is made, and what its key is used with. */
interface Kind {
  readonly make: readonly string[];
  readonly change: readonly string[];
  readonly changed: string;
  readonly count: string;
  /** Of what `count` counts, after the change. */
  readonly counted: number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  hash: {
    make: ['HSET', 'big', ...names('field').flatMap((name) => [name, 'v'])],
    change: ['HSET', 'big', 'field:7', 'w', 'new', 'v'],
    changed: '1',
    count: 'HLEN',
    counted: ELEMENTS + 1,
  },
  set: {
    make: ['SADD', 'big', ...names('member')],
    change: ['SREM', 'big', 'member:7', 'member:3999', 'none'],
    changed: '2',
    count: 'SCARD',
    counted: ELEMENTS - 2,
  },
  list: {
    make: ['RPUSH', 'big', ...names('element', LIST_ELEMENTS)],
    change: ['LINSERT', 'big', 'BEFORE', 'element:2000', 'x'],
    changed: String(LIST_ELEMENTS + 1),
    count: 'LLEN',
    counted: LIST_ELEMENTS + 1,
  },
  'sorted set': {
    make: ['ZADD', 'big', ...names('member').flatMap((name, i) => [String(i % 97), name])],
    change: ['ZADD', 'big', 'CH', '-1', 'member:0', '5', 'new', '0', 'member:97'],
    changed: '2',
    count: 'ZCARD',
    counted: ELEMENTS + 1,
  },
};
const SET = KINDS['set']!;

const preparing = (cluster: ScriptedCluster, machine: number): number =>
  cluster.process(machine).node.open['preparing']!;

interface Promoted {
  readonly cluster: ScriptedCluster;
  /** The machine of the key's primary, whose index is not made, and the other one that is left. */
  readonly primary: number;
  readonly other: number;
}

/** The collection is at `big`, and the node that has made it is dead. */
function promoted({ make }: Kind, seed = 1, nodes = NODES): Promoted {
  const cluster = new ScriptedCluster(seed, {
    nodes,
    stepKeys: STEP_KEYS,
    nodeTimeoutMs: NODE_TIMEOUT_MS,
    takeOverAfter: 0,
    longHistories: true,
    lateShare: 0,
    delayMsMax: 0.5,
  });
  cluster.form();
  cluster.ask(0, ...make);
  cluster.ask(0, 'SET', 'small', 'value');
  cluster.settled();
  const [before] = cluster.pair('big');
  cluster.kill(before);
  cluster.settled();
  const [primary] = cluster.holders('big').primary;
  const other = cluster.running.find(({ machine }) => machine !== primary)?.machine;
  return { cluster, primary: primary!, other: other ?? primary! };
}

/** Sends a command that has to wait, and returns when the index is half made. */
function waiting(
  { cluster, primary, other }: Promoted,
  from: 'primary' | 'other',
  kind: Kind,
): Call {
  const call = cluster.send(from === 'primary' ? primary : other, ...kind.change);
  cluster.until('it is being prepared', () => preparing(cluster, primary) === 1);
  cluster.run(0.5);
  if (call.outcome !== 'pending' || preparing(cluster, primary) !== 1) throw new Error('too fast');
  return call;
}

for (const [name, kind] of Object.entries(KINDS)) {
  for (const from of ['primary', 'other'] as const) {
    t.test(`a ${name} that was promoted, used through its ${from} node`, async (t) => {
      const scene = promoted(kind);
      const { cluster, primary, other } = scene;
      const call = waiting(scene, from, kind);
      for (const machine of [primary, other]) {
        t.equal(cluster.ask(machine, 'GET', 'small'), 'value');
        t.equal(cluster.ask(machine, 'TYPE', 'big'), kind.make[0] === 'ZADD' ? 'zset' : name);
        t.equal(cluster.ask(machine, 'PEXPIRE', 'big', '3600000'), '1');
      }
      t.equal(preparing(cluster, primary), 1, 'the others are answered in between');
      t.equal(call.outcome, 'pending');
      t.same(cluster.answers([call]), [kind.changed]);
      t.ok(call.returnedAt - call.invokedAt < WAIT_MS_MAX);
      t.equal(preparing(cluster, primary), 0);
      t.equal(cluster.ask(other, kind.count, 'big'), String(kind.counted));
      t.same(cluster.finish(), []);
    });
  }
}

t.test('what waits runs in its order', async (t) => {
  const scene = promoted(SET);
  const { cluster, primary, other } = scene;
  const first = waiting(scene, 'primary', SET);
  const commands = [['SADD', 'one'], ['SCARD'], ['SREM', 'one'], ['SCARD']];
  const calls = commands.map(([name, ...rest]) => {
    const call = cluster.send(primary, name!, 'big', ...rest);
    // Until it has come there.
    cluster.run(1);
    return call;
  });
  t.equal(first.outcome, 'pending');
  const last = cluster.send(other, 'SADD', 'big', 'two');
  const counted = [1, ELEMENTS - 1, 1, ELEMENTS - 2].map(String);
  t.same(cluster.answers([first, ...calls, last]), ['2', ...counted, '1']);
  t.same(cluster.finish(), []);
});

t.test('a key that goes away while it is prepared', async (t) => {
  const ways: Record<string, [command: string[], answer: string | RegExp]> = {
    deleted: [['DEL', 'big'], '0'],
    'set over': [['SET', 'big', 'text'], /^-WRONGTYPE/],
    flushed: [['FLUSHALL'], '0'],
    renamed: [['RENAME', 'big', 'elsewhere'], '0'],
    expired: [['PEXPIRE', 'big', '1'], '0'],
    'renamed over': [['RENAME', 'tiny', 'big'], '0'],
  };
  for (const [way, [command, answer]] of Object.entries(ways)) {
    for (const by of ['primary', 'other'] as const) {
      const scene = promoted(SET);
      const { cluster } = scene;
      cluster.ask(scene.primary, 'SADD', 'tiny', 'one');
      const call = waiting(scene, 'other', SET);
      const reply = cluster.ask(scene[by], ...command);
      t.notMatch(reply, /^-/, `${way}: ${reply}`);
      const [got] = cluster.answers([call]);
      if (way !== 'expired') t.ok(call.returnedAt - call.invokedAt < 2 * WAIT_MS_MAX);
      t.match(got, answer, `${way} by ${by}: ${got}`);
      cluster.run(100);
      t.equal(preparing(cluster, scene.primary), 0);
      if (way === 'renamed') {
        t.equal(cluster.ask(scene.other, 'SREM', 'elsewhere', 'member:1', 'none'), '1');
        t.equal(cluster.ask(scene.other, 'SCARD', 'elsewhere'), String(ELEMENTS - 1));
      }
      t.same(cluster.finish(), []);
    }
  }
});

t.test('what is half prepared goes on under its new name', async (t) => {
  const scene = promoted(SET);
  const { cluster, primary } = scene;
  const call = waiting(scene, 'primary', SET);
  cluster.run(3);
  t.equal(cluster.ask(primary, 'RENAME', 'big', 'elsewhere'), 'OK');
  const { store } = cluster.process(primary);
  const half = store.attached(cluster.refOf(cluster.process(primary), 'elsewhere'));
  t.not(half, null);
  t.same(cluster.answers([call]), ['0']);
  t.equal(cluster.ask(primary, 'SISMEMBER', 'elsewhere', 'member:3'), '1');
  t.same(cluster.finish(), []);
});

t.test('changes that use no element do not begin it anew', async (t) => {
  const scene = promoted(SET);
  const { cluster, primary } = scene;
  const call = waiting(scene, 'primary', SET);
  const stop = cluster.repeat(0.3, () => cluster.send(primary, 'PEXPIRE', 'big', '3600000'));
  cluster.until('answered', () => call.outcome === 'replied', 200);
  stop();
  t.same(cluster.finish(), []);
});

t.test('commands on several keys wait for each of them', async (t) => {
  for (const nodes of [2, NODES]) {
    for (const by of ['primary', 'other'] as const) {
      const scene = promoted(SET, 1, nodes);
      const { cluster, primary, other } = scene;
      const machine = scene[by];
      const call = cluster.send(machine, 'SUNIONSTORE', 'all', 'big', 'none');
      const isPreparing = () =>
        cluster.running.some(({ machine: at }) => preparing(cluster, at) > 0);
      cluster.until('it is being prepared', isPreparing);
      t.equal(cluster.ask(primary, 'GET', 'small'), 'value');
      t.ok(isPreparing());
      t.equal(call.outcome, 'pending');
      t.same(cluster.answers([call]), [String(ELEMENTS)]);
      t.ok(call.returnedAt - call.invokedAt < 2 * WAIT_MS_MAX);
      t.equal(cluster.ask(other, 'SMOVE', 'big', 'all', 'member:1'), '1');
      t.equal(cluster.ask(other, 'COPY', 'big', 'copy'), '1');
      t.equal(cluster.ask(other, 'SCARD', 'copy'), String(ELEMENTS - 1));
      t.same(cluster.finish(), []);
    }
  }
});

/** Sends one command after the other on one connection; their replies as they come. */
function conversation(
  cluster: ScriptedCluster,
  machine: number,
  commands: readonly string[][],
): string[] {
  const replies: string[] = [];
  const { scheduler } = cluster;
  const random = scheduler.random('conversation');
  const connection = new Connection(1e6, cluster.process(machine), scheduler, random, {
    replied: (reply) => {
      replies.push(showReply(reply));
      const next = commands[replies.length];
      if (next !== undefined) connection.send(next);
    },
    lost: () => undefined,
  });
  connection.send(commands[0]!);
  return replies;
}

t.test('a transaction waits for its keys, and finds them prepared', async (t) => {
  const commands = [['MULTI'], ['SADD', 'another', 'x'], ['SCARD', 'big'], ['EXEC']];
  for (const nodes of [2, NODES]) {
    for (const by of ['primary', 'other'] as const) {
      const scene = promoted(SET, 2, nodes);
      const { cluster, primary } = scene;
      const replies = conversation(cluster, scene[by], commands);
      const isPreparing = () =>
        cluster.running.some(({ machine: at }) => preparing(cluster, at) > 0);
      cluster.until('it is being prepared', isPreparing);
      t.equal(cluster.ask(primary, 'GET', 'small'), 'value');
      t.equal(replies.length, commands.length - 1);
      const { now } = cluster;
      cluster.until('run', () => replies.length === commands.length);
      t.ok(cluster.now - now < 2 * WAIT_MS_MAX);
      t.match(replies.at(-1), /1.*4000/);
      t.same(cluster.finish(), []);
    }
  }
});

t.test('a key that is handed over while it is prepared is prepared where it goes', async (t) => {
  const scene = promoted(SET);
  const { cluster, primary, other } = scene;
  const call = waiting(scene, 'primary', SET);
  const several = cluster.send(other, 'SUNIONSTORE', 'all', 'big', 'none');
  cluster.until('handed over', () => cluster.holders('big').primary.includes(other));
  cluster.until('and prepared', () => preparing(cluster, other) === 1);
  cluster.run(0.5);
  const process = cluster.process(primary);
  t.same([preparing(cluster, primary), preparing(cluster, other)], [0, 1]);
  t.equal(process.store.attached(cluster.refOf(process, 'big')), null, 'nothing is left of it');
  t.same(cluster.answers([call, several]), ['2', String(ELEMENTS)]);
  t.ok(call.returnedAt - call.invokedAt < 3 * WAIT_MS_MAX);
  t.same(cluster.finish(), []);
});

t.test('a member joins, leaves or dies while a key is prepared', async (t) => {
  const ways: Record<string, (scene: Promoted) => void> = {
    'its node leaves': ({ cluster, primary }) => cluster.process(primary).leave(),
    'its node dies': ({ cluster, primary }) => cluster.kill(primary),
    'the other one dies': ({ cluster, other }) => cluster.kill(other),
    'it sleeps': ({ cluster, primary }) => {
      cluster.pause(primary);
      cluster.run(1500);
      cluster.resume(primary);
    },
    'another one joins': ({ cluster }) => {
      for (const { index } of cluster.machines) if (!cluster.isUp(index)) cluster.start(index);
    },
  };
  for (const [way, happen] of Object.entries(ways)) {
    for (const from of ['primary', 'other'] as const) {
      const scene = promoted(SET);
      const { cluster } = scene;
      const call = waiting(scene, from, SET);
      happen(scene);
      cluster.until(`${way}: answered`, () => call.outcome !== 'pending');
      cluster.settled();
      const isUnknown = call.outcome === 'unknown' || /unknown/.test(JSON.stringify(call.reply));
      const left = Number(cluster.ask(cluster.running[0]!.machine, 'SCARD', 'big'));
      t.ok(isUnknown || left === ELEMENTS - 2, `${way}, ${from}: ${call.outcome}, ${left}`);
      t.ok(left === ELEMENTS || left === ELEMENTS - 2);
      t.same(cluster.finish(), []);
    }
  }
});

t.test('a collection whose bytes are damaged', async (t) => {
  for (const kind of Object.values(KINDS)) {
    const cluster = new ScriptedCluster(1, {
      nodes: NODES,
      stepKeys: STEP_KEYS,
      longHistories: true,
    });
    cluster.form();
    cluster.ask(0, ...kind.make);
    cluster.settled();
    const [before, backup] = cluster.pair('big');
    const { store } = cluster.process(backup);
    const ref = cluster.refOf(cluster.process(backup), 'big');
    const middle = store.valueStart(ref) + (store.valueLength(ref) >>> 1);
    store.valueBuffer(ref).fill(0xc1, middle, middle + 40);
    cluster.kill(before);
    cluster.until('promoted', () => cluster.holders('big').primary.length === 1);
    const [any] = cluster.running;
    t.equal(cluster.ask(any!.machine, ...kind.change), DAMAGED);
    t.equal(cluster.ask(any!.machine, kind.count, 'big'), DAMAGED);
    t.equal(cluster.ask(any!.machine, 'COPY', 'big', 'copy'), DAMAGED);
    t.equal(cluster.ask(any!.machine, 'RENAME', 'big', 'other'), 'OK');
    t.equal(cluster.ask(any!.machine, kind.count, 'other'), DAMAGED);
    t.equal(cluster.ask(any!.machine, 'DEL', 'other'), '1');
    t.match(cluster.ask(any!.machine, ...kind.make), /^[0-9]+$/);
    t.same(cluster.finish(), []);
  }
});

t.test('a very large collection is prepared as soon as it is promoted', async (t) => {
  const fields = names('field').slice(0, 300);
  const value = 'x'.repeat(5000);
  const make = ['HSET', 'big', ...fields.flatMap((name) => [name, value])];
  const { cluster, primary } = promoted({ ...SET, make });
  const { node } = cluster.process(primary);
  cluster.until('prepared', () => node.open['preparing'] === 0);
  const call = cluster.send(primary, 'HDEL', 'big', 'field:7');
  cluster.until('answered', () => {
    t.equal(node.open['preparing'], 0);
    return call.outcome === 'replied';
  });
  t.same(cluster.finish(), []);
});

t.test('large collections that are prepared at a time: PREPARING_MAX', async (t) => {
  const store = new Store({ seed: 1 });
  const statistics = new ClusterStatistics();
  const config = { stepKeys: 1000 };
  let wakeUps = 0;
  const preparing = new Preparing({ store, statistics, config } as unknown as ClusterState, {
    wantFlush: () => undefined,
    prepared: () => wakeUps++,
  });
  const keyAt = (i: number) => {
    const bytes = Buffer.from(`key ${i}`);
    return keyOf(0, bytes, 0, bytes.length);
  };
  // A set with one member.
  const value = Buffer.alloc(40_000);
  value[0] = 1;
  putNumber(value, 8, (value.length - 13) * 2);
  for (let i = 0; i <= PREPARING_MAX; i++) {
    const { bytes } = keyAt(i);
    const ref = store.create(0, bytes, 0, bytes.length, ValueType.Set, value.length);
    value.copy(store.valueBuffer(ref), store.valueStart(ref));
    preparing.ask(keyAt(i));
    preparing.ask(keyAt(i));
  }
  t.equal(preparing.open, PREPARING_MAX);
  t.equal(statistics.limits.all.get('preparing'), 2);
  t.ok(preparing.step());
  t.equal(wakeUps, 1, 'who waits for the others looks again as soon as there is room');
  preparing.ask(keyAt(PREPARING_MAX));
  for (let i = 0; preparing.step(); i++) if (i > PREPARING_MAX) throw new Error('no end');
  t.equal(statistics.limits.all.get('preparing'), 2);
  const last = keyAt(PREPARING_MAX).bytes;
  t.notOk(preparing.isWanting(store.find(0, last, 0, last.length)));
});
