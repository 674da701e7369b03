import type { Incarnation } from '../member.js';

/** Incarnations remembered as dead; the oldest are forgotten, long after any view named them. */
const DEAD_MAX = 4096;

/**
 * How the death of an incarnation was proven: every member's fresh connection was refused, another
 * incarnation answers in its place, or it said goodbye.
 */
export type Proof = 'refused' | 'replaced' | 'goodbye';

/** The incarnations that are certainly dead. An incarnation never comes back. */
export class Departed {
  readonly #proofs = new Map<Incarnation, Proof>();
  readonly #emptied = new Set<Incarnation>();

  has(id: Incarnation): boolean {
    return this.#proofs.has(id);
  }

  proofOf(id: Incarnation): Proof | undefined {
    return this.#proofs.get(id);
  }

  /** Dead by what even a firewall cannot feign: it is not counted in any majority. */
  isGone(id: Incarnation): boolean {
    const proof = this.#proofs.get(id);
    return proof === 'replaced' || proof === 'goodbye';
  }

  /** It said goodbye when it had handed over everything. */
  hadHandedOver(id: Incarnation): boolean {
    return this.#emptied.has(id);
  }

  /** It had nothing left to hand over, or nobody to hand it to. */
  saidGoodbye(id: Incarnation): boolean {
    return this.#proofs.get(id) === 'goodbye';
  }

  /** False if that is nothing new. */
  add(id: Incarnation, proof: Proof, hasHandedOver = false): boolean {
    const known = this.#proofs.get(id);
    if (known !== undefined && (known !== 'refused' || proof === 'refused')) return false;
    this.#proofs.set(id, proof);
    if (hasHandedOver) this.#emptied.add(id);
    if (this.#proofs.size > DEAD_MAX) {
      const [oldest] = this.#proofs.keys();
      this.#proofs.delete(oldest!);
      this.#emptied.delete(oldest!);
    }
    return true;
  }
}
