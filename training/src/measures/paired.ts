/**
 * Two ways compared on the same machines: the differences of each machine, so that what makes a machine easy or hard for
 * both falls out. A mean difference within two standard errors is no difference.
 */

export interface PairedDifference {
  readonly mean: number
  /** Of the mean; NaN for fewer than two pairs. */
  readonly standardError: number
  readonly better: number
  readonly pairs: number
}

/** Of `ours` less `theirs`, pair by pair. */
export function pairedDifference(ours: readonly number[], theirs: readonly number[]): PairedDifference {
  if (ours.length !== theirs.length) throw new RangeError(`${ours.length} values beside ${theirs.length}: no pairs`)
  const n = ours.length
  const differences = ours.map((x, i) => x - (theirs[i] as number))
  const mean = differences.reduce((a, b) => a + b, 0) / n
  const squares = differences.reduce((sum, x) => sum + (x - mean) ** 2, 0)
  return {
    mean,
    standardError: n < 2 ? Number.NaN : Math.sqrt(squares / (n - 1) / n),
    better: differences.filter((x) => x > 0).length,
    pairs: n,
  }
}
