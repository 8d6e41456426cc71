/** The newest values of a series in order of size, so that a quantile of the rolling past costs nothing. */
export class SortedWindow {
  readonly #ring: Float64Array
  readonly #sorted: Float64Array
  #next = 0
  #size = 0

  constructor(capacity: number) {
    this.#ring = new Float64Array(capacity)
    this.#sorted = new Float64Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** A finite value; the oldest one goes where the window is full. */
  push(value: number): void {
    const sorted = this.#sorted
    if (this.#size === this.#ring.length) {
      const at = this.#rank(this.#ring[this.#next] as number)
      sorted.copyWithin(at, at + 1, this.#size)
      this.#size--
    }
    const at = this.#rank(value)
    sorted.copyWithin(at + 1, at, this.#size)
    sorted[at] = value
    this.#size++
    this.#ring[this.#next] = value
    this.#next = (this.#next + 1) % this.#ring.length
  }

  /** Linear between the two values next to it; NaN of an empty window. @param p 0-1 */
  quantile(p: number): number {
    if (this.#size === 0) return Number.NaN
    const x = p * (this.#size - 1)
    const i = Math.floor(x)
    const low = this.#sorted[i] as number
    const high = this.#sorted[Math.min(i + 1, this.#size - 1)] as number
    return low + (high - low) * (x - i)
  }

  /** Number of values below this one. */
  #rank(value: number): number {
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sorted[middle] as number) < value) low = middle + 1
      else high = middle
    }
    return low
  }
}
