import type { Claim } from './claim.js';
import type { Peer } from './peer.js';

/**
 * Claims whose provisional entry another primary's copy has replaced, until the anchor's word on them comes. Their commands
 * wait for it: they may run elsewhere only when the anchor no longer takes this node for the primary.
 *
 *     1. P sends COPY of k to J, then deletes k: its backup X, the anchor, has that.
 *     2. J, which has read neither, makes k anew, and X grants it.
 *     3. J reads the COPY. Behind X's ack, which may stand for a grant, J takes it back at X, unseen.
 *
 * Bounded like claims, by the commands in flight.
 */
export class LostClaims {
  readonly #byVersion = new Map<number, Claim>();

  get size(): number {
    return this.#byVersion.size;
  }

  add(claim: Claim): void {
    this.#byVersion.set(claim.version, claim);
  }

  get(version: number): Claim | undefined {
    return this.#byVersion.get(version);
  }

  /** False when it is none of these. */
  remove(claim: Claim): boolean {
    return this.#byVersion.delete(claim.version);
  }

  /** All, or those that only `anchor` could decide. */
  take(anchor: Peer | null): Claim[] {
    const taken = [...this.#byVersion.values()].filter(
      (claim) => anchor === null || claim.anchor === anchor,
    );
    for (const { version } of taken) this.#byVersion.delete(version);
    return taken;
  }
}
