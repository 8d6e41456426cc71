/**
 * Logistic regression with weights that are not negative, by projected Newton: each step solves the quadratic model under
 * the constraint by coordinate descent. Minimises penalty * |w|^2 / 2 + the weighted sum of log-losses; the intercept is
 * free and not penalised.
 */

export interface Logistic {
  /** [K], each at least 0. */
  readonly weights: Float64Array
  readonly intercept: number
}

const MOST_STEPS = 60
const MOST_SWEEPS = 300

/**
 * @param x [n,k]; @param y 0 or 1 [n]; @param weights of the rows [n]
 * @throws RangeError when only one class is present
 */
export function fitNonNegative(
  x: Float64Array,
  k: number,
  y: ArrayLike<number>,
  weights: ArrayLike<number>,
  penalty = 1,
): Logistic {
  const n = y.length
  let [events, total] = [0, 0]
  for (let i = 0; i < n; i++) {
    total += weights[i] as number
    if (y[i] === 1) events += weights[i] as number
  }
  if (!(events > 0 && events < total)) throw new RangeError('a logistic regression needs rows of both classes')
  const sparse = sparseRows(x, k)
  const p = k + 1
  let beta = new Float64Array(p)
  beta[k] = Math.log(events / (total - events))
  let loss = lossOf(sparse, n, y, weights, beta, penalty)
  for (let step = 0; step < MOST_STEPS; step++) {
    const { gradient, hessian } = derivatives(sparse, n, y, weights, beta, penalty)
    const delta = constrainedStep(gradient, hessian, beta, p)
    let size = 1
    let next = beta
    let nextLoss = Number.POSITIVE_INFINITY
    for (; size > 1e-6; size /= 2) {
      next = beta.map((b, j) =>
        j < k ? Math.max(0, b + size * (delta[j] as number)) : b + size * (delta[j] as number),
      )
      nextLoss = lossOf(sparse, n, y, weights, next, penalty)
      if (nextLoss <= loss) break
    }
    if (nextLoss > loss) break
    const gained = loss - nextLoss
    beta = next
    loss = nextLoss
    if (gained < 1e-9 * Math.max(1, loss)) break
  }
  return { weights: beta.slice(0, k), intercept: beta[k] as number }
}

export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))
}

/** Most terms of a healthy row are 0: only the others are kept, the intercept's 1 last. */
interface SparseRows {
  readonly start: Int32Array
  readonly column: Int32Array
  readonly value: Float64Array
}

function sparseRows(x: Float64Array, k: number): SparseRows {
  const n = x.length / k
  let filled = n
  for (let i = 0; i < x.length; i++) if (x[i] !== 0) filled++
  const start = new Int32Array(n + 1)
  const column = new Int32Array(filled)
  const value = new Float64Array(filled)
  let at = 0
  for (let i = 0; i < n; i++) {
    start[i] = at
    for (let j = 0; j < k; j++) {
      const v = x[i * k + j] as number
      if (v === 0) continue
      column[at] = j
      value[at++] = v
    }
    column[at] = k
    value[at++] = 1
  }
  start[n] = at
  return { start, column, value }
}

function logitOf({ start, column, value }: SparseRows, i: number, beta: Float64Array): number {
  let sum = 0
  for (let a = start[i] as number; a < (start[i + 1] as number); a++) {
    sum += (beta[column[a] as number] as number) * (value[a] as number)
  }
  return sum
}

function lossOf(
  rows: SparseRows,
  n: number,
  y: ArrayLike<number>,
  weights: ArrayLike<number>,
  beta: Float64Array,
  penalty: number,
): number {
  let loss = 0
  for (let j = 0; j < beta.length - 1; j++) loss += (penalty * (beta[j] as number) ** 2) / 2
  for (let i = 0; i < n; i++) {
    const s = logitOf(rows, i, beta)
    const margin = y[i] === 1 ? s : -s
    loss +=
      (weights[i] as number) * (margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin)
  }
  return loss
}

function derivatives(
  rows: SparseRows,
  n: number,
  y: ArrayLike<number>,
  weights: ArrayLike<number>,
  beta: Float64Array,
  penalty: number,
) {
  const p = beta.length
  const { start, column, value } = rows
  const gradient = new Float64Array(p)
  const hessian = new Float64Array(p * p)
  for (let j = 0; j < p - 1; j++) {
    gradient[j] = penalty * (beta[j] as number)
    hessian[j * p + j] = penalty
  }
  hessian[p * p - 1] = 1e-9
  for (let i = 0; i < n; i++) {
    const probability = sigmoid(logitOf(rows, i, beta))
    const error = (weights[i] as number) * (probability - (y[i] as number))
    const curvature = (weights[i] as number) * probability * (1 - probability)
    const end = start[i + 1] as number
    for (let a = start[i] as number; a < end; a++) {
      const j = column[a] as number
      gradient[j] = (gradient[j] as number) + error * (value[a] as number)
      const scaled = curvature * (value[a] as number)
      for (let b = a; b < end; b++) {
        const at = j * p + (column[b] as number)
        hessian[at] = (hessian[at] as number) + scaled * (value[b] as number)
      }
    }
  }
  for (let a = 0; a < p; a++) for (let b = 0; b < a; b++) hessian[a * p + b] = hessian[b * p + a] as number
  return { gradient, hessian }
}

/** The step that minimises the quadratic model while no weight falls below 0. */
function constrainedStep(gradient: Float64Array, hessian: Float64Array, beta: Float64Array, p: number): Float64Array {
  const delta = new Float64Array(p)
  const slope = gradient.slice()
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let moved = 0
    for (let j = 0; j < p; j++) {
      const curvature = hessian[j * p + j] as number
      let next = (delta[j] as number) - (slope[j] as number) / curvature
      if (j < p - 1) next = Math.max(next, -(beta[j] as number))
      const change = next - (delta[j] as number)
      if (change === 0) continue
      delta[j] = next
      for (let b = 0; b < p; b++) slope[b] = (slope[b] as number) + change * (hessian[j * p + b] as number)
      moved = Math.max(moved, Math.abs(change))
    }
    if (moved < 1e-9) break
  }
  return delta
}
