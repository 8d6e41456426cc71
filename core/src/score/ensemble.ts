/**
 * From detectors' raw scores to one calibrated score: EWMA of each, logarithm, (x - median) / (q95 - median) of its
 * calibration, weighted mean. A calibrated score is 0 at the median of normal rows and 1 at their 95 % quantile.
 */
import type { DetectorManifest, Manifest } from '../manifest.ts'

/** Keeps the logarithm finite for a score of 0. */
const TINY = 1e-12
const MIN_SPREAD = 0.1

export function calibrated(smoothed: number, { median, q95 }: DetectorManifest['calibration']): number {
  return (Math.log(Math.max(smoothed, TINY)) - median) / Math.max(q95 - median, MIN_SPREAD)
}

export class Ensemble {
  /** Calibrated score of each detector at the last step; NaN where its raw score was not finite. */
  readonly detectors: Float64Array
  readonly #manifest: Manifest
  readonly #smoothed: Float64Array

  constructor(manifest: Manifest) {
    this.#manifest = manifest
    this.#smoothed = new Float64Array(manifest.detectors.length).fill(Number.NaN)
    this.detectors = new Float64Array(manifest.detectors.length).fill(Number.NaN)
  }

  /**
   * @param raw score of detector k of this row; a value that is not finite leaves that detector out of the row
   * @returns the weighted mean of the calibrated scores; NaN if no detector with a weight gave one
   */
  step(raw: (k: number) => number): number {
    const { detectors, ensemble } = this.#manifest
    let sum = 0
    let weights = 0
    for (let k = 0; k < detectors.length; k++) {
      const { weight, calibration } = detectors[k] as DetectorManifest
      const score = raw(k)
      if (!Number.isFinite(score)) {
        this.detectors[k] = Number.NaN
        continue
      }
      const before = this.#smoothed[k] as number
      const smoothed = Number.isNaN(before) ? score : before + ensemble.smoothing * (score - before)
      this.#smoothed[k] = smoothed
      this.detectors[k] = calibrated(smoothed, calibration)
      sum += weight * (this.detectors[k] as number)
      weights += weight
    }
    return weights > 0 ? sum / weights : Number.NaN
  }

  /** A hole in time: the next row starts the smoothing afresh. */
  reset(): void {
    this.#smoothed.fill(Number.NaN)
  }
}
