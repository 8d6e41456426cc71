/** One horizon: models weighed by how they have done, and the spread of the errors of their mean. */
import { FORECAST_QUANTILES } from './levels.ts'
import { SlidingQuantiles } from './quantiles.ts'
import { ErrorScale } from './scale.ts'

/** Scaled errors kept, and changes over the horizon: with a forecast each half an hour, 3.3 and 2.5 days. */
const ERRORS = 160
const CHANGES = 120
/** Outcomes before which a rung says nothing of its own. */
const KNOWN = 8
/** Losses remember this share of the outcomes so far (what was fitted to little is forgotten), up to a limit. */
const REMEMBERED = 2 / 3
const OUTCOMES = 200
const HORIZONS = 4
/** Exponents of a ratio of losses, times the root of the number of independent outcomes. */
const AMONG_MODELS = 3
const AGAINST_NAIVE = 6
const SHARPEST = 30
/** Few outcomes show too little of the tails: an interval is wider by this over the number of independent ones. */
const UNSEEN = 0.6
/** Independent outcomes that the belief weighs that the mean of the models is right: so many undo half of the median error. */
const BIAS = 2
/** Scaled errors are cut here. */
const LARGEST = 100
/** Share by which the intervals grow after a miss, over four times their shrinking after a hit; less where outcomes overlap. */
const LEARN = 0.02
const LEARN_HORIZON = 0.5
const WIDTH = { least: 0.7, most: 2 }
const SCORED = [1, 2, 3] as const
const ISSUED = 2 + SCORED.length

/** Least and largest value of the past. */
export interface Seen {
  readonly least: number
  readonly most: number
}

export class Rung {
  /** Bins ahead. */
  readonly steps: number
  /** Bins between two forecasts that are followed up. */
  readonly every: number
  readonly #models: number
  readonly #overlap: number
  /** Forecasts whose outcome is awaited [slots, models + 5]: of each model, of their mean, its scale, and q10 q50 q90 issued. */
  readonly #pending: Float32Array
  /** Bin in which each was made [slots]. */
  readonly #issued: Float64Array
  readonly #losses: Float64Array
  readonly #weights: Float64Array
  readonly #errors = new SlidingQuantiles(ERRORS)
  readonly #changes = new SlidingQuantiles(CHANGES)
  readonly #scale: ErrorScale
  /** Pinball losses: of the mean with scaled errors, of naive, of their mixture. */
  #own = 0
  #naive = 0
  #mixed = 0
  #outcomes = 0
  /** Factor on the intervals that has made them hold what they say. */
  #width = 1
  readonly #quantiles = new Float64Array(FORECAST_QUANTILES.length)

  constructor(steps: number, every: number, models: number) {
    this.steps = steps
    this.every = every
    this.#models = models
    this.#overlap = Math.max(1, steps / every)
    const slots = Math.ceil(steps / every) + 1
    this.#pending = new Float32Array(slots * (models + ISSUED))
    this.#issued = new Float64Array(slots).fill(-1)
    this.#losses = new Float64Array(models)
    this.#weights = new Float64Array(models)
    this.#weights[0] = 1
    this.#scale = new ErrorScale(this.#overlap)
  }

  get isKnown(): boolean {
    return this.#outcomes >= KNOWN
  }

  /** Pinball loss of this rung against that of the last value with quantiles of past changes; NaN while unknown. */
  get skill(): number {
    return this.#naive > 0 ? this.#mixed / this.#naive : Number.NaN
  }

  /** Place of the model that weighs most; 0, naive, where it is trusted more than all. */
  get best(): number {
    return this.#trust() < 0.5 ? 0 : this.#weights.indexOf(Math.max(...this.#weights))
  }

  /** @param points what each model expects [models], naive first; NaN = nothing */
  issue(bin: number, points: Float64Array, seen: Seen): void {
    const slot = Math.floor(bin / this.every) % this.#issued.length
    const at = slot * (this.#models + ISSUED)
    this.#restrain(points, seen)
    this.#pending.set(points, at)
    this.#pending[at + this.#models] = this.#mean(points)
    this.#pending[at + this.#models + 1] = this.#scale.value
    const x = points[0] as number
    this.offsets(points, x, seen, this.#quantiles)
    for (const [i, q] of SCORED.entries()) this.#pending[at + this.#models + 2 + i] = x + (this.#quantiles[q] as number)
    this.#issued[slot] = bin
  }

  /** The first row of `bin` has come: what was expected of it? */
  resolve(bin: number, y: number): void {
    const from = bin - this.steps
    if (from < 0 || from % this.every !== 0) return
    const slot = Math.floor(from / this.every) % this.#issued.length
    if (this.#issued[slot] !== from) return
    const at = slot * (this.#models + ISSUED)
    const error = y - (this.#pending[at + this.#models] as number)
    // A shift since then has widened the scale already: it must not widen the scaled errors too.
    const scale = Math.max(this.#pending[at + this.#models + 1] as number, this.#scale.value / 2)
    const change = y - (this.#pending[at] as number)
    const memory = Math.min(Math.max(OUTCOMES, HORIZONS * this.#overlap), REMEMBERED * this.#outcomes)
    const keep = 1 - 1 / Math.max(KNOWN, memory)
    this.#score(error, scale, change, keep)
    this.#judge(y, at + this.#models + 2, keep)
    this.#weigh(y, at, keep)
    this.#changes.push(change)
    if (scale > 0) this.#errors.push(Math.max(-LARGEST, Math.min(LARGEST, error / scale)))
    this.#scale.push(error)
    this.#outcomes++
  }

  /**
   * @param points what each model expects [models]
   * @param x newest row
   * @param out quantiles less x [5]
   */
  offsets(points: Float64Array, x: number, seen: Seen, out: Float64Array): void {
    this.#restrain(points, seen)
    const [least, most] = this.#reach(x, seen)
    const move = this.#mean(points) - x
    const scale = this.#scale.value
    const trust = this.#trust()
    const independent = Math.min(this.#outcomes, ERRORS) / this.#overlap
    const bias = (this.#error(2) * BIAS) / (BIAS + independent)
    for (let q = 0; q < FORECAST_QUANTILES.length; q++) {
      const own = move + scale * (this.#error(q) - bias)
      out[q] = trust * own + (1 - trust) * this.#changes.at(FORECAST_QUANTILES[q] as number)
    }
    const wider = this.#width * (1 + UNSEEN / Math.max(0.5, independent))
    const middle = out[2] as number
    for (let q = 0; q < FORECAST_QUANTILES.length; q++) {
      out[q] = Math.min(most - x, Math.max(least - x, middle + wider * ((out[q] as number) - middle)))
    }
  }

  /** Values that are believed: those seen, and from x the changes seen over the horizon and half their range more. */
  #reach(x: number, seen: Seen): [least: number, most: number] {
    const down = Math.min(0, this.#changes.at(0))
    const up = Math.max(0, this.#changes.at(1))
    const more = 0.5 * (up - down)
    return [Math.min(seen.least, x + down - more), Math.max(seen.most, x + up + more)]
  }

  /** No model goes farther. */
  #restrain(points: Float64Array, seen: Seen): void {
    if (this.#changes.count === 0) return
    const [least, most] = this.#reach(points[0] as number, seen)
    for (let m = 1; m < this.#models; m++) points[m] = Math.min(most, Math.max(least, points[m] as number))
  }

  /** Weighted mean of what the models expect; those that know nothing are left out. */
  #mean(points: Float64Array): number {
    let sum = 0
    let total = 0
    for (let m = 0; m < this.#models; m++) {
      const point = points[m] as number
      if (Number.isNaN(point)) continue
      sum += (this.#weights[m] as number) * point
      total += this.#weights[m] as number
    }
    return total > 0 ? sum / total : (points[0] as number)
  }

  /** Quantile of the scaled errors; until there are some, of errors that are uniform. */
  #error(q: number): number {
    const level = FORECAST_QUANTILES[q] as number
    return this.#errors.count < KNOWN ? 4 * (level - 0.5) : this.#errors.at(level)
  }

  /** Share of the models' forecast in the mixture with the last value and quantiles of its own changes. */
  #trust(): number {
    if (!(this.#own > 0)) return this.#naive > 0 ? 1 : 0.5
    return 1 / (1 + (this.#own / this.#naive) ** this.#sharpness(AGAINST_NAIVE))
  }

  #sharpness(factor: number): number {
    return Math.min(SHARPEST, factor * Math.sqrt((this.#outcomes + 1) / this.#overlap))
  }

  #score(error: number, scale: number, change: number, keep: number): void {
    if (this.#errors.count < KNOWN) return
    let [own, naive] = [0, 0]
    for (const q of SCORED) {
      const level = FORECAST_QUANTILES[q]
      const a = error - scale * this.#error(q)
      const b = change - this.#changes.at(level)
      own += pinball(a, level)
      naive += pinball(b, level)
    }
    this.#own = this.#own * keep + own
    this.#naive = this.#naive * keep + naive
  }

  /** What was issued: its loss, and whether the interval held the value (Gibbs and Candes, adaptive conformal inference, 2021). */
  #judge(y: number, at: number, keep: number): void {
    if (this.#errors.count < KNOWN) return
    let mixed = 0
    for (const [i, q] of SCORED.entries())
      mixed += pinball(y - (this.#pending[at + i] as number), FORECAST_QUANTILES[q])
    this.#mixed = this.#mixed * keep + mixed
    const [low, high] = [this.#pending[at] as number, this.#pending[at + 2] as number]
    const rate = Math.min(LEARN, LEARN_HORIZON / this.#overlap)
    const width = this.#width * Math.exp(rate * (y < low || y > high ? 0.8 : -0.2))
    this.#width = Math.min(WIDTH.most, Math.max(WIDTH.least, width))
  }

  #weigh(y: number, at: number, keep: number): void {
    const losses = this.#losses
    let least = Number.POSITIVE_INFINITY
    for (let m = 0; m < this.#models; m++) {
      const point = this.#pending[at + m] as number
      const loss = Math.abs(y - (Number.isNaN(point) ? (this.#pending[at] as number) : point))
      losses[m] = (losses[m] as number) * keep + loss
      least = Math.min(least, losses[m] as number)
    }
    const sharpness = this.#sharpness(AMONG_MODELS)
    for (let m = 0; m < this.#models; m++) {
      this.#weights[m] = least > 0 ? Math.exp(-sharpness * ((losses[m] as number) / least - 1)) : Number(m === 0)
    }
  }
}

/** @param error what came less the quantile */
function pinball(error: number, level: number): number {
  return error >= 0 ? level * error : (level - 1) * error
}
