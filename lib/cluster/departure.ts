import { Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Incarnation, View } from './member.js';
import { finalOf, idsOf } from './membership/views.js';
import type { Quiescence } from './quiescence.js';
import type { Settling } from './settling.js';

/** What becomes of a node that leaves. */
export interface DepartureHooks {
  /**
   * Nothing is held here any more, and commands are still forwarded: the time to let clients go. `done` is to be called
   * once no client is left; it may be called at once.
   */
  emptied(done: () => void): void;
  /** Whether what is held here is kept in a file when nobody stays. */
  isKept(): boolean;
  /** The last moment before the goodbye: what is half done is to be finished, as it is kept as it stands. */
  ending(): void;
  /** The others go on without this node, or nobody stays to hand anything to: it serves nothing any more, and may exit. */
  left(): void;
}

/** How far a node is on its way out. */
const Phase = { Staying: 0, HandingOver: 1, LettingClientsGo: 2, Empty: 3, Gone: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/**
 * The end of a node in good order: it hands everything over, then lets its clients go, then says goodbye. In this order no
 * command is lost: as long as it has clients it is a member, and passes on what they ask. From the goodbye on it serves
 * nothing.
 */
export class Departure {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #settling: Settling;
  readonly #quiescence: Quiescence;
  #phase: Phase = Phase.Staying;
  #hooks: DepartureHooks | null = null;
  #emptySince = 0;
  /** From its end on a node only waits for its process to exit. */
  isOver = false;

  /**
   * The first view in which nobody stays: all that it names are to write a snapshot of it, also those that learn in a later
   * one that they are to go, as the others have gone already. Null where somebody stays in the view that was prepared last.
   */
  finalView: View | null = null;
  /** Of these, without whom this node has gone on: left out later, without a goodbye, while nobody could have ended. */
  readonly leftOut = new Set<Incarnation>();

  constructor(state: ClusterState, settling: Settling, quiescence: Quiescence) {
    this.#state = state;
    this.#store = state.store;
    this.#settling = settling;
    this.#quiescence = quiescence;
  }

  begin(hooks: DepartureHooks): void {
    this.#hooks = hooks;
    this.#phase = Phase.HandingOver;
    this.#state.membership.leave(this.#state.now);
    this.step();
  }

  /**
   * Stays after all; false when it is too late, as clients are being sent away, or when nothing was begun. The next view
   * ranks this node as before, and what it has handed over comes back as after any change.
   */
  withdraw(): boolean {
    // Others may have ended, as they were told that this one is about to.
    if (this.#phase !== Phase.HandingOver || this.isOver || this.#state.isEnding) return false;
    this.#phase = Phase.Staying;
    this.#hooks = null;
    this.#state.membership.stay(this.#state.now);
    return true;
  }

  prepared(view: View): void {
    this.finalView = finalOf(view);
    if (this.finalView !== null) return;
    this.#quiescence.withdraw();
    this.leftOut.clear();
  }

  installed(view: View): void {
    const { membership } = this.#state;
    for (const { id } of this.finalView?.members ?? []) {
      if (idsOf(view).has(id) || membership.proofOf(id) === 'goodbye') continue;
      // With who may have ended this node stops itself, and changes nothing any more.
      if (!this.#quiescence.mayHaveEnded(id)) this.leftOut.add(id);
    }
  }

  /** Ends where the others go on without this node, or nobody stays; true when it is over. */
  tryEnd(): boolean {
    const { membership, now } = this.#state;
    if (this.#hooks === null) return this.isOver;
    const isGone = this.#phase === Phase.Gone;
    if (!(isGone ? membership.hasLeft(now) : this.#mayStop(this.#hooks.isKept()))) return false;
    this.end();
    return true;
  }

  /** Nobody stays; where that is kept in files they are not at odds. */
  #mayStop(isKept: boolean): boolean {
    const { finalView: final } = this;
    // The installed view may say still that nobody stays, while one is prepared in which somebody does.
    if (final === null) return false;
    const { membership, now } = this.#state;
    // Also for the last one of them, when the others have gone: it is to write its part now.
    if (!membership.nobodyStays(isKept && final.members.length > 1)) return false;
    if (!isKept || this.#quiescence.isReached(final)) return true;
    // Leaving was withdrawn where others have died: those who are left stop all the same.
    membership.leave(now);
    return false;
  }

  /** Goes on where it can; called with every tick. */
  step(): void {
    if (this.#hooks === null || this.tryEnd() || this.#state.isEnding) return;
    const { membership, now } = this.#state;
    // Leaving was withdrawn as the others died, and now somebody has come.
    const isWithdrawn = !membership.self.leaving && !this.#state.isAlone;
    if (isWithdrawn) membership.leave(now);
    if (this.#phase === Phase.Gone || !this.#isEmpty()) return;
    if (this.#phase === Phase.HandingOver) {
      this.#phase = Phase.LettingClientsGo;
      this.#hooks.emptied(() => this.#clientsGone());
    } else if (this.#phase === Phase.Empty && this.finalView === null && this.#mayGo()) {
      this.#phase = Phase.Gone;
      this.#goodbye(true);
    }
  }

  #clientsGone(): void {
    if (this.#phase !== Phase.LettingClientsGo) return;
    const { membership, now } = this.#state;
    this.#phase = Phase.Empty;
    this.#emptySince = now;
    membership.tell(now);
    this.step();
  }

  /**
   * Where one stays, its backups are with those who leave. Whoever has one does not go before that one has answered once more:
   *
   *     1. A and B leave, and have handed over all to C, whose keys have their backups at A.
   *     2. C dies. A has not noticed, and would say goodbye: nobody would have these keys.
   */
  #mayGo(): boolean {
    const holdsNothing = this.#store.countOfRole(Role.Backup) === 0;
    return holdsNothing || this.#state.membership.haveAnsweredSince(this.#emptySince);
  }

  /** There is nothing left to hand over, or nobody to hand it to. */
  end(): void {
    const hooks = this.#hooks;
    if (hooks === null) return;
    this.#hooks = null;
    this.isOver = true;
    hooks.ending();
    // Where all leave at once nobody has said goodbye yet, and one who just vanishes would count as dead.
    this.#goodbye(false);
    hooks.left();
  }

  /** In this very turn, too, nothing is served any more: what a snapshot has is all that there was. */
  #goodbye(hasHandedOver: boolean): void {
    this.#state.membership.goodbye(this.#state.now, hasHandedOver);
    this.#state.refreshLeases();
  }

  #isEmpty(): boolean {
    if (!this.#state.isLeaving || !this.#settling.isSettled) return false;
    const stayers = this.#state.view!.members.filter((member) => !member.leaving).length;
    const backups = stayers > 1 ? this.#store.countOfRole(Role.Backup) : 0;
    const primaries = this.#store.countOfRole(Role.Primary);
    if (primaries > 0) this.#settling.again();
    return primaries === 0 && backups === 0;
  }
}
