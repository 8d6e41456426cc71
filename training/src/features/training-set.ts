/** From rows of signals to what detectors are fitted on, and to the batches they score. */
import type { Transform } from '@portent/core'
import type { Batch } from '../detectors/types.ts'
import type { FeatureModel } from './model.ts'
import { fitScaler, type ScalerOptions } from './scaler.ts'
import { isWhole, joinSeries, type Series, seriesFeatures, sliceSeries, transformSeries, WindowWalk } from './series.ts'
import { clip, KINDS, WINDOW_ROWS } from './window.ts'

/** Standardised rows of one or several hosts, in the order of time within each. */
export interface TrainingSet extends Series {
  /** Standardised window features, not clipped; 0 where absent [n,6d]. */
  readonly features: Float64Array
  // `values` are the standardised rows, not clipped; 0 where absent [n,d].
}

export interface TrainingSetOptions {
  /**
   * Take each host's own mean from its features and rows, as a centre that follows the target does in service. A batch's
   * `center` is then the host's mean over these rows.
   */
  readonly centred?: boolean
}

/** A series with the features of its rows, before they are standardised. */
export interface FeatureRows {
  /** In feature scale. */
  readonly series: Series
  /** [n,6d]; 0 where absent. */
  readonly features: Float64Array
}

/** @param series in natural units */
export function featureRowsOf(series: Series, transforms: readonly Transform[]): FeatureRows {
  const transformed = transformSeries(series, transforms)
  return { series: transformed, features: seriesFeatures(transformed) }
}

/** Rows from <= t < to, of whose windows none may reach before `from`: a segment must start there. */
export function sliceFeatureRows({ series, features }: FeatureRows, from: number, to: number): FeatureRows {
  const width = KINDS * series.signals
  return { series: sliceSeries(series, from, to), features: features.subarray(from * width, to * width) }
}

/**
 * The rows with windows that start afresh at every cut.
 * @param features a copy of the features of `rows`, in which those of the windows that reached over a cut are made anew
 */
export function cutFeatureRows({ series }: FeatureRows, cuts: readonly number[], features: Float64Array): FeatureRows {
  const d = series.signals
  const ends = [...cuts, series.mask.length / d]
  const segments = ends.flatMap((end, k) => {
    const from = ends[k - 1] ?? 0
    return sliceSeries(series, from, end).segments.map((s) => ({ start: s.start + from, end: s.end + from }))
  })
  for (const [k, cut] of cuts.entries()) {
    const first = sliceSeries(series, cut, Math.min(cut + WINDOW_ROWS - 1, ends[k + 1] as number))
    features.set(seriesFeatures(first), cut * KINDS * d)
  }
  return { series: { ...series, segments }, features }
}

/**
 * One after the other.
 * @param room for the features, which may be larger than they are
 */
export function joinFeatureRows(list: readonly FeatureRows[], room?: Float64Array): FeatureRows {
  const length = list.reduce((sum, x) => sum + x.features.length, 0)
  const features = room === undefined ? new Float64Array(length) : room.subarray(0, length)
  let at = 0
  for (const part of list) {
    features.set(part.features, at)
    at += part.features.length
  }
  return { series: joinSeries(list.map((x) => x.series)), features }
}

export function fitFeatureModel(
  series: Series,
  transforms: readonly Transform[],
  options: ScalerOptions = {},
): FeatureModel {
  return scaledFeatureModel(featureRowsOf(series, transforms), transforms, options)
}

/** As {@link fitFeatureModel}, from features that are there already. */
export function scaledFeatureModel(
  { series, features }: FeatureRows,
  transforms: readonly Transform[],
  options: ScalerOptions = {},
): FeatureModel {
  return { transforms, ...fitScaler(features, series, options) }
}

/** @param series in natural units */
export function trainingSetOf(
  series: Series,
  model: FeatureModel,
  { centred = false }: TrainingSetOptions = {},
): TrainingSet {
  const set = standardise(featureRowsOf(series, model.transforms), model, { inPlace: true })
  if (centred) for (const segment of set.segments) takeMean(set.features, set.values, set.mask, set.signals, segment)
  return set
}

export interface StandardiseOptions {
  /** Standardise the features where they are; the values are new in any case. */
  readonly inPlace?: boolean
}

/** Standardised rows. */
export function standardise(
  rows: FeatureRows,
  { mean, scale }: FeatureModel,
  { inPlace = false }: StandardiseOptions = {},
): TrainingSet {
  const { signals: d, mask } = rows.series
  const width = KINDS * d
  const features = inPlace ? rows.features : new Float64Array(rows.features.length)
  const values = new Float64Array(rows.series.values.length)
  for (let t = 0; t * d < mask.length; t++) {
    const [from, at] = [t * d, t * width]
    if (isWhole(mask, from, d)) {
      for (let j = 0; j < d; j++) {
        values[from + j] = ((rows.series.values[from + j] as number) - (mean[j] as number)) / (scale[j] as number)
      }
      for (let f = 0; f < width; f++) {
        features[at + f] = ((rows.features[at + f] as number) - (mean[f] as number)) / (scale[f] as number)
      }
      continue
    }
    for (let j = 0; j < d; j++) {
      if (mask[from + j] !== 1) continue
      values[from + j] = ((rows.series.values[from + j] as number) - (mean[j] as number)) / (scale[j] as number)
      for (let f = j; f < width; f += d) {
        features[at + f] = ((rows.features[at + f] as number) - (mean[f] as number)) / (scale[f] as number)
      }
    }
  }
  return { ...rows.series, values, features }
}

function takeMean(
  features: Float64Array,
  values: Float64Array,
  mask: Float64Array,
  d: number,
  { start, end }: { start: number; end: number },
): void {
  const width = KINDS * d
  for (let f = 0; f < width; f++) {
    const j = f % d
    let sum = 0
    let count = 0
    for (let t = start; t < end; t++) {
      if (mask[t * d + j] !== 1) continue
      sum += features[t * width + f] as number
      count++
    }
    if (count === 0) continue
    const mean = sum / count
    for (let t = start; t < end; t++) {
      if (mask[t * d + j] !== 1) continue
      features[t * width + f] = (features[t * width + f] as number) - mean
      if (f < d) values[t * d + j] = (values[t * d + j] as number) - mean
    }
  }
}

/** Rows from <= t < to as a set of their own, cut where they cut a host; windows start afresh at the cut. */
export function sliceSet(set: TrainingSet, from: number, to: number): TrainingSet {
  const d = set.signals
  return {
    signals: d,
    features: set.features.subarray(from * KINDS * d, to * KINDS * d),
    values: set.values.subarray(from * d, to * d),
    mask: set.mask.subarray(from * d, to * d),
    segments: set.segments
      .map(({ start, end }) => ({ start: Math.max(start, from) - from, end: Math.min(end, to) - from }))
      .filter(({ start, end }) => end > start),
  }
}

/** Standardised rows are clipped to this in the exponential mean. */
export const ROW_CLIP = 10

export interface BatchOptions {
  /** Factor of the exponential mean; 0 leaves it out (zeros). */
  readonly ewmaAlpha?: number
  /** Rows a batch. The arrays are used again: a batch holds until the next one is asked for. */
  readonly size?: number
  /** Whether the windows are wanted; without, `rows` are zeros. */
  readonly windows?: boolean
}

/**
 * The rows of a set as batches, exactly as the service would feed them, in order. A signal's exponential mean starts with
 * the row it appears in.
 */
export function* batchesOf(
  set: TrainingSet,
  { ewmaAlpha = 0, size = 512, windows = true }: BatchOptions = {},
): Generator<Batch> {
  const { signals: d, values, mask, features, segments } = set
  const rows = new Float64Array(size * WINDOW_ROWS * d)
  const ewma = new Float64Array(size * d)
  const state = new Float64Array(d)
  const walk = new WindowWalk(set)
  let first = 0
  let n = 0
  const batch = (end: number): Batch => ({
    n,
    signals: d,
    features: features.subarray(first * KINDS * d, end * KINDS * d),
    rows: rows.subarray(0, n * WINDOW_ROWS * d),
    mask: mask.subarray(first * d, end * d),
    ewma: ewma.subarray(0, n * d),
  })
  for (const { start, end } of segments) {
    state.fill(0)
    for (let t = start; t < end; t++) {
      const appeared = walk.step(t, start)
      if (windows) walk.write(t, rows, n * WINDOW_ROWS * d)
      if (ewmaAlpha > 0) {
        for (const j of appeared) state[j] = clip(values[t * d + j] as number, ROW_CLIP)
        ewma.set(state, n * d)
        for (let j = 0; j < d; j++) {
          const row = clip(values[t * d + j] as number, ROW_CLIP)
          state[j] = (state[j] as number) + ewmaAlpha * (row - (state[j] as number))
        }
      }
      if (++n < size) continue
      yield batch(t + 1)
      first = t + 1
      n = 0
    }
  }
  if (n > 0) yield batch(first + n)
}
