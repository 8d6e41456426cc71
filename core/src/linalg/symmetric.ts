/** Symmetric matrices as row-major Float64Array [n,n]: Gram products, Cholesky, eigenvectors. */

/**
 * Adds X'X to `gram` [p,p], upper triangle only.
 * @param x rows [n,p]
 */
export function addGram(x: Float64Array, p: number, gram: Float64Array): void {
  const n = x.length / p
  let r = 0
  // Four rows and two lines of the sums at a time: every number that is loaded serves several products.
  for (; r + 4 <= n; r += 4) {
    const r0 = r * p
    const r1 = r0 + p
    const r2 = r1 + p
    const r3 = r2 + p
    let i = 0
    for (; i + 2 <= p; i += 2) {
      const a0 = x[r0 + i] as number
      const a1 = x[r1 + i] as number
      const a2 = x[r2 + i] as number
      const a3 = x[r3 + i] as number
      const b0 = x[r0 + i + 1] as number
      const b1 = x[r1 + i + 1] as number
      const b2 = x[r2 + i + 1] as number
      const b3 = x[r3 + i + 1] as number
      // Columns that do not vary, or of absent signals.
      if (a0 === 0 && a1 === 0 && a2 === 0 && a3 === 0 && b0 === 0 && b1 === 0 && b2 === 0 && b3 === 0) continue
      const at = i * p
      const below = at + p
      gram[at + i] = (gram[at + i] as number) + (a0 * a0 + a1 * a1) + (a2 * a2 + a3 * a3)
      for (let j = i + 1; j < p; j++) {
        const x0 = x[r0 + j] as number
        const x1 = x[r1 + j] as number
        const x2 = x[r2 + j] as number
        const x3 = x[r3 + j] as number
        gram[at + j] = (gram[at + j] as number) + (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3)
        gram[below + j] = (gram[below + j] as number) + (b0 * x0 + b1 * x1) + (b2 * x2 + b3 * x3)
      }
    }
    if (i === p) continue
    const last = p * p - 1
    for (const row of [r0, r1, r2, r3]) gram[last] = (gram[last] as number) + (x[row + i] as number) ** 2
  }
  for (; r < n; r++) {
    const r0 = r * p
    for (let i = 0; i < p; i++) {
      const a0 = x[r0 + i] as number
      const at = i * p
      for (let j = i; j < p; j++) gram[at + j] = (gram[at + j] as number) + a0 * (x[r0 + j] as number)
    }
  }
}

/** Copies the upper triangle into the lower one, in place. */
export function mirror(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i] as number
}

/**
 * Solves A X = B for symmetric positive definite A [n,n] and B [n,m] by Cholesky's factorisation.
 * @returns X [n,m]
 * @throws RangeError when A is not positive definite
 */
export function solvePositive(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const m = b.length / n
  const l = a.slice()
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = l[i * n + j] as number
      for (let k = 0; k < j; k++) sum -= (l[i * n + k] as number) * (l[j * n + k] as number)
      if (i > j) {
        l[i * n + j] = sum / (l[j * n + j] as number)
        continue
      }
      if (!(sum > 0)) throw new RangeError(`the matrix is not positive definite (pivot ${j} is ${sum})`)
      l[j * n + j] = Math.sqrt(sum)
    }
  }
  const x = b.slice()
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtract(x, i, k, l[i * n + k] as number, m)
    divide(x, i, l[i * n + i] as number, m)
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtract(x, i, k, l[k * n + i] as number, m)
    divide(x, i, l[i * n + i] as number, m)
  }
  return x
}

function subtract(x: Float64Array, i: number, k: number, factor: number, m: number): void {
  for (let c = 0; c < m; c++) x[i * m + c] = (x[i * m + c] as number) - factor * (x[k * m + c] as number)
}

function divide(x: Float64Array, i: number, by: number, m: number): void {
  for (let c = 0; c < m; c++) x[i * m + c] = (x[i * m + c] as number) / by
}
