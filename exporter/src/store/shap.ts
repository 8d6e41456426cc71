/**
 * Explanations as they are kept: base and values in float32, by the order of a signal set. The output is not kept: it is
 * their sum. A mean over rows and minutes is the sum of both by their numbers of rows.
 */
import type { Shap } from '../types.ts'
import type { SignalSet, SignalSets } from './tables/signal_sets.ts'

/** Base, then the value of each signal of the set; of a row, or the mean of several. */
export interface KeptShap {
  readonly set: SignalSet
  readonly mean: ArrayLike<number>
}

/** Base and values of a blob [signals + 1]. */
export function decodeShap(blob: Buffer, signals: number): Float64Array {
  const mean = new Float64Array(signals + 1)
  if (blob.length === 4 * mean.length) {
    for (let i = 0; i < mean.length; i++) mean[i] = blob.readFloatLE(4 * i)
    return mean
  }
  // Rows of schema version 1: float64, with the output in second place.
  mean[0] = blob.readDoubleLE(0)
  for (let i = 1; i < mean.length; i++) mean[i] = blob.readDoubleLE(8 * (i + 1))
  return mean
}

/** What was kept by name, with base + sum of the values = output. */
export function shapOf({ set, mean }: KeptShap): Shap {
  const base = mean[0] ?? 0
  let output = base
  const signals: Record<string, number> = {}
  set.names.forEach((name, i) => {
    const value = mean[i + 1] ?? 0
    signals[name] = value
    output += value
  })
  return { base, output, signals }
}

interface Sums {
  readonly set: SignalSet
  /** Sum over the rows of each signal. */
  readonly values: Float64Array
}

/** Sums over rows. A signal that the bundle of a row did not know counts as 0 there, so that sums stay additive. */
export class ShapTotals {
  rows = 0
  #base = 0
  /** By id of the set: bundles of other signals may follow each other. */
  readonly #sums = new Map<number, Sums>()

  /** @param rows that `mean` is the mean of */
  add({ set, mean }: KeptShap, rows = 1): void {
    let sums = this.#sums.get(set.id)
    if (sums === undefined) {
      sums = { set, values: new Float64Array(set.names.length) }
      this.#sums.set(set.id, sums)
    }
    this.rows += rows
    this.#base += rows * (mean[0] ?? 0)
    const { values } = sums
    for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) + rows * (mean[i + 1] ?? 0)
  }

  /** Null before the first row. */
  mean(): Shap | null {
    if (this.rows === 0) return null
    const signals: Record<string, number> = {}
    for (const { set, values } of this.#sums.values()) {
      set.names.forEach((name, i) => {
        signals[name] = (signals[name] ?? 0) + (values[i] ?? 0) / this.rows
      })
    }
    const base = this.#base / this.rows
    return { base, output: Object.values(signals).reduce((sum, x) => sum + x, base), signals }
  }

  /** As it is kept, null before the first row. Call within a transaction: a set of all signals may be new. */
  kept(sets: SignalSets): { readonly set: SignalSet; readonly mean: Float32Array } | null {
    const [first, ...others] = this.#sums.values()
    if (first === undefined) return null
    const set = others.length === 0 ? first.set : sets.of([...this.#sums.values()].flatMap((x) => x.set.names))
    const mean = new Float32Array(set.names.length + 1)
    mean[0] = this.#base / this.rows
    for (const { set: own, values } of this.#sums.values()) {
      for (let i = 0; i < values.length; i++) {
        const at = 1 + (own === set ? i : (set.index.get(own.names[i] ?? '') ?? -1))
        mean[at] = (mean[at] ?? 0) + (values[i] ?? 0) / this.rows
      }
    }
    return { set, mean }
  }
}
