/** Small order statistics. */

/** Linear between the two nearest values, as NumPy's default; `sorted` ascending. */
export function sortedQuantile(sorted: Float64Array, p: number): number {
  const at = p * (sorted.length - 1)
  const low = Math.floor(at)
  const [a, b] = [sorted[low] as number, sorted[Math.min(sorted.length - 1, low + 1)] as number]
  return a + (at - low) * (b - a)
}

const GRID = [
  0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98,
  0.985, 0.99, 0.9925, 0.995, 0.9965, 0.998, 0.999, 0.9995, 0.9999, 1,
]

/** A distribution as the quantiles that a manifest keeps, 8 significant digits. */
export function quantilesOf(values: Float64Array): [number, number][] {
  const sorted = values.slice().sort()
  return GRID.map((p) => [p, rounded(sortedQuantile(sorted, p))])
}

export function rounded(x: number): number {
  return Number(x.toPrecision(8))
}

/** Area under the precision-recall curve as average precision; ties share a threshold. */
export function averagePrecision(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort(
    (a, b) => (scores[b] as number) - (scores[a] as number),
  )
  let [hits, seen, area, recall] = [0, 0, 0, 0]
  const positives = Array.from(labels).reduce((sum, y) => sum + y, 0)
  for (let k = 0; k < order.length; k++) {
    const i = order[k] as number
    seen++
    hits += labels[i] as number
    const next = order[k + 1]
    if (next !== undefined && scores[next] === scores[i]) continue
    area += (hits / positives - recall) * (hits / seen)
    recall = hits / positives
  }
  return area
}

/** Logarithm of the exponential mean of scores. */
export function smoothedLogs(scores: Float64Array, smoothing: number): number[] {
  let state = scores[0] as number
  return Array.from(scores, (x) => {
    state += smoothing * (x - state)
    return Math.log(Math.max(state, 1e-12))
  })
}
