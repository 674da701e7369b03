import type { Incarnation, View, ViewId } from '../member.js';
import { compareViewIds, idsOf, sameViewId } from './views.js';

/** Incarnations remembered as left out; the oldest are forgotten first. */
const LEFT_OUT_MAX = 4096;

/** Views remembered as prepared; of older ones it is taken that they were. */
const PREPARED_MAX = 16;

/** The voters that a change must win, where the policy is `majority`; see majority.ts. */
export type Electorates = readonly (readonly Incarnation[])[];

/**
 * What one node has promised, prepared and installed. Ids only grow:
 *
 *     promise(b): nothing below b will be prepared here
 *     prepare(v): only the view that was promised, so its coordinator has seen what was prepared
 *                 here before, and started from it
 *     install(v): only the view that was prepared last
 */
export class Participant {
  installed: View | null = null;
  prepared: View | null = null;
  /** Whether the prepared view joins two sides that served on their own. */
  merge = false;
  electorates: Electorates = [];
  readonly #leftOut = new Set<Incarnation>();
  readonly #preparedIds: ViewId[] = [];
  #promised: ViewId | null = null;

  /** Highest number promised or prepared: a proposal must go above it. */
  get highest(): number {
    return this.#promised?.number ?? 0;
  }

  /**
   * Whether a view prepared here, or by another member that said so, left out that incarnation. It
   * comes back as another one, as its streams are closed for good; or from the other side of a
   * partition.
   */
  hasLeftOut(id: Incarnation): boolean {
    return this.#leftOut.has(id);
  }

  leaveOut(id: Incarnation): void {
    this.#leftOut.add(id);
    if (this.#leftOut.size <= LEFT_OUT_MAX) return;
    const [oldest] = this.#leftOut;
    this.#leftOut.delete(oldest!);
  }

  /** Whether this node has ever been bound to that view. If not, and more is promised by now, it never will be. */
  hasPrepared(id: ViewId): boolean {
    const ids = this.#preparedIds;
    if (ids.length === PREPARED_MAX && compareViewIds(id, ids[0]!) < 0) return true;
    return ids.some((one) => sameViewId(one, id));
  }

  /** Of this side, while it is bound to a view with another one and has not installed it; else null. */
  get side(): ReadonlySet<Incarnation> | null {
    const { installed, prepared } = this;
    if (!this.merge || installed === null || prepared === null) return null;
    return sameViewId(installed.id, prepared.id) ? null : idsOf(installed);
  }

  promise(ballot: ViewId): boolean {
    if (this.#promised !== null && compareViewIds(ballot, this.#promised) < 0) return false;
    this.#promised = ballot;
    return true;
  }

  /** False: another coordinator has been promised more, or this view was never promised. */
  prepare(view: View, merge: boolean, electorates: Electorates): boolean {
    if (!sameViewId(this.#promised, view.id)) return false;
    if (this.prepared !== null && sameViewId(this.prepared.id, view.id)) return true;
    this.adopt(view, merge, electorates);
    return true;
  }

  /**
   * Another member has prepared a higher view than this node: a change that starts from it binds
   * this node to it too. It was never acknowledged here, so nobody has installed it.
   */
  adopt(view: View, merge: boolean, electorates: Electorates): void {
    const ids = idsOf(view);
    for (const id of idsOf(this.prepared)) if (!ids.has(id)) this.leaveOut(id);
    for (const id of ids) this.#leftOut.delete(id);
    this.#preparedIds.push(view.id);
    if (this.#preparedIds.length > PREPARED_MAX) this.#preparedIds.shift();
    this.prepared = view;
    this.merge = merge;
    this.electorates = electorates;
  }

  /** False: it is installed already, or something else was prepared since. */
  install(id: ViewId): boolean {
    if (this.prepared === null || !sameViewId(this.prepared.id, id)) return false;
    if (this.installed !== null && sameViewId(this.installed.id, id)) return false;
    this.installed = this.prepared;
    this.merge = false;
    this.electorates = [];
    return true;
  }
}
