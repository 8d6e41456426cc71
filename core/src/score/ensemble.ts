/**
 * From detectors' raw scores to one calibrated score: EWMA of each, logarithm, (x - median) / (q95 - median) of its
 * calibration, weighted mean. A calibrated score is 0 at the median of normal rows and 1 at their 95 % quantile.
 */
import { type DetectorManifest, type Manifest, type Voter, votersOf } from '../manifest.ts'

/** Keeps the logarithm finite for a score of 0. */
const TINY = 1e-12
const MIN_SPREAD = 0.1

export function calibrated(smoothed: number, calibration: DetectorManifest['calibration']): number {
  return (Math.log(Math.max(smoothed, TINY)) - calibration.median) / spreadOf(calibration)
}

/** What 1 of a calibrated score is in its logarithm. */
export function spreadOf({ median, q95 }: DetectorManifest['calibration']): number {
  return Math.max(q95 - median, MIN_SPREAD)
}

export class Ensemble {
  /** Calibrated score of each voter at the last step; NaN where its raw score was not finite. */
  readonly detectors: Float64Array
  readonly #voters: readonly Voter[]
  readonly #smoothing: number
  readonly #smoothed: Float64Array

  constructor(manifest: Manifest) {
    this.#voters = votersOf(manifest)
    this.#smoothing = manifest.ensemble.smoothing
    this.#smoothed = new Float64Array(this.#voters.length).fill(Number.NaN)
    this.detectors = new Float64Array(this.#voters.length).fill(Number.NaN)
  }

  /**
   * @param raw score of voter k of this row; a value that is not finite leaves that detector out of the row
   * @returns the weighted mean of the calibrated scores; NaN if no detector with a weight gave one
   */
  step(raw: (k: number) => number): number {
    const voters = this.#voters
    let sum = 0
    let weights = 0
    for (let k = 0; k < voters.length; k++) {
      const { weight, calibration } = voters[k] as Voter
      const score = raw(k)
      if (!Number.isFinite(score)) {
        this.detectors[k] = Number.NaN
        continue
      }
      const before = this.#smoothed[k] as number
      const smoothed = Number.isNaN(before) ? score : before + this.#smoothing * (score - before)
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
