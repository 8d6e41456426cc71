/**
 * What is usual for each signal of one target: a running mean and spread in feature scale, remembering a day, in which
 * rows of an incident weigh little. A row is taken in three rows late, and weighs what the worst of the rows since does:
 * a smoothed score is still low in the first row of an incident. Works without a model, and says nothing before a dozen rows.
 */
import { applyTransform, invertTransform, type Transform } from '../signals.ts'

const DAY_SECONDS = 86400
/** Rows before which a range says nothing, and until which every row counts in full. */
const KNOWN = 12
/** Rows that a row waits for those after it. */
const LAG = 3
/** Weight of a row at the threshold; it falls with the square of the score. */
const IN_ALARM = 0.05
/** Spreads to either side of the mean that count as usual. */
const WIDTH = 2

export interface UsualRange {
  /** All three in the signal's unit. */
  readonly low: number
  readonly middle: number
  readonly high: number
}

interface Running {
  readonly transform: Transform
  weight: number
  mean: number
  variance: number
  least: number
  most: number
}

export class UsualRanges {
  readonly #memory: number
  readonly #transform: (signal: string) => Transform
  readonly #signals = new Map<string, Running>()
  readonly #waiting: { readonly values: Readonly<Record<string, number>>; readonly anomaly: number }[] = []

  constructor(intervalSeconds: number, transform: (signal: string) => Transform) {
    this.#memory = Math.max(2, Math.round(DAY_SECONDS / intervalSeconds))
    this.#transform = transform
  }

  /** @param anomaly score of this row, 1 = threshold; 0 where none is known */
  step(values: Readonly<Record<string, number>>, anomaly: number): void {
    this.#waiting.push({ values, anomaly })
    if (this.#waiting.length <= LAG) return
    const worst = Math.max(...this.#waiting.map((row) => row.anomaly))
    this.#take((this.#waiting.shift() as { values: Readonly<Record<string, number>> }).values, worst)
  }

  #take(values: Readonly<Record<string, number>>, anomaly: number): void {
    const inAlarm = IN_ALARM / Math.max(1, anomaly) ** 2
    for (const signal in values) {
      const value = values[signal] as number
      if (!Number.isFinite(value)) continue
      const running = this.#signals.get(signal)
      if (running === undefined) {
        const transform = this.#transform(signal)
        const mean = applyTransform(transform, value)
        this.#signals.set(signal, { transform, weight: 1, mean, variance: 0, least: value, most: value })
        continue
      }
      const x = applyTransform(running.transform, value)
      const gate = anomaly < 1 || running.weight < KNOWN ? 1 : inAlarm
      const rate = gate / (running.weight + gate)
      const away = x - running.mean
      running.mean += rate * away
      running.variance = (1 - rate) * (running.variance + rate * away * away)
      running.weight = Math.min(running.weight + gate, this.#memory)
      if (gate === 1) {
        running.least = Math.min(running.least, value)
        running.most = Math.max(running.most, value)
      }
    }
  }

  /** Mean +- 2 spreads, within what was seen; null before the twelfth row was taken in. */
  range(signal: string): UsualRange | null {
    const running = this.#signals.get(signal)
    if (running === undefined || running.weight < KNOWN) return null
    const { transform } = running
    const spread = WIDTH * Math.sqrt(running.variance)
    const within = (x: number) => Math.min(running.most, Math.max(running.least, x))
    return {
      low: within(invertTransform(transform, running.mean - spread)),
      middle: invertTransform(transform, running.mean),
      high: within(invertTransform(transform, running.mean + spread)),
    }
  }

  save(): SavedUsual {
    return [...this.#signals].map(([signal, { weight, mean, variance, least, most }]) => [
      signal,
      [weight, mean, variance, least, most],
    ])
  }

  restore(saved: SavedUsual): void {
    for (const [signal, [weight, mean, variance, least, most]] of saved) {
      if (![weight, mean, variance, least, most].every(Number.isFinite)) continue
      this.#signals.set(signal, { transform: this.#transform(signal), weight, mean, variance, least, most })
    }
  }

  middle(signal: string): number {
    return this.range(signal)?.middle ?? Number.NaN
  }
}

/** Signal, then weight, mean, variance, least, most. */
export type SavedUsual = readonly (readonly [string, readonly [number, number, number, number, number]])[]
