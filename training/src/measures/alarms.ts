/** What a column of alarms is worth: how often it is wrong, what it finds, and how late. */
import { sortedQuantile } from '../bundle/statistics.ts'
import { eventsOf } from './events.ts'

export interface AlarmOptions {
  /** Rows before and after an event that count neither as right nor as wrong: labels are not exact. */
  readonly margin: number
  readonly rowsPerDay: number
}

export interface AlarmMeasures {
  /** Share of rows in alarm, of the normal rows outside the margins. */
  readonly falsePositiveRate: number
  /** Row by row, no margin. */
  readonly precision: number
  readonly recall: number
  readonly f1: number
  readonly events: number
  /** Share of the events with at least one row in alarm. */
  readonly eventRecall: number
  /** Rows from the start of each found event to its first row in alarm. */
  readonly delays: readonly number[]
  /** Null where no event was found. */
  readonly delayMedian: number | null
  readonly delayP90: number | null
  /** Runs of alarm that lie wholly outside of events and margins, a day of all the rows. */
  readonly falseEpisodesPerDay: number
}

/**
 * @param alarms [n] above 0 where in alarm
 * @param labels [n] above 0 where anomalous
 */
export function alarmMeasures(
  alarms: ArrayLike<number>,
  labels: ArrayLike<number>,
  { margin, rowsPerDay }: AlarmOptions,
): AlarmMeasures {
  const n = labels.length
  const events = eventsOf(labels)
  const outside = new Uint8Array(n).fill(1)
  for (const { start, end } of events) outside.fill(0, Math.max(0, start - margin), end + margin + 1)

  let [normal, wrong, alarmed, hits, positives] = [0, 0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const alarm = (alarms[i] as number) > 0
    const truth = (labels[i] as number) > 0
    if (outside[i] === 1) normal++
    if (outside[i] === 1 && alarm) wrong++
    if (alarm) alarmed++
    if (truth) positives++
    if (alarm && truth) hits++
  }
  const delays: number[] = []
  for (const { start, end } of events) {
    let i = start
    while (i <= end && !((alarms[i] as number) > 0)) i++
    if (i <= end) delays.push(i - start)
  }
  const falseEpisodes = eventsOf(alarms).filter(({ start, end }) => outside.subarray(start, end + 1).every((x) => x))
  const precision = hits / Math.max(alarmed, 1)
  const recall = hits / Math.max(positives, 1)
  const sorted = Float64Array.from(delays).sort()
  const quantile = (p: number) => (sorted.length === 0 ? null : sortedQuantile(sorted, p))
  return {
    falsePositiveRate: normal === 0 ? 0 : wrong / normal,
    precision,
    recall,
    f1: (2 * precision * recall) / Math.max(precision + recall, 1e-12),
    events: events.length,
    eventRecall: delays.length / Math.max(events.length, 1),
    delays,
    delayMedian: quantile(0.5),
    delayP90: quantile(0.9),
    falseEpisodesPerDay: (falseEpisodes.length / n) * rowsPerDay,
  }
}
