/**
 * Whether a drift that was put into a recording is noticed: found is an alarm that begins within three days of it, an alarm
 * that begins before it is false. An alarm that was on already when the drift came finds nothing.
 */
import { sortedQuantile } from '../bundle/statistics.ts'

const DAYS_TO_FIND = 3
const MONTH_DAYS = 30

export interface DriftTrial {
  readonly found: boolean
  /** Hours from the drift to the alarm; null where not found. */
  readonly delayHours: number | null
  readonly falseAlarms: number
  /** Days before the drift in which the detector could have raised an alarm. */
  readonly days: number
}

export interface DriftMeasures {
  readonly trials: number
  readonly found: number
  /** Null where none was found. */
  readonly delayMedianHours: number | null
  readonly falseAlarmsPerMonth: number
}

/**
 * @param drift [n] above 0 where drift is reported, NaN where the detector cannot know yet
 * @param at the first row with the drift
 */
export function driftTrial(drift: ArrayLike<number>, at: number, rowsPerDay: number): DriftTrial {
  let [falseAlarms, known, foundAt] = [0, 0, -1]
  const until = Math.min(drift.length, at + Math.round(DAYS_TO_FIND * rowsPerDay))
  for (let i = 0; i < until && foundAt < 0; i++) {
    const begins = (drift[i] as number) > 0 && !(i > 0 && (drift[i - 1] as number) > 0)
    if (i >= at) {
      if (begins) foundAt = i
      continue
    }
    if (!Number.isNaN(drift[i])) known++
    if (begins) falseAlarms++
  }
  return {
    found: foundAt >= 0,
    delayHours: foundAt < 0 ? null : ((foundAt - at) / rowsPerDay) * 24,
    falseAlarms,
    days: known / rowsPerDay,
  }
}

export function driftMeasures(trials: readonly DriftTrial[]): DriftMeasures {
  const delays = Float64Array.from(trials.flatMap((x) => x.delayHours ?? [])).sort()
  const sum = (of: (trial: DriftTrial) => number) => trials.reduce((total, trial) => total + of(trial), 0)
  return {
    trials: trials.length,
    found: delays.length / trials.length,
    delayMedianHours: delays.length === 0 ? null : sortedQuantile(delays, 0.5),
    falseAlarmsPerMonth: (sum((x) => x.falseAlarms) / sum((x) => x.days)) * MONTH_DAYS,
  }
}
