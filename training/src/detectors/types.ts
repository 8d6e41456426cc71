/**
 * What a detector is: fitted on standardised rows, it gives each row a score without bound, higher = more anomalous, and
 * writes itself as an ONNX file that computes the same.
 */
import type { DETECTOR_INPUTS } from '@portent/core'
import type { TrainingSet } from '../features/training-set.ts'
import type { Random } from '../random.ts'

export type DetectorInput = (typeof DETECTOR_INPUTS)[number]

/** N rows with their windows; shapes as in the manifest. Numbers of absent signals are 0, and must not matter. */
export interface Batch {
  /** N. */
  readonly n: number
  /** d. */
  readonly signals: number
  /** Standardised, not clipped [N,6d]. */
  readonly features: Float64Array
  /** Standardised, not clipped, oldest first [N,L,d]. */
  readonly rows: Float64Array
  /** 1 = present [N,d]. */
  readonly mask: Float64Array
  /** Exponential mean of the clipped rows before this one [N,d]. */
  readonly ewma: Float64Array
}

export interface Fitted {
  readonly name: string
  /** What the ONNX file reads. */
  readonly inputs: readonly DetectorInput[]
  /** Factor of `ewma`, for a detector that reads it. */
  readonly ewmaAlpha?: number
  /** The ONNX file takes float32 instead of double. */
  readonly float32?: boolean
  /** Largest |difference| / max(1, |score|) that the ONNX file may show against `score`. */
  readonly tolerance: number
  /** Reference in double precision: one score a row [N]. */
  score(batch: Batch): Float64Array
  /** Share of each feature in the score [N,6d]; a row's shares add up to its score. */
  contributions?(batch: Batch): Float64Array
  toOnnx(): Uint8Array
}

export interface Detector<F extends Fitted = Fitted> {
  /** Also the name of its file, its metric label and its place in a manifest. */
  readonly name: string
  /** @throws RangeError when the set is too small or degenerate for this detector */
  fit(train: TrainingSet, random: Random): F
}

/** A detector whose fit leaves nothing to chance. */
export interface SeedlessDetector<F extends Fitted> extends Detector<F> {
  fit(train: TrainingSet): F
}
