import type { View } from '../../lib/cluster/member.js';
import { Placement } from '../../lib/cluster/placement.js';

/** Views that may be on their way at one time: sides of a partition, changes that overtake each other. */
const PLACEMENTS_MAX = 8;

/** Placements depend on nothing but the view: the nodes of a simulation share them. */
export class Placements {
  readonly #byView = new Map<string, Placement>();

  of(view: View, before: Placement | null): Placement {
    const text = JSON.stringify(view);
    let placement = this.#byView.get(text);
    if (placement === undefined) {
      placement = new Placement(view, before);
      this.#byView.set(text, placement);
      if (this.#byView.size > PLACEMENTS_MAX) {
        this.#byView.delete(this.#byView.keys().next().value!);
      }
    }
    return placement;
  }
}
