/** A regression on a trend with change points and the time of day, in the manner of Prophet. */
import { MEMORIES } from '../averages.ts'
import { robustRegression } from '../robust.ts'
import type { Grid, Model, Origin, Past } from './model.ts'

/** Places at which the slope may change, spread evenly over the first nine tenths of the past. */
const CHANGES = 12
const PAIRS = 4
const P = 2 + CHANGES + 2 * PAIRS
/** Samples that an unchanged slope weighs. */
const RIDGE = 3

/**
 * Piecewise linear trend plus four Fourier pairs of the day, by least absolute deviations with a ridge on every change of
 * slope (Taylor and Letham, "Forecasting at scale", 2018, with a normal prior in place of Laplace's). A regression alone
 * forgets where the signal stands: of its present residual each horizon keeps the share that earlier ones have kept.
 */
export class SeasonalTrend implements Model {
  readonly name = 'seasonal_trend'
  readonly #grid: Grid
  #coefficients: Float64Array | null = null
  #start = 0
  #length = 1
  #low = 0
  #high = 0
  readonly #keep: Float64Array
  readonly #row = new Float64Array(P)

  constructor(grid: Grid) {
    this.#grid = grid
    this.#keep = new Float64Array(grid.steps.length)
  }

  advance(): void {}

  fit(past: Past): void {
    const { history, stride, bins, samples, averages } = past
    const { day, steps } = this.#grid
    const m = MEMORIES.length
    this.#coefficients = null
    const used: number[] = []
    for (let i = 0; i < bins.length; i++) if (!Number.isNaN(samples[i] as number)) used.push(i)
    if (used.length < 2 * P || history.length < day) return
    this.#start = history.oldest
    this.#length = history.length
    const hasDay = history.length >= 2 * day
    const x = new Float64Array(used.length * P)
    const y = new Float64Array(used.length)
    const weights = new Float64Array(used.length)
    const origin = samples[used[0] as number] as number
    used.forEach((i, row) => {
      this.#columns(bins[i] as number, x, row * P)
      if (!hasDay) x.fill(0, row * P + 2 + CHANGES, (row + 1) * P)
      y[row] = (samples[i] as number) - origin
      weights[row] = past.weights[i] as number
    })
    const sorted = Float64Array.from(used, (i) => samples[i] as number).sort()
    const reach = (sorted.at(-1) as number) - (sorted[0] as number)
    this.#low = (sorted[0] as number) - 0.5 * reach
    this.#high = (sorted.at(-1) as number) + 0.5 * reach
    const ridge = new Float64Array(P).fill((RIDGE * 12) / stride)
    ridge[0] = 0
    const coefficients = robustRegression(x, y, weights, ridge)
    coefficients[0] = (coefficients[0] as number) + origin
    this.#coefficients = coefficients
    steps.forEach((step, rung) => {
      let [up, down] = [0, 0]
      for (const i of used) {
        const bin = bins[i] as number
        const target = history.sample(bin + step)
        if (Number.isNaN(target)) continue
        const now = (averages[i * m] as number) - this.#curve(bin)
        const then = target - this.#curve(bin + step)
        up += (past.weights[i] as number) * now * then
        down += (past.weights[i] as number) * now * now
      }
      this.#keep[rung] = down > 0 ? Math.min(1, Math.max(0, up / down)) : 0
    })
  }

  predict(rung: number, origin: Origin): number {
    if (this.#coefficients === null) return Number.NaN
    const step = this.#grid.steps[rung] as number
    const residual = (origin.averages[0] as number) - this.#curve(origin.bin)
    const value = this.#curve(origin.bin + step) + (this.#keep[rung] as number) * residual
    return Math.min(this.#high, Math.max(this.#low, value))
  }

  #curve(bin: number): number {
    const coefficients = this.#coefficients as Float64Array
    this.#columns(bin, this.#row, 0)
    let sum = 0
    for (let j = 0; j < P; j++) sum += (this.#row[j] as number) * (coefficients[j] as number)
    return sum
  }

  #columns(bin: number, out: Float64Array, at: number): void {
    const t = (bin - this.#start) / this.#length
    out[at] = 1
    out[at + 1] = t
    for (let c = 0; c < CHANGES; c++) out[at + 2 + c] = Math.max(0, t - (0.9 * (c + 1)) / (CHANGES + 1))
    const angle = (2 * Math.PI * bin) / this.#grid.day
    for (let k = 1; k <= PAIRS; k++) {
      out[at + CHANGES + 2 * k] = Math.sin(k * angle)
      out[at + CHANGES + 2 * k + 1] = Math.cos(k * angle)
    }
  }
}
