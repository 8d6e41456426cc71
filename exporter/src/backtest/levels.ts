/** The level of one resource on a grid of minutes, as the rules of Prometheus and the judgement of them see it. */
import type { CsvTable, KindOrOther } from '@portent/core'

/** Where a level is that is at its limit, as a share of the capacity: the service's own hard limit. */
const AT_LIMIT = 0.99
/** Memory is never all used: before that the kernel kills a process. */
const MEMORY_AT_LIMIT = 0.98
export const limitOf = (kind: KindOrOther): number => (kind === 'memory_used_ratio' ? MEMORY_AT_LIMIT : AT_LIMIT)
/** An instant query looks back so far, seconds. */
const LOOK_BACK = 300
const MINUTE = 60

export interface Levels {
  /** Seconds between two values; value k is of the time `from + k * step` (Unix s). */
  readonly step: number
  readonly from: number
  /** Used share, 1 = full; NaN = missing. A value is the mean of the rows of the step that ends at its time. */
  readonly used: Float64Array
  /** Share from which on it is at its limit. */
  readonly limit: number
}

export const timeOf = ({ from, step }: Pick<Levels, 'from' | 'step'>, k: number): number => from + k * step

/** Times and length of the grid that the rows lie on. */
export interface Grid {
  readonly step: number
  readonly from: number
  readonly length: number
}

/** @param at Unix ms, increasing, not empty */
export function gridOf(at: Float64Array, intervalSeconds: number): Grid {
  const step = Math.max(MINUTE, Math.round(intervalSeconds))
  const first = Math.ceil((at[0] as number) / 1000 / step)
  const last = Math.ceil((at[at.length - 1] as number) / 1000 / step)
  return { step, from: first * step, length: last - first + 1 }
}

/** @param at Unix ms of the rows; @param column of the table; @param share the used share of a value of it */
export function levelsOf(
  { values, columns }: CsvTable,
  at: Float64Array,
  { column, share, grid, limit }: { column: number; share: (value: number) => number; grid: Grid; limit: number },
): Levels {
  const { step, from, length } = grid
  const used = new Float64Array(length)
  const counts = new Uint32Array(length)
  at.forEach((ms, i) => {
    const value = values[i * columns.length + column] as number
    if (!Number.isFinite(value)) return
    const k = Math.ceil(ms / 1000 / step) - from / step
    used[k] = (used[k] as number) + share(value)
    counts[k] = (counts[k] as number) + 1
  })
  for (let k = 0; k < length; k++) used[k] = counts[k] === 0 ? Number.NaN : (used[k] as number) / (counts[k] as number)
  return { step, from, used, limit }
}

/** What an instant query finds at each time: the newest value of the last five minutes, else NaN. */
export function instants({ step, used }: Levels): Float64Array {
  const found = new Float64Array(used.length).fill(Number.NaN)
  let last = Number.NEGATIVE_INFINITY
  for (let k = 0; k < used.length; k++) {
    if (!Number.isNaN(used[k])) last = k
    if (k === last || (k - last) * step < LOOK_BACK) found[k] = used[last] as number
  }
  return found
}

/** For each time the next one at which the limit is reached, itself included; Infinity = not in this history. */
export function nextAtLimit({ used, limit }: Levels): Float64Array {
  const next = new Float64Array(used.length)
  let found = Number.POSITIVE_INFINITY
  for (let k = used.length - 1; k >= 0; k--) {
    if ((used[k] as number) >= limit) found = k
    next[k] = found
  }
  return next
}

/** A limit that was left for less than this is the same one when it is reached again, seconds. */
const SAME_EVENT = 3600

/** Indices at which the limit was reached, once each. */
export function eventsOf({ used, step, limit }: Levels): number[] {
  const events: number[] = []
  let last = Number.NEGATIVE_INFINITY
  for (let k = 0; k < used.length; k++) {
    if (!((used[k] as number) >= limit)) continue
    if ((k - last) * step > SAME_EVENT) events.push(k)
    last = k
  }
  return events
}
