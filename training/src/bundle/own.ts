/**
 * A bundle of one host's own past. Features are standardised by the host's own mean and spread, the centre is frozen, and
 * every model is fitted on all the rows. Scores to calibrate with come from blocked cross-fitting: of four contiguous
 * blocks each is scored by models that were fitted on the other three, and no window reaches over a cut, so that no model
 * scores a row it saw.
 */
import type { Manifest, Transform } from '@portent/core'
import { type Detector, type Fitted, scoreSet } from '../detectors/index.ts'
import {
  type FeatureModel,
  type FeatureRows,
  featureRowsOf,
  joinFeatureRows,
  joinSeries,
  type Segment,
  type Series,
  scaledFeatureModel,
  seriesOf,
  sliceFeatureRows,
  sliceSeries,
  standardise,
  type TrainingSet,
} from '../features/index.ts'
import type { Random } from '../random.ts'
import { calibrateDetectors, combine, type RawScores, withDistributions } from './calibrate.ts'
import { dailyOf } from './daily.ts'
import { driftOf } from './drift.ts'
import type { FailurePart } from './failure.ts'
import { casesOf, goldenOf, madeUp } from './golden.ts'
import type { Recording } from './recording.ts'
import type { ReferenceModel } from './reference.ts'
import { untunedManifest } from './untuned.ts'
import type { BundleParts } from './write.ts'

export const BLOCKS = 4
/** Most that the seed weighs, the whole rolling window: an hour of a host's own past says as much as one of its next days. */
const MOST_SEED_HOURS = 144

export interface OwnOptions {
  readonly name: string
  readonly intervalSeconds: number
  /** In the order of the recording's columns. */
  readonly signals: Manifest['signals']
  /** Rows without a hole in time between them; they cover all the rows. */
  readonly segments: readonly Segment[]
  /** win_z among them. */
  readonly detectors: readonly Detector[]
  /** By name; 0 where there is none. */
  readonly weights: Readonly<Record<string, number>>
  readonly failure: FailurePart | null
  readonly evidence: Readonly<Record<string, unknown>>
  readonly random: Random
  /** Called before each of the steps. */
  readonly progress: (done: number, steps: number, what: string) => void
}

/** What held-out rows showed, for the reader of a report. */
export interface HeldOut {
  /** Rows by piece: contiguous, of one block, in order of time. */
  readonly pieces: readonly Piece[]
  readonly raw: RawScores
  /** Calibrated scores of every row: the ensemble's, then each detector's. */
  readonly ensemble: Float64Array
  readonly detectors: readonly Float64Array[]
}

export interface Piece {
  readonly block: number
  readonly rows: number
}

export interface Fold {
  readonly block: number
  readonly features: FeatureModel
  readonly fitted: readonly Fitted[]
  /** Held-out rows in natural units. */
  readonly held: Series
}

export interface OwnBundle extends BundleParts {
  readonly heldOut: HeldOut
}

/** @param onFold sees the models of each block while they are there */
export function makeOwnBundle(recording: Recording, options: OwnOptions, onFold?: (fold: Fold) => void): OwnBundle {
  const { signals, detectors: kinds, weights, failure, random, progress } = options
  const transforms = signals.map((s) => s.transform)
  const series = seriesOf(
    recording.values,
    signals.length,
    options.segments.map((s) => s.end),
  )

  const { raw, pieces } = crossFit(series, transforms, options, onFold)

  progress(BLOCKS, BLOCKS + 1, 'fitting on all rows')
  const { features, fitted, set } = fitOn(featureRowsOf(series, transforms), transforms, kinds, random)
  const model: ReferenceModel = { features, detectors: fitted, primary: 'win_z' }
  const untuned = untunedManifest({
    name: options.name,
    intervalSeconds: options.intervalSeconds,
    signals,
    features,
    detectors: fitted,
    center: { mode: 'frozen' },
    seedHours: Math.min(MOST_SEED_HOURS, (recording.at.length * options.intervalSeconds) / 3600),
    ...(failure ? { failure: failure.entry } : {}),
  })
  const weighed: Manifest = {
    ...untuned,
    detectors: untuned.detectors.map((x) => ({ ...x, weight: weights[x.name] ?? 0 })),
    evidence: { ...options.evidence },
  }
  const tuned = withDistributions(raw, { ...weighed, detectors: calibrateDetectors(raw, weighed) })
  const { smoothing } = tuned.ensemble
  const daily = dailyOf(set, fitted, weights, { intervalSeconds: options.intervalSeconds, smoothing })
  const manifest: Manifest = { ...tuned, ...(daily ? { daily } : {}) }
  const { ensemble, detectors } = combine(raw, manifest)
  const drift = driftOf(recording, manifest, detectors)
  const half = Math.floor(recording.at.length / 2)
  const cases = [
    ...casesOf([{ ...recording, name: 'from the first row on' }, laterPart(recording, half)], manifest, model),
    ...madeUp(manifest, random.fork('golden')),
  ]
  return {
    manifest: drift ? { ...manifest, drift } : manifest,
    model,
    failure: failure?.model ?? null,
    golden: goldenOf(cases, manifest, model, failure?.golden ?? []),
    heldOut: { pieces, raw, ensemble, detectors },
  }
}

/** Scores of every row by models that did not see it, in pieces without a hole in time or a cut. */
function crossFit(
  series: Series,
  transforms: readonly Transform[],
  { detectors: kinds, random, progress }: OwnOptions,
  onFold?: (fold: Fold) => void,
): { raw: RawScores; pieces: Piece[] } {
  const rows = series.mask.length / series.signals
  const cut = (block: number) => Math.floor((block * rows) / BLOCKS)
  const indices = Array.from({ length: BLOCKS }, (_, b) => b)
  // Joined, the blocks are the series with windows that start afresh at every cut.
  const blocks = indices.map((b) => sliceSeries(series, cut(b), cut(b + 1)))
  const all = featureRowsOf(joinSeries(blocks), transforms)
  const raw: Float64Array[][] = []
  const pieces: Piece[] = []
  for (const [block, held] of blocks.entries()) {
    progress(block, BLOCKS + 1, `cross-fitting block ${block + 1} of ${BLOCKS}`)
    const part = (b: number) => sliceFeatureRows(all, cut(b), cut(b + 1))
    const others = joinFeatureRows(indices.filter((b) => b !== block).map(part))
    const { features, fitted } = fitOn(others, transforms, kinds, random.fork(`block ${block}`))
    const set = standardise(part(block), features)
    const scores = fitted.map((x) => scoreSet(x, set))
    for (const { start, end } of held.segments) {
      raw.push(scores.map((x) => x.subarray(start, end)))
      pieces.push({ block, rows: end - start })
    }
    onFold?.({ block, features, fitted, held })
  }
  return { raw, pieces }
}

function fitOn(
  rows: FeatureRows,
  transforms: readonly Transform[],
  kinds: readonly Detector[],
  random: Random,
): { features: FeatureModel; fitted: Fitted[]; set: TrainingSet } {
  const features = scaledFeatureModel(rows, transforms)
  const set = standardise(rows, features)
  return { features, fitted: kinds.map((kind) => kind.fit(set, random.fork(kind.name))), set }
}

function laterPart(recording: Recording, from: number): Recording {
  const d = recording.signals.length
  return {
    ...recording,
    name: 'from the middle on',
    at: recording.at.slice(from),
    values: recording.values.slice(from * d),
  }
}
