import type { Incarnation, Member, View } from './member.js';

export const SLOT_COUNT = 16384;

/** No member: the cluster has no other one that qualifies. */
export const NOBODY = -1;

/** Makes the placement of a view, given the one before. */
export type Place = (view: View, before: Placement | null) => Placement;

/**
 * Where the keys of a view belong (design section 6). For each slot the members are ranked by
 * rendezvous hashing: each member has a score per slot that depends on nothing but the two, so that
 * a member that comes or goes moves only what it gains or loses. Leaving members are ranked for
 * nothing, unless all are leaving. Members are named by their index in `view.members`.
 */
export class Placement {
  readonly view: View;
  /** Scores of each member by slot; taken over from the placement before. */
  readonly #scores: Map<Incarnation, Uint32Array>;
  /** The ranked members, by index. */
  readonly #ranked: readonly number[];
  /** Zone of each member as a number; all 0 when fewer than two zones are alive. */
  readonly #zones: Int32Array;
  readonly #hasZones: boolean;
  /** The first two of each slot: Int16 as a view has at most 1024 members. */
  readonly #first = new Int16Array(SLOT_COUNT).fill(NOBODY);
  readonly #second = new Int16Array(SLOT_COUNT).fill(NOBODY);

  constructor(view: View, before: Placement | null = null) {
    this.view = view;
    const { members } = view;
    const all = members.map((_, index) => index);
    const staying = all.filter((index) => !members[index]!.leaving);
    this.#ranked = staying.length > 0 ? staying : all;
    this.#scores = new Map();
    const known = before === null ? null : before.#scores;
    for (const index of this.#ranked) {
      const { id } = members[index]!;
      this.#scores.set(id, known?.get(id) ?? scoresOf(id));
    }
    const zones = zoneNumbers(members, this.#ranked);
    this.#zones = zones.numbers;
    this.#hasZones = zones.count > 1;
    this.#rank();
  }

  /** The member that arbitrates the keys of that slot. */
  anchor(slot: number): number {
    return this.#first[slot]!;
  }

  /**
   * The member that holds the second copy of that slot's keys when `primary` holds the first: the
   * first ranked that is another one, and in another zone if another zone is alive. NOBODY if there
   * is none.
   */
  backupFor(slot: number, primary: number): number {
    if (this.#hasZones) return this.#firstElsewhere(slot, primary);
    const first = this.#first[slot]!;
    return first === primary ? this.#second[slot]! : first;
  }

  /** With zones, the two kept ranks may both be in the primary's: the scores are looked at. */
  #firstElsewhere(slot: number, primary: number): number {
    const zone = this.#zones[primary];
    const first = this.#first[slot]!;
    if (this.#zones[first] !== zone) return first;
    const second = this.#second[slot]!;
    if (this.#zones[second] !== zone) return second;
    const { members } = this.view;
    let best = NOBODY;
    let bestScore = -1;
    for (const index of this.#ranked) {
      if (index === primary || this.#zones[index] === zone) continue;
      const score = this.#scores.get(members[index]!.id)![slot]!;
      const isTied = score === bestScore && isBefore(members, index, best);
      if (score > bestScore || isTied) {
        best = index;
        bestScore = score;
      }
    }
    return best;
  }

  /** One pass per member over all slots: plain loops over typed arrays, no object per slot. */
  #rank(): void {
    const { members } = this.view;
    const first = this.#first;
    const second = this.#second;
    const firstScores = new Float64Array(SLOT_COUNT).fill(-1);
    const secondScores = new Float64Array(SLOT_COUNT).fill(-1);
    for (const index of this.#ranked) {
      const scores = this.#scores.get(members[index]!.id)!;
      for (let slot = 0; slot < SLOT_COUNT; slot++) {
        const score = scores[slot]!;
        const firstScore = firstScores[slot]!;
        const secondScore = secondScores[slot]!;
        // A view change runs this cold: scores are compared here, and a call is made only for equal ones.
        if (
          score > firstScore ||
          (score === firstScore && isBefore(members, index, first[slot]!))
        ) {
          second[slot] = first[slot]!;
          secondScores[slot] = firstScore;
          first[slot] = index;
          firstScores[slot] = score;
        } else if (
          score > secondScore ||
          (score === secondScore && isBefore(members, index, second[slot]!))
        ) {
          second[slot] = index;
          secondScores[slot] = score;
        }
      }
    }
  }
}

/** Equal scores are ranked by id, so that the order of the members in the view does not matter. */
function isBefore(members: readonly Member[], index: number, other: number): boolean {
  return members[index]!.id < members[other]!.id;
}

function zoneNumbers(
  members: readonly Member[],
  ranked: readonly number[],
): { numbers: Int32Array; count: number } {
  const known = new Map<string, number>();
  for (const index of ranked) {
    const { zone } = members[index]!;
    if (!known.has(zone)) known.set(zone, known.size);
  }
  const numbers = new Int32Array(members.length);
  members.forEach(({ zone }, index) => {
    numbers[index] = known.get(zone) ?? known.size;
  });
  return { numbers, count: known.size };
}

function scoresOf(id: Incarnation): Uint32Array {
  const seed = hashOf(id);
  const scores = new Uint32Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot++) scores[slot] = mix(seed, slot);
  return scores;
}

/** FNV-1a over the characters of the id. */
function hashOf(id: Incarnation): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Both words through two rounds of a 32-bit finalizer, so that every bit of either moves all. */
function mix(seed: number, slot: number): number {
  let h = seed ^ Math.imul(slot + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h ^= (h >>> 16) ^ seed;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}
