/** Score and health of the last hour, in bins. */

const HOUR = 3600

interface State {
  readonly anomaly: number
  /** Share of the bin over the threshold. */
  readonly over: number
  readonly health: number
}

export class Recent {
  readonly #binSeconds: number
  readonly #rings: Readonly<Record<keyof State, Float64Array>>
  readonly #size: number
  #count = 0

  constructor(binSeconds: number) {
    this.#binSeconds = binSeconds
    this.#size = this.bins(HOUR)
    const ring = () => new Float64Array(this.#size)
    this.#rings = { anomaly: ring(), over: ring(), health: ring() }
  }

  push(state: State): void {
    const at = this.#count++ % this.#size
    this.#rings.anomaly[at] = state.anomaly
    this.#rings.over[at] = state.over
    this.#rings.health[at] = state.health
  }

  /** Mean of the last seconds, at most an hour of them; NaN before the first bin. */
  mean(what: keyof State, seconds: number): number {
    let sum = 0
    const n = Math.min(this.bins(seconds), this.#count)
    for (let age = 0; age < n; age++) sum += this.#at(what, age)
    return sum / n
  }

  /** The least of the last seconds. */
  least(what: keyof State, seconds: number): number {
    let least = Number.POSITIVE_INFINITY
    const n = Math.min(this.bins(seconds), this.#count)
    for (let age = 0; age < n; age++) least = Math.min(least, this.#at(what, age))
    return least
  }

  #at(what: keyof State, age: number): number {
    return this.#rings[what][(this.#count - 1 - age) % this.#size] as number
  }

  /** Seconds in bins, at least one. */
  bins(seconds: number): number {
    return Math.max(1, Math.round(seconds / this.#binSeconds))
  }
}
