/**
 * The folds of blocked cross-fitting: one block of rows is scored, as it is and disturbed, by models that were fitted on
 * all the others. A fold knows nothing of the rest and of the order in which folds are made, so that any thread may make
 * it: what it is given and what it gives can be sent to another one.
 */
import type { Transform } from '@portent/core'
import { type Detector, type Fitted, scoreSet } from '../detectors/index.ts'
import {
  cutFeatureRows,
  type FeatureModel,
  type FeatureRows,
  joinFeatureRows,
  type Series,
  scaledFeatureModel,
  sliceFeatureRows,
  sliceSeries,
  standardise,
} from '../features/index.ts'
import { Random } from '../random.ts'
import { type Disturbed, disturb } from './disturb.ts'

export const BLOCKS = 4

/** Of every fold, as it can be sent to another thread. */
export interface FoldInput {
  /** In natural units. */
  readonly series: Series
  /** The same rows in feature scale; no window reaches over a cut between two blocks. */
  readonly rows: FeatureRows
  readonly transforms: readonly Transform[]
  /** One a block. */
  readonly seeds: readonly { readonly fit: string; readonly disturb: string }[]
}

export interface Fold {
  readonly block: number
  readonly features: FeatureModel
  readonly fitted: readonly Fitted[]
  /** Held-out rows in natural units. */
  readonly held: Series
}

/** What a fold gives, as it can be sent to another thread. */
export interface FoldOutcome {
  readonly block: number
  /** Raw scores of the held-out rows, one array a detector. */
  readonly scores: readonly Float64Array[]
  readonly disturbed: readonly Disturbed[]
}

/**
 * @param rows of the whole series in feature scale
 * @param shared so that another thread reads the same memory
 */
export function foldInput(
  series: Series,
  rows: FeatureRows,
  transforms: readonly Transform[],
  { random, shared }: { readonly random: Random; readonly shared: boolean },
): FoldInput {
  const copied = shared ? sharedCopy : (x: Float64Array) => x
  const cuts = Array.from({ length: BLOCKS - 1 }, (_, k) => cut(series, k + 1))
  const cutRows = cutFeatureRows(rows, cuts, shared ? sharedCopy(rows.features) : rows.features.slice())
  const mask = copied(series.mask)
  return {
    series: { ...series, values: copied(series.values), mask },
    rows: { ...cutRows, series: { ...cutRows.series, values: copied(cutRows.series.values), mask } },
    transforms,
    seeds: Array.from({ length: BLOCKS }, (_, block) => ({
      fit: random.seedOf(`block ${block}`),
      disturb: random.seedOf(`disturb block ${block}`),
    })),
  }
}

function sharedCopy(x: Float64Array): Float64Array {
  const copy = new Float64Array(new SharedArrayBuffer(x.byteLength))
  copy.set(x)
  return copy
}

/** The blocks of a series, none empty. */
export function blockOf(series: Series, block: number): Series {
  return sliceSeries(series, cut(series, block), cut(series, block + 1))
}

function cut(series: Series, block: number): number {
  return Math.floor((block * (series.mask.length / series.signals)) / BLOCKS)
}

/** Makes the fold of one block after the other, in any order. */
export function foldMaker(
  { series, rows, transforms, seeds }: FoldInput,
  kinds: readonly Detector[],
): (block: number, onFold?: (fold: Fold) => void) => FoldOutcome {
  const indices = Array.from({ length: BLOCKS }, (_, b) => b)
  const part = (b: number) => sliceFeatureRows(rows, cut(series, b), cut(series, b + 1))
  const lengths = indices.map((b) => part(b).features.length)
  // Fitted models keep nothing of the rows, so that the folds take turns in the largest arrays.
  const room = new Float64Array(lengths.reduce((sum, x) => sum + x, 0) - Math.min(...lengths))
  return (block, onFold) => {
    const others = joinFeatureRows(indices.filter((b) => b !== block).map(part), room)
    const { fit, disturb: disturbSeed } = seeds[block] as FoldInput['seeds'][number]
    const random = new Random(fit)
    const features = scaledFeatureModel(others, transforms)
    const train = standardise(others, features, { inPlace: true })
    const fitted = kinds.map((kind) => kind.fit(train, random.fork(kind.name)))
    const set = standardise(part(block), features)
    const fold = { block, features, fitted, held: blockOf(series, block) }
    onFold?.(fold)
    return {
      block,
      scores: fitted.map((x) => scoreSet(x, set)),
      disturbed: disturb(fold, new Random(disturbSeed)),
    }
  }
}
