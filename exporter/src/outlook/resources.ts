/** What can run out, soonest first, with its sentence. */
import type { Exhaustion } from '@portent/core'
import type { ResourceOutlook } from '../types.ts'
import type { TrackedResource } from './target.ts'
import { actionFor, exhaustionSentence } from './words.ts'

const DAY = 86_400

/**
 * @param now Unix seconds, of the newest row
 * @param offset seconds by which the wall clock is ahead of the time that the tracked rows count in
 */
export function resourceOutlooks(tracked: readonly TrackedResource[], now: number, offset = 0): ResourceOutlook[] {
  return tracked
    .map((given): ResourceOutlook => {
      const one = { ...given, exhaustion: shifted(given.exhaustion, offset) }
      const { resource, level, limit, exhaustion } = one
      const { lower, median, upper, trend, state } = exhaustion
      return {
        resource,
        level,
        capacity: limit.capacity,
        lower,
        median,
        upper,
        confidence: exhaustion.confidence,
        withinDay: exhaustion.within(DAY),
        trend,
        state,
        sentence: exhaustionSentence(one, now),
        action: actionFor(one),
      }
    })
    .sort((a, b) => soonest(a, b) || (a.resource < b.resource ? -1 : 1))
}

function shifted(exhaustion: Exhaustion, offset: number): Exhaustion {
  if (offset === 0) return exhaustion
  const { lower, median, upper, trend } = exhaustion
  return {
    ...exhaustion,
    within: (seconds) => exhaustion.within(seconds),
    lower: lower + offset,
    median: median + offset,
    upper: upper + offset,
    trend: trend && { ...trend, since: trend.since + offset },
  }
}

function soonest(a: ResourceOutlook, b: ResourceOutlook): number {
  for (const bound of ['lower', 'median'] as const) {
    const [x, y] = [a[bound], b[bound]]
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}
