/**
 * The last ten rows of one target, as the feature graph wants them.
 *
 * - The start of a signal is padded with its first value.
 * - A missing value is carried for at most {@link MAX_CARRY_ROWS} rows, for the features only; after that the signal is
 *   absent: masked, and padded afresh when it returns.
 * - A hole in time longer than that starts the window afresh.
 * - Non-finite values never enter; they are counted.
 */
export const WINDOW_ROWS = 10
export const MAX_CARRY_ROWS = 3

export class RowWindow {
  /** Rows pushed since the window last started afresh. */
  rows = 0
  /** Non-finite values refused so far. */
  nonFinite = 0
  /** Signals whose column was padded by the last push: they (re)appeared with it. */
  readonly appeared: number[] = []
  readonly #names: readonly string[]
  readonly #intervalMs: number
  /** Ring [L,d]; #newest is the index of the newest row. */
  readonly #ring: Float64Array
  readonly #missing: Uint8Array
  #newest = 0
  #at = Number.NEGATIVE_INFINITY

  constructor(names: readonly string[], intervalSeconds: number) {
    this.#names = names
    this.#intervalMs = intervalSeconds * 1000
    this.#ring = new Float64Array(WINDOW_ROWS * names.length)
    this.#missing = new Uint8Array(names.length).fill(MAX_CARRY_ROWS + 1)
  }

  /** @param at end of the row, ms of any clock that does not run backwards (the caller drops and counts such rows) */
  push(at: number, values: Readonly<Record<string, number>>): void {
    if (at - this.#at > (MAX_CARRY_ROWS + 1) * this.#intervalMs) this.#restart()
    this.#at = at
    const d = this.#names.length
    const previous = this.#newest * d
    this.#newest = (this.#newest + 1) % WINDOW_ROWS
    const newest = this.#newest * d
    this.appeared.length = 0
    for (let j = 0; j < d; j++) {
      const value = values[this.#names[j] as string]
      if (value !== undefined && Number.isFinite(value)) {
        if (this.#isAbsent(j)) {
          for (let k = 0; k < WINDOW_ROWS; k++) this.#ring[k * d + j] = value
          this.appeared.push(j)
        } else this.#ring[newest + j] = value
        this.#missing[j] = 0
        continue
      }
      if (value !== undefined) this.nonFinite++
      if ((this.#missing[j] as number) <= MAX_CARRY_ROWS) this.#missing[j] = (this.#missing[j] as number) + 1
      this.#ring[newest + j] = this.#isAbsent(j) ? 0 : (this.#ring[previous + j] as number)
      if (this.#isAbsent(j)) for (let k = 0; k < WINDOW_ROWS; k++) this.#ring[k * d + j] = 0
    }
    this.rows++
  }

  /** Present share of the signals, 0-1. */
  get coverage(): number {
    let present = 0
    for (let j = 0; j < this.#names.length; j++) if (!this.#isAbsent(j)) present++
    return present / this.#names.length
  }

  /** The newest value of signal j, carried or real; NaN when absent. */
  newest(j: number): number {
    return this.#isAbsent(j) ? Number.NaN : (this.#ring[this.#newest * this.#names.length + j] as number)
  }

  isPresent(j: number): boolean {
    return !this.#isAbsent(j)
  }

  /** Writes the window [L,d], oldest row first, and the mask [d] at batch position i. */
  write(i: number, window: Float64Array, mask: Float64Array): void {
    const d = this.#names.length
    for (let k = 0; k < WINDOW_ROWS; k++) {
      const from = ((this.#newest + 1 + k) % WINDOW_ROWS) * d
      window.set(this.#ring.subarray(from, from + d), (i * WINDOW_ROWS + k) * d)
    }
    for (let j = 0; j < d; j++) mask[i * d + j] = this.#isAbsent(j) ? 0 : 1
  }

  #isAbsent(j: number): boolean {
    return (this.#missing[j] as number) > MAX_CARRY_ROWS
  }

  #restart(): void {
    this.rows = 0
    this.#missing.fill(MAX_CARRY_ROWS + 1)
  }
}
