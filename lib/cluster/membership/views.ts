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

const nobodyStays = (members: readonly Member[]): boolean =>
  members.every(({ leaving }) => leaving);

/**
 * The view after `base`, which is the highest one that any of its members has prepared: whoever has installed one in which
 * nobody stays, and ended in it, goes by the same `final` view as all who come later.
 */
export function followingView(base: View, id: ViewId, members: readonly Member[]): View {
  const { seed } = base;
  const view = { id, members, seed };
  if (!nobodyStays(members) || !nobodyStays(base.members)) return view;
  const { final = { id: base.id, members: base.members, seed } } = base;
  return { ...view, final };
}

/** The view that names the parts of a snapshot, where nobody stays in this one. */
export function finalOf(view: View): View | null {
  return nobodyStays(view.members) ? (view.final ?? view) : null;
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
