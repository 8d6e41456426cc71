/** Quantiles of the newest so many values, five bytes a value. */

export class SlidingQuantiles {
  readonly #sorted: Float32Array
  /** Place of each sorted value in the order of arrival, modulo the capacity. */
  readonly #arrival: Uint8Array
  #count = 0
  #next = 0

  /** @param capacity values kept, at most 256 */
  constructor(capacity: number) {
    if (capacity > 256) throw new RangeError(`${capacity} values: at most 256 are kept`)
    this.#sorted = new Float32Array(capacity)
    this.#arrival = new Uint8Array(capacity)
  }

  get count(): number {
    return this.#count
  }

  push(value: number): void {
    const sorted = this.#sorted
    const arrival = this.#arrival
    if (this.#count === sorted.length) {
      const old = arrival.indexOf(this.#next)
      sorted.copyWithin(old, old + 1, this.#count)
      arrival.copyWithin(old, old + 1, this.#count)
      this.#count--
    }
    const at = this.#place(value)
    sorted.copyWithin(at + 1, at, this.#count)
    arrival.copyWithin(at + 1, at, this.#count)
    sorted[at] = value
    arrival[at] = this.#next
    this.#count++
    this.#next = (this.#next + 1) % sorted.length
  }

  /** Linear between order statistics k / (n + 1), so that few values give wide quantiles. NaN without values. */
  at(level: number): number {
    const n = this.#count
    if (n === 0) return Number.NaN
    const position = Math.min(n - 1, Math.max(0, level * (n + 1) - 1))
    const below = Math.floor(position)
    const low = this.#sorted[below] as number
    const high = this.#sorted[Math.min(below + 1, n - 1)] as number
    return low + (high - low) * (position - below)
  }

  /** First place whose value is not below. */
  #place(value: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sorted[middle] as number) < value) low = middle + 1
      else high = middle
    }
    return low
  }
}
