import t from 'tap';
import { KEYS_PER_TURN } from '../../lib/base/limits.js';
import { KeyMode, type Operation, Pairs } from '../../lib/cluster/operation.js';
import { Scattering } from '../../lib/cluster/scattering.js';
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
      usesElements: false,
      keyMode,
      pairs: Pairs.None,
    },
    keys: args.slice(1).map((_, index) => index + 1),
    db: 3,
    proto: 2,
    sink: { acknowledged() {}, complete: (_token, reply) => replies.push(reply), fail() {} },
    token: 1,
  };
}

/** Runs it where no key may run here: every key goes through `route`. */
function scatter(whole: Operation, route: (part: Operation) => void): void {
  const hooks = { mayRunHere: () => false, runHere: () => t.fail('may not run here'), route };
  new Scattering(hooks, () => t.fail('few keys need no other turn')).run(whole);
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

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `key:${i}`);

t.test(
  'many keys: one slice per turn, commands in turns, and no more in flight than it may be',
  async (t) => {
    const replies: Buffer[] = [];
    const waiting: Operation[] = [];
    let wanted = 0;
    const hooks = {
      mayRunHere: () => false,
      runHere: () => t.fail('may not run here'),
      route: (part: Operation) => waiting.push(part),
    };
    const scattering = new Scattering(hooks, () => wanted++);
    const many = names(6 * KEYS_PER_TURN + 1);
    scattering.run(operation(KeyMode.ScatterArray, replies, 'mget', ...many));
    scattering.run(operation(KeyMode.ScatterSum, replies, 'del', ...many));
    t.equal(waiting.length, 0, 'nothing in the turn in which they came');
    t.equal(wanted, 2);
    let most = 0;
    let turns = 0;
    const seen = new Map<string, number>();
    const answer = (part: Operation): void => {
      const name = part.request.latin1(0);
      seen.set(name, (seen.get(name) ?? 0) + 1);
      const element = `$3\r\n${part.request.latin1(1).slice(-3).padStart(3, '_')}\r\n`;
      const reply = name === 'del' ? ':1\r\n' : `*1\r\n${element}`;
      part.sink.complete(part.token, Buffer.from(reply));
    };
    while (replies.length < 2) {
      const before = waiting.length;
      if (!scattering.step()) {
        most = Math.max(most, waiting.length);
        // All that can go out is on its way: now replies come, the last ones first.
        for (const part of waiting.splice(0).reverse()) answer(part);
      } else if (waiting.length - before > KEYS_PER_TURN) t.fail('more than one slice in a turn');
      if (++turns > 100) throw new Error('it does not end');
    }
    t.equal(most, 8 * KEYS_PER_TURN, 'four slices of each');
    t.same([...seen.values()], [many.length, many.length], 'each key once');
    t.equal(scattering.open, 0);
    const expected = many.map((key) => `$3\r\n${key.slice(-3).padStart(3, '_')}\r\n`).join('');
    const array = replies.find((reply) => reply[0] === 42);
    t.ok(String(array) === `*${many.length}\r\n${expected}`, 'in the order of the keys');
    t.equal(String(replies.find((reply) => reply[0] !== 42)), `:${many.length}\r\n`);
  },
);

t.test(
  'a slice whose keys may run here is one step; after an error no further slice goes out',
  async (t) => {
    const replies: Buffer[] = [];
    const steps: Operation[] = [];
    const hooks = {
      mayRunHere: () => true,
      runHere: (part: Operation) => steps.push(part),
      route: () => t.fail('may run here'),
    };
    const scattering = new Scattering(hooks, () => undefined);
    const keys = names(3 * KEYS_PER_TURN);
    scattering.run(operation(KeyMode.ScatterSum, replies, 'del', ...keys));
    scattering.step();
    t.equal(steps[0]!.request.argc, KEYS_PER_TURN + 1);
    steps[0]!.sink.complete(steps[0]!.token, Buffer.from('-ERR outcome unknown\r\n'));
    while (scattering.step());
    t.equal(steps.length, 1);
    t.same(replies.map(String), ['-ERR outcome unknown\r\n']);
    t.equal(scattering.open, 0);
  },
);
