/**
 * Whether an explanation names the signals that an event is labelled with. Signals are ranked by their mean attribution
 * over rows of the event, largest first.
 *
 * - HitRate@P %: the share of the true signals G among the first floor(P % of |G|) of the ranking (Su et al.,
 *   OmniAnomaly, KDD 2019); mean over events.
 * - top-k: the share of events with a true signal among the first k.
 */
import type { RowRange } from './events.ts'

export interface LabelledEvent extends RowRange {
  /** Columns of the signals that are at fault. */
  readonly signals: readonly number[]
}

export interface ExplanationMeasures {
  /** Events that were looked at. */
  readonly events: number
  readonly hit100: number
  readonly hit150: number
  readonly top1: number
  readonly top3: number
}

/** [n, width] row by row; NaN where a row has no explanation. */
export interface Attributions {
  readonly values: Float64Array
  readonly width: number
}

/**
 * @param rowsOf the rows of an event that count (default: all), null to leave the event out
 * @returns NaN measures where no event counts
 */
export function explanationMeasures(
  attributions: Attributions,
  events: readonly LabelledEvent[],
  rowsOf: (event: LabelledEvent) => RowRange | null = (event) => event,
): ExplanationMeasures {
  let [counted, hit100, hit150, top1, top3] = [0, 0, 0, 0, 0]
  for (const event of events) {
    const rows = rowsOf(event)
    if (rows === null || event.signals.length === 0) continue
    const ranking = rankSignals(attributions, rows)
    const found = (first: number) => ranking.slice(0, first).filter((j) => event.signals.includes(j)).length
    const truth = event.signals.length
    counted++
    hit100 += found(truth) / truth
    hit150 += found(Math.floor(1.5 * truth)) / truth
    top1 += Number(found(1) > 0)
    top3 += Number(found(3) > 0)
  }
  return {
    events: counted,
    hit100: hit100 / counted,
    hit150: hit150 / counted,
    top1: top1 / counted,
    top3: top3 / counted,
  }
}

/** The first rows of an event's first alarm, when an operator would look; null where the event was not found. */
export function rowsAtAlarm(alarms: ArrayLike<number>, { start, end }: RowRange, rows = 5): RowRange | null {
  for (let i = start; i <= end; i++) {
    if ((alarms[i] as number) > 0) return { start: i, end: Math.min(end, i + rows - 1) }
  }
  return null
}

/** Columns by mean attribution over the rows, largest first; those without any come last. */
export function rankSignals({ values, width }: Attributions, { start, end }: RowRange): number[] {
  const means = Array.from({ length: width }, (_, j) => {
    let [sum, count] = [0, 0]
    for (let i = start; i <= end; i++) {
      const value = values[i * width + j] as number
      if (!Number.isFinite(value)) continue
      sum += value
      count++
    }
    return count === 0 ? Number.NEGATIVE_INFINITY : sum / count
  })
  return means.map((_, j) => j).sort((a, b) => compare(means[b] as number, means[a] as number))
}

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}
