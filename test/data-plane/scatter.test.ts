import t from 'tap';
import { KeyMode, type Operation } from '../../lib/cluster/operation.js';
import { scatter } from '../../lib/cluster/scatter.js';
import { Request } from '../../lib/protocol/request.js';

function operation(keyMode: KeyMode, replies: Buffer[], ...args: string[]): Operation {
  return {
    request: Request.of(...args),
    traits: {
      name: args[0]!,
      write: false,
      creates: false,
      denyOom: false,
      observes: false,
      keyMode,
    },
    keys: args.slice(1).map((_, index) => index + 1),
    db: 3,
    proto: 2,
    sink: { acknowledged() {}, complete: (_token, reply) => replies.push(reply), fail() {} },
    token: 1,
  };
}

t.test('MGET: replies come together in the order of the keys, however they arrive', async (t) => {
  const replies: Buffer[] = [];
  const parts: Operation[] = [];
  scatter(operation(KeyMode.ScatterArray, replies, 'mget', 'a', 'b', 'a'), (part) =>
    parts.push(part),
  );
  t.same(
    parts.map((part) => [part.request.latin1(0), part.request.latin1(1), part.db]),
    [
      ['mget', 'a', 3],
      ['mget', 'b', 3],
      ['mget', 'a', 3],
    ],
  );
  parts[1]!.sink.complete(parts[1]!.token, Buffer.from('*1\r\n$-1\r\n'));
  parts[2]!.sink.complete(parts[2]!.token, Buffer.from('*1\r\n$1\r\nx\r\n'));
  t.same(replies, []);
  parts[0]!.sink.complete(parts[0]!.token, Buffer.from('*1\r\n$1\r\nx\r\n'));
  t.equal(String(replies[0]), '*3\r\n$1\r\nx\r\n$-1\r\n$1\r\nx\r\n');
});

t.test('DEL: integers are added; an error of one key is the reply of all', async (t) => {
  const replies: Buffer[] = [];
  scatter(operation(KeyMode.ScatterSum, replies, 'del', 'a', 'b'), (part) =>
    part.sink.complete(part.token, Buffer.from(':1\r\n')),
  );
  scatter(operation(KeyMode.ScatterSum, replies, 'del', 'a', 'b'), (part) => {
    if (part.token === 0) part.sink.complete(0, Buffer.from(':1\r\n'));
    else part.sink.fail(1, 'ERR outcome unknown');
  });
  t.same(replies.map(String), [':2\r\n', '-ERR outcome unknown\r\n']);
});
