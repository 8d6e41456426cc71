/** Samples -> rows: a row is the mean of the samples of one score interval. */
import type { Resource, Row, Sample } from '../types.ts'

export class RowBuilder {
  readonly #target: string
  readonly #sums = new Map<string, { sum: number; count: number }>()
  #resources: readonly Resource[] = []
  #samples = 0

  constructor(target: string) {
    this.#target = target
  }

  add(sample: Sample): void {
    this.#samples++
    this.#resources = sample.resources
    for (const [signal, value] of Object.entries(sample.values)) {
      if (!Number.isFinite(value)) continue
      const entry = this.#sums.get(signal)
      if (entry === undefined) this.#sums.set(signal, { sum: value, count: 1 })
      else {
        entry.sum += value
        entry.count++
      }
    }
  }

  /** The row of the interval that ends now; null when no sample came. The next interval starts empty. */
  take(at: number, monotonic?: number): Row | null {
    if (this.#samples === 0) return null
    const values: Record<string, number> = {}
    for (const [signal, { sum, count }] of this.#sums) values[signal] = sum / count
    const instant = monotonic === undefined ? {} : { monotonic }
    const row: Row = { target: this.#target, at, ...instant, values, resources: this.#resources }
    this.#sums.clear()
    this.#samples = 0
    return row
  }
}
