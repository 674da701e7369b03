import t from 'tap';
import { Action, judge, NO_MEMBER, type SideHolding } from '../../lib/cluster/verdict.js';
import { Role } from '../../lib/store/store.js';

const NOBODY_RANKED = () => -1;
const NO_RIGHTS = { isFull: false, mayRead: false };

function primary(member: number, version: number, backup = NO_MEMBER): SideHolding {
  const base = { ...NO_RIGHTS, isReserved: false, deletedAt: 0, primary: NO_MEMBER };
  return { ...base, member, role: Role.Primary, version, backup };
}

function backup(member: number, version: number, of: number, isFull = true): SideHolding {
  const base = { isReserved: false, deletedAt: 0, backup: NO_MEMBER };
  return { ...base, member, role: Role.Backup, isFull, mayRead: isFull, version, primary: of };
}

function tombstone(member: number, version: number, deletedAt = version): SideHolding {
  const base = { ...NO_RIGHTS, isReserved: false, primary: NO_MEMBER, backup: NO_MEMBER };
  return { ...base, member, role: Role.Tombstone, version, deletedAt };
}

function reserved(member: number, version: number, deletedAt: number): SideHolding {
  return { ...primary(member, version), isReserved: true, deletedAt };
}

const actionsOf = (verdict: ReturnType<typeof judge>): Record<number, number> =>
  Object.fromEntries(verdict.actions.map(({ member, action }) => [member, action]));

t.test('a pair that nobody contradicts stays as it is', (t) => {
  const verdict = judge([primary(2, 7, 0), backup(0, 7, 2)], 0, NOBODY_RANKED);
  t.same([verdict.primary, verdict.backup, verdict.actions.length], [2, 0, 0]);
  t.end();
});

t.test(
  'a backup that another merge has told to follow, and nobody has granted reads, gets them',
  (t) => {
    const verdict = judge(
      [primary(2, 7, 0), { ...backup(0, 7, 2), mayRead: false }],
      0,
      NOBODY_RANKED,
    );
    t.same(actionsOf(verdict), { 2: Action.Lead, 0: Action.Follow });
    t.end();
  },
);

t.test('the newest of two primaries wins with its backup', (t) => {
  const holdings = [primary(0, 5, 1), backup(1, 5, 0), primary(2, 6, 3), backup(3, 6, 2)];
  const verdict = judge(holdings, 0, NOBODY_RANKED);
  t.same([verdict.primary, verdict.backup, verdict.version], [2, 3, 6]);
  const { Drop, Lead, Follow } = Action;
  t.same(actionsOf(verdict), { 0: Drop, 1: Drop, 2: Lead, 3: Follow });
  t.end();
});

t.test('of one version a pair stays rather than a copy alone, then the member named first', (t) => {
  const pair = judge([primary(0, 5), primary(1, 5, 2), backup(2, 5, 1)], 0, NOBODY_RANKED);
  t.same([pair.primary, pair.backup], [1, 2]);
  const alone = judge([primary(3, 5), primary(1, 5)], 0, NOBODY_RANKED);
  t.same([alone.primary, alone.backup], [1, NO_MEMBER]);
  t.end();
});

t.test('copies of one number and two primaries are no pair: their bytes may differ', (t) => {
  const verdict = judge([primary(0, 5), backup(2, 5, 3)], 0, NOBODY_RANKED);
  t.same([verdict.primary, verdict.backup], [0, NO_MEMBER]);
  t.equal(actionsOf(verdict)[2], Action.Drop);
  t.end();
});

t.test('a winner alone: the loser that is to be its backup keeps what it has until then', (t) => {
  const verdict = judge([primary(0, 6), primary(1, 5, 2), backup(2, 5, 1)], 0, () => 2);
  t.same(actionsOf(verdict), { 0: Action.LeadAlone, 1: Action.Drop, 2: Action.Await });
  t.same([verdict.primary, verdict.backup], [0, 2]);
  t.end();
});

t.test('an orphan that is newest is promoted', (t) => {
  const verdict = judge([backup(1, 9, NO_MEMBER), primary(2, 8)], 0, NOBODY_RANKED);
  t.same(actionsOf(verdict), { 1: Action.Lead, 2: Action.Drop });
  t.end();
});

t.test('a delete beats every older write, and no newer one', (t) => {
  const old = judge([tombstone(0, 7), primary(1, 6, 2), backup(2, 6, 1)], 0, NOBODY_RANKED);
  t.same([old.primary, old.deletedAt], [NO_MEMBER, 7]);
  t.same(actionsOf(old), { 1: Action.Bury, 2: Action.Bury });
  const newer = judge([tombstone(0, 7), primary(1, 8, 2), backup(2, 8, 1)], 0, NOBODY_RANKED);
  t.same([newer.primary, newer.actions.length], [1, 0]);
  t.end();
});

t.test('an expiry is as old as the change that set it, whenever it was noticed', (t) => {
  const verdict = judge([tombstone(0, 90, 6), primary(1, 7, 2), backup(2, 7, 1)], 0, NOBODY_RANKED);
  t.equal(verdict.primary, 1);
  t.end();
});

t.test('a reservation says nothing but what was deleted before it', (t) => {
  const never = judge([reserved(0, 90, 0), primary(1, 7, 2), backup(2, 7, 1)], 0, NOBODY_RANKED);
  t.equal(never.primary, 1);
  t.same(actionsOf(never)[0], Action.Drop);
  const deleted = judge([reserved(0, 90, 8), primary(1, 7)], 0, NOBODY_RANKED);
  t.same([deleted.primary, deleted.deletedAt], [NO_MEMBER, 8]);
  const alone = judge([reserved(0, 90, 0)], 0, NOBODY_RANKED);
  t.same(actionsOf(alone), { 0: Action.Drop });
  t.end();
});

t.test('what is older than a flush is dropped', (t) => {
  const verdict = judge([primary(0, 5, 1), backup(1, 5, 0)], 6, NOBODY_RANKED);
  t.same([verdict.primary, verdict.deletedAt], [NO_MEMBER, 0]);
  t.same(actionsOf(verdict), { 0: Action.Drop, 1: Action.Drop });
  t.end();
});

t.test('the order in which members answer does not matter', (t) => {
  const holdings = [primary(0, 5), primary(1, 5), backup(2, 5, 1, false), tombstone(3, 4)];
  const verdict = judge(holdings, 0, NOBODY_RANKED);
  const reversed = judge([...holdings].reverse(), 0, NOBODY_RANKED);
  t.same([verdict.primary, verdict.backup], [reversed.primary, reversed.backup]);
  t.end();
});
