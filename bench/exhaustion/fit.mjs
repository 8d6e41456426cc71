/** Smooth convex fits by L-BFGS: logistic regression and quantile regression, with weights and a ridge. */

const RIDGE = 5e-4
/** Width of the rounded corner of the pinball loss, in ln of time. */
const CORNER = 0.03

/** @param rows matrix in rows of `width` numbers, the first of them 1 */
export function logisticFit(rows, width, y, weights) {
  return fit(rows, width, weights, (z, i) => [softplus(z) - y[i] * z, 1 / (1 + Math.exp(-z)) - y[i]])
}

export function quantileFit(rows, width, y, weights, q) {
  return fit(rows, width, weights, (z, i) => {
    const u = y[i] - z
    return [q * u + CORNER * softplus(-u / CORNER), 1 / (1 + Math.exp(u / CORNER)) - q]
  })
}

function softplus(x) {
  return x > 30 ? x : Math.log1p(Math.exp(x))
}

function fit(rows, width, weights, lossOf) {
  const n = weights.length
  const total = weights.reduce((a, b) => a + b, 0)
  const mean = new Float64Array(width)
  const deviation = new Float64Array(width).fill(1)
  for (let j = 1; j < width; j++) {
    let [sum, squares] = [0, 0]
    for (let i = 0; i < n; i++) {
      sum += rows[i * width + j]
      squares += rows[i * width + j] ** 2
    }
    mean[j] = sum / n
    deviation[j] = Math.sqrt(Math.max(0, squares / n - mean[j] ** 2)) + 1e-6
  }
  const x = Float64Array.from(rows, (v, k) => (v - mean[k % width]) / deviation[k % width])
  const objective = (b) => {
    const gradient = new Float64Array(width)
    let value = 0
    for (let i = 0; i < n; i++) {
      let z = 0
      for (let j = 0; j < width; j++) z += x[i * width + j] * b[j]
      const [loss, slope] = lossOf(z, i)
      const w = weights[i] / total
      value += w * loss
      for (let j = 0; j < width; j++) gradient[j] += w * slope * x[i * width + j]
    }
    for (let j = 1; j < width; j++) {
      value += RIDGE * b[j] ** 2
      gradient[j] += 2 * RIDGE * b[j]
    }
    return { value, gradient }
  }
  const b = minimise(objective, new Float64Array(width)).map((v, j) => v / deviation[j])
  for (let j = 1; j < width; j++) b[0] -= b[j] * mean[j]
  return [...b]
}

function minimise(objective, start, { steps = 250, memory = 10 } = {}) {
  let b = start
  let { value, gradient } = objective(b)
  const pairs = []
  for (let step = 0; step < steps; step++) {
    const d = gradient.map((g) => -g)
    const alphas = []
    for (const { s, y, rho } of pairs.toReversed()) {
      const alpha = rho * dot(s, d)
      alphas.push(alpha)
      for (let j = 0; j < d.length; j++) d[j] -= alpha * y[j]
    }
    const last = pairs.at(-1)
    const scale = last ? dot(last.s, last.y) / dot(last.y, last.y) : 1 / Math.max(1, Math.sqrt(dot(gradient, gradient)))
    for (let j = 0; j < d.length; j++) d[j] *= scale
    for (const { s, y, rho } of pairs) {
      const beta = rho * dot(y, d)
      const alpha = alphas.pop()
      for (let j = 0; j < d.length; j++) d[j] += (alpha - beta) * s[j]
    }
    const slope = dot(gradient, d)
    if (slope > -1e-12) break
    let t = 1
    let next = null
    for (; t > 1e-8; t /= 2) {
      const at = b.map((v, j) => v + t * d[j])
      const there = objective(at)
      if (there.value <= value + 1e-4 * t * slope) {
        next = { at, ...there }
        break
      }
    }
    if (next === null) break
    const s = next.at.map((v, j) => v - b[j])
    const y = next.gradient.map((v, j) => v - gradient[j])
    const sy = dot(s, y)
    if (sy > 1e-14) {
      pairs.push({ s, y, rho: 1 / sy })
      if (pairs.length > memory) pairs.shift()
    }
    const gain = value - next.value
    ;({ at: b, value, gradient } = next)
    if (gain < 1e-9) break
  }
  return b
}

function dot(a, b) {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}
