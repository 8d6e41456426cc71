/** The score that drift is looked for in. */
import type { DetectorManifest } from '../../manifest.ts'

/**
 * Weighted mean of the calibrated scores of the bundle's detectors, which stay as they are: what is updated from day to
 * day would follow a drift before it is seen.
 * @param calibrated score of detector k; one that is not finite is left out
 * @returns NaN if there is none with a weight
 */
export function frozenScore(
  detectors: readonly Pick<DetectorManifest, 'weight'>[],
  calibrated: (k: number) => number,
): number {
  let [sum, weights] = [0, 0]
  detectors.forEach(({ weight }, k) => {
    const score = calibrated(k)
    if (!(weight > 0) || !Number.isFinite(score)) return
    sum += weight * score
    weights += weight
  })
  return weights > 0 ? sum / weights : Number.NaN
}
