/**
 * Window z-score about a mean that follows by the day: the mean of the squared features, each less its recent mean. The
 * frozen score keeps saying that a host is not what it was in training; this one says that it is not what it was these
 * days. Blind to what has lasted for days, which is the frozen score's part.
 */
import { clip, type DailyMember, type DailyRow, restoreInto } from './types.ts'

/** A feature counts for no more than this many spreads. */
const CLIP = 30
const KINDS = 6

export class DailyZ implements DailyMember {
  /** [F]. */
  readonly mean: Float64Array
  readonly #forget: number
  readonly #sum: Float64Array
  /** Weight behind each signal [d]. */
  readonly #weight: Float64Array
  readonly #days = new Float64Array(1)

  constructor(signals: number, forget: number) {
    this.#forget = forget
    this.mean = new Float64Array(KINDS * signals)
    this.#sum = new Float64Array(KINDS * signals)
    this.#weight = new Float64Array(signals)
  }

  score({ features, present }: DailyRow): number {
    if (this.#days[0] === 0) return Number.NaN
    const d = present.length
    let sum = 0
    let count = 0
    for (let j = 0; j < d; j++) {
      if (present[j] !== 1) continue
      count += KINDS
      for (let f = j; f < features.length; f += d)
        sum += clip((features[f] as number) - (this.mean[f] as number), CLIP) ** 2
    }
    return sum / Math.max(1, count)
  }

  /** What each feature adds to the score, at `at` [F]; 0 where absent. */
  contributions({ features, present }: DailyRow, to: Float64Array, at: number): void {
    const d = present.length
    let count = 0
    for (let j = 0; j < d; j++) count += KINDS * (present[j] as number)
    for (let f = 0; f < features.length; f++) {
      const off = present[f % d] === 1 ? clip((features[f] as number) - (this.mean[f] as number), CLIP) : 0
      to[at + f] = (off * off) / Math.max(1, count)
    }
  }

  learn({ features, present }: DailyRow, gate: number): void {
    const d = present.length
    for (let j = 0; j < d; j++) {
      if (present[j] !== 1) continue
      this.#weight[j] = (this.#weight[j] as number) + gate
      for (let f = j; f < features.length; f += d) {
        this.#sum[f] = (this.#sum[f] as number) + gate * clip(features[f] as number, CLIP)
      }
    }
  }

  endDay(): void {
    const d = this.#weight.length
    for (let f = 0; f < this.mean.length; f++) {
      const weight = this.#weight[f % d] as number
      if (weight > 0) this.mean[f] = (this.#sum[f] as number) / weight
      this.#sum[f] = (this.#sum[f] as number) * this.#forget
    }
    for (let j = 0; j < d; j++) this.#weight[j] = (this.#weight[j] as number) * this.#forget
    this.#days[0] = (this.#days[0] as number) + 1
  }

  reset(): void {
    // Nothing goes from row to row.
  }

  save(): Float64Array[] {
    return [this.mean, this.#sum, this.#weight, this.#days]
  }

  restore(saved: readonly Float64Array[]): void {
    restoreInto(this.save(), saved)
  }
}
