/** The detectors that training knows. To add one: its file, a line here, and the checks of detectors.test.ts hold for it. */

import { batchesOf, type TrainingSet } from '../features/training-set.ts'
import { autoencoder } from './autoencoder.ts'
import { convolution } from './convolution.ts'
import { isolationForest } from './isolation_forest.ts'
import { localOutlierFactor } from './local_outlier_factor.ts'
import { pcaWin } from './pca_win.ts'
import type { Detector, Fitted } from './types.ts'
import { autoregression } from './var.ts'
import { winZ } from './win_z.ts'

export const DETECTORS: readonly Detector[] = [
  isolationForest(),
  winZ(),
  pcaWin(),
  autoregression(),
  localOutlierFactor(),
  autoencoder(),
  convolution(),
]

/** The largest files and the dearest fits, for no sure gain: only where they are asked for by name, or all are. */
const ON_REQUEST: ReadonlySet<string> = new Set(['local_outlier_factor', 'autoencoder', 'convolution'])

/** What a bundle holds unless it is asked for others. */
export const DEFAULT_DETECTORS: readonly Detector[] = DETECTORS.filter(({ name }) => !ON_REQUEST.has(name))

/** Reference scores of every row of a set, in order [n]. */
export function scoreSet(fitted: Fitted, set: TrainingSet): Float64Array {
  const scores = new Float64Array(set.mask.length / set.signals)
  let at = 0
  const windows = fitted.inputs.includes('rows')
  for (const batch of batchesOf(set, { windows, ewmaAlpha: fitted.ewmaAlpha ?? 0 })) {
    scores.set(fitted.score(batch), at)
    at += batch.n
  }
  return scores
}

export * from './autoencoder.ts'
export * from './convolution.ts'
export * from './isolation_forest.ts'
export * from './local_outlier_factor.ts'
export * from './pca_win.ts'
export * from './types.ts'
export * from './var.ts'
export * from './win_z.ts'
