import type { View } from '../member.js';
import { idsOf } from './views.js';

/** Whether two views are of one cluster, but of two sides of it that know nothing of each other. */
export function areSides(ours: View, other: View): boolean {
  if (ours.seed !== other.seed) return false;
  const ids = idsOf(ours);
  return other.members.every(({ id }) => !ids.has(id));
}

/**
 * Which of two sides proposes the common view: the larger one; of equal ones that of the oldest
 * member with the lower id, as the ages of two sides cannot be compared. Both decide alike.
 */
export function leads(ours: View, other: View): boolean {
  if (ours.members.length !== other.members.length) {
    return ours.members.length > other.members.length;
  }
  return ours.members[0]!.id < other.members[0]!.id;
}
