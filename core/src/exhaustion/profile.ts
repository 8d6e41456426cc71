import type { BinRing } from './levels.ts'

/** Bins of a day, five minutes each. */
export const PROFILE_SECONDS = 300
export const DAY_BINS = 288
const DAYS = 7
/** Days that must be known before anything is called daily. */
const FEWEST = 3

/**
 * What time of day does to a level: the median over a week of its deviations from the mean of the day around it. In use only
 * where it explains more than `share` of what moves within a day.
 */
export class DailyProfile {
  /** Running sums over a day, of the deviation at each five minutes of the day; [288 + 1]. */
  readonly #sum = new Float64Array(DAY_BINS + 1)
  readonly #deviation = new Float64Array(DAY_BINS)
  inUse = false
  /** Highest deviation. */
  top = 0

  fit(ring: BinRing, last: number): void {
    const half = DAY_BINS / 2
    const values: number[] = []
    let [squares, left, days] = [0, 0, 0]
    const fitted = new Float64Array(DAY_BINS)
    for (let phase = 0; phase < DAY_BINS; phase++) {
      values.length = 0
      const newest = last - half
      for (let k = 0, bin = newest - mod(newest - phase); k < DAYS; k++, bin -= DAY_BINS) {
        if (bin - half < ring.oldest) break
        const deviation = ring.mean(bin, bin) - ring.mean(bin - half, bin + half - 1)
        if (!Number.isNaN(deviation)) values.push(deviation)
      }
      values.sort((a, b) => a - b)
      const n = values.length
      const median = n === 0 ? 0 : ((values[(n - 1) >> 1] as number) + (values[n >> 1] as number)) / 2
      days += n / DAY_BINS
      fitted[phase] = median
      for (const x of values) {
        squares += x * x
        left += (x - median) ** 2
      }
    }
    // A median of few days follows them: what is left of them is too small by about this factor.
    const share = days > 1 ? 1 - (left / Math.max(squares, 1e-18)) * (days / (days - 1)) : 0
    this.inUse = days >= FEWEST - 0.6 && share > 0.4
    this.top = 0
    for (let phase = 0; phase < DAY_BINS; phase++) {
      const around = [-2, -1, 0, 1, 2].map((k) => fitted[mod(phase + k)] as number)
      const value = this.inUse ? around.reduce((a, b) => a + b, 0) / around.length : 0
      this.#deviation[phase] = value
      this.top = Math.max(this.top, value)
      this.#sum[phase + 1] = (this.#sum[phase] as number) + value
    }
  }

  at(bin: number): number {
    return this.#deviation[mod(bin)] as number
  }

  /** Mean deviation of bins from..to inclusive. */
  mean(from: number, to: number): number {
    if (!this.inUse) return 0
    return (this.#upTo(to + 1) - this.#upTo(from)) / (to - from + 1)
  }

  /** Sum over all bins before `bin`. */
  #upTo(bin: number): number {
    const days = Math.floor(bin / DAY_BINS)
    return days * (this.#sum[DAY_BINS] as number) + (this.#sum[bin - days * DAY_BINS] as number)
  }
}

function mod(bin: number): number {
  return ((bin % DAY_BINS) + DAY_BINS) % DAY_BINS
}
