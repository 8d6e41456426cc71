/**
 * Two-sample Kolmogorov-Smirnov distance, and distributions kept as a fixed number of quantiles so that they can be
 * compared and merged in little memory.
 *
 * The distance is 0 for equal distributions and 1 where all of one lies below all of the other; it knows no units and
 * hardly feels single extreme values. Neighbouring hours of a host are alike, so the distance has no p-value here: what is
 * much is asked of the host's own days.
 *
 * Source: N. V. Smirnov, Table for estimating the goodness of fit of empirical distributions, Ann. Math. Statist. 19 (1948).
 */

/** Quantiles that a distribution is kept as, at (i + 0.5) / 24: as many as a day has hours. */
export const QUANTILES = 24

type Sorted = ArrayLike<number>

/**
 * Largest difference between the shares of a and of b that lie at or below a value.
 * @param a ascending
 * @param b ascending
 * @returns 0-1; NaN where one of them is empty
 * @example distance([1, 2, 3, 4], [3, 4, 5, 6]) = 0.5: half of a lies below 3, and nothing of b
 */
export function ksDistance(a: Sorted, b: Sorted): number {
  if (a.length === 0 || b.length === 0) return Number.NaN
  let [i, j, most] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const x = Math.min(a[i] as number, b[j] as number)
    while (i < a.length && (a[i] as number) <= x) i++
    while (j < b.length && (b[j] as number) <= x) j++
    most = Math.max(most, Math.abs(i / a.length - j / b.length))
  }
  return most
}

/** One weighted distribution. */
export interface Weighted {
  /** Ascending. */
  readonly values: Sorted
  /** Weight of all of it together. */
  readonly weight: number
}

/** The distribution of all of these together, as {@link QUANTILES} of its values; empty if all are. */
export function mergeQuantiles(parts: readonly Weighted[]): number[] {
  const all = parts.flatMap(({ values, weight }) => Array.from(values, (x) => ({ x, weight: weight / values.length })))
  if (all.length === 0) return []
  all.sort((a, b) => a.x - b.x)
  const total = all.reduce((sum, { weight }) => sum + weight, 0)
  const merged: number[] = []
  let below = 0
  for (const { x, weight } of all) {
    below += weight / total
    // A hair, because weights that should add up to a quantile's place do so but for rounding.
    while (merged.length < QUANTILES && (merged.length + 0.5) / QUANTILES <= below + 1e-9) merged.push(x)
  }
  return merged
}
