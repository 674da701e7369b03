import type { Incarnation, Member, View } from '../member.js';

/**
 * What became of the others, for a node that wants to leave. While it hands over, they may go as
 * well: if they leave or say goodbye there is nobody to hand over to; if they died, this node holds
 * what is left.
 */
export class Others {
  #died = false;
  /** Who leaves, by views prepared since the last install: they may have installed one, and gone, before it came here. */
  readonly #leavers = new Set<Incarnation>();

  prepared(view: View): void {
    for (const { id, leaving } of view.members) if (leaving) this.#leavers.add(id);
  }

  /** A view was installed in the place of another one. */
  changed(
    self: Incarnation,
    before: View | null,
    view: View,
    saidGoodbye: (id: Incarnation) => boolean,
  ): void {
    const leavers = new Set(this.#leavers);
    this.#leavers.clear();
    if (view.members.some((member) => member.id !== self && !member.leaving)) {
      this.#died = false;
      return;
    }
    const ids = new Set(view.members.map(({ id }) => id));
    const gone = (before?.members ?? []).filter(({ id }) => !ids.has(id));
    const left = (member: Member): boolean =>
      member.leaving || leavers.has(member.id) || saidGoodbye(member.id);
    if (!gone.every(left)) this.#died = true;
  }

  /** Only leavers are left, because the others died. */
  get died(): boolean {
    return this.#died;
  }
}
