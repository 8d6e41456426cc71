/**
 * The leading eigenvectors of a symmetric positive semi-definite matrix by orthogonal iteration: a block of vectors is
 * multiplied by the matrix and made orthonormal again and again (Golub and Van Loan, Matrix Computations, 8.2.4). Cheap
 * where few of many directions are wanted and yesterday's answer is a good start; directions whose eigenvalues are nearly
 * equal may come out turned within their plane.
 */

const ITERATIONS = 8

export interface Leading {
  /** [n,k], columns orthonormal, largest eigenvalue first; a column of zeros where the rank is smaller. */
  readonly vectors: Float64Array
  /** Rayleigh quotients [k]. */
  readonly values: Float64Array
}

/**
 * @param a symmetric [n,n], both triangles
 * @param start columns to start from [n,k], as the result of an earlier call; a fixed pattern without
 */
export function leadingEigenvectors(a: Float64Array, n: number, k: number, start?: Float64Array): Leading {
  const columns = Math.min(k, n)
  // Rows of the block are vectors, so that every product runs along memory.
  let q: Float64Array[] = Array.from({ length: columns }, (_, c) =>
    Float64Array.from({ length: n }, (_, i) => start?.[i * k + c] ?? 0),
  )
  q.forEach((v, c) => {
    for (let i = 0; i < n; i++) v[i] = (v[i] as number) + 1e-3 * Math.cos((c + 1) * (i + 0.5))
  })
  orthonormalise(q)
  for (let round = 0; round < ITERATIONS; round++) {
    q = q.map((v) => times(a, v, n))
    orthonormalise(q)
  }
  const values = q.map((v) => dot(v, times(a, v, n)))
  const order = values.map((_, c) => c).sort((x, y) => (values[y] as number) - (values[x] as number))
  const vectors = new Float64Array(n * k)
  const sorted = new Float64Array(k)
  order.forEach((from, c) => {
    sorted[c] = values[from] as number
    for (let i = 0; i < n; i++) vectors[i * k + c] = (q[from] as Float64Array)[i] as number
  })
  return { vectors, values: sorted }
}

/** Modified Gram-Schmidt in place; what is left of a dependent vector becomes zeros. */
function orthonormalise(q: readonly Float64Array[]): void {
  q.forEach((v, c) => {
    const before = Math.sqrt(dot(v, v))
    for (let b = 0; b < c; b++) {
      const other = q[b] as Float64Array
      const along = dot(v, other)
      for (let i = 0; i < v.length; i++) v[i] = (v[i] as number) - along * (other[i] as number)
    }
    const length = Math.sqrt(dot(v, v))
    const scale = length > 1e-10 * before ? 1 / length : 0
    for (let i = 0; i < v.length; i++) v[i] = (v[i] as number) * scale
  })
}

function times(a: Float64Array, v: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let sum = 0
    for (let j = 0, at = i * n; j < n; j++) sum += (a[at + j] as number) * (v[j] as number)
    out[i] = sum
  }
  return out
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (y[i] as number)
  return sum
}
