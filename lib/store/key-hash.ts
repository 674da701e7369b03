/**
 * HalfSipHash-1-3 over the key, 32 bits: the keyed hash that Linux uses for its hash tables. Multiplicative hashes are a
 * little faster, but for those keys that collide under every seed can be computed, and a client that chooses keys could
 * turn every lookup into a walk. All members of a cluster share the seed, so they agree on the hash of a key. The database is no part of it: entries of one name in several
 * databases have one hash, at most DATABASES_MAX of them.
 */
export class KeyHash {
  private readonly k0: number;
  private readonly k1: number;

  /** `seed` is an integer; up to 53 bits of it count. */
  constructor(seed: number) {
    this.k0 = scramble(seed | 0);
    this.k1 = scramble(Math.floor(seed / 2 ** 32) ^ ~seed);
  }

  /** Hash of bytes start to end of buffer, as uint32. */
  of(buffer: Buffer, start: number, end: number): number {
    let v0 = this.k0;
    let v1 = this.k1;
    let v2 = this.k0 ^ 0x6c796765;
    let v3 = this.k1 ^ 0x74656462;
    const length = end - start;
    const wordsEnd = end - (length & 3);
    let last = length << 24;
    // One round per word, written out twice: a helper could not return four numbers without an object.
    for (let i = start; i < wordsEnd; i += 4) {
      const word =
        buffer[i]! | (buffer[i + 1]! << 8) | (buffer[i + 2]! << 16) | (buffer[i + 3]! << 24);
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    for (let i = wordsEnd, shift = 0; i < end; i++, shift += 8) last |= buffer[i]! << shift;
    v3 ^= last;
    for (let round = 0; round < 4; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      // After the round of the last word comes the finalization: three rounds more.
      if (round === 0) {
        v0 ^= last;
        v2 ^= 0xff;
      }
    }
    return (v1 ^ v3) >>> 0;
  }
}

/** Spreads a seed over 32 bits, so that small seeds differ in all of them (finalizer of MurmurHash3). */
function scramble(seed: number): number {
  let h = (seed + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
