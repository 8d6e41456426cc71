/** What each threshold would find: a point for every distinct score, from the highest down. Equal scores share a point. */

export interface OperatingPoint {
  /** Rows with at least this score are predicted anomalous. */
  readonly threshold: number
  readonly truePositives: number
  readonly falsePositives: number
}

export interface OperatingPoints {
  readonly points: readonly OperatingPoint[]
  readonly positives: number
  readonly negatives: number
}

/**
 * @param scores [n] higher = more anomalous
 * @param labels [n] above 0 where anomalous
 * @throws RangeError where no row is labelled
 */
export function operatingPoints(scores: ArrayLike<number>, labels: ArrayLike<number>): OperatingPoints {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort(
    (a, b) => (scores[b] as number) - (scores[a] as number),
  )
  const points: OperatingPoint[] = []
  let positives = 0
  for (let k = 0; k < order.length; k++) {
    const i = order[k] as number
    if ((labels[i] as number) > 0) positives++
    if (k + 1 < order.length && scores[order[k + 1] as number] === scores[i]) continue
    points.push({ threshold: scores[i] as number, truePositives: positives, falsePositives: k + 1 - positives })
  }
  if (positives === 0) throw new RangeError('no row is labelled anomalous')
  return { points, positives, negatives: order.length - positives }
}
