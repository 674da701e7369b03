import t from 'tap';
import { FrameType } from '../../lib/cluster/frames.js';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';
import { Connection } from '../simulation/connection.js';
import type { Process } from '../simulation/process.js';
import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';

t.setTimeout(120_000);

const KEYS = Array.from({ length: 6 }, (_, i) => `k${i}`);
const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');

/** A client that keeps what it has read until it is told otherwise, and comes back elsewhere when its node is gone. */
class CachingClient {
  readonly cache = new Map<string, string>();
  /** Times that it was told to forget all. */
  forgotAll = 0;
  told: string[] = [];
  readonly #cluster: ScriptedCluster;
  readonly #random: Random;
  #options: readonly string[];
  #connection: Connection | null = null;
  #asked: string | null = null;
  #isReady = false;

  constructor(cluster: ScriptedCluster, name: string, ...options: string[]) {
    this.#cluster = cluster;
    this.#random = cluster.scheduler.random(`caching client ${name}`);
    this.#options = options;
  }

  connect(process: Process): void {
    this.#isReady = false;
    this.#asked = null;
    this.cache.clear();
    const connection = new Connection(9000, process, this.#cluster.scheduler, this.#random, {
      replied: (reply) => this.#heard(reply),
      lost: () => {
        this.cache.clear();
        this.#connection = null;
      },
    });
    connection.reply.proto = 3;
    this.#connection = connection;
    connection.send(['CLIENT', 'TRACKING', 'ON', ...this.#options]);
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  get isIdle(): boolean {
    return this.#isReady && this.#asked === null;
  }

  /** Reads a key that it does not have, if it waits for nothing. */
  readMissing(keys: readonly string[]): void {
    if (!this.isIdle || this.#connection === null) return;
    const key = this.#random.pick(keys);
    if (this.cache.has(key)) return;
    this.#asked = key;
    this.#connection.send(['GET', key]);
  }

  write(key: string, value: string): void {
    if (!this.isIdle || this.#connection === null) return;
    this.#asked = '';
    this.#connection.send(['SET', key, value]);
  }

  #heard(reply: Reply): void {
    if (reply.type === '>') {
      const keys = reply.items[1]!;
      if (!('items' in keys)) {
        this.forgotAll++;
        this.cache.clear();
      } else {
        for (const key of keys.items) {
          this.told.push(textOf(key));
          this.cache.delete(textOf(key));
        }
      }
    } else if (!this.#isReady) {
      this.#isReady = true;
    } else {
      const key = this.#asked!;
      this.#asked = null;
      if (key !== '' && reply.type !== '-') this.cache.set(key, textOf(reply));
    }
  }
}

/** Reads of these keys that were kept, and are not what is there. */
function staleEntries(
  cluster: ScriptedCluster,
  clients: readonly CachingClient[],
  keys: readonly string[],
): string[] {
  const at = cluster.running[0]!.machine;
  const present = cluster.askEach(at, keys, 'GET');
  return keys.flatMap((key, i) =>
    clients.flatMap(({ cache }) => {
      const kept = cache.get(key);
      const isStale = kept !== undefined && kept !== (present[i] ?? '');
      return isStale ? [`${key}: kept ${kept}, is ${present[i]}`] : [];
    }),
  );
}

/** Commands that change keys, each with the keys that it changes. */
function change(random: Random, round: number): string[] {
  const key = random.pick(KEYS);
  const at = random.next();
  if (at < 0.5) return ['SET', key, `v${round}`];
  if (at < 0.6) return ['APPEND', key, '+'];
  if (at < 0.7) return ['SET', key, `v${round}`, 'PX', '100'];
  if (at < 0.8) return ['DEL', key];
  return at < 0.97 ? ['RENAME', key, random.pick(KEYS)] : ['FLUSHALL'];
}

/** Kills a node in the middle of something, and starts it again, or stops it for a while. */
function fault(cluster: ScriptedCluster, random: Random): void {
  const victim = random.below(3);
  cluster.run(random.between(0, 100));
  if (random.next() < 0.6) {
    cluster.kill(victim);
    cluster.run(300);
    cluster.start(victim);
  } else {
    cluster.pause(victim);
    cluster.run(random.between(100, 4000));
    cluster.resume(victim);
  }
}

t.test('what is kept is never out of date for good, whatever happens', async (t) => {
  let kept = 0;
  let told = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const cluster = new ScriptedCluster(seed, { nodes: 3, delayMsMax: 40, longHistories: true });
    cluster.form();
    const random = cluster.scheduler.random('script');
    const clients = [0, 1, 2, 3].map((i) => {
      return new CachingClient(cluster, String(i), ...(i === 3 ? ['BCAST', 'PREFIX', 'k'] : []));
    });
    // They read again what they were told of at once, which is when an old value may still be somewhere.
    const stop = cluster.repeat(2, () => {
      for (const client of clients) {
        if (!client.isConnected) client.connect(random.pick(cluster.running));
        client.readMissing(KEYS);
      }
    });
    for (let round = 0; round < 60; round++) {
      const command = change(random, round);
      const call = cluster.send(random.pick(cluster.running).machine, ...command);
      if (round % 12 === 11) {
        fault(cluster, random);
        cluster.settled();
      }
      // On links this slow it may take more than a second.
      cluster.until('an answer', () => call.outcome !== 'pending');
      cluster.run(1000);
      for (const client of clients) kept += client.cache.size;
      t.same(staleEntries(cluster, clients, KEYS), [], `seed ${seed}, after ${command}`);
    }
    for (const client of clients) told += client.told.length;
    stop();
    t.same(cluster.finish(), []);
  }
  t.ok(kept > 500, `${kept} entries were kept`);
  t.ok(told > 100, `${told} were told to be out of date`);
});

t.test('nobody is told anything while nobody tracks', async (t) => {
  const cluster = new ScriptedCluster(1, { nodes: 3 });
  cluster.form();
  for (const key of KEYS) cluster.ask(0, 'SET', key, 'x');
  const sent = () =>
    cluster.running.reduce(
      (sum, { node }) => sum + node.state.statistics.framesSent[FrameType.Invalidate]!,
      0,
    );
  // Were changes still on their way when somebody begins to track, "all" would be told behind them.
  cluster.run(1000);
  t.equal(sent(), 0);
  const client = new CachingClient(cluster, 'c', 'BCAST', 'PREFIX', 'k1');
  client.connect(cluster.process(1));
  cluster.until('ready', () => client.isIdle);
  for (const key of KEYS) cluster.ask(0, 'SET', key, 'y');
  cluster.run(100);
  t.same(client.told.sort(), ['k1'], 'only what it has asked for');
  t.equal(sent(), 1, 'and to its node alone');
  t.same(cluster.finish(), []);
});

t.test('NOLOOP holds also where the key is at another node', async (t) => {
  const cluster = new ScriptedCluster(3, { nodes: 3, takeOverAfter: 0 });
  cluster.form();
  for (const key of KEYS) cluster.ask(0, 'SET', key, 'x');
  const client = new CachingClient(cluster, 'c', 'BCAST', 'NOLOOP');
  client.connect(cluster.process(1));
  for (const key of KEYS) {
    cluster.until('ready', () => client.isIdle);
    client.write(key, 'own');
  }
  cluster.until('written', () => client.isIdle);
  cluster.run(100);
  t.same(client.told, []);
  cluster.ask(2, 'SET', 'k3', 'other');
  cluster.run(100);
  t.same(client.told, ['k3']);
  t.same(cluster.finish(), []);
});

t.test('two sides that meet: what was kept on either is forgotten', async (t) => {
  const cluster = new ScriptedCluster(5, { nodes: 3, sides: true });
  cluster.form();
  for (const key of KEYS) cluster.ask(0, 'SET', key, 'x');
  const clients = [0, 1].map((machine) => {
    const client = new CachingClient(cluster, String(machine));
    client.connect(cluster.process(machine));
    return client;
  });
  const stop = cluster.repeat(2, () => {
    for (const client of clients) client.readMissing(KEYS);
  });
  cluster.split([0], [1, 2]);
  cluster.run(6000);
  for (const key of KEYS.slice(0, 3)) cluster.ask(0, 'SET', key, 'left');
  for (const key of KEYS.slice(2)) cluster.ask(2, 'SET', key, 'right');
  cluster.run(200);
  t.ok(clients.every(({ cache }) => cache.size === KEYS.length));
  for (const machine of [1, 2]) cluster.network.mend(0, machine);
  cluster.settled();
  cluster.run(1000);
  t.same(staleEntries(cluster, clients, KEYS), []);
  t.equal(clients[0]!.cache.get('k5'), 'right');
  t.equal(clients[1]!.cache.get('k0'), 'left');
  stop();
  t.same(cluster.finish(), []);
});
