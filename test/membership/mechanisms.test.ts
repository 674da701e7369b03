import t from 'tap';
import type { Member, View } from '../../lib/cluster/member.js';
import { BackOff } from '../../lib/cluster/membership/back-off.js';
import { ClockWatch } from '../../lib/cluster/membership/clock-watch.js';
import { fewestLeftOut, whoStays } from '../../lib/cluster/membership/connection.js';
import type { MembershipHost, MembershipListener } from '../../lib/cluster/membership/contract.js';
import { Founding } from '../../lib/cluster/membership/founding.js';
import { Joining } from '../../lib/cluster/membership/joining.js';
import { Leases } from '../../lib/cluster/membership/leases.js';
import { isMajority } from '../../lib/cluster/membership/majority.js';
import { Membership } from '../../lib/cluster/membership/membership.js';
import type { Body, ControlMessage, Header } from '../../lib/cluster/membership/messages.js';
import { Participant } from '../../lib/cluster/membership/participant.js';
import { timingOf } from '../../lib/cluster/membership/timing.js';
import { compareViewIds } from '../../lib/cluster/membership/views.js';
import { STATUS } from '../support/control-network.js';

const timing = timingOf(2000);
const id = (letter: string): string => letter.repeat(40);
const A = id('a');
const B = id('b');
const C = id('c');

function member(name: string): Member {
  return { id: name, host: name[0]!, port: 6379, busPort: 16379, zone: '', leaving: false };
}

function view(number: number, coordinator: string, ...ids: string[]): View {
  return { id: { number, coordinator }, members: ids.map(member), seed: 7 };
}

t.test('view ids are ordered by number, and then alike on every node', async () => {
  t.ok(compareViewIds({ number: 2, coordinator: A }, { number: 1, coordinator: B }) > 0);
  const one = compareViewIds({ number: 2, coordinator: A }, { number: 2, coordinator: B });
  const other = compareViewIds({ number: 2, coordinator: B }, { number: 2, coordinator: A });
  t.ok(one * other < 0);
  t.equal(compareViewIds({ number: 2, coordinator: A }, { number: 2, coordinator: A }), 0);
});

t.test('a grant is remembered for longer than its holder relies on it', async () => {
  const holder = new Leases(timing);
  const granter = new Leases(timing);
  holder.hold(B, 100);
  granter.grant(A, 100, true);
  t.equal(holder.shortHeld(B), 1100);
  t.equal(holder.longHeld(B), 3100);
  // A clock that is 1 % slow, and stands still for less than its owner notices.
  t.ok(granter.shortGranted(A) >= 100 + 1000 * 1.01 + timing.clockStepMs);
  t.ok(granter.longGranted(A) >= 100 + 3000 * 1.01 + timing.clockStepMs);
  holder.hold(B, 50);
  t.equal(holder.shortHeld(B), 1100, 'an older ping shortens nothing');
});

t.test('only those that were members once are waited for', async () => {
  const leases = new Leases(timing);
  leases.grant(A, 100, true);
  leases.grant(B, 200, false);
  t.equal(leases.lastGrantOutside(new Set()), leases.longGranted(A));
  leases.markMembers(new Set([B]));
  t.equal(leases.lastGrantOutside(new Set()), leases.longGranted(B));
  t.equal(leases.lastGrantOutside(new Set([A, B])), 0);
  leases.dropGranted(B);
  t.equal(leases.lastGrantOutside(new Set()), leases.longGranted(A));
});

t.test('a sleep is noticed by a late tick, or by clocks that disagree', async () => {
  const watch = new ClockWatch(timing, 0, 1000);
  watch.ticked(50);
  t.notOk(watch.slept(60, 1060));
  t.ok(watch.slept(60 + timing.lateTickMs, 1060 + timing.lateTickMs), 'a late tick');
  t.notOk(watch.slept(520, 1520), 'once');
  watch.ticked(520);
  t.ok(watch.slept(530, 1530 + 100), 'the monotonic clock stood still');
  t.notOk(watch.slept(540, 1540 + 100), 'once');
  t.ok(watch.slept(550, 1550 - 3600_000), 'the wall clock was set');
});

t.test('short stops add up, slow adjustment does not', async () => {
  const stopped = new ClockWatch(timing, 0, 0);
  let wall = 0;
  let noticed = false;
  for (let now = 1; now <= 1000; now++) {
    wall += now % 100 === 0 ? 21 : 1;
    if (now % 50 === 0) stopped.ticked(now);
    noticed ||= stopped.slept(now, wall);
  }
  t.ok(noticed);
  const slewed = new ClockWatch(timing, 0, 0);
  for (let now = 1; now <= 100_000; now += 50) {
    slewed.ticked(now);
    if (slewed.slept(now, now * 1.005)) t.fail(`at ${now}`);
  }
});

t.test('nothing below a promise is prepared, and only what was promised', async () => {
  const participant = new Participant();
  t.ok(participant.promise({ number: 5, coordinator: B }));
  t.notOk(participant.promise({ number: 4, coordinator: A }), 'a lower one');
  t.notOk(participant.prepare(view(4, A, A, B), false, []), 'never promised');
  t.ok(participant.promise({ number: 6, coordinator: A }));
  t.notOk(participant.prepare(view(5, B, A, B), false, []), 'outbid since');
  t.notOk(participant.install({ number: 6, coordinator: A }), 'not prepared');
  t.ok(participant.prepare(view(6, A, A, B), false, []));
  t.ok(participant.prepare(view(6, A, A, B), false, []), 'asked again');
  t.ok(participant.install({ number: 6, coordinator: A }));
  t.notOk(participant.install({ number: 6, coordinator: A }), 'told again');
  participant.promise({ number: 7, coordinator: B });
  participant.prepare(view(7, B, B), false, []);
  t.notOk(participant.install({ number: 6, coordinator: A }), 'bound to a higher one');
});

t.test('of two that ask each other, one may found', async () => {
  const a = new Founding(timing);
  const b = new Founding(timing);
  a.ask(new Set([B]), 0);
  b.ask(new Set([A]), 0);
  const fromA = a.answer(A, B, 1);
  const fromB = b.answer(B, A, 1);
  t.not(fromA, fromB);
  t.ok(a.answered(A, B, fromB, new Set([A]), 0, 2));
  t.notOk(b.answered(B, A, fromA, new Set([B]), 0, 2));
});

t.test('a yes to one is a no to others, until it has run out', async () => {
  const founding = new Founding(timing);
  t.ok(founding.answer(C, A, 0));
  t.notOk(founding.answer(C, B, 100));
  t.ok(founding.answer(C, A, 150), 'asked again');
  t.ok(founding.answer(C, B, 150 + 2 * timing.heartbeatMs));
  t.ok(founding.isBound(151 + 2 * timing.heartbeatMs));
});

t.test('a yes that comes too late founds nothing', async () => {
  const founding = new Founding(timing);
  founding.ask(new Set([B]), 0);
  t.notOk(founding.answered(A, B, true, new Set([A]), 0, timing.heartbeatMs));
});

t.test('with expect, those who agree must hear each other', async () => {
  const ask = (hears: string[]): boolean => {
    const founding = new Founding(timing);
    founding.ask(new Set([B, C]), 0);
    founding.answered(A, B, true, new Set([A, C]), 3, 1);
    return founding.answered(A, C, true, new Set(hears), 3, 2);
  };
  t.ok(ask([A, B]));
  t.notOk(ask([A]));
});

t.test('the fewest are left out, and of equally few the youngest', async () => {
  t.same(
    [
      ...fewestLeftOut([
        [0, 1],
        [0, 2],
        [0, 3],
      ]),
    ],
    [0],
    'the one that all miss, though it is the oldest',
  );
  t.same([...fewestLeftOut([[0, 4]])], [4]);
  t.same(
    [
      ...fewestLeftOut([
        [0, 1],
        [2, 3],
      ]),
    ].sort(),
    [1, 3],
  );
  const star = Array.from({ length: 40 }, (_, i): [number, number] => [0, i + 1]);
  t.same([...fewestLeftOut(star)], [0]);
  const pairs = Array.from({ length: 20 }, (_, i): [number, number] => [2 * i, 2 * i + 1]);
  t.equal(fewestLeftOut(pairs).size, 20, 'more than can be searched');
});

t.test('one that nobody hears is gone; one that others hear is cut off from us', async () => {
  const nobody = new Set<string>();
  const lostC = { silent: new Set([C]), lost: new Set([C]), calling: nobody };
  const hearsAll = { silent: nobody, lost: nobody };
  const stays = (calling: Set<string>, reports: [string, typeof hearsAll][]): readonly string[] =>
    whoStays([C, A, B], A, { ...lostC, calling }, new Map(reports), [], false).stay;
  t.same(stays(nobody, [[B, lostC]]), [A, B], 'gone, though it is the oldest');
  t.same(stays(nobody, [[B, hearsAll]]), [C, B], 'B hears it: the younger of A and C goes');
  t.same(stays(new Set([C]), [[B, lostC]]), [A, B], 'it calls us, but neither hears it');

  const pair = (joiners: Set<string>[]): readonly string[] =>
    whoStays([C, A], A, { ...lostC, calling: nobody }, new Map(), joiners, false).stay;
  t.same(pair([]), [A], 'one that nobody hears is gone');
  t.same(pair([nobody, new Set([C])]), [C], 'a joiner hears it: it is the older one, and goes on');
});

t.test('a majority is more than half, or half with the oldest', async () => {
  const never = (): boolean => false;
  t.ok(isMajority([A, B, C], new Set([B, C]), never));
  t.notOk(isMajority([A, B, C], new Set([A]), never));
  t.ok(isMajority([A, B], new Set([A]), never));
  t.notOk(isMajority([A, B], new Set([B]), never));
  t.ok(
    isMajority([A, B], new Set([B]), (gone) => gone === A),
    'A has said goodbye',
  );
  t.notOk(isMajority([A, B, C], new Set([B, id('d')]), never), 'strangers have no vote');
});

t.test('re-joining backs off: at once, 5 s, doubling to 5 minutes', async () => {
  const backOff = new BackOff();
  const pauses = Array.from({ length: 9 }, (_, i) => backOff.excluded(i * 1000) / 1000);
  t.same(pauses, [0, 5, 10, 20, 40, 80, 160, 300, 300]);
  t.equal(backOff.excluded(700_000), 0, 'long ago');
});

/** One machine, and its messages as a list. */
class Bench {
  readonly sent: { link: number; message: ControlMessage }[] = [];
  readonly prepared: View[] = [];
  readonly membership: Membership;
  #links = 0;

  constructor() {
    const host: MembershipHost = {
      dial: () => --this.#links,
      send: (link, message) => this.sent.push({ link, message }),
      close: () => {},
      joinAddresses: () => ({ addresses: [], unresolved: 0 }),
      randomId: () => id('9'),
      log: () => {},
    };
    const listener: MembershipListener = {
      prepared: (prepared) => this.prepared.push(prepared),
      installed: () => {},
      excluded: () => {},
      status: () => STATUS,
      heard: () => {},
      isKnown: () => true,
      saidGoodbye: () => undefined,
      isMerging: () => false,
      mayMerge: () => true,
    };
    const config = {
      nodeTimeoutMs: 2000,
      partitionPolicy: 'available',
      joinListGiven: true,
      expect: 0,
    } as const;
    this.membership = new Membership(config, member(A), host, listener, 0);
    this.membership.start(0, 0);
  }

  /** A request on a link that `from` has dialled; what is answered. */
  ask(link: number, from: string, body: Body): ControlMessage | undefined {
    const header: Header = { from, to: A, installed: null, seed: 0, includes: false };
    const before = this.sent.length;
    this.membership.received(link, { ...body, ...header } as ControlMessage, 1, 1);
    return this.sent.slice(before).find((sent) => sent.link === link)?.message;
  }

  accept(link: number, from: string): void {
    this.membership.linkAccepted(link, 1);
    this.ask(link, from, { kind: 'hello', member: member(from) });
  }
}

const REPORT = {
  serial: 1,
  prepared: null,
  silent: [],
  lost: [],
  hears: [],
  leaving: false,
  status: STATUS,
  wallMs: 0,
  candidates: [],
};

t.test('who prepares a view grants nothing more to those it leaves out', async () => {
  const bench = new Bench();
  bench.accept(1, B);
  bench.accept(2, C);
  const granted = (link: number, from: string): boolean => {
    const pong = bench.ask(link, from, { kind: 'ping', sequence: 1, report: REPORT });
    return pong?.kind === 'pong' && pong.granted;
  };
  const bind = (next: View): void => {
    const { id: ballot } = next;
    bench.ask(1, B, { kind: 'survey', ballot, base: null, members: [] });
    bench.ask(1, B, { kind: 'prepare', view: next, merge: false, dead: [], electorates: [] });
  };
  bind(view(1, B, B, A, C));
  t.ok(granted(2, C));
  bind(view(2, B, B, A));
  t.equal(bench.prepared.length, 2);
  t.notOk(granted(2, C));
  t.ok(granted(1, B));
  t.equal(bench.membership.view, null, 'prepared, not installed');
});

t.test('what is meant for another incarnation grants nothing', async () => {
  const bench = new Bench();
  bench.accept(1, B);
  const ping = { kind: 'ping', sequence: 1, report: REPORT } as const;
  const header = { from: B, to: id('e'), installed: null, seed: 0, includes: false };
  bench.membership.received(1, { ...ping, ...header }, 1, 1);
  const { message } = bench.sent.at(-1)!;
  t.match(message, { kind: 'pong', from: A, granted: false });
});

t.test('a link whose dialler changes its name, or never says it, is closed', async () => {
  const bench = new Bench();
  bench.accept(1, B);
  t.equal(bench.ask(1, C, { kind: 'join', known: null, complete: false }), undefined);
  t.equal(bench.ask(1, B, { kind: 'join', known: null, complete: false }), undefined, 'closed');
  bench.membership.linkAccepted(2, 1);
  t.equal(bench.ask(2, C, { kind: 'join', known: null, complete: false }), undefined);
});

t.test('of more addresses than are looked at at one time each has its turn', (t) => {
  const timing = timingOf(2000);
  const joining = new Joining(timing);
  const addresses = Array.from({ length: 200 }, (_, i) => ({ host: 'h', port: i, busPort: i }));
  joining.begin(0);
  const lookedAt = new Map<number, number>();
  for (let now = 0; now < 2000; now += timing.tickMs) {
    for (const address of joining.toLookAt({ addresses, unresolved: 0 }, now).slice(0, 64)) {
      joining.looking(address, now);
      joining.met(address, 'refused', 'self', now);
      lookedAt.set(address.port, now);
    }
    if (now < timing.foundingDelayMs) continue;
    const oldest = Math.min(...addresses.map(({ port }) => lookedAt.get(port) ?? 0));
    if (now - oldest > timing.foundingDelayMs) t.fail(`one of them last at ${oldest}, at ${now}`);
    if (!joining.mayFound('self', now)) t.fail('so it may found, as nobody else does');
  }
  t.equal(lookedAt.size, addresses.length);
  t.end();
});
