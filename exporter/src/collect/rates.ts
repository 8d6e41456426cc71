/** What counters did between two readings. */
export interface Deltas {
  /** Elapsed time, > 0. */
  readonly seconds: number
  /** Key -> increase of each counter (>= 0). Keys that are new or were reset are not in it. */
  readonly increases: ReadonlyMap<string, readonly number[]>
  /** Keys with a counter that ran backwards (reset, wrapped, or the device was replaced). */
  readonly resets: number
}

/**
 * Differences of kernel counters. The first reading of a key, and a reading after a reset, give nothing: never a negative
 * or an invented rate. Works for counters that only grow; a reset that jumps above the old value cannot be seen.
 */
export class Counters {
  #previous = new Map<string, readonly number[]>()
  #at: number | undefined

  /**
   * Takes the counters at a monotonic time in ms, by key (a device, or a counter's name). Keys with a non-finite counter
   * are left out. Undefined where no time has passed since the last reading, or there was none.
   */
  update(at: number, counters: Iterable<readonly [string, readonly number[]]>): Deltas | undefined {
    const current = new Map<string, readonly number[]>()
    const increases = new Map<string, readonly number[]>()
    let resets = 0
    for (const [key, values] of counters) {
      if (values.length === 0 || !values.every(Number.isFinite)) continue
      current.set(key, values)
      const before = this.#previous.get(key)
      if (before === undefined || before.length !== values.length) continue
      const increase = values.map((x, i) => x - (before[i] ?? x))
      if (increase.every((x) => x >= 0)) increases.set(key, increase)
      else resets++
    }
    const seconds = this.#at === undefined ? 0 : (at - this.#at) / 1000
    this.#previous = current
    this.#at = at
    return seconds > 0 ? { seconds, increases, resets } : undefined
  }
}

/** Increase per second of the first counter of a key; undefined where the key gave none. */
export function rate(deltas: Deltas, key: string): number | undefined {
  const increase = deltas.increases.get(key)?.[0]
  return increase === undefined ? undefined : increase / deltas.seconds
}
