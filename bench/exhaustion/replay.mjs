/** The tracker over a past series, asked every five minutes of data. */
import { ExhaustionTracker } from '../../core/dist/exhaustion/index.js'

export const ASK_SECONDS = 300

export function replay({ at, values, limit, intervalSeconds }, each) {
  const tracker = new ExhaustionTracker({ intervalSeconds, kind: 'other', limit })
  const out = { at: [], lower: [], median: [], upper: [] }
  let asked = Number.NEGATIVE_INFINITY
  for (let i = 0; i < at.length; i++) {
    tracker.push(at[i], values[i])
    const slot = Math.floor(at[i] / ASK_SECONDS)
    if (slot === asked) continue
    asked = slot
    const { lower, median, upper } = tracker.predict()
    out.at.push(at[i])
    out.lower.push(lower)
    out.median.push(median)
    out.upper.push(upper)
    each?.(tracker, at[i])
  }
  return out
}
