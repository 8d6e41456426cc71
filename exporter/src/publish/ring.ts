/** The last `size` latencies, for percentiles that a person reads; histograms are what Prometheus reads. */
export class LatencyRing {
  readonly #values: Float64Array
  #next = 0
  #length = 0

  constructor(size = 512) {
    this.#values = new Float64Array(size)
  }

  add(seconds: number): void {
    if (!Number.isFinite(seconds)) return
    this.#values[this.#next] = seconds
    this.#next = (this.#next + 1) % this.#values.length
    this.#length = Math.min(this.#length + 1, this.#values.length)
  }

  /** Nearest-rank percentiles in seconds, or null before the first value. */
  percentiles(): Percentiles | null {
    if (this.#length === 0) return null
    const sorted = this.#values.slice(0, this.#length).sort()
    const at = (p: number) => sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? 0
    return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }
}

export interface Percentiles {
  /** How many of the latest values they are taken from. */
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Events in the last minute, in buckets of one second; `now` is a monotonic time in ms. */
export class MinuteRate {
  readonly #counts = new Float64Array(60)
  readonly #seconds = new Float64Array(60).fill(Number.NEGATIVE_INFINITY)

  add(now: number): void {
    const second = Math.floor(now / 1000)
    const i = ((second % 60) + 60) % 60
    if (this.#seconds[i] !== second) {
      this.#seconds[i] = second
      this.#counts[i] = 0
    }
    this.#counts[i] = (this.#counts[i] ?? 0) + 1
  }

  perMinute(now: number): number {
    const oldest = Math.floor(now / 1000) - 59
    let sum = 0
    for (let i = 0; i < 60; i++) if ((this.#seconds[i] ?? 0) >= oldest) sum += this.#counts[i] ?? 0
    return sum
  }
}
