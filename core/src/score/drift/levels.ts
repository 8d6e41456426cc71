/**
 * The last day of a target as the hourly means of each signal's level and of its score.
 *
 * A level is a value as the feature `last` sees it before it is centred: transformed, then in training spreads from the
 * training mean. Means are kept in hundredths of a spread in two bytes, so differences too small for any detector are none,
 * and a day of 36 signals takes 1.7 kB. An hour is a number of rows, not of wall clock, so that a replay is the same as it
 * was live.
 */
import type { Manifest } from '../../manifest.ts'
import { applyTransform, type Transform } from '../../signals.ts'

export const DAY_HOURS = 24
/** Steps to a training spread. */
const STEPS = 100
const MOST = 32767
const ABSENT = -32768
/** Share of an hour's rows that a signal must have a value in. */
const PRESENT = 0.5

export interface SavedLevels {
  /** Hours seen since the start. */
  readonly hours: number
  /** Oldest hour first, each of the signals in order; null = absent. */
  readonly levels: readonly (number | null)[]
  /** Mean score of those hours; null = none. */
  readonly scores: readonly (number | null)[]
  /** The hour in progress: rows, sum and count of the score, then of each signal. */
  readonly hour: { readonly rows: number; readonly sums: readonly number[]; readonly counts: readonly number[] }
}

export class HourlyLevels {
  /** Hours seen since the start. */
  hours = 0
  readonly #names: readonly string[]
  readonly #transforms: readonly Transform[]
  /** Of the feature `last`, which come first of all features. */
  readonly #mean: readonly number[]
  readonly #scale: readonly number[]
  readonly #rowsPerHour: number
  /** Rings by hour: [24,d] and [24]. */
  readonly #levels: Int16Array
  readonly #scores = new Float64Array(DAY_HOURS).fill(Number.NaN)
  /** Of the hour in progress: the score, then each signal. */
  readonly #sums: Float64Array
  readonly #counts: Float64Array
  #rows = 0

  constructor({ signals, features }: Pick<Manifest, 'signals' | 'features'>, intervalSeconds: number) {
    this.#names = signals.map((s) => s.name)
    this.#transforms = signals.map((s) => s.transform)
    this.#mean = features.mean
    this.#scale = features.scale
    this.#rowsPerHour = Math.max(1, Math.round(3600 / intervalSeconds))
    this.#levels = new Int16Array(DAY_HOURS * signals.length).fill(ABSENT)
    this.#sums = new Float64Array(signals.length + 1)
    this.#counts = new Float64Array(signals.length + 1)
  }

  /** Hours of the last day that are known, at most 24. */
  get known(): number {
    return Math.min(DAY_HOURS, this.hours)
  }

  /**
   * @param values in the signals' units; what is missing or not finite is absent
   * @returns true when an hour has ended with this row
   */
  add(values: Readonly<Record<string, number>>, score: number): boolean {
    this.#take(0, score)
    for (let j = 0; j < this.#names.length; j++) {
      const value = values[this.#names[j] as string]
      if (value === undefined || !Number.isFinite(value)) continue
      const level = applyTransform(this.#transforms[j] as Transform, value)
      this.#take(j + 1, (level - (this.#mean[j] as number)) / (this.#scale[j] as number))
    }
    if (++this.#rows < this.#rowsPerHour) return false
    this.#endHour()
    return true
  }

  #take(k: number, x: number): void {
    if (!Number.isFinite(x)) return
    this.#sums[k] = (this.#sums[k] as number) + x
    this.#counts[k] = (this.#counts[k] as number) + 1
  }

  #endHour(): void {
    const d = this.#names.length
    const at = this.hours % DAY_HOURS
    const mean = (k: number) => {
      const count = this.#counts[k] as number
      return count >= PRESENT * this.#rows ? (this.#sums[k] as number) / count : Number.NaN
    }
    this.#scores[at] = mean(0)
    for (let j = 0; j < d; j++) {
      const steps = Math.round(STEPS * mean(j + 1))
      this.#levels[at * d + j] = Number.isNaN(steps) ? ABSENT : Math.max(-MOST, Math.min(MOST, steps))
    }
    this.hours++
    this.#rows = 0
    this.#sums.fill(0)
    this.#counts.fill(0)
  }

  /** Mean of signal j in the hour that ended last, in hundredths of a training spread; NaN where absent. */
  newest(j: number): number {
    const d = this.#names.length
    const level = this.hours === 0 ? ABSENT : (this.#levels[((this.hours - 1) % DAY_HOURS) * d + j] as number)
    return level === ABSENT ? Number.NaN : level
  }

  /** Hourly means of signal j over the last day, ascending, in hundredths of a training spread; absent hours left out. */
  sorted(j: number): Int16Array {
    const d = this.#names.length
    const day = new Int16Array(DAY_HOURS)
    let n = 0
    for (let h = 0; h < this.known; h++) {
      const level = this.#levels[h * d + j] as number
      if (level !== ABSENT) day[n++] = level
    }
    return day.subarray(0, n).sort()
  }

  /** Mean scores of the last hours, newest last; hours without a score left out. */
  scores(hours: number): number[] {
    const n = Math.min(hours, this.known)
    return Array.from({ length: n }, (_, i) => this.#scores[(this.hours - n + i) % DAY_HOURS] as number).filter(
      Number.isFinite,
    )
  }

  save(): SavedLevels {
    const d = this.#names.length
    const order = Array.from({ length: this.known }, (_, i) => (this.hours - this.known + i) % DAY_HOURS)
    const orNull = (x: number) => (Number.isFinite(x) && x !== ABSENT ? x : null)
    return {
      hours: this.hours,
      levels: order.flatMap((h) => Array.from(this.#levels.subarray(h * d, h * d + d), orNull)),
      scores: order.map((h) => orNull(this.#scores[h] as number)),
      hour: { rows: this.#rows, sums: [...this.#sums], counts: [...this.#counts] },
    }
  }

  /** @throws RangeError when what was saved is of another shape */
  restore({ hours, levels, scores, hour }: SavedLevels): void {
    const d = this.#names.length
    const known = Math.min(DAY_HOURS, hours)
    const numbers = [hours, hour.rows, ...hour.sums, ...hour.counts]
    const fits = levels.length === known * d && scores.length === known && hour.sums.length === d + 1
    if (!fits || hour.counts.length !== d + 1 || !numbers.every(Number.isFinite)) {
      throw new RangeError(`saved hours of ${levels.length} levels do not fit ${d} signals`)
    }
    this.hours = hours
    for (let i = 0; i < known; i++) {
      const h = (hours - known + i) % DAY_HOURS
      this.#scores[h] = scores[i] ?? Number.NaN
      for (let j = 0; j < d; j++) this.#levels[h * d + j] = levels[i * d + j] ?? ABSENT
    }
    this.#rows = hour.rows
    this.#sums.set(hour.sums)
    this.#counts.set(hour.counts)
  }
}
