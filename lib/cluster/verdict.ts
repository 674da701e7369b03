import { Role } from '../store/store.js';

/** What one member has of a key when sides of a partition meet. Members are named by their index in the view. */
export interface SideHolding {
  readonly member: number;
  /** Primary, Backup or Tombstone. */
  readonly role: number;
  /** A backup that may promote itself. */
  readonly isFull: boolean;
  /** A backup that may answer reads. */
  readonly mayRead: boolean;
  /** Reserved by a command on several keys: without a value, absent to every reader. */
  readonly isReserved: boolean;
  readonly version: number;
  /** Of a tombstone or a reservation the version of the delete that it tells of, 0 for none. */
  readonly deletedAt: number;
  /** Of a copy the primary that it follows; NO_MEMBER when that one is gone. */
  readonly primary: number;
  /** Of a primary its backup; NO_MEMBER when it has none. */
  readonly backup: number;
}

export const NO_MEMBER = 0xffff;

/** What a member makes of its entry. */
export const Action = {
  /** Forgets it; an anchor keeps a record of the primary. */
  Drop: 0,
  /** Deletes it: a tombstone stays. */
  Bury: 1,
  /** Is the primary from now on. */
  Lead: 2,
  /** Holds the same as the primary, and may promote itself. */
  Follow: 3,
  /** Keeps an older copy until the primary has sent it the newer one: it is better than none if that one dies first. */
  Await: 4,
  /** Is the primary, and its backup awaits the newest copy. */
  LeadAlone: 5,
} as const;
export type Action = (typeof Action)[keyof typeof Action];

export interface Verdict {
  /** Of the winner: its version as frames are ordered by, and (of a delete) as sides are compared by. */
  readonly version: number;
  readonly deletedAt: number;
  /** NO_MEMBER when the key does not exist. */
  readonly primary: number;
  /** Has the same version, or awaits it (see Action); NO_MEMBER when there is nobody. */
  readonly backup: number;
  /** Members whose entries change. Empty when all is as it should be. */
  readonly actions: readonly { readonly member: number; readonly action: Action }[];
}

/**
 * Of all that members have of one key, what stays. The newest change wins, a delete being one; of one version copies that
 * are a pair, then the member that is named first in the view. `floor`: what is older was flushed. `rankedBackup` names
 * the member that the view wants as backup for a primary.
 */
export function judge(
  holdings: readonly SideHolding[],
  floor: number,
  rankedBackup: (primary: number) => number,
): Verdict {
  const held = holdings.filter(({ role }) => role !== Role.Tombstone);
  const copies = held.filter(({ isReserved, version }) => !isReserved && version >= floor);
  const deleted = holdings
    .filter(({ role, isReserved }) => role === Role.Tombstone || isReserved)
    .reduce((newest, one) => Math.max(newest, one.deletedAt), 0);
  const newest = copies.reduce((version, one) => Math.max(version, one.version), 0);
  if (copies.length === 0 || deleted > newest) return bury(holdings, held, deleted);
  const leader = leaderOf(copies.filter(({ version }) => version === newest));
  const follower = followerOf(leader, copies);
  const kept = follower === null ? rankedBackup(leader.member) : NO_MEMBER;
  const actions = held
    .filter(({ member }) => member !== leader.member && member !== follower?.member)
    .map(({ member, isReserved, version }) => ({
      member,
      action: member === kept && !isReserved && version >= floor ? Action.Await : Action.Drop,
    }));
  const awaiting = actions.find(({ action }) => action === Action.Await)?.member;
  const backup = follower?.member ?? awaiting ?? NO_MEMBER;
  const verdict = { version: newest, deletedAt: 0, primary: leader.member, backup };
  const hasRights = follower?.isFull && follower.mayRead;
  const isPair = leader.role === Role.Primary && leader.backup === backup && hasRights;
  if (isPair && actions.length === 0) return { ...verdict, actions };
  const lead = awaiting === undefined ? Action.Lead : Action.LeadAlone;
  const pair: { member: number; action: Action }[] = [{ member: leader.member, action: lead }];
  if (follower !== null) pair.push({ member: follower.member, action: Action.Follow });
  return { ...verdict, actions: [...pair, ...actions] };
}

function bury(
  holdings: readonly SideHolding[],
  held: readonly SideHolding[],
  deletedAt: number,
): Verdict {
  const version = holdings.reduce((last, one) => Math.max(last, one.version), deletedAt);
  const action = deletedAt > 0 ? Action.Bury : Action.Drop;
  const actions = held.map(({ member }) => ({ member, action }));
  return { version, deletedAt, primary: NO_MEMBER, backup: NO_MEMBER, actions };
}

function leaderOf(newest: readonly SideHolding[]): SideHolding {
  const rank = (one: SideHolding): number => {
    if (one.role !== Role.Primary) return one.isFull ? 1 : 0;
    return followerOf(one, newest) === null ? 2 : 3;
  };
  return newest.reduce((best, one) => {
    const more = rank(one) - rank(best) || best.member - one.member;
    return more > 0 ? one : best;
  });
}

/** Who follows this very primary and has its latest change: the same bytes, not only the same number. */
function followerOf(leader: SideHolding, copies: readonly SideHolding[]): SideHolding | null {
  if (leader.role !== Role.Primary) return null;
  const followers = copies.filter(
    ({ member, role, primary, version }) =>
      role === Role.Backup &&
      member !== leader.member &&
      primary === leader.member &&
      version === leader.version,
  );
  return followers.find(({ member }) => member === leader.backup) ?? followers[0] ?? null;
}
