/**
 * The centre of the standardised features of one target: where "usual" lies for this host.
 *
 * A bundle fitted on the target's own past has a frozen centre of zeros. A bundle fitted on many hosts knows their spread
 * within a host, not this host's level; here each target's own running mean takes over, as an empirical Bayes estimate:
 * the training mean weighs as much as `prior_rows` rows, the target's own rows weigh one each, and at most `memory_rows`
 * are remembered, so that the mean follows by the day. A row weighs as much as the rows before it are many, so that what
 * came first (a program that starts) fades soon; and min(1, 1 / anomaly)^2 of that, so that an incident moves the centre
 * little, except in the first minute, when nothing is known that it could be an incident against. Works when within-host spread is alike across hosts; does not when a host's own scale is far off, which
 * the rolling threshold takes up instead.
 */
import type { Manifest } from '../manifest.ts'
import { applyTransform } from '../signals.ts'

const KINDS = 6
/** A row moves the centre by no more than this many spreads, times its weight: one absurd value must not blind a day. */
const CLIP = 30
/** Positions of the two level features among the six; the others are 0 in a padded window. */
const LEVELS = [0, 1]
/** Weight of a row against the mean of those before: 1 is the plain mean, 2 lets weights grow linearly. */
const RECENCY = 2
/** Rows at the start of a signal that are taken as they are. */
const UNGATED_ROWS = 6

export class Center {
  /** Offset in standardised units [F]. */
  readonly values: Float64Array
  /** Weighted rows behind each signal [d]. */
  readonly #weight: Float64Array
  readonly #manifest: Manifest

  constructor(manifest: Manifest) {
    const d = manifest.signals.length
    this.#manifest = manifest
    this.values = new Float64Array(KINDS * d)
    this.#weight = new Float64Array(d)
  }

  /** A value of signal j as its level feature `last`, standardised but not centred. */
  standardise(j: number, value: number, f = j): number {
    const { features, signals } = this.#manifest
    const level = applyTransform((signals[j] as Manifest['signals'][number]).transform, value)
    return (level - (features.mean[f] as number)) / (features.scale[f] as number)
  }

  /** A signal appeared: its window is padded with `value`, so its level features are known before the graph runs. */
  start(j: number, value: number): void {
    const { center, signals } = this.#manifest
    if (center.mode === 'frozen' || (this.#weight[j] as number) > 0) return
    for (const k of LEVELS) {
      const f = k * signals.length + j
      this.values[f] = this.standardise(j, value, f) / ((center.prior_rows[f] as number) + 1)
    }
    this.#weight[j] = 1
  }

  /**
   * @param features centred standardised features of this row [F] at `offset`
   * @param anomaly score of this row, 1 = threshold
   */
  follow(features: Float64Array, offset: number, anomaly: number, isPresent: (j: number) => boolean): void {
    const { center, signals } = this.#manifest
    if (center.mode === 'frozen') return
    const d = signals.length
    const usual = Math.min(1, 1 / Math.max(anomaly, 1e-9)) ** 2
    for (let j = 0; j < d; j++) {
      if (!isPresent(j)) continue
      const weight = this.#weight[j] as number
      const gate = weight < UNGATED_ROWS ? 1 : usual
      for (let k = 0; k < KINDS; k++) {
        const f = k * d + j
        const rate = (RECENCY * gate) / ((center.prior_rows[f] as number) + weight + RECENCY * gate)
        const away = Math.max(-CLIP, Math.min(CLIP, features[offset + f] as number))
        this.values[f] = (this.values[f] as number) + rate * away
      }
      this.#weight[j] = Math.min(weight + gate, center.memory_rows)
    }
  }

  /** After a drift: rows so far weigh an eighth of what is remembered at most, so that the centre follows in hours. */
  hasten(): void {
    const { center } = this.#manifest
    if (center.mode === 'frozen') return
    const most = center.memory_rows / 8
    this.#weight.forEach((weight, j) => {
      this.#weight[j] = Math.min(weight, most)
    })
  }

  save(): number[] {
    return [...this.values, ...this.#weight]
  }

  /** @throws RangeError when the saved centre is of another shape */
  restore(saved: readonly number[]): void {
    const n = this.values.length
    if (saved.length !== n + this.#weight.length || !saved.every(Number.isFinite)) {
      throw new RangeError(`a saved centre holds ${saved.length} numbers, not ${n + this.#weight.length}`)
    }
    this.values.set(saved.slice(0, n))
    this.#weight.set(saved.slice(n))
  }
}
