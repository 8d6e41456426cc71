/** Forecast of one signal, 1 minute to 24 hours ahead. */
import { COARSE_DAYS, COARSE_SECONDS, DAY, FINE_ROWS, HOUR, ladderOf } from './ladder.ts'
import { FORECAST_QUANTILES } from './levels.ts'
import { Track } from './track.ts'

export interface HorizonForecast {
  readonly seconds: number
  /** q05 q10 q50 q90 q95, ascending, in the signal's unit */
  readonly quantiles: Float64Array
  /** Model that weighs most for this horizon. */
  readonly model: string
  /** Pinball loss of past forecasts against naive's, as they came out; NaN while unknown. Below 1 = better. */
  readonly skill: number
}

export interface ForecasterOptions {
  /** Seconds between rows, 10 to 300 and beyond. */
  readonly intervalSeconds: number
  /** Natural bounds of a value, which no quantile leaves. */
  readonly floor?: number
  readonly ceiling?: number
  /** Names of the models to use besides naive; all by default. */
  readonly models?: readonly string[]
}

interface Step {
  readonly seconds: number
  readonly track: Track
  /** Place in the track. */
  readonly rung: number
}

/**
 * For every horizon of a ladder, several models forecast the signal; each weighs what its past errors say, their mean gets
 * quantiles from its own past errors (scaled by how large errors are now), and what comes out is mixed with naive's, the
 * last value with quantiles of past changes, by past pinball loss. All errors are of forecasts that were made before the
 * outcome was known. Works from a level and a day's rhythm on; does not foresee a first event, and says so by wide intervals
 * only after it has seen one.
 *
 * Some 110-150 kB a signal, all objects counted.
 *
 * ```ts
 * const forecaster = new SignalForecaster({ intervalSeconds: 60, floor: 0, ceiling: 1 })
 * for (const [at, value] of rows) {
 *   forecaster.push(at, value)
 *   if (forecaster.due) forecaster.refit()
 * }
 * forecaster.forecast([3600])?.[0]?.quantiles // q05 q10 q50 q90 q95 an hour ahead
 * ```
 */
export class SignalForecaster {
  readonly #floor: number
  readonly #ceiling: number
  readonly #tracks: readonly Track[]
  /** Nearest first. */
  readonly #ladder: readonly Step[]
  /** Quantiles of each step, less the newest row. */
  readonly #offsets: readonly Float64Array[]
  #isRead = false
  #oldest = Number.NaN
  #newest = Number.NEGATIVE_INFINITY
  #last = Number.NaN
  /** First value: what is kept in single precision is the difference to it. */
  #anchor = Number.NaN
  /** Least and largest value so far. */
  #least = Number.POSITIVE_INFINITY
  #most = Number.NEGATIVE_INFINITY
  #fitted = Number.NEGATIVE_INFINITY

  constructor(options: ForecasterOptions) {
    const { intervalSeconds, models } = options
    if (!(intervalSeconds > 0)) throw new RangeError(`${intervalSeconds} s between rows: more than 0 are needed`)
    this.#floor = options.floor ?? Number.NEGATIVE_INFINITY
    this.#ceiling = options.ceiling ?? Number.POSITIVE_INFINITY
    const { near, far } = ladderOf(intervalSeconds)
    const coarse = Math.max(COARSE_SECONDS, intervalSeconds)
    const long = new Track({
      binSeconds: coarse,
      capacity: Math.ceil((COARSE_DAYS * DAY) / coarse),
      averaged: intervalSeconds < coarse,
      horizons: far,
      isSeasonal: true,
      models,
    })
    const short = { binSeconds: intervalSeconds, capacity: FINE_ROWS, averaged: false, isSeasonal: false, models }
    this.#tracks = near.length === 0 ? [long] : [new Track({ ...short, horizons: near }), long]
    this.#ladder = this.#tracks.flatMap((track) => track.horizons.map((seconds, rung) => ({ seconds, track, rung })))
    this.#offsets = this.#ladder.map(() => new Float64Array(FORECAST_QUANTILES.length))
  }

  /**
   * A row; ignored where it is not finite or not later than the one before. Microseconds.
   * @param at Unix seconds
   */
  push(at: number, value: number): void {
    if (!Number.isFinite(at) || !Number.isFinite(value) || at < 0 || at <= this.#newest) return
    if (Number.isNaN(this.#anchor)) {
      this.#anchor = value
      this.#oldest = at
    }
    for (const track of this.#tracks) track.push(at, value - this.#anchor)
    this.#newest = at
    this.#last = value
    this.#least = Math.min(this.#least, value)
    this.#most = Math.max(this.#most, value)
    this.#isRead = false
  }

  /** Whether refit() is worth its cost: after 2 hours, then whenever a quarter has been added, in the end daily. */
  get due(): boolean {
    const age = this.#newest - this.#oldest
    if (!(age >= 2 * HOUR)) return false
    return this.#newest - this.#fitted >= Math.min(DAY, Math.max(2 * HOUR, age / 4))
  }

  /** Fits every model to the past. About 20 ms for 14 days. */
  refit(): void {
    for (const track of this.#tracks) track.refit()
    this.#fitted = this.#newest
    this.#isRead = false
  }

  /**
   * From the newest row.
   * @param horizons seconds; beyond 24 hours: that of 24 hours
   * @returns null before the outcomes of a first few forecasts are known (three quarters of an hour of rows)
   */
  forecast(horizons: readonly number[]): HorizonForecast[] | null {
    const first = this.#ladder.findIndex(({ track, rung }) => track.isKnown(rung))
    if (first < 0) return null
    if (!this.#isRead) this.#read(first)
    return horizons.map((seconds) => this.#at(seconds))
  }

  /**
   * A step without outcomes takes the spread of the one before, which grows as a random walk's within what was seen; those
   * before the first that is known, as after a history of longer rows, take its.
   */
  #read(first: number): void {
    const more = 0.5 * (this.#most - this.#least)
    const [least, most] = [this.#least - more - this.#last, this.#most + more - this.#last]
    this.#ladder.forEach(({ seconds, track, rung }, i) => {
      const own = this.#offsets[i] as Float64Array
      if (i < first) return
      if (track.isKnown(rung)) track.offsets(rung, own)
      else {
        const nearer = this.#offsets[i - 1] as Float64Array
        const wider = Math.sqrt(seconds / (this.#ladder[i - 1] as Step).seconds)
        const middle = nearer[2] as number
        for (let q = 0; q < own.length; q++) {
          own[q] = Math.min(most, Math.max(least, middle + wider * ((nearer[q] as number) - middle)))
        }
      }
    })
    const known = this.#offsets[first] as Float64Array
    for (let i = 0; i < first; i++) {
      const narrower = Math.sqrt((this.#ladder[i] as Step).seconds / (this.#ladder[first] as Step).seconds)
      const own = this.#offsets[i] as Float64Array
      for (let q = 0; q < own.length; q++) own[q] = narrower * (known[q] as number)
    }
    this.#isRead = true
  }

  /** Between two steps, offsets go with the square root of the horizon. */
  #at(seconds: number): HorizonForecast {
    const found = this.#ladder.findIndex((step) => step.seconds >= seconds)
    const above = found < 0 ? this.#ladder.length - 1 : found
    const step = this.#ladder[above] as Step
    const from = Math.sqrt(this.#ladder[above - 1]?.seconds ?? 0)
    const share = Math.min(1, Math.max(0, (Math.sqrt(seconds) - from) / (Math.sqrt(step.seconds) - from)))
    const low = this.#offsets[above - 1]
    const high = this.#offsets[above] as Float64Array
    const quantiles = high.map((offset, q) => {
      const value = this.#last + (1 - share) * (low?.[q] ?? 0) + share * offset
      return Math.min(this.#ceiling, Math.max(this.#floor, value))
    })
    return { seconds, quantiles: quantiles.sort(), ...this.#choice(above) }
  }

  #choice(i: number): { readonly model: string; readonly skill: number } {
    const { track, rung } = this.#ladder[i] as Step
    return track.isKnown(rung) ? track.choice(rung) : { model: 'naive', skill: Number.NaN }
  }
}
