/**
 * Rows of signals in the order of time, of one host or of several one after the other, and their windows.
 *
 * The same rules as the service's: a window is padded with its first row; a missing value is carried for a few rows; a
 * signal absent for longer is masked, and padded afresh where it returns; no window reaches into another host's rows.
 */
import { applyTransform, type Transform } from '@portent/core'
import { KINDS, WINDOW_ROWS, windowFeatures } from './window.ts'

/** Rows start <= t < end of one host without a hole in time. */
export interface Segment {
  readonly start: number
  readonly end: number
}

export interface Series {
  /** d. */
  readonly signals: number
  /** [n,d], finite; 0 where absent. */
  readonly values: Float64Array
  /** [n,d] 1 = present, 0 = absent. */
  readonly mask: Float64Array
  /** Cover all the rows, in order. */
  readonly segments: readonly Segment[]
}

/** How long a missing value is carried, as in the service. */
export const MAX_CARRY_ROWS = 3

/**
 * @param values [n,d]; anything not finite is a missing value
 * @param ends the row after each host's last one; one host if left out
 */
export function seriesOf(values: Float64Array, signals: number, ends?: readonly number[]): Series {
  const n = values.length / signals
  const out = values.slice()
  const mask = new Float64Array(values.length).fill(1)
  let start = 0
  const segments = (ends ?? [n]).map((end) => {
    const segment = { start, end }
    start = end
    return segment
  })
  if (!Number.isInteger(n) || start !== n || segments.some((s) => s.end < s.start)) {
    throw new RangeError(`${values.length} values do not make rows of ${signals} signals that end at row ${start}`)
  }
  for (const segment of segments) {
    for (let j = 0; j < signals; j++) {
      let missing = MAX_CARRY_ROWS + 1
      for (let t = segment.start; t < segment.end; t++) {
        const i = t * signals + j
        missing = Number.isFinite(out[i]) ? 0 : missing + 1
        if (missing === 0) continue
        const carried = missing <= MAX_CARRY_ROWS
        out[i] = carried ? (out[i - signals] as number) : 0
        mask[i] = carried ? 1 : 0
      }
    }
  }
  return { signals, values: out, mask, segments }
}

/** Rows from <= t < to as a series of their own, cut where they cut a segment; windows start afresh at the cut. */
export function sliceSeries({ signals: d, values, mask, segments }: Series, from: number, to: number): Series {
  return {
    signals: d,
    values: values.subarray(from * d, to * d),
    mask: mask.subarray(from * d, to * d),
    segments: segments
      .map(({ start, end }) => ({ start: Math.max(start, from) - from, end: Math.min(end, to) - from }))
      .filter(({ start, end }) => end > start),
  }
}

/** One after the other; no window reaches from one into the next. */
export function joinSeries(list: readonly Series[]): Series {
  const [first] = list
  if (first === undefined) throw new RangeError('no series to join')
  const length = list.reduce((sum, x) => sum + x.values.length, 0)
  const joined = { values: new Float64Array(length), mask: new Float64Array(length) }
  const segments: Segment[] = []
  let at = 0
  for (const { values, mask, segments: own } of list) {
    joined.values.set(values, at)
    joined.mask.set(mask, at)
    const row = at / first.signals
    for (const { start, end } of own) segments.push({ start: start + row, end: end + row })
    at += values.length
  }
  return { signals: first.signals, ...joined, segments }
}

/** Whether every signal is present in the row whose mask [d] is at `from`. */
export function isWhole(mask: Float64Array, from: number, d: number): boolean {
  for (let j = from; j < from + d; j++) if (mask[j] !== 1) return false
  return true
}

/** The series in feature scale. */
export function transformSeries(series: Series, transforms: readonly Transform[]): Series {
  const d = series.signals
  if (transforms.length !== d) throw new RangeError(`${transforms.length} transforms for ${d} signals`)
  const values = series.values.map((x, i) =>
    series.mask[i] === 1 ? applyTransform(transforms[i % d] as Transform, x) : 0,
  )
  return { ...series, values }
}

/** Walks over the rows of a series and hands out each one's window. */
export class WindowWalk {
  readonly #series: Series
  /** First row of each signal's present run [d]. */
  readonly #from: Int32Array
  /** Latest of them. */
  #latest = 0

  constructor(series: Series) {
    this.#series = series
    this.#from = new Int32Array(series.signals)
  }

  /**
   * Moves to row t; rows are to be visited in order.
   * @returns signals whose padding starts with this row
   */
  step(t: number, segmentStart: number): number[] {
    const { signals: d, mask } = this.#series
    const appeared: number[] = []
    for (let j = 0; j < d; j++) {
      if (mask[t * d + j] !== 1 || (t > segmentStart && mask[(t - 1) * d + j] === 1)) continue
      this.#from[j] = t
      appeared.push(j)
    }
    if (appeared.length > 0) this.#latest = t
    return appeared
  }

  /** Writes the window [L,d] of row t; 0 where a signal is absent at row t. */
  write(t: number, out: Float64Array, offset: number): void {
    const { signals: d, values, mask } = this.#series
    if (t - WINDOW_ROWS + 1 >= this.#latest) out.set(values.subarray((t - WINDOW_ROWS + 1) * d, (t + 1) * d), offset)
    else this.#writePadded(t, out, offset)
    for (let j = 0; j < d; j++) {
      if (mask[t * d + j] === 1) continue
      for (let k = 0; k < WINDOW_ROWS; k++) out[offset + k * d + j] = 0
    }
  }

  #writePadded(t: number, out: Float64Array, offset: number): void {
    const { signals: d, values } = this.#series
    for (let k = 0; k < WINDOW_ROWS; k++) {
      const row = t - WINDOW_ROWS + 1 + k
      const to = offset + k * d
      if (row >= this.#latest) {
        out.set(values.subarray(row * d, row * d + d), to)
        continue
      }
      for (let j = 0; j < d; j++) out[to + j] = values[Math.max(row, this.#from[j] as number) * d + j] as number
    }
  }
}

/** Features of every row [n,6d] of a series in feature scale, not standardised; 0 where absent. */
export function seriesFeatures(series: Series): Float64Array {
  const { signals: d, values, mask, segments } = series
  const out = new Float64Array(values.length * KINDS)
  const window = new Float64Array(WINDOW_ROWS * d)
  const walk = new WindowWalk(series)
  for (const { start, end } of segments) {
    for (let t = start; t < end; t++) {
      walk.step(t, start)
      walk.write(t, window, 0)
      windowFeatures(window, 0, d, out, t * KINDS * d, (j) => mask[t * d + j] === 1)
    }
  }
  return out
}
