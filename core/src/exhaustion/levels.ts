/** Means of equal spans of time in a ring, and sums of any range of them at the cost of two look-ups. */
export class BinRing {
  readonly seconds: number
  readonly capacity: number
  /** Number of the newest bin that was closed, counted from the epoch in bins; -1 before the first. */
  newest = -1
  /** Number of the oldest bin that is still held. */
  oldest = 0
  /** Running sums of means, and of bins that have one, up to and including each bin. */
  readonly #sum: Float64Array
  readonly #count: Uint32Array

  constructor(seconds: number, capacity: number) {
    this.seconds = seconds
    this.capacity = capacity
    this.#sum = new Float64Array(capacity)
    this.#count = new Uint32Array(capacity)
  }

  /** Appends the mean of bin number `bin`; bins that were left out before it have none. */
  append(bin: number, mean: number): void {
    if (this.newest < 0 || bin - this.newest >= this.capacity) {
      // The first, or so long a hole that nothing held would remain.
      this.oldest = bin
      this.newest = bin - 1
      this.#set(bin - 1, 0, 0)
    }
    const [sum, count] = this.#at(this.newest)
    for (let k = this.newest + 1; k < bin; k++) this.#set(k, sum, count)
    this.#set(bin, sum + mean, count + 1)
    this.newest = bin
    this.oldest = Math.max(this.oldest, bin - this.capacity + 2)
    // Running sums stay small, so that differences stay exact enough for years.
    if (bin % this.capacity === 0) this.#rebase()
  }

  /** Number of bins from..to inclusive that have a mean, as far as they are held. */
  count(from: number, to: number): number {
    const [a, b] = [Math.max(from, this.oldest), Math.min(to, this.newest)]
    if (b < a) return 0
    return (this.#count[this.#index(b)] as number) - (this.#count[this.#index(a - 1)] as number)
  }

  /** Mean of bins from..to inclusive; NaN where there is none. */
  mean(from: number, to: number): number {
    const a = from < this.oldest ? this.oldest : from
    const b = to > this.newest ? this.newest : to
    if (b < a) return Number.NaN
    const [i, j] = [this.#index(b), this.#index(a - 1)]
    const count = (this.#count[i] as number) - (this.#count[j] as number)
    return count > 0 ? ((this.#sum[i] as number) - (this.#sum[j] as number)) / count : Number.NaN
  }

  #at(bin: number): [number, number] {
    return [this.#sum[this.#index(bin)] as number, this.#count[this.#index(bin)] as number]
  }

  #set(bin: number, sum: number, count: number): void {
    const i = this.#index(bin)
    this.#sum[i] = sum
    this.#count[i] = count
  }

  /** The bin before the first of all time has a place too. */
  #index(bin: number): number {
    return (bin + this.capacity) % this.capacity
  }

  #rebase(): void {
    const [sum, count] = this.#at(this.oldest - 1)
    for (let k = this.oldest - 1; k <= this.newest; k++) {
      const [s, c] = this.#at(k)
      this.#set(k, s - sum, c - count)
    }
  }
}
