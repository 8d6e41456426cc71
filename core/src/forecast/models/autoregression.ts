/** Robust direct autoregression on differences. */
import { MEMORIES } from '../averages.ts'
import type { History } from '../history.ts'
import { robustRegression } from '../robust.ts'
import { SEASONAL, seasonalChange } from '../season.ts'
import type { Grid, Model, Origin, Past } from './model.ts'

const LAGS = 4
const FOURIER = 4
const BASE = 1 + MEMORIES.length + LAGS
const P = BASE + SEASONAL + FOURIER
/** Column values beyond so many of their usual size are cut. */
const CLIP = 6
/** Independent samples that a zero coefficient weighs. */
const RIDGE = 3

interface Fit {
  readonly coefficients: Float64Array
  /** 1 / usual size of a column; 0 = unused. */
  readonly scales: Float64Array
  readonly low: number
  readonly high: number
}

/**
 * The change until each horizon, regressed on the differences between the newest row and exponentially weighted means,
 * the newest bins, the same hours of yesterday, of the last 7 days and of a week ago, and two Fourier pairs of the time of
 * day at the horizon. A zero coefficient is the naive forecast, towards which the ridge pulls. Least absolute deviations,
 * columns and forecast cut to what was seen: a shift does not carry it away.
 */
export class Autoregression implements Model {
  readonly name = 'autoregression'
  readonly #grid: Grid
  readonly #isSeasonal: boolean
  readonly #fits: (Fit | null)[]
  readonly #row = new Float64Array(P)

  constructor(grid: Grid, isSeasonal: boolean) {
    this.#grid = grid
    this.#isSeasonal = isSeasonal
    this.#fits = grid.steps.map(() => null)
  }

  advance(): void {}

  fit(past: Past): void {
    const { history, stride, bins, samples, averages } = past
    const { day, steps } = this.#grid
    const m = MEMORIES.length
    const n = bins.length
    const x = new Float64Array(n * P)
    const y = new Float64Array(n)
    const weights = new Float64Array(n)
    steps.forEach((step, rung) => {
      const isDaily = this.#isSeasonal && history.length - step - day >= day / 2
      const isWeekly = isDaily && history.length - step >= 9 * day
      let rows = 0
      for (let i = 0; i < n; i++) {
        const bin = bins[i] as number
        if (bin + step > history.newest) break
        const target = history.sample(bin + step)
        const now = samples[i] as number
        if (Number.isNaN(target) || Number.isNaN(now)) continue
        if (isDaily && bin - day < history.oldest) continue
        const at = rows * P
        x.fill(0, at, at + P)
        baseColumns(history, bin, now, averages, i * m, x, at)
        if (isDaily) seasonalColumns(history, bin, step, day, now, isWeekly, x, at)
        y[rows] = target - now
        weights[rows] = past.weights[i] as number
        rows++
      }
      this.#fits[rung] =
        rows < 20
          ? null
          : fitOne(x.subarray(0, rows * P), y.subarray(0, rows), weights.subarray(0, rows), step / stride)
      const made = this.#fits[rung]
      if (made && !isDaily) made.scales.fill(0, BASE)
      if (made && !isWeekly) made.scales.fill(0, BASE + 4, BASE + 6)
    })
  }

  predict(rung: number, origin: Origin): number {
    const fit = this.#fits[rung]
    if (!fit) return Number.NaN
    const { scales, coefficients, low, high } = fit
    const row = this.#row
    row.fill(0)
    const step = this.#grid.steps[rung] as number
    baseColumns(origin.history, origin.bin, origin.x, origin.averages, 0, row, 0)
    if (scales[BASE] !== 0 || scales[P - 1] !== 0) {
      seasonalColumns(origin.history, origin.bin, step, this.#grid.day, origin.x, true, row, 0)
    }
    let change = 0
    for (let j = 0; j < P; j++) {
      const z = (row[j] as number) * (scales[j] as number)
      change += (z > CLIP ? CLIP : z < -CLIP ? -CLIP : z) * (coefficients[j] as number)
    }
    return origin.x + Math.min(high, Math.max(low, change))
  }
}

function baseColumns(
  history: History,
  bin: number,
  now: number,
  averages: Float64Array,
  from: number,
  out: Float64Array,
  at: number,
): void {
  out[at] = 1
  for (let j = 0; j < MEMORIES.length; j++) out[at + 1 + j] = (averages[from + j] as number) - now
  for (let l = 1; l <= LAGS; l++) {
    const lag = history.mean(bin - l)
    out[at + MEMORIES.length + l] = (Number.isNaN(lag) ? (averages[from] as number) : lag) - now
  }
}

function seasonalColumns(
  history: History,
  bin: number,
  step: number,
  day: number,
  now: number,
  isWeekly: boolean,
  out: Float64Array,
  at: number,
): void {
  seasonalChange(history, bin, step, day, now, out, at + BASE)
  if (!isWeekly) out[at + BASE + 4] = out[at + BASE + 5] = 0
  const angle = (2 * Math.PI * (bin + step)) / day
  const f = at + BASE + SEASONAL
  out[f] = Math.sin(angle)
  out[f + 1] = Math.cos(angle)
  out[f + 2] = Math.sin(2 * angle)
  out[f + 3] = Math.cos(2 * angle)
}

/** @param overlap rows whose outcomes overlap: so many make one independent sample */
function fitOne(x: Float64Array, y: Float64Array, weights: Float64Array, overlap: number): Fit | null {
  const n = y.length
  const scales = new Float64Array(P)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < P; j++) scales[j] = (scales[j] as number) + Math.abs(x[i * P + j] as number)
  let size = 0
  for (let i = 0; i < n; i++) size += Math.abs(y[i] as number)
  size /= n
  if (!(size > 0)) return null
  for (let j = 0; j < P; j++) {
    const usual = (scales[j] as number) / n
    scales[j] = j === 0 || j >= BASE + SEASONAL ? Number(usual > 0) : usual > 1e-9 * size ? 1 / usual : 0
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < P; j++) {
      const z = (x[i * P + j] as number) * (scales[j] as number)
      x[i * P + j] = z > CLIP ? CLIP : z < -CLIP ? -CLIP : z
    }
  }
  const ridge = new Float64Array(P).fill(RIDGE * Math.max(1, overlap))
  const coefficients = robustRegression(x, y, weights, ridge)
  const sorted = y.slice().sort()
  return {
    coefficients,
    scales,
    low: sorted[Math.floor(0.01 * (n - 1))] as number,
    high: sorted[Math.ceil(0.99 * (n - 1))] as number,
  }
}
