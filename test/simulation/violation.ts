/** What does not hold. */
export interface Found {
  readonly what: string;
  /** The key that it is about, where it is about one. */
  readonly key: string | null;
}

/** Thrown where something does not hold. */
export class Violation extends Error {
  readonly key: string | null;

  constructor(what: string, key: string | null = null) {
    super(what);
    this.key = key;
  }
}

export function throwFound(found: Found | null): void {
  if (found !== null) throw new Violation(found.what, found.key);
}
