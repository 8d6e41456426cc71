/** What the same time of earlier days says of the hours ahead. */
import type { History } from './history.ts'

export const SEASONAL = 6
const DAYS = 7
/** Bins to either side of a time of day that count as it. */
const AROUND = 1

/**
 * @param origin bin at which the forecast is made: no later bin is read, nor this one
 * @param out [6]: change yesterday over the same hours, yesterday's level at this time less x; the same of the mean of up
 *   to 7 days; the same of the day a week ago. Zeros where nothing is known.
 * @returns days that the mean rests on
 */
export function seasonalChange(
  history: History,
  origin: number,
  steps: number,
  day: number,
  x: number,
  out: Float64Array,
  offset = 0,
): number {
  let change = 0
  let level = 0
  let days = 0
  for (let c = 0; c < SEASONAL; c++) out[offset + c] = 0
  const last = origin - 1
  for (let d = 1; d <= DAYS; d++) {
    const then = origin - d * day
    if (then < history.oldest) break
    const here = history.meanOf(then - AROUND, Math.min(then + AROUND, last))
    const there = history.meanOf(then + steps - AROUND, Math.min(then + steps + AROUND, last))
    if (Number.isNaN(here) || Number.isNaN(there)) continue
    days++
    change += there - here
    level += here - x
    if (d === 1) {
      out[offset] = there - here
      out[offset + 1] = here - x
    }
    if (d === DAYS) {
      out[offset + 4] = there - here
      out[offset + 5] = here - x
    }
  }
  if (days > 0) {
    out[offset + 2] = change / days
    out[offset + 3] = level / days
  }
  return days
}
