/**
 * The inputs of the failure model: how often a target was over its threshold, how its health stood and moved, and how CPU
 * and memory did, over the window of the bundle.
 */
import type { FAILURE_FEATURES } from '../manifest.ts'

const FIELDS = 4
const HOUR_SECONDS = 3600

export class FailureHistory {
  readonly #rows: number
  readonly #hoursPerRow: number
  /** Ring of over, health, cpu, memory. */
  readonly #ring: Float64Array
  #next = 0
  #filled = 0

  constructor(windowRows: number, intervalSeconds: number) {
    this.#rows = windowRows
    this.#hoursPerRow = intervalSeconds / HOUR_SECONDS
    this.#ring = new Float64Array(windowRows * FIELDS)
  }

  /** @param health 0-100; @param cpu, @param memory 0-1, NaN when absent: then the window starts afresh */
  step(over: boolean, health: number, cpu: number, memory: number): void {
    if (!Number.isFinite(cpu) || !Number.isFinite(memory)) {
      this.#filled = 0
      return
    }
    this.#ring.set([Number(over), health, cpu, memory], this.#next * FIELDS)
    this.#next = (this.#next + 1) % this.#rows
    this.#filled = Math.min(this.#rows, this.#filled + 1)
  }

  get progress(): number {
    return this.#filled / this.#rows
  }

  /** The features in the order of FAILURE_FEATURES (slopes per hour), or null until the window is filled. */
  features(): number[] | null {
    if (this.#filled < this.#rows) return null
    const n = this.#rows
    const middle = (n - 1) / 2
    const mean = new Float64Array(FIELDS)
    const slope = new Float64Array(FIELDS)
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < n; i++) {
      const at = ((this.#next + i) % n) * FIELDS
      for (let f = 0; f < FIELDS; f++) {
        const x = this.#ring[at + f] as number
        mean[f] = (mean[f] as number) + x / n
        slope[f] = (slope[f] as number) + (i - middle) * x
      }
      least = Math.min(least, this.#ring[at + 1] as number)
    }
    const perHour = ((n * (n * n - 1)) / 12) * this.#hoursPerRow
    const [frequency, health, cpu, memory] = mean as unknown as [number, number, number, number]
    const trend = (f: number) => (n > 1 ? (slope[f] as number) / perHour : 0)
    const features: Record<(typeof FAILURE_FEATURES)[number], number> = {
      anomaly_frequency: frequency,
      health_slope: trend(1),
      health_mean: health,
      health_min: least,
      cpu_trend: trend(2),
      cpu_mean: cpu,
      memory_trend: trend(3),
      memory_mean: memory,
    }
    return Object.values(features)
  }
}
