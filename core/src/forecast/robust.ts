/** Regression by least absolute deviations. */
import { addGram, mirror, solvePositive } from '../linalg/index.ts'

const ROUNDS = 5

/**
 * Minimises the weighted sum of |y - x'b| + ridge'b^2 by iteratively reweighted least squares: every round solves least
 * squares with weights 1 / max(|residual|, a tenth of the mean one), which is Huber's estimator with a narrow middle.
 * @param x rows [n,p], row by row
 * @param y [n]
 * @param weights [n], importance of each row, >= 0
 * @param ridge [p], in rows: how many rows of weight 1 a zero coefficient weighs (columns should be of unit size)
 * @returns coefficients [p]; zeros where nothing can be fitted
 */
export function robustRegression(
  x: Float64Array,
  y: Float64Array,
  weights: Float64Array,
  ridge: Float64Array,
  rounds = ROUNDS,
): Float64Array {
  const n = y.length
  const p = ridge.length
  const q = p + 1
  const rows = new Float64Array(n * q)
  const coefficients = new Float64Array(p)
  const residuals = y.slice()
  const gram = new Float64Array(q * q)
  const a = new Float64Array(p * p)
  const b = new Float64Array(p)
  let size = 0
  for (const w of weights) size += w
  for (let round = 0; round < rounds && size > 0; round++) {
    let total = 0
    for (let i = 0; i < n; i++) total += (weights[i] as number) * Math.abs(residuals[i] as number)
    const least = (0.1 * total) / size
    if (!(least > 0)) break
    let mean = 0
    for (let i = 0; i < n; i++) {
      const w = (weights[i] as number) * (round === 0 ? 1 : least / Math.max(Math.abs(residuals[i] as number), least))
      mean += w
      const root = Math.sqrt(w)
      for (let j = 0; j < p; j++) rows[i * q + j] = root * (x[i * p + j] as number)
      rows[i * q + p] = root * (y[i] as number)
    }
    gram.fill(0)
    addGram(rows, q, gram)
    mirror(gram, q)
    const shrink = mean / size
    for (let i = 0; i < p; i++) {
      for (let j = 0; j < p; j++) a[i * p + j] = gram[i * q + j] as number
      a[i * p + i] = (a[i * p + i] as number) + shrink * (ridge[i] as number) + 1e-9 * size
      b[i] = gram[i * q + p] as number
    }
    coefficients.set(solvePositive(a, b, p))
    for (let i = 0; i < n; i++) {
      let sum = 0
      for (let j = 0; j < p; j++) sum += (x[i * p + j] as number) * (coefficients[j] as number)
      residuals[i] = (y[i] as number) - sum
    }
  }
  return coefficients
}
