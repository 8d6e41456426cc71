/**
 * What a usual day of a target looks like, signal by signal, and how far a day may be from it.
 *
 * Raw server metrics are restless: a fixed limit on a distance between distributions alarms every few days. So each
 * signal's limit is {@link FACTOR} times the worst distance that one of the target's own usual days had from its others.
 */
import type { Manifest } from '../../manifest.ts'
import { ksDistance, mergeQuantiles, QUANTILES } from './kolmogorov-smirnov.ts'
import { DAY_HOURS, type HourlyLevels } from './levels.ts'

/** A day may be this much further away than the worst usual day. */
const FACTOR = 1.5
/** A limit is never below six hours of a day, nor so high that nothing reaches it. */
const LEAST_LIMIT = 0.25
const MOST_LIMIT = 0.9
/** Hours of a day in which a signal must be present. */
const LEAST_HOURS = 12
/** Days after which a reference is not added to any more: it has seen a week. */
export const WEEK_DAYS = 7
/** Marks a signal that the reference does not know. */
const UNKNOWN = -32768

export const REFERENCE_ORIGINS = ['training', 'first_days', 'rebased'] as const
export type ReferenceOrigin = (typeof REFERENCE_ORIGINS)[number]

export interface SavedReference {
  readonly origin: ReferenceOrigin
  readonly days: number
  /** By signal; null = not known. */
  readonly quantiles: readonly (readonly number[] | null)[]
  readonly worst: readonly number[]
}

export class LevelReference {
  origin: ReferenceOrigin
  /** Usual days behind it. */
  days: number
  /** [d,24] ascending, in hundredths of a training spread. */
  #quantiles: Int16Array
  /** [d] */
  readonly #worst: Float64Array

  constructor({ origin, days, quantiles, worst }: SavedReference) {
    this.origin = origin
    this.days = days
    this.#quantiles = flat(quantiles)
    this.#worst = Float64Array.from(worst)
  }

  /** One that knows no day of these signals yet. */
  static empty(signals: number): LevelReference {
    return new LevelReference({
      origin: 'first_days',
      days: 0,
      quantiles: new Array(signals).fill(null),
      worst: new Array(signals).fill(0),
    })
  }

  /** The training days of a bundle of the target's own past. */
  static ofTraining({ days, quantiles, worst }: NonNullable<Manifest['drift']>): LevelReference {
    return new LevelReference({ origin: 'training', days, quantiles, worst })
  }

  get signals(): number {
    return this.#worst.length
  }

  /** Distance of the last day of signal j; NaN where either is not known. */
  distance(j: number, levels: HourlyLevels): number {
    const day = levels.sorted(j)
    return day.length < LEAST_HOURS ? Number.NaN : ksDistance(day, this.#of(j))
  }

  /** Distance beyond which signal j is far from usual. */
  limit(j: number): number {
    return Math.min(MOST_LIMIT, Math.max(LEAST_LIMIT, FACTOR * (this.#worst[j] as number)))
  }

  /** How far the last day's median of signal j lies from usual, in training spreads; NaN where either is not known. */
  shift(j: number, levels: HourlyLevels): number {
    const day = levels.sorted(j)
    const usual = this.#of(j)
    if (day.length === 0 || usual.length === 0) return Number.NaN
    const median = (x: Int16Array) => x[x.length >> 1] as number
    return (median(day) - median(usual)) / 100
  }

  /** The last day is one more usual day. While days are few, its distance from those before it is a usual one too. */
  add(levels: HourlyLevels, isMeasured: boolean): void {
    const before = this.days
    this.#replace((j) => {
      const day = levels.sorted(j)
      const distance = isMeasured && day.length >= LEAST_HOURS ? ksDistance(day, this.#of(j)) : 0
      if (distance > (this.#worst[j] as number)) this.#worst[j] = distance
      return mergeQuantiles([
        { values: this.#of(j), weight: before },
        { values: day, weight: 1 },
      ])
    })
    this.days++
  }

  /** The last day is what is usual from now on. Limits stay: how restless a signal is has not been learnt anew. */
  rebase(levels: HourlyLevels): void {
    this.#replace((j) => mergeQuantiles([{ values: levels.sorted(j), weight: 1 }]))
    this.days = 1
    this.origin = 'rebased'
  }

  save(): SavedReference {
    return {
      origin: this.origin,
      days: this.days,
      quantiles: Array.from(this.#worst, (_, j) => (this.#of(j).length > 0 ? [...this.#of(j)] : null)),
      worst: [...this.#worst],
    }
  }

  #of(j: number): Int16Array {
    const own = this.#quantiles.subarray(j * QUANTILES, (j + 1) * QUANTILES)
    return own[0] === UNKNOWN ? own.subarray(0, 0) : own
  }

  #replace(quantilesOf: (j: number) => readonly number[]): void {
    const next = Array.from(this.#worst, (_, j) => quantilesOf(j))
    this.#quantiles = flat(next)
  }
}

/** @throws RangeError when a signal has another number of quantiles, or one beyond what two bytes hold */
function flat(quantiles: readonly (readonly number[] | null)[]): Int16Array {
  const out = new Int16Array(quantiles.length * QUANTILES).fill(UNKNOWN)
  quantiles.forEach((own, j) => {
    if (own === null || own.length === 0) return
    if (own.length !== QUANTILES || !own.every((x) => Number.isInteger(x) && Math.abs(x) < -UNKNOWN)) {
      throw new RangeError(`signal ${j} of a drift reference has no ${QUANTILES} quantiles`)
    }
    out.set(own, j * QUANTILES)
  })
  return out
}

/**
 * The training days of one host as a manifest keeps them: quantiles of the hourly means of each signal, and how far the
 * worst day (of 24 hours, one beginning every twelve) was from all the others.
 * @param hours hourly means in hundredths of a training spread, by signal; NaN = absent
 */
export function trainingLevels(hours: readonly (readonly number[])[]): Pick<SavedReference, 'quantiles' | 'worst'> {
  const present = (x: readonly number[]) => Int16Array.from(x.filter(Number.isFinite)).sort()
  const kept = (x: Int16Array) => mergeQuantiles([{ values: x, weight: 1 }])
  const quantiles = hours.map((own) => {
    const all = kept(present(own))
    return all.length === 0 ? null : all
  })
  const worst = hours.map((own) => {
    let most = 0
    for (let from = 0; from + DAY_HOURS <= own.length; from += DAY_HOURS / 2) {
      const day = present(own.slice(from, from + DAY_HOURS))
      const others = present([...own.slice(0, from), ...own.slice(from + DAY_HOURS)])
      if (day.length >= LEAST_HOURS && others.length > 0) most = Math.max(most, ksDistance(day, kept(others)))
    }
    return most
  })
  return { quantiles, worst }
}
