/** The past of one signal in bins of equal length, the newest so many of them. */

/**
 * Bins are numbered from the epoch. Of each there is the first row (`sample`: what a forecast is measured by, because what
 * is to be forecast is a row, not a mean) and the mean of its rows. Float32: 12 days of 5-minute bins are 28 kB.
 */
export class History {
  readonly capacity: number
  readonly #samples: Float32Array
  readonly #means: Float32Array
  /** Newest bin, -1 before the first row. */
  newest = -1
  /** Oldest bin that is still known. */
  oldest = 0
  #sum = 0
  #rows = 0

  /** @param averaged false where a bin holds one row: the mean is the sample */
  constructor(capacity: number, averaged: boolean) {
    this.capacity = capacity
    this.#samples = new Float32Array(capacity).fill(Number.NaN)
    this.#means = averaged ? new Float32Array(capacity).fill(Number.NaN) : this.#samples
  }

  /** Bins between the oldest and the newest, both included. */
  get length(): number {
    return this.newest < 0 ? 0 : this.newest - this.oldest + 1
  }

  /** @param bin newest or later */
  push(bin: number, value: number): void {
    const at = bin % this.capacity
    if (bin === this.newest) {
      if (this.#means === this.#samples) return
      this.#sum += value
      this.#means[at] = this.#sum / ++this.#rows
      return
    }
    if (this.newest < 0 || bin - this.newest >= this.capacity) {
      this.#samples.fill(Number.NaN)
      this.#means.fill(Number.NaN)
      this.oldest = bin
    } else {
      for (let i = this.newest + 1; i < bin; i++) {
        this.#samples[i % this.capacity] = Number.NaN
        this.#means[i % this.capacity] = Number.NaN
      }
      this.oldest = Math.max(this.oldest, bin - this.capacity + 1)
    }
    this.newest = bin
    this.#sum = value
    this.#rows = 1
    this.#samples[at] = value
    this.#means[at] = value
  }

  /** First row of a bin, NaN where there is none. */
  sample(bin: number): number {
    return bin < this.oldest || bin > this.newest ? Number.NaN : (this.#samples[bin % this.capacity] as number)
  }

  /** Mean of a bin, NaN where there is none. */
  mean(bin: number): number {
    return bin < this.oldest || bin > this.newest ? Number.NaN : (this.#means[bin % this.capacity] as number)
  }

  /** Mean of the bins `from` to `to`, NaN where all are missing. */
  meanOf(from: number, to: number): number {
    let sum = 0
    let n = 0
    for (let i = Math.max(from, this.oldest); i <= to && i <= this.newest; i++) {
      const x = this.#means[i % this.capacity] as number
      if (Number.isNaN(x)) continue
      sum += x
      n++
    }
    return n === 0 ? Number.NaN : sum / n
  }
}
