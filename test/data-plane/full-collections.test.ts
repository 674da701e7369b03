import t from 'tap';
import { FieldIndex } from '../../lib/store/collections/field-index.js';
import { ListBlocks } from '../../lib/store/collections/list-blocks.js';
import { VALUE_LENGTH_MAX } from '../../lib/store/entry.js';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';

const TOO_LARGE = '-ERR a collection cannot be larger than 512 MB';

for (const { add, move, count, index } of [
  {
    add: 'RPUSH',
    move: ['LMOVE', '{k}source', '{k}full', 'LEFT', 'RIGHT'],
    count: 'LLEN',
    index: new ListBlocks(Buffer.alloc(0), 0, 0, 0),
  },
  {
    add: 'SADD',
    move: ['SMOVE', '{k}source', '{k}full', 'x'],
    count: 'SCARD',
    index: new FieldIndex(0),
  },
]) {
  t.test(`${move[0]} takes nothing away that has no room elsewhere`, async (t) => {
    const cluster = new ScriptedCluster(1, { nodes: 2, longHistories: true });
    cluster.form();
    cluster.ask(0, add, '{k}source', 'x', 'y');
    cluster.ask(0, add, '{k}full', 'z');
    const process = cluster.process(cluster.pair('{k}full')[0]);
    const { store } = process;
    // Memory that is not written to is not taken from the system.
    const full = store.resize(cluster.refOf(process, '{k}full'), VALUE_LENGTH_MAX - 1024);
    store.attach(full, index);
    t.equal(cluster.ask(0, ...move), TOO_LARGE);
    t.equal(cluster.ask(0, count, '{k}source'), '2');
    cluster.ask(0, 'DEL', '{k}full');
    t.not(cluster.ask(0, ...move), TOO_LARGE);
    t.equal(cluster.ask(0, count, '{k}source'), '1');
    t.equal(cluster.ask(0, count, '{k}full'), '1');
  });
}
