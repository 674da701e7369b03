import t from 'tap';
import type { Member, View } from '../../lib/cluster/member.js';
import { NOBODY, Placement, SLOT_COUNT } from '../../lib/cluster/placement.js';
import { Random } from '../support/control-network.js';

function members(count: number, seed = 1): Member[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => ({
    id: random.hex(40),
    host: `n${i}`,
    port: 6379,
    busPort: 16379,
    zone: '',
    leaving: false,
  }));
}

function viewOf(list: readonly Member[]): View {
  return { id: { number: 1, coordinator: list[0]!.id }, members: list, seed: 1 };
}

function shares(placement: Placement): number[] {
  const counts = placement.view.members.map(() => 0);
  for (let slot = 0; slot < SLOT_COUNT; slot++) counts[placement.anchor(slot)]!++;
  return counts;
}

t.test('anchors are spread evenly', async () => {
  for (const count of [2, 3, 5, 10, 50]) {
    const fair = SLOT_COUNT / count;
    for (const share of shares(new Placement(viewOf(members(count))))) {
      // Five standard deviations of a fair draw.
      t.ok(Math.abs(share - fair) < 5 * Math.sqrt(fair), `${share} of about ${fair}`);
    }
  }
});

t.test('a member that goes moves only what it had', async () => {
  const list = members(7);
  const before = new Placement(viewOf(list));
  const after = new Placement(viewOf(list.slice(0, 6)), before);
  let moved = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const old = before.anchor(slot);
    if (old === 6) {
      moved++;
      t.equal(after.anchor(slot), before.backupFor(slot, 6), 'the second takes over');
    } else if (after.anchor(slot) !== old) {
      t.fail(`slot ${slot} moved from ${old}`);
    }
  }
  t.ok(moved > 0);
});

t.test('scores kept from before give the same as scores computed anew', async () => {
  const list = members(9);
  const kept = new Placement(viewOf(list.slice(2)), new Placement(viewOf(list.slice(0, 6))));
  const anew = new Placement(viewOf(list.slice(2)));
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (kept.anchor(slot) !== anew.anchor(slot)) t.fail(`slot ${slot}`);
    if (kept.backupFor(slot, 3) !== anew.backupFor(slot, 3)) t.fail(`slot ${slot}`);
  }
});

t.test('the order of members in the view does not matter', async () => {
  const list = members(5);
  const turned = [...list].reverse();
  const a = new Placement(viewOf(list));
  const b = new Placement(viewOf(turned));
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (list[a.anchor(slot)] !== turned[b.anchor(slot)]) t.fail(`slot ${slot}`);
  }
});

t.test('the backup is never the primary, and the anchor holds one of two copies', async () => {
  const placement = new Placement(viewOf(members(4)));
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    for (let primary = 0; primary < 4; primary++) {
      const backup = placement.backupFor(slot, primary);
      if (backup === primary || backup === NOBODY) t.fail(`slot ${slot} of ${primary}`);
      const anchor = placement.anchor(slot);
      if (anchor !== primary && anchor !== backup) t.fail(`slot ${slot}: anchor holds nothing`);
    }
  }
});

t.test('a lone member has no backup', async () => {
  const placement = new Placement(viewOf(members(1)));
  t.equal(placement.anchor(5), 0);
  t.equal(placement.backupFor(5, 0), NOBODY);
});

t.test('the backup is in another zone where another zone is alive', async () => {
  const zones = ['a', 'a', 'a', 'a', 'b', 'c'];
  const list = members(6).map((member, i) => ({ ...member, zone: zones[i]! }));
  const placement = new Placement(viewOf(list));
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    for (let primary = 0; primary < 6; primary++) {
      const backup = placement.backupFor(slot, primary);
      if (zones[backup] === zones[primary]) t.fail(`slot ${slot} of ${primary}: ${backup}`);
    }
  }
  const one = new Placement(viewOf(list.slice(0, 4)));
  t.not(one.backupFor(1, 0), NOBODY, 'one zone alive: its members back each other up');
});

t.test('a zone whose members all leave is not alive', async () => {
  const list = members(3).map((member, i) => ({
    ...member,
    zone: i === 2 ? 'b' : 'a',
    leaving: i === 2,
  }));
  const placement = new Placement(viewOf(list));
  t.equal(placement.backupFor(9, 0), 1);
  t.equal(placement.backupFor(9, 1), 0);
});

t.test('leaving members are ranked for nothing, unless all are leaving', async () => {
  const list = members(3).map((member, i) => ({ ...member, leaving: i === 1 }));
  t.equal(shares(new Placement(viewOf(list)))[1], 0);
  const placement = new Placement(viewOf(list));
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (placement.backupFor(slot, 0) !== 2) t.fail(`slot ${slot}`);
    if (placement.backupFor(slot, 1) !== placement.anchor(slot)) t.fail(`slot ${slot}`);
  }
  const all = list.map((member) => ({ ...member, leaving: true }));
  t.ok(shares(new Placement(viewOf(all))).every((share) => share > 0));
});

t.test('the scores of the view before are kept, and rank 200 members as anew', async (t) => {
  const list = members(200);
  const before = new Placement(viewOf(list.slice(0, 199)));
  const since = performance.now();
  const kept = new Placement(viewOf(list), before);
  t.comment(`with scores kept: ${(performance.now() - since).toFixed(1)} ms`);
  const anew = new Placement(viewOf(list));
  for (let slot = 0; slot < SLOT_COUNT; slot += 7) {
    const ranked = [kept, anew].map((one) => [one.anchor(slot), one.backupFor(slot, slot % 200)]);
    if (String(ranked[0]) !== String(ranked[1])) t.fail(`slot ${slot}: ${ranked.join(' and ')}`);
  }
});
