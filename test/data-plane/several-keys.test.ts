import t from 'tap';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';

const SEEDS = 15;

t.test('the other node dies while the keys of a command are brought together', async (t) => {
  let late = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = new ScriptedCluster(seed, { nodes: 2, delayMsMax: 1, loses: true });
    cluster.form();
    for (const key of ['a', 'b', 'c', 'd']) cluster.ask(seed % 2, 'SET', key, 'before');
    const calls = [
      cluster.send(0, 'MSET', 'a', '1', 'new', '2'),
      cluster.send(0, 'RENAME', 'b', 'newer'),
      cluster.send(0, 'MSETNX', 'newest', '1', 'c', '2', 'd', '3'),
    ];
    cluster.run(seed / 5);
    cluster.kill(1);
    const from = cluster.now;
    cluster.answers(calls);
    late += cluster.now - from > 500 ? 1 : 0;
    cluster.finish();
  }
  t.equal(late, 0, 'who is left answers when it knows, not when somebody joins');
});

t.test('a command that changes nothing leaves nothing that is counted as a key', async (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = new ScriptedCluster(seed, { nodes: 4, delayMsMax: 3 });
    cluster.form();
    cluster.ask(seed % 4, 'SET', 'taken', 'x');
    for (let round = 0; round < 8; round++) {
      const keys = Array.from({ length: 5 }, (_, i) => `absent:${round}:${i}`);
      const pairs = ['taken', ...keys].flatMap((key) => [key, 'y']);
      t.equal(cluster.ask(round % 4, 'MSETNX', ...pairs), '0');
      t.match(cluster.ask(round % 4, 'RENAME', keys[0]!, keys[1]!), /ERR no such key/);
      t.equal(cluster.ask((round + 1) % 4, 'DBSIZE'), '1');
    }
    t.same(cluster.finish(), []);
  }
});

t.test(
  'a large value is renamed while nodes come and go, and is whole under one name',
  async (t) => {
    const value = Array.from({ length: 60_000 }, (_, i) => `${i}`).join(' ');
    for (let seed = 1; seed <= SEEDS; seed++) {
      const cluster = new ScriptedCluster(seed, { nodes: 3, spares: 1, longHistories: true });
      cluster.form();
      cluster.ask(0, 'SET', 'before', value);
      cluster.ask(1, 'RPUSH', 'list', ...Array.from({ length: 9000 }, (_, i) => `element:${i}`));
      cluster.ask(0, 'SET', 'taken', value.slice(1));
      const calls = [
        cluster.send(0, 'RENAME', 'before', seed % 2 === 0 ? 'a much longer name' : 'taken'),
        cluster.send(1, 'RENAMENX', 'list', 'l'),
      ];
      cluster.run(seed * 1.5);
      if (seed % 3 === 0) cluster.start(3);
      else cluster.kill(seed % 3);
      cluster.answers(calls);
      const alive = seed % 3 === 1 ? 0 : 1;
      const names = ['before', seed % 2 === 0 ? 'a much longer name' : 'taken'];
      const found = names.map((name) => cluster.ask(alive, 'GET', name));
      const isRenamed = found[1] === value;
      if (!isRenamed) t.equal(found[0], value, `seed ${seed}: it has its old name`);
      else t.not(found[0], value, `seed ${seed}: it has one name`);
      cluster.settled();
      const lists = ['list', 'l'].map((name) => cluster.ask(alive, 'LINDEX', name, '8999'));
      t.equal(lists.filter((last) => last === 'element:8999').length, 1, `seed ${seed}`);
      const name = lists[0] === 'element:8999' ? 'list' : 'l';
      t.equal(cluster.ask(alive, 'RPUSH', name, 'x'), '9001');
      t.equal(cluster.ask(alive, 'LINDEX', name, '4500'), 'element:4500');
      t.same(cluster.finish(), []);
    }
  },
);
