/** How large errors are now. */

/** Outcomes that the quick and the slow mean remember, at least, and in horizons: errors of forecasts that overlap are alike. */
const QUICK = { outcomes: 10, horizons: 1 }
const SLOW = { outcomes: 50, horizons: 4 }

/**
 * Half of a quick and half of a slow exponentially weighted mean of past absolute errors. Means are of square roots: one
 * failure, errors a hundred times as large as usual, would otherwise widen the intervals of a whole day.
 */
export class ErrorScale {
  readonly #quick: number
  readonly #slow: number
  #recent = Number.NaN
  #usual = Number.NaN
  #count = 0

  /** @param overlap outcomes a horizon: so many forecasts are under way at a time */
  constructor(overlap: number) {
    this.#quick = Math.max(QUICK.outcomes, QUICK.horizons * overlap)
    this.#slow = Math.max(SLOW.outcomes, SLOW.horizons * overlap)
  }

  /** NaN before the first error. */
  get value(): number {
    return (0.5 * (this.#recent + this.#usual)) ** 2
  }

  push(error: number): void {
    const size = Math.sqrt(Math.abs(error))
    const n = ++this.#count
    this.#recent = n === 1 ? size : this.#recent + (size - this.#recent) / Math.min(this.#quick, n)
    this.#usual = n === 1 ? size : this.#usual + (size - this.#usual) / Math.min(this.#slow, n)
  }
}
