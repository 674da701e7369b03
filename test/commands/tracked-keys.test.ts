import t from 'tap';
import { TestNode } from '../support/local-services.js';

t.test(
  'past tracking-table-max-keys the oldest keys are given up, and their readers told',
  async (t) => {
    const node = new TestNode();
    node.config.change([['tracking-table-max-keys', '2']]);
    const one = node.connect();
    const two = node.connect();
    for (const client of [one, two]) {
      node.run(client, 'HELLO', '3');
      t.equal(node.run(client, 'CLIENT', 'TRACKING', 'ON'), '+OK\r\n');
    }
    node.run(one, 'MGET', 'a', 'b');
    node.run(two, 'GET', 'b');
    t.equal(node.tracking.itemCount, 3);
    t.equal(node.run(two, 'GET', 'c'), '_\r\n');
    t.equal(one.replies(), '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n');
    node.run(two, 'GET', 'd');
    t.equal(one.replies(), '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nb\r\n');
    t.equal(node.tracking.keyCount, 2);
    node.run(two, 'CLIENT', 'TRACKING', 'OFF');
    node.run(one, 'RESET');
    t.same([node.tracking.clientCount, node.tracking.keyCount, node.tracking.itemCount], [0, 0, 0]);
  },
);
