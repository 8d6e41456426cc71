/**
 * The best F1 = 2 P R / (P + R) over all thresholds, row by row. **No point adjustment** (a whole event counted as found
 * for one of its rows): with it random scores look excellent (Kim et al., AAAI 2022).
 */
import type { OperatingPoints } from './operating-points.ts'

export interface BestF1 {
  readonly f1: number
  /** The highest threshold that reaches it. */
  readonly threshold: number
}

export function bestF1Of({ points, positives }: OperatingPoints): BestF1 {
  let best: BestF1 = { f1: 0, threshold: points[0]?.threshold ?? Number.NaN }
  for (const { threshold, truePositives, falsePositives } of points) {
    const f1 = (2 * truePositives) / (truePositives + falsePositives + positives)
    if (f1 > best.f1) best = { f1, threshold }
  }
  return best
}
