/** What can run out, soonest first, with its sentence. */
import type { ResourceOutlook } from '../types.ts'
import type { TrackedResource } from './target.ts'
import { actionFor, exhaustionSentence } from './words.ts'

const DAY = 86_400

/** @param now Unix seconds */
export function resourceOutlooks(tracked: readonly TrackedResource[], now: number): ResourceOutlook[] {
  return tracked
    .map((one): ResourceOutlook => {
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
        action: actionFor(resource),
      }
    })
    .sort((a, b) => soonest(a, b) || (a.resource < b.resource ? -1 : 1))
}

function soonest(a: ResourceOutlook, b: ResourceOutlook): number {
  for (const bound of ['lower', 'median'] as const) {
    const [x, y] = [a[bound], b[bound]]
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}
