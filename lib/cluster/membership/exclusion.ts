import type { View, ViewId } from '../member.js';
import type { Header } from './messages.js';
import type { State } from './state.js';
import { compareViewIds, idsOf, sameViewId } from './views.js';

export interface ExclusionHooks {
  /** When this node was bound to the view that it has prepared. */
  boundAt(): number;
  /** This incarnation is in no view any more; `own` is the one that it was bound to. */
  excluded(own: View, now: number): void;
}

/** When this incarnation is over: the others have gone on without it, or will not take what it holds. */
export class Exclusion {
  readonly #state: State;
  readonly #hooks: ExclusionHooks;

  constructor(state: State, hooks: ExclusionHooks) {
    this.#state = state;
    this.#hooks = hooks;
  }

  /**
   * Whatever another node sends says which view it is in, and whether this node is in it too. A
   * view that left this node out can come from a member of the view that this node is bound to:
   * that member went on. Of two sides that left each other out, neither is told anything here;
   * unless only one of them can be the cluster. True if this node is another incarnation now.
   */
  told(header: Header, now: number): boolean {
    const { participant, config, self } = this.#state;
    const own = participant.prepared;
    const { installed, from } = header;
    if (own === null || installed === null || header.includes || header.to !== self.id)
      return false;
    if (this.#state.saidGoodbye) return false;
    const order = compareViewIds(installed, own.id);
    if (order < 0 || (order === 0 && idsOf(own).has(self.id))) return false;
    const { side } = participant;
    // Whether the other side went on from the view that was to unite both is for the coordinator to find out.
    if (side !== null && !side.has(from)) return false;
    const isOneOfUs = idsOf(own).has(from);
    const isTheCluster = config.partitionPolicy === 'majority' && header.seed === own.seed;
    if (!isOneOfUs && !isTheCluster) return false;
    this.#hooks.excluded(own, now);
    return true;
  }

  /**
   * This node is bound to its first view, and nobody installs it. It may be installed elsewhere, so
   * only another incarnation is free to join again.
   */
  dropStalePrepared(now: number): void {
    const { prepared } = this.#state.participant;
    if (prepared === null || now - this.#hooks.boundAt() < this.#state.timing.nodeTimeoutMs) return;
    this.#hooks.excluded(prepared, now);
  }

  /** The other side cannot merge with what is held here. Only who still is in the view that it has seen gives that up. */
  discard(id: ViewId, now: number): void {
    const { participant, config, host } = this.#state;
    const { installed, prepared } = participant;
    if (config.partitionPolicy !== 'available' || installed === null) return;
    if (!sameViewId(installed.id, id) || !sameViewId(prepared?.id ?? null, id)) return;
    host.log('warn', 'discarding', { reason: 'the sides of a partition were apart for too long' });
    this.#hooks.excluded(installed, now);
  }
}
