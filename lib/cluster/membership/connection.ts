import type { Incarnation } from '../member.js';

/** Whom one node does not hear: `silent` while a probe is under way, `lost` after node-timeout. */
export interface Reach {
  readonly silent: ReadonlySet<Incarnation>;
  readonly lost: ReadonlySet<Incarnation>;
}

export interface OwnReach extends Reach {
  /** Whose pings arrive, whether or not they answer ours. */
  readonly calling: ReadonlySet<Incarnation>;
}

/** Up to so many members are left out by exact search; above, the best-known guess must do. */
const EXACT_LEFT_OUT_MAX = 7;

type Edge = readonly [older: number, younger: number];

export interface Staying {
  /** The members that stay, oldest first. */
  readonly stay: readonly Incarnation[];
  /**
   * Some members cannot reach each other, and others may soon turn out not to: who goes is a choice,
   * and it is made better when all cut connections are known. Nobody is left out of `stay` by it yet.
   */
  readonly isPending: boolean;
}

/**
 * The members (given oldest first) that stay in the next view, as this node sees it.
 *
 * 1. Whoever is lost to us, does not ping us and is heard by nobody we hear is gone, or on the other
 *    side of a partition: out. Nodes outside the view that answer are witnesses too (`outsiders`:
 *    whom each of them hears): of two members whose one link is cut, each would go on without the other.
 * 2. Of the others, who cannot reach each other cannot be in one view: the fewest that restore full
 *    connection are left out; of equally few, the youngest.
 *
 * This node itself may be among those left out: then it is not the one to propose.
 */
export function whoStays(
  members: readonly Incarnation[],
  self: Incarnation,
  own: OwnReach,
  reports: ReadonlyMap<Incarnation, Reach>,
  outsiders: readonly ReadonlySet<Incarnation>[],
  mayWait: boolean,
): Staying {
  if (own.lost.size === 0 && !anyLost(reports)) return { stay: members, isPending: false };
  const witnesses = members.filter((id) => id !== self && !own.silent.has(id));
  const present = members.filter(
    (id) =>
      !own.lost.has(id) ||
      own.calling.has(id) ||
      witnesses.some((witness) => hears(reports.get(witness), id)) ||
      outsiders.some((heard) => heard.has(id)),
  );
  const reachOf = (id: Incarnation): Reach | undefined => {
    if (id === self) return own;
    return own.silent.has(id) ? undefined : reports.get(id);
  };
  const edges = pairsWhere(present, (a, b) => isIn('lost', a, b));
  if (edges.length === 0) return { stay: present, isPending: false };
  const doubted = pairsWhere(present, (a, b) => isIn('silent', a, b));
  if (mayWait && doubted.length > edges.length) return { stay: present, isPending: true };
  const out = fewestLeftOut(edges);
  return { stay: present.filter((_, index) => !out.has(index)), isPending: false };

  function isIn(list: 'lost' | 'silent', a: Incarnation, b: Incarnation): boolean {
    return (reachOf(a)?.[list].has(b) ?? false) || (reachOf(b)?.[list].has(a) ?? false);
  }
}

function pairsWhere(
  ids: readonly Incarnation[],
  isCut: (a: Incarnation, b: Incarnation) => boolean,
): Edge[] {
  const pairs: Edge[] = [];
  for (let a = 0; a < ids.length; a++) {
    for (let b = a + 1; b < ids.length; b++) {
      if (isCut(ids[a]!, ids[b]!)) pairs.push([a, b]);
    }
  }
  return pairs;
}

function anyLost(reports: ReadonlyMap<Incarnation, Reach>): boolean {
  for (const reach of reports.values()) if (reach.lost.size > 0) return true;
  return false;
}

function hears(reach: Reach | undefined, id: Incarnation): boolean {
  return reach !== undefined && !reach.silent.has(id) && !reach.lost.has(id);
}

/** A smallest set of indexes that touches every edge; of several, the one with the youngest. */
export function fewestLeftOut(edges: readonly Edge[]): ReadonlySet<number> {
  for (let size = 1; size <= EXACT_LEFT_OUT_MAX; size++) {
    let best: number[] | null = null;
    search(new Set(), size);
    if (best !== null) return new Set(best);

    function search(out: Set<number>, left: number): void {
      const edge = edges.find(([a, b]) => !out.has(a) && !out.has(b));
      if (edge === undefined) {
        const sorted = [...out].sort((a, b) => b - a);
        if (best === null || isYounger(sorted, best)) best = sorted;
        return;
      }
      if (left === 0) return;
      for (const index of edge) {
        out.add(index);
        search(out, left - 1);
        out.delete(index);
      }
    }
  }
  return mostCutFirst(edges);
}

function isYounger(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! > b[i]!;
  return false;
}

/** Leaves out, again and again, the member with the most cut connections (tie: the youngest). */
function mostCutFirst(edges: readonly Edge[]): ReadonlySet<number> {
  const out = new Set<number>();
  let rest = [...edges];
  while (rest.length > 0) {
    const degrees = new Map<number, number>();
    for (const edge of rest) {
      for (const index of edge) degrees.set(index, (degrees.get(index) ?? 0) + 1);
    }
    let worst = -1;
    for (const [index, degree] of degrees) {
      const most = degrees.get(worst) ?? 0;
      if (degree > most || (degree === most && index > worst)) worst = index;
    }
    out.add(worst);
    rest = rest.filter(([a, b]) => a !== worst && b !== worst);
  }
  return out;
}
