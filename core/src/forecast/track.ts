/** One signal in bins of one length: its past, the models that see it, and a rung for each horizon. */
import { Averages, MEMORIES } from './averages.ts'
import { History } from './history.ts'
import { DAY, followUpSeconds } from './ladder.ts'
import { Autoregression } from './models/autoregression.ts'
import { Holt } from './models/holt.ts'
import type { Grid, Model, Past } from './models/model.ts'
import { Profile } from './models/profile.ts'
import { ExponentialSmoothing, Naive } from './models/simple.ts'
import { SeasonalTrend } from './models/trend.ts'
import { Rung, type Seen } from './rung.ts'

/** Moments of the past that a fit looks at, at most. */
const MOMENTS = 800
/** Bins before which there is nothing to fit. */
const LEAST = 24
/** Empty bins of one row that are gone through one by one. */
const MOST_EMPTY = 4
/** Seconds after which a moment weighs half. */
const HALF_LIFE = 5 * DAY

export interface TrackOptions {
  readonly binSeconds: number
  /** Bins remembered. */
  readonly capacity: number
  /** Whether a bin holds several rows. */
  readonly averaged: boolean
  /** Horizons in seconds, ascending. */
  readonly horizons: readonly number[]
  /** Whether a day fits several times into the capacity. */
  readonly isSeasonal: boolean
  /** Names of the models; all by default. */
  readonly models?: readonly string[] | undefined
}

export class Track {
  readonly horizons: readonly number[]
  readonly #rungs: readonly Rung[]
  readonly #models: readonly Model[]
  readonly #history: History
  readonly #bin: number
  readonly #averaged: boolean
  readonly #grid: Grid
  readonly #averages = new Averages()
  readonly #origin: { bin: number; x: number; readonly averages: Float64Array; readonly history: History }
  readonly #points: Float64Array
  #seen: Seen = { least: Number.NaN, most: Number.NaN }
  /** Where a bin of one row begins, in seconds: half a bin before the row, so that a row a little early stays in its own. */
  #phase = Number.NaN

  constructor(options: TrackOptions) {
    const { binSeconds, horizons } = options
    this.#bin = binSeconds
    this.#averaged = options.averaged
    this.horizons = horizons
    this.#history = new History(options.capacity, options.averaged)
    const steps = horizons.map((h) => Math.max(1, Math.round(h / binSeconds)))
    this.#grid = { day: Math.round(DAY / binSeconds), steps }

    this.#models = [
      new Naive(),
      new ExponentialSmoothing(this.#grid),
      new Holt(this.#grid),
      new Autoregression(this.#grid, options.isSeasonal),
      ...(options.isSeasonal ? [new Profile(this.#grid), new SeasonalTrend(this.#grid)] : []),
    ].filter(({ name }) => name === 'naive' || (options.models?.includes(name) ?? true))
    this.#points = new Float64Array(this.#models.length)
    this.#rungs = steps.map((step, i) => {
      const every = Math.max(1, Math.round(followUpSeconds(horizons[i] as number) / binSeconds))
      return new Rung(step, every, this.#models.length)
    })
    this.#origin = { bin: -1, x: Number.NaN, averages: new Float64Array(MEMORIES.length), history: this.#history }
  }

  /** @param at Unix seconds >= 0, not before the newest row */
  push(at: number, value: number): void {
    if (Number.isNaN(this.#phase)) this.#phase = this.#averaged ? 0 : (at % this.#bin) - this.#bin / 2
    const bin = Math.floor((at - this.#phase) / this.#bin)
    const history = this.#history
    const before = history.newest
    if (bin < 0) return
    // Many short bins in a row without a value say no more than a few of them: a history of longer rows is being read.
    const longest = this.#averaged ? history.capacity : MOST_EMPTY
    for (let i = Math.max(before, bin - longest); before >= 0 && i < bin; i++) {
      const mean = history.mean(i)
      this.#averages.advance(mean)
      for (const model of this.#models) model.advance(i, mean)
    }
    history.push(bin, value)
    this.#origin.bin = bin
    this.#origin.x = value
    this.#averages.read(history.mean(bin), this.#origin.averages)
    if (bin === before) return
    this.#see(value)
    this.#rungs.forEach((rung, r) => {
      rung.resolve(bin, value)
      if (bin % rung.every !== 0) return
      this.#predict(r)
      rung.issue(bin, this.#points, this.#seen)
    })
  }

  refit(): void {
    const past = this.#past()
    if (past === null) return
    for (const model of this.#models) model.fit(past)
  }

  isKnown(r: number): boolean {
    return (this.#rungs[r] as Rung).isKnown
  }

  /** Quantiles of a rung, less the newest row. */
  offsets(r: number, out: Float64Array): void {
    this.#predict(r)
    ;(this.#rungs[r] as Rung).offsets(this.#points, this.#origin.x, this.#seen, out)
  }

  /** Name of the model that weighs most on a rung, and the rung's loss against naive's. */
  choice(r: number): { readonly model: string; readonly skill: number } {
    const rung = this.#rungs[r] as Rung
    return { model: (this.#models[rung.best] as Model).name, skill: rung.skill }
  }

  /** Extremes are forgotten as bins are: what is as long ago as the oldest counts a third. */
  #see(value: number): void {
    const { least, most } = this.#seen
    const share = 1 / this.#history.capacity
    this.#seen = Number.isNaN(least)
      ? { least: value, most: value }
      : {
          least: Math.min(value, least + share * (value - least)),
          most: Math.max(value, most + share * (value - most)),
        }
  }

  #predict(r: number): void {
    for (let m = 0; m < this.#models.length; m++) this.#points[m] = (this.#models[m] as Model).predict(r, this.#origin)
  }

  #past(): Past | null {
    const history = this.#history
    if (history.length < LEAST) return null
    const stride = Math.max(1, Math.ceil(history.length / MOMENTS))
    const n = Math.floor((history.length - 1) / stride)
    const m = MEMORIES.length
    const past = {
      history,
      stride,
      bins: new Float64Array(n),
      samples: new Float64Array(n),
      averages: new Float64Array(n * m),
      weights: new Float64Array(n),
    }
    const running = new Averages()
    const first = history.newest - n * stride
    for (let bin = history.oldest; bin < history.newest; bin++) {
      const i = (bin - first) / stride
      if (i >= 0 && Number.isInteger(i)) {
        const sample = history.sample(bin)
        past.bins[i] = bin
        past.samples[i] = sample
        if (!Number.isNaN(sample)) running.read(sample, past.averages, i * m)
        past.weights[i] = 0.5 ** (((history.newest - bin) * this.#bin) / HALF_LIFE)
      }
      running.advance(history.mean(bin))
    }
    return past
  }
}
