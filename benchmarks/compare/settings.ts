/** How long and with how much the cases are run. Times in milliseconds. */
export interface Settings {
  readonly pairs: number;
  readonly rampMs: number;
  readonly durationMs: number;
  readonly warmUpMs: number;
  readonly connections: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly memoryKeys: number;
  /** Sessions of the cases with very many. */
  readonly largeKeys: number;
  /** Runs of each server in the case `wear`, which takes minutes and varies little. */
  readonly wearPairs: number;
  /** Time between the last write and reading the resident memory. */
  readonly memorySettleMs: number;
  /**
   * Whether to wait until others leave the machine alone, and to repeat pairs that were disturbed.
   */
  readonly wantsQuiet: boolean;
  readonly seed: number;
}

export const FULL: Settings = {
  pairs: 5,
  rampMs: 300,
  durationMs: 4000,
  warmUpMs: 4000,
  connections: 50,
  keys: 100_000,
  valueBytes: 500,
  memoryKeys: 1_000_000,
  largeKeys: 2_000_000,
  wearPairs: 2,
  memorySettleMs: 2000,
  wantsQuiet: true,
  seed: 1,
};

/** To see that everything runs; too short to quote. */
export const QUICK: Settings = {
  ...FULL,
  pairs: 2,
  durationMs: 700,
  warmUpMs: 1000,
  memoryKeys: 200_000,
  largeKeys: 200_000,
  wearPairs: 1,
  memorySettleMs: 500,
};

/** Fewer pairs than this say nothing: single runs vary by 15 %. */
export const PAIRS_TO_QUOTE = 5;
