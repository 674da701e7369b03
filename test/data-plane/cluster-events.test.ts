import t from 'tap';
import { ClusterEvents, EVENTS_MAX } from '../../lib/cluster/cluster-events.js';
import type { Member } from '../../lib/cluster/member.js';

const member = (port: number, leaving = false): Member => {
  const id = String(port).repeat(10);
  return { id, host: '127.0.0.1', port, busPort: port + 10_000, zone: '', leaving };
};

const viewOf = (number: number, ...members: Member[]) => {
  return { id: { number, coordinator: member(7001).id }, members, seed: 1 };
};

function setUp() {
  const facts = {
    monotonic: 0,
    promotions: 0,
    takenOver: 0,
    single: 0,
    settled: true,
    down: false,
  };
  const events = new ClusterEvents({
    now: () => ({ monotonic: facts.monotonic, wall: 1_700_000_000_000 + facts.monotonic }),
    self: () => member(7001),
    isProvenDead: () => false,
    promotions: () => facts.promotions,
    takenOver: () => facts.takenOver,
    single: () => facts.single,
    isSettled: () => facts.settled,
    isDown: () => facts.down,
  });
  const pass = (milliseconds: number): void => {
    for (let past = 0; past < milliseconds; past += 50) {
      facts.monotonic += 50;
      events.tick();
    }
  };
  const kinds = (): string[] => events.last(EVENTS_MAX).map(({ kind }) => kind);
  return { facts, events, pass, kinds };
}

t.test('keys that change their role one after the other are one event', async (t) => {
  const { facts, events, pass } = setUp();
  events.installed(viewOf(1, member(7001), member(7002)), () => 0);
  pass(100);
  for (let i = 0; i < 3; i++) {
    facts.promotions += 10;
    pass(50);
  }
  pass(1000);
  t.match(events.last(1), [{ kind: 'promoted', count: 30 }]);
  let told = 0;
  events.listeners.push(() => told++);
  facts.takenOver = 1;
  pass(1000);
  facts.takenOver = 7;
  pass(1000);
  t.match(events.last(1), [{ kind: 'took-over', count: 1 }], 'not so soon again');
  pass(30_000);
  t.match(events.last(1), [{ kind: 'took-over', count: 6 }]);
  t.equal(told, 2, 'who listens is told of each');
});

t.test('copies are told restored when all are', async (t) => {
  const { facts, events, pass, kinds } = setUp();
  events.installed(viewOf(1, member(7001), member(7002), member(7003)), () => 0);
  pass(50);
  Object.assign(facts, { single: 5, settled: false });
  events.installed(viewOf(2, member(7001), member(7003)), () => 5);
  pass(500);
  t.same(kinds().slice(-3), ['lost', 'copies-lost', 'view']);
  facts.single = 0;
  pass(50);
  t.match(events.last(1), [{ kind: 'restored', count: 5, view: 2 }]);
  facts.settled = true;
  pass(50);
  t.match(events.last(1), [{ kind: 'settled', member: null }]);
  // Alone there is nobody to have a second copy.
  facts.single = 9;
  events.installed(viewOf(3, member(7001)), () => 9);
  facts.single = 0;
  pass(500);
  t.same(kinds().slice(-3), ['lost', 'copies-lost', 'view']);
});

t.test('the oldest are forgotten', async (t) => {
  const { facts, events, pass } = setUp();
  for (let i = 0; i < EVENTS_MAX; i++) {
    facts.down = !facts.down;
    pass(50);
  }
  facts.down = !facts.down;
  pass(50);
  t.equal(events.last(Number.MAX_SAFE_INTEGER).length, EVENTS_MAX);
  t.same([events.size, events.lastId], [EVENTS_MAX, EVENTS_MAX + 1]);
  t.equal(events.last(1)[0]!.id, EVENTS_MAX + 1);
  t.same(
    events.after(EVENTS_MAX - 1).map(({ id }) => id),
    [EVENTS_MAX, EVENTS_MAX + 1],
  );
  t.same(events.after(EVENTS_MAX + 1), []);
  t.equal(events.after(0).length, EVENTS_MAX, 'what is left of all');
});
