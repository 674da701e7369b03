/** Draws prepared ahead of a run; they repeat after that many. */
export const SEQUENCE_LENGTH = 1 << 20;

/**
 * Pseudo-random numbers in [0, 1) from a seed (mulberry32), so that every server is asked the same
 * questions.
 */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** `length` key numbers in [0, keys), each as likely as any other. */
export function uniformSequence(keys: number, seed: number, length = SEQUENCE_LENGTH): Int32Array {
  const random = randomFrom(seed);
  return Int32Array.from({ length }, () => Math.floor(random() * keys));
}

/**
 * `length` key numbers in [0, keys), Zipf-distributed with `exponent`: few users send most
 * requests. Number 0 is the busiest, 1 the second, and so on.
 */
export function zipfSequence(
  keys: number,
  exponent: number,
  seed: number,
  length = SEQUENCE_LENGTH,
): Int32Array {
  const cumulative = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) {
    sum += (rank + 1) ** -exponent;
    cumulative[rank] = sum;
  }
  const random = randomFrom(seed);
  return Int32Array.from({ length }, () => firstAtLeast(cumulative, random() * sum));
}

function firstAtLeast(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
