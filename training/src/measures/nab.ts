/**
 * The score of the Numenta Anomaly Benchmark (Lavin and Ahmad, ICMLA 2015; `sweeper.py` and `optimizer.py` of
 * numenta/NAB), standard profile: over all series with one threshold, the one that is best for them together.
 *
 * A labelled window counts what its best-placed row at or over the threshold is worth: 1 at its start, falling by a
 * sigmoid to almost 0 at its end; -1 where no row reaches the threshold. Every row over the threshold outside of windows
 * costs 0.11, less shortly after a window. The first 15 % of the rows, at most 750, count for nothing. The sum is scaled so
 * that silence has 0 and finding every window at its start with no false alarm 100; it may be negative.
 */
import type { RowRange } from './events.ts'

const FALSE_POSITIVE = 0.11
const FALSE_NEGATIVE = 1
const TRUE_POSITIVE = 1
const PROBATION_SHARE = 0.15
const PROBATION_OF_ROWS = 5000

/** Rows at the start of a series of n that count for nothing: what a detector may learn from. */
export function probationRows(n: number): number {
  return Math.min(Math.floor(PROBATION_SHARE * n), PROBATION_SHARE * PROBATION_OF_ROWS)
}

export interface NabSeries {
  /** [n] higher = more anomalous, on one scale for all series; -Infinity for a row that never counts. */
  readonly scores: ArrayLike<number>
  /** Labelled windows in order, apart from each other. */
  readonly windows: readonly RowRange[]
}

/** What one series gives at the threshold. */
export interface NabPart {
  readonly windows: number
  readonly found: number
  /** Rows over the threshold outside of windows. */
  readonly falsePositives: number
  /** Its part of the sum, before scaling: as many as its windows at best, less than minus that with false alarms. */
  readonly worth: number
}

export interface NabScore {
  readonly score: number
  /** +Infinity where silence is best. */
  readonly threshold: number
  readonly windows: number
  readonly found: number
  readonly falsePositives: number
  /** In the order given. */
  readonly series: readonly NabPart[]
}

interface Point {
  readonly score: number
  /** What the row is worth when it is over the threshold. */
  readonly worth: number
  /** Number of its window, -1 outside. */
  readonly window: number
}

export function nabStandardScore(series: readonly NabSeries[]): NabScore {
  const points = series.map(pointsOf)
  const threshold = bestThreshold(points)
  const parts = points.map((x) => partAt(x, threshold))
  const sum = (of: (part: NabPart) => number) => parts.reduce((total, part) => total + of(part), 0)
  const windows = sum((x) => x.windows)
  const silence = -FALSE_NEGATIVE * windows
  const perfect = TRUE_POSITIVE * windows
  return {
    score: (100 * (sum((x) => x.worth) - silence)) / (perfect - silence),
    threshold,
    windows,
    found: sum((x) => x.found),
    falsePositives: sum((x) => x.falsePositives),
    series: parts,
  }
}

/** The rows of one series that count. */
interface Points {
  readonly points: readonly Point[]
  readonly windows: number
}

function pointsOf({ scores, windows }: NabSeries): Points {
  const probation = probationRows(scores.length)
  const counting = windows.filter(({ end }) => end >= probation)
  const points: Point[] = []
  let next = 0
  for (let i = probation; i < scores.length; i++) {
    while (i > (counting[next]?.end ?? Number.POSITIVE_INFINITY)) next++
    const current = counting[next]
    const isInside = current !== undefined && i >= current.start
    if (scores[i] === Number.NEGATIVE_INFINITY) continue
    points.push({
      score: scores[i] as number,
      worth: isInside ? worthInside(i, current) : worthOutside(i, counting[next - 1]),
      window: isInside ? next : -1,
    })
  }
  return { points, windows: counting.length }
}

/** Of all series together: the highest of those with the largest sum. */
function bestThreshold(series: readonly Points[]): number {
  const all = series
    .flatMap(({ points }, k) => points.map((point) => ({ ...point, series: k })))
    .sort((a, b) => b.score - a.score)
  const best = series.map(({ windows }) => new Float64Array(windows).fill(-FALSE_NEGATIVE))
  let [sum, most, threshold] = [0, 0, Number.POSITIVE_INFINITY]
  all.forEach(({ score, worth, window, series: k }, i) => {
    const own = best[k] as Float64Array
    if (window < 0) sum += worth
    else if (worth > (own[window] as number)) {
      sum += worth - (own[window] as number)
      own[window] = worth
    }
    if (all[i + 1]?.score === score || sum <= most) return
    most = sum
    threshold = score
  })
  return threshold
}

function partAt({ points, windows }: Points, threshold: number): NabPart {
  const best = new Float64Array(windows).fill(-FALSE_NEGATIVE)
  let [outside, falsePositives] = [0, 0]
  for (const { score, worth, window } of points) {
    if (score < threshold) continue
    if (window >= 0) best[window] = Math.max(best[window] as number, worth)
    else {
      outside += worth
      falsePositives++
    }
  }
  const found = best.filter((x) => x > -FALSE_NEGATIVE).length
  return { windows, found, falsePositives, worth: best.reduce((a, b) => a + b, outside) }
}

function worthInside(i: number, { start, end }: RowRange): number {
  return (TRUE_POSITIVE * scaledSigmoid(-(end - i + 1) / (end - start + 1))) / scaledSigmoid(-1)
}

function worthOutside(i: number, last: RowRange | undefined): number {
  const past = last === undefined ? Number.POSITIVE_INFINITY : (i - last.end) / (last.end - last.start)
  return FALSE_POSITIVE * scaledSigmoid(past)
}

function scaledSigmoid(position: number): number {
  return position >= 3 ? -1 : 2 / (1 + Math.exp(5 * position)) - 1
}

/**
 * The refractory rule: a row counts only if its score is the highest of the last `share` of the series' rows, itself
 * included; the others become -Infinity. An alarm that goes on is one alarm.
 */
export function refractory(scores: ArrayLike<number>, share: number): Float64Array {
  const n = scores.length
  const rows = Math.max(1, Math.round(share * n))
  const kept = new Float64Array(n).fill(Number.NEGATIVE_INFINITY)
  /** Rows of the last `rows` that no later one has reached, their scores falling. */
  const leaders: number[] = []
  let head = 0
  for (let i = 0; i < n; i++) {
    const score = scores[i] as number
    while (head < leaders.length && (leaders[head] as number) <= i - rows) head++
    if (head >= leaders.length || score > (scores[leaders[head] as number] as number)) kept[i] = score
    while (leaders.length > head && (scores[leaders[leaders.length - 1] as number] as number) <= score) leaders.pop()
    leaders.push(i)
  }
  return kept
}
