/** Keys that are counted at one time. */
const KEYS_MAX = 128;
/** Of longer keys the beginning is kept. */
const KEY_BYTES_MAX = 256;
/** Without a look at them for so long, milliseconds, nothing is counted any more. */
const WATCHED_MS = 5000;
/** Counts are halved each so many milliseconds: what was hot a while ago gives way. */
const HALVE_MS = 10_000;

export interface HotKey {
  /** latin1. */
  readonly key: string;
  /** Sampled uses of late, `error` too many at most. */
  readonly count: number;
  readonly error: number;
}

/**
 * The keys used most of late, out of the commands that are timed anyway (CommandUse: one call in 64), while somebody
 * looks. Space-saving (Metwally, Agrawal, El Abbadi): a key that is not counted takes the place of the one with the
 * lowest count, and its count: a key that has more than one in KEYS_MAX of the uses is always there.
 */
export class HotKeys {
  /** `NodeServices.elapsedMs` up to which samples are wanted. */
  wantedUntil = 0;
  /** Samples of late, halved as the counts are. */
  samples = 0;
  readonly #counts = new Map<string, { count: number; error: number }>();
  #halvedAt = 0;

  /** A sampled command uses this key. */
  note(buffer: Buffer, start: number, end: number): void {
    this.samples++;
    const key = buffer.latin1Slice(start, Math.min(end, start + KEY_BYTES_MAX));
    const known = this.#counts.get(key);
    if (known !== undefined) known.count++;
    else if (this.#counts.size < KEYS_MAX) this.#counts.set(key, { count: 1, error: 0 });
    else this.#replaceLeast(key);
  }

  /** The hottest `max`, hottest first; what is counted from now on is wanted. */
  look(now: number, max: number): readonly HotKey[] {
    if (now > this.wantedUntil) this.#forget(now);
    this.wantedUntil = now + WATCHED_MS;
    if (now - this.#halvedAt > HALVE_MS) this.#halve(now);
    return [...this.#counts]
      .map(([key, { count, error }]) => ({ key, count, error }))
      .sort((a, b) => b.count - a.count)
      .slice(0, max);
  }

  #replaceLeast(key: string): void {
    let least = '';
    let count = Number.POSITIVE_INFINITY;
    for (const [one, known] of this.#counts) {
      if (known.count < count) [least, count] = [one, known.count];
    }
    this.#counts.delete(least);
    this.#counts.set(key, { count: count + 1, error: count });
  }

  #halve(now: number): void {
    this.#halvedAt = now;
    this.samples = Math.ceil(this.samples / 2);
    for (const [key, known] of this.#counts) {
      known.count = Math.floor(known.count / 2);
      known.error = Math.floor(known.error / 2);
      if (known.count === 0) this.#counts.delete(key);
    }
  }

  #forget(now: number): void {
    this.#counts.clear();
    this.samples = 0;
    this.#halvedAt = now;
  }
}
