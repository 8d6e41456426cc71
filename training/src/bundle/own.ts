/**
 * A bundle of one host's own past. Features are standardised by the host's own mean and spread, the centre is frozen, and
 * every model is fitted on all the rows. Scores to calibrate with come from blocked cross-fitting: of four contiguous
 * blocks each is scored by models that were fitted on the other three, and no window reaches over a cut, so that no model
 * scores a row it saw.
 */
import type { Manifest } from '@portent/core'
import type { Detector } from '../detectors/index.ts'
import {
  featureRowsOf,
  type Segment,
  type Series,
  scaledFeatureModel,
  seriesOf,
  standardise,
} from '../features/index.ts'
import type { Random } from '../random.ts'
import { calibrateDetectors, combine, type RawScores, withDistributions } from './calibrate.ts'
import { canSend, crossFitBeside, crossFitHere, worthThread } from './cross-fit.ts'
import { dailyOf } from './daily.ts'
import type { Disturbed } from './disturb.ts'
import { driftOf } from './drift.ts'
import type { FailurePart } from './failure.ts'
import { BLOCKS, blockOf, type Fold, type FoldOutcome, foldInput } from './folds.ts'
import { casesOf, goldenOf, madeUp } from './golden.ts'
import type { Recording } from './recording.ts'
import type { ReferenceModel } from './reference.ts'
import { untunedManifest } from './untuned.ts'
import type { BundleParts } from './write.ts'

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
  /** Whether the folds get a thread of their own; by the number of rows and processors if left out. The bytes are the same. */
  readonly thread?: boolean | undefined
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

export interface OwnBundle extends BundleParts {
  readonly heldOut: HeldOut
  /** Held-out rows of every block, disturbed. */
  readonly disturbed: readonly Disturbed[]
}

/** @param onFold sees the models of each block while they are there, which are then made in this thread */
export async function makeOwnBundle(
  recording: Recording,
  options: OwnOptions,
  onFold?: (fold: Fold) => void,
): Promise<OwnBundle> {
  const { signals, detectors: kinds, weights, failure, random, intervalSeconds } = options
  const transforms = signals.map((s) => s.transform)
  const series = seriesOf(
    recording.values,
    signals.length,
    options.segments.map((s) => s.end),
  )
  const rows = featureRowsOf(series, transforms)
  const thread = onFold === undefined && (options.thread ?? worthThread(recording.at.length, kinds)) && canSend(kinds)
  const input = foldInput(series, rows, transforms, { random, shared: thread })

  /** All that needs no fold: models of all the rows, and the daily members. */
  const fitWhole = () => {
    step('fitting on all rows')
    const features = scaledFeatureModel(rows, transforms)
    const set = standardise(rows, features, { inPlace: true })
    const fitted = kinds.map((kind) => kind.fit(set, random.fork(kind.name)))
    const untuned = untunedManifest({
      name: options.name,
      intervalSeconds,
      signals,
      features,
      detectors: fitted,
      center: { mode: 'frozen' },
      seedHours: Math.min(MOST_SEED_HOURS, (recording.at.length * intervalSeconds) / 3600),
      ...(failure ? { failure: failure.entry } : {}),
    })
    const { smoothing } = untuned.ensemble
    return { features, fitted, untuned, daily: dailyOf(set, fitted, weights, { intervalSeconds, smoothing }) }
  }
  let steps = 0
  const step = (what: string) => options.progress(steps++, BLOCKS + 1, what)
  const begun = (block: number) => step(`cross-fitting block ${block + 1} of ${BLOCKS}`)
  const { outcomes, rest } = thread
    ? await crossFitBeside(input, kinds, fitWhole, { begun })
    : crossFitHere(input, kinds, fitWhole, { begun, onFold })

  const { raw, pieces } = piecesOf(series, outcomes)
  const { features, fitted, untuned, daily } = rest
  const model: ReferenceModel = { features, detectors: fitted, primary: 'win_z' }
  const weighed: Manifest = {
    ...untuned,
    detectors: untuned.detectors.map((x) => ({ ...x, weight: weights[x.name] ?? 0 })),
    evidence: { ...options.evidence },
  }
  const tuned = withDistributions(raw, { ...weighed, detectors: calibrateDetectors(raw, weighed) })
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
    golden: goldenOf(cases, manifest, model, failure?.golden ?? []),
    heldOut: { pieces, raw, ensemble, detectors },
    disturbed: outcomes.flatMap((x) => x.disturbed),
  }
}

/** Scores of every row by models that did not see it, in pieces without a hole in time or a cut. */
function piecesOf(series: Series, outcomes: readonly FoldOutcome[]): { raw: RawScores; pieces: Piece[] } {
  const raw: Float64Array[][] = []
  const pieces: Piece[] = []
  for (const { block, scores } of outcomes) {
    for (const { start, end } of blockOf(series, block).segments) {
      raw.push(scores.map((x) => x.subarray(start, end)))
      pieces.push({ block, rows: end - start })
    }
  }
  return { raw, pieces }
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
