/**
 * Volume under the surface of the ROC and the precision-recall curve: the areas, averaged over buffers of 0 to W rows
 * around the labelled events, so that a score which rises a little early or late is not a plain miss. Within half a buffer
 * of an event, rows count as anomalous by sqrt(1 - distance / buffer); recall is that of the rows times the share of events
 * (buffer included) that the threshold reaches; 250 thresholds at even ranks of the scores.
 *
 * Source: Paparrizos et al., VLDB 2022; the `opt` implementation of TSB-AD, to the last digits.
 */
import { eventsOf, type RowRange } from './events.ts'

const THRESHOLDS = 250

export interface Vus {
  readonly roc: number
  readonly pr: number
}

/**
 * @param scores [n] finite, higher = more anomalous
 * @param labels [n] above 0 where anomalous
 * @param buffer the largest, W, in rows; see {@link ./period.ts}
 * @throws RangeError where no row is labelled, or a score is not finite
 */
export function volumeUnderSurface(scores: ArrayLike<number>, labels: ArrayLike<number>, buffer: number): Vus {
  const n = scores.length
  const events = eventsOf(labels)
  if (events.length === 0) throw new RangeError('no row is labelled anomalous')
  const levels = levelsOf(scores)
  const predicted = new Float64Array(THRESHOLDS)
  const inside = new Float64Array(THRESHOLDS)
  let positives = 0
  for (let i = 0; i < n; i++) {
    const level = levels[i] as number
    predicted[level] = (predicted[level] as number) + 1
    if (!((labels[i] as number) > 0)) continue
    inside[level] = (inside[level] as number) + 1
    positives++
  }
  cumulate(predicted)
  cumulate(inside)

  const around = new Float64Array(THRESHOLDS)
  const reached = new Float64Array(THRESHOLDS)
  const weight = new Float64Array(n)
  let [roc, pr] = [0, 0]
  for (let w = 0; w <= buffer; w++) {
    around.fill(0)
    reached.fill(0)
    addBuffers(events, labels, levels, w, weight, around)
    const merged = mergedBy(events, w >> 1, n)
    for (const { start, end } of merged) {
      let first = THRESHOLDS
      for (let i = start; i <= end; i++) first = Math.min(first, levels[i] as number)
      reached[first] = (reached[first] as number) + 1 / merged.length
    }
    cumulate(around)
    cumulate(reached)

    let [recallBefore, rateBefore] = [0, 0]
    for (let k = 0; k < THRESHOLDS; k++) {
      const hits = (inside[k] as number) + (around[k] as number)
      const truth = positives + (around[k] as number) / 2
      const recall = Math.min(hits / truth, 1) * (reached[k] as number)
      const rate = ((predicted[k] as number) - hits) / (n - truth)
      pr += (recall - recallBefore) * (hits / (predicted[k] as number))
      roc += ((rate - rateBefore) * (recall + recallBefore)) / 2
      recallBefore = recall
      rateBefore = rate
    }
    roc += ((1 - rateBefore) * (1 + recallBefore)) / 2
  }
  return { roc: roc / (buffer + 1), pr: pr / (buffer + 1) }
}

/** The first of the falling thresholds that each row reaches. */
function levelsOf(scores: ArrayLike<number>): Uint8Array {
  const n = scores.length
  const rising = Float64Array.from(scores)
  if (!rising.every(Number.isFinite)) throw new RangeError('a score is not finite')
  rising.sort()
  const step = (n - 1) / (THRESHOLDS - 1)
  const thresholds = Float64Array.from({ length: THRESHOLDS }, (_, k) => {
    const rank = k === THRESHOLDS - 1 ? n - 1 : Math.floor(k * step)
    return rising[n - 1 - rank] as number
  })
  const levels = new Uint8Array(n)
  for (let i = 0; i < n; i++) {
    const score = scores[i] as number
    let [low, high] = [0, THRESHOLDS - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((thresholds[middle] as number) <= score) high = middle
      else low = middle + 1
    }
    levels[i] = low
  }
  return levels
}

/**
 * Adds the weights of the rows around the events to the thresholds that reach them.
 * @param weight [n] zeros, and zeros again afterwards
 */
function addBuffers(
  events: readonly RowRange[],
  labels: ArrayLike<number>,
  levels: Uint8Array,
  w: number,
  weight: Float64Array,
  around: Float64Array,
): void {
  if (w === 0) return
  const n = weight.length
  const half = w >> 1
  const each = (visit: (row: number, distance: number) => void) => {
    for (const { start, end } of events) {
      for (let t = end + 1; t < Math.min(end + half + 1, n); t++) visit(t, t - end)
      for (let t = Math.max(start - half, 0); t < start; t++) visit(t, start - t)
    }
  }
  each((row, distance) => {
    weight[row] = (weight[row] as number) + Math.sqrt(1 - distance / w)
  })
  each((row) => {
    if (!((labels[row] as number) > 0)) {
      const level = levels[row] as number
      around[level] = (around[level] as number) + Math.min(weight[row] as number, 1)
    }
    weight[row] = 0
  })
}

/** Events with half a buffer on both sides; those that touch are one. */
function mergedBy(events: readonly RowRange[], half: number, n: number): RowRange[] {
  const merged: RowRange[] = []
  let start = Math.max((events[0] as RowRange).start - half, 0)
  events.forEach(({ end }, q) => {
    const next = events[q + 1]
    if (next === undefined) merged.push({ start, end: Math.min(end + half, n - 1) })
    else if (end + half < next.start - half) {
      merged.push({ start, end: end + half })
      start = next.start - half
    }
  })
  return merged
}

function cumulate(x: Float64Array): void {
  for (let k = 1; k < x.length; k++) x[k] = (x[k] as number) + (x[k - 1] as number)
}
