/**
 * Ridge logistic regression by Newton's method (iteratively reweighted least squares).
 *
 * Minimises |w|^2 / 2 + C * sum of log-losses; the intercept is not penalised. Works when the log odds are near linear in
 * the features and there are a few events a feature. Does not where classes interleave: the probability then stays near
 * the base rate, which is the honest answer.
 */
import { solvePositive } from '@portent/core/linalg'

export interface Logistic {
  /** [K]. */
  readonly weights: Float64Array
  readonly intercept: number
}

/** With the features standardised inside: the probability of raw features is that of (x - mean) / scale. */
export interface StandardLogistic extends Logistic {
  readonly mean: Float64Array
  readonly scale: Float64Array
}

const MAX_STEPS = 100

/**
 * @param x [n,k]
 * @param y 0 or 1 [n]
 * @throws RangeError when only one class is present
 */
export function fitLogistic(x: Float64Array, k: number, y: ArrayLike<number>, C = 1): Logistic {
  const n = y.length
  if (x.length !== n * k) throw new RangeError(`${x.length} values do not make ${n} rows of ${k} features`)
  let events = 0
  for (let i = 0; i < n; i++) events += y[i] as number
  if (events === 0 || events === n) throw new RangeError('a logistic regression needs rows of both classes')

  const p = k + 1
  let beta = new Float64Array(p)
  beta[k] = Math.log(events / (n - events))
  let loss = lossOf(x, k, y, beta, C)
  for (let step = 0; step < MAX_STEPS; step++) {
    const { gradient, hessian } = derivatives(x, k, y, beta, C)
    const delta = solvePositive(hessian, gradient, p)
    // Halve the step until the loss falls: plain Newton may overshoot far from the optimum.
    let size = 1
    let next = beta
    let nextLoss = loss
    for (; size > 1e-8; size /= 2) {
      next = beta.map((b, i) => b - size * (delta[i] as number))
      nextLoss = lossOf(x, k, y, next, C)
      if (nextLoss <= loss) break
    }
    if (nextLoss > loss) break
    const moved = Math.max(...delta.map(Math.abs)) * size
    beta = next
    loss = nextLoss
    if (moved < 1e-12 * Math.max(1, ...beta.map(Math.abs))) break
  }
  return { weights: beta.slice(0, k), intercept: beta[k] as number }
}

/** The same on features brought to mean 0 and standard deviation 1; a constant feature is left out (weight 0). */
export function fitStandardLogistic(x: Float64Array, k: number, y: ArrayLike<number>, C = 1): StandardLogistic {
  const n = x.length / k
  const mean = new Float64Array(k)
  const scale = new Float64Array(k)
  for (let j = 0; j < k; j++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += x[i * k + j] as number
    mean[j] = sum / n
    let squares = 0
    for (let i = 0; i < n; i++) squares += ((x[i * k + j] as number) - (mean[j] as number)) ** 2
    const std = Math.sqrt(squares / n)
    scale[j] = std > 1e-12 ? std : 1
  }
  const z = x.map((value, i) => (value - (mean[i % k] as number)) / (scale[i % k] as number))
  return { ...fitLogistic(z, k, y, C), mean, scale }
}

/** Probability of one row [K] of raw features. */
export function probabilityOf(model: StandardLogistic, x: ArrayLike<number>, offset = 0): number {
  let logit = model.intercept
  for (let j = 0; j < model.weights.length; j++) {
    const z = ((x[offset + j] as number) - (model.mean[j] as number)) / (model.scale[j] as number)
    logit += (model.weights[j] as number) * z
  }
  return sigmoid(logit)
}

export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))
}

function logitOf(x: Float64Array, k: number, i: number, beta: Float64Array): number {
  let sum = beta[k] as number
  for (let j = 0; j < k; j++) sum += (beta[j] as number) * (x[i * k + j] as number)
  return sum
}

function lossOf(x: Float64Array, k: number, y: ArrayLike<number>, beta: Float64Array, C: number): number {
  let loss = 0
  for (let j = 0; j < k; j++) loss += (beta[j] as number) ** 2 / 2
  for (let i = 0; i < y.length; i++) {
    const s = logitOf(x, k, i, beta)
    const margin = y[i] === 1 ? s : -s
    loss += C * (margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin)
  }
  return loss
}

function derivatives(x: Float64Array, k: number, y: ArrayLike<number>, beta: Float64Array, C: number) {
  const p = k + 1
  const gradient = new Float64Array(p)
  const hessian = new Float64Array(p * p)
  const row = new Float64Array(p)
  row[k] = 1
  for (let j = 0; j < k; j++) {
    gradient[j] = beta[j] as number
    hessian[j * p + j] = 1
  }
  // The intercept is free; where every probability saturates, this keeps the matrix invertible.
  hessian[k * p + k] = 1e-12
  for (let i = 0; i < y.length; i++) {
    const probability = sigmoid(logitOf(x, k, i, beta))
    const error = C * (probability - (y[i] as number))
    const weight = C * probability * (1 - probability)
    for (let j = 0; j < k; j++) row[j] = x[i * k + j] as number
    for (let a = 0; a < p; a++) {
      gradient[a] = (gradient[a] as number) + error * (row[a] as number)
      for (let b = 0; b < p; b++) {
        hessian[a * p + b] = (hessian[a * p + b] as number) + weight * (row[a] as number) * (row[b] as number)
      }
    }
  }
  return { gradient, hessian }
}
