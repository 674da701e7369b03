export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median and range; throws without values. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new Error('no values to summarize');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Ratio of the medians, and the range of the ratios within the pairs. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Summary {
  const pairs = ours.map((value, i) => value / theirs[i]!);
  const { min, max } = summarize(pairs);
  return { median: summarize(ours).median / summarize(theirs).median, min, max };
}
