import type { Incarnation } from '../member.js';

/**
 * Whether `votes` are more than half of `members` (oldest first), or exactly half with the oldest
 * among them. Only members that are certainly gone, by their goodbye or because a new incarnation
 * was met in their place, are subtracted: they never vote again, for no side.
 */
export function isMajority(
  members: readonly Incarnation[],
  votes: ReadonlySet<Incarnation>,
  gone: (id: Incarnation) => boolean,
): boolean {
  const counted = members.filter((id) => !gone(id));
  const yes = counted.filter((id) => votes.has(id)).length;
  if (counted.length === 0 || 2 * yes > counted.length) return true;
  return 2 * yes === counted.length && votes.has(counted[0]!);
}

/** Distinct sets of voters that one proposal may have to win over; more means endless failures. */
export const ELECTORATES_MAX = 16;

/**
 * The electorates of a proposal: the last view known to be installed, and every view prepared since.
 * A prepared view may have been installed by somebody, so its majority counts; it may also have
 * been prepared by a few only, so the majority of the ones before it counts as well.
 */
export function addElectorate(
  electorates: readonly (readonly Incarnation[])[],
  members: readonly Incarnation[],
): (readonly Incarnation[])[] {
  const key = members.join();
  return [...electorates.filter((electorate) => electorate.join() !== key), members];
}
