/** Mean and scale of each feature over the training rows in which its signal is present. */

import { isWhole, type Series } from './series.ts'
import { KINDS } from './window.ts'

export interface Scaler {
  /** [F]. */
  readonly mean: Float64Array
  /** max(standard deviation, floor) [F]. */
  readonly scale: Float64Array
}

/** Smallest scale, in feature scale: signals that hardly move in training would alarm at every breath. */
export const SCALE_FLOOR = 0.02

export interface ScalerOptions {
  readonly floor?: number
  /**
   * Spread about each host's own mean instead of about the mean of all, for a bundle of many hosts whose centre follows
   * each target.
   */
  readonly withinSegments?: boolean
}

/**
 * @param features [n,6d] in feature scale
 * @throws RangeError when a signal is present in no row: it must be left out of the bundle
 */
export function fitScaler(
  features: Float64Array,
  { signals: d, mask, segments }: Pick<Series, 'signals' | 'mask' | 'segments'>,
  { floor = SCALE_FLOOR, withinSegments = false }: ScalerOptions = {},
): Scaler {
  const width = KINDS * d
  const groups = withinSegments ? segments : [{ start: 0, end: features.length / width }]
  const total = new Float64Array(width)
  const squares = new Float64Array(width)
  const counts = new Float64Array(d)
  for (const { start, end } of groups) {
    const { sum, count } = sums(features, mask, d, start, end)
    const mean = sum.map((total, f) => total / Math.max(1, count[f % d] as number))
    for (let t = start; t < end; t++) {
      // Along memory where nothing is absent, which is nearly every row; each sum is the same either way.
      if (isWhole(mask, t * d, d)) {
        for (let f = 0, at = t * width; f < width; f++, at++) {
          const off = (features[at] as number) - (mean[f] as number)
          squares[f] = (squares[f] as number) + off * off
        }
        continue
      }
      for (let j = 0; j < d; j++) {
        if (mask[t * d + j] !== 1) continue
        for (let f = j; f < width; f += d) {
          const off = (features[t * width + f] as number) - (mean[f] as number)
          squares[f] = (squares[f] as number) + off * off
        }
      }
    }
    for (let f = 0; f < width; f++) total[f] = (total[f] as number) + (sum[f] as number)
    for (let j = 0; j < d; j++) counts[j] = (counts[j] as number) + (count[j] as number)
  }
  const never = counts.indexOf(0)
  if (never >= 0) throw new RangeError(`signal ${never} is present in no row of the training data`)
  return {
    mean: total.map((sum, f) => sum / (counts[f % d] as number)),
    scale: squares.map((sum, f) => Math.max(floor, Math.sqrt(sum / (counts[f % d] as number)))),
  }
}

/** Sum of each feature [6d] and number of present rows of each signal [d]. */
function sums(features: Float64Array, mask: Float64Array, d: number, start: number, end: number) {
  const width = KINDS * d
  const sum = new Float64Array(width)
  const count = new Float64Array(d)
  for (let t = start; t < end; t++) {
    if (isWhole(mask, t * d, d)) {
      for (let j = 0; j < d; j++) count[j] = (count[j] as number) + 1
      for (let f = 0, at = t * width; f < width; f++, at++) sum[f] = (sum[f] as number) + (features[at] as number)
      continue
    }
    for (let j = 0; j < d; j++) {
      if (mask[t * d + j] !== 1) continue
      count[j] = (count[j] as number) + 1
      for (let f = j; f < width; f += d) sum[f] = (sum[f] as number) + (features[t * width + f] as number)
    }
  }
  return { sum, count }
}
