/** Exponentially weighted means over six lengths of memory, each three times the one before. */

/** Time constants in bins. */
export const MEMORIES = [2, 6, 18, 54, 162, 486] as const
const KEEP = MEMORIES.map((bins) => Math.exp(-1 / bins))

/**
 * Weights are kept beside the sums, so that a mean of few bins is their plain mean, and a gap lets no value decay.
 */
export class Averages {
  readonly #sums = new Float64Array(MEMORIES.length)
  readonly #weights = new Float64Array(MEMORIES.length)

  /** Takes in a bin that is complete; NaN = missing. */
  advance(mean: number): void {
    const isMissing = Number.isNaN(mean)
    for (let j = 0; j < MEMORIES.length; j++) {
      const keep = KEEP[j] as number
      this.#sums[j] = (this.#sums[j] as number) * keep + (isMissing ? 0 : (1 - keep) * mean)
      this.#weights[j] = (this.#weights[j] as number) * keep + (isMissing ? 0 : 1 - keep)
    }
  }

  /**
   * The means, as if the bin in progress, with a mean of `current` so far, were complete.
   * @param out [>= 6]
   */
  read(current: number, out: Float64Array, offset = 0): void {
    for (let j = 0; j < MEMORIES.length; j++) {
      const keep = KEEP[j] as number
      const weight = (this.#weights[j] as number) * keep + (1 - keep)
      out[offset + j] = ((this.#sums[j] as number) * keep + (1 - keep) * current) / weight
    }
  }
}
