/**
 * AUC-PR as average precision: the precision at each threshold, weighted by the recall it gains. No interpolation between
 * thresholds (that is too hopeful: Davis and Goadrich, ICML 2006). As `average_precision_score` of scikit-learn.
 */
import type { OperatingPoints } from './operating-points.ts'

export function averagePrecisionOf({ points, positives }: OperatingPoints): number {
  let [area, before] = [0, 0]
  for (const { truePositives, falsePositives } of points) {
    area += ((truePositives - before) / positives) * (truePositives / (truePositives + falsePositives))
    before = truePositives
  }
  return area
}
