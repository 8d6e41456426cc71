/**
 * AUC-ROC: the area under recall over the false-positive rate by trapezoids, which is the share of pairs of an anomalous
 * and a normal row that the score orders rightly, ties counting half. As `roc_auc_score` of scikit-learn.
 */
import type { OperatingPoints } from './operating-points.ts'

export function rocAreaOf({ points, positives, negatives }: OperatingPoints): number {
  let [area, recallBefore, rateBefore] = [0, 0, 0]
  for (const { truePositives, falsePositives } of points) {
    const recall = truePositives / positives
    const rate = falsePositives / Math.max(negatives, 1)
    area += ((rate - rateBefore) * (recall + recallBefore)) / 2
    recallBefore = recall
    rateBefore = rate
  }
  return area
}
