import type { Incarnation, Member, View, ViewId } from '../member.js';

/** Members of one view at most: bounds every list that travels in a control message. */
export const MEMBERS_MAX = 1024;

/**
 * Order of view ids: by number, then by the name of the coordinator. Safety needs an order that all
 * nodes compute alike, also nodes that have never heard of one of the coordinators; the age of a
 * coordinator is not known everywhere, its name is part of the id.
 */
export function compareViewIds(a: ViewId, b: ViewId): number {
  if (a.number !== b.number) return a.number - b.number;
  if (a.coordinator === b.coordinator) return 0;
  return a.coordinator < b.coordinator ? 1 : -1;
}

/** Whether both are the same id, or both none. */
export function sameViewId(a: ViewId | null, b: ViewId | null): boolean {
  if (a === null || b === null) return a === b;
  return a.number === b.number && a.coordinator === b.coordinator;
}

const idsOfView = new WeakMap<View, ReadonlySet<Incarnation>>();

/** The incarnations of a view, as a set that is built once per view. */
export function idsOf(view: View | null): ReadonlySet<Incarnation> {
  if (view === null) return NOBODY;
  let ids = idsOfView.get(view);
  if (ids === undefined) {
    ids = new Set(view.members.map((member) => member.id));
    idsOfView.set(view, ids);
  }
  return ids;
}

const NOBODY: ReadonlySet<Incarnation> = new Set();

/** Whether two views list the same members, in the same order and with the same flags. */
export function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  return (
    a.length === b.length &&
    a.every((member, i) => member.id === b[i]!.id && member.leaving === b[i]!.leaving)
  );
}
