/**
 * Eigenvalues and vectors of a symmetric matrix: Householder reduction to tridiagonal form, then QL with implicit shifts
 * (Golub and Van Loan, Matrix Computations, chapter 8). O(n^3): 216 x 216 takes some tens of milliseconds.
 */
export interface Eigen {
  /** Largest first [n]. */
  readonly values: Float64Array
  /** One unit vector a row, in the order of the values [n,n]; its largest entry is positive, so that signs are settled. */
  readonly vectors: Float64Array
}

/** @param a symmetric, row-major [n,n]; not changed */
export function symmetricEigen(a: Float64Array, n: number): Eigen {
  const q = a.slice()
  const diagonal = new Float64Array(n)
  const off = new Float64Array(n)
  tridiagonalise(q, diagonal, off, n)
  // QL rotates columns of q; as rows of the transpose they lie together in memory.
  const rows = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) rows[j * n + i] = q[i * n + j] as number
  implicitQl(rows, diagonal, off, n)

  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => (diagonal[j] as number) - (diagonal[i] as number))
  const vectors = new Float64Array(n * n)
  for (const [to, from] of order.entries()) {
    const vector = rows.subarray(from * n, from * n + n)
    let peak = 0
    for (const x of vector) if (Math.abs(x) > Math.abs(peak)) peak = x
    const sign = peak < 0 ? -1 : 1
    for (let i = 0; i < n; i++) vectors[to * n + i] = sign * (vector[i] as number)
  }
  return { values: Float64Array.from(order, (i) => diagonal[i] as number), vectors }
}

/**
 * Q' A Q = T by reflections. On return `a` holds Q, `diagonal` and `off` hold T, off[i] beside row i and i - 1.
 */
function tridiagonalise(a: Float64Array, diagonal: Float64Array, off: Float64Array, n: number): void {
  const p = new Float64Array(n)
  for (let i = n - 1; i > 0; i--) {
    const row = i * n
    // v reflects row i's first i entries onto its last one; it is kept in that row.
    let scale = 0
    for (let k = 0; k < i; k++) scale += Math.abs(a[row + k] as number)
    if (i === 1 || scale === 0) {
      off[i] = a[row + i - 1] as number
      diagonal[i] = 0
      continue
    }
    let norm2 = 0
    for (let k = 0; k < i; k++) {
      const x = (a[row + k] as number) / scale
      a[row + k] = x
      norm2 += x * x
    }
    const last = a[row + i - 1] as number
    const g = last >= 0 ? -Math.sqrt(norm2) : Math.sqrt(norm2)
    off[i] = scale * g
    const h = norm2 - last * g
    a[row + i - 1] = last - g
    // p = A v / h, with A the leading i x i block, whose lower triangle is kept.
    p.fill(0, 0, i)
    for (let j = 0; j < i; j++) {
      const vj = a[row + j] as number
      let sum = (a[j * n + j] as number) * vj
      for (let k = 0; k < j; k++) {
        const ajk = a[j * n + k] as number
        sum += ajk * (a[row + k] as number)
        p[k] = (p[k] as number) + ajk * vj
      }
      p[j] = (p[j] as number) + sum
    }
    let dot = 0
    for (let j = 0; j < i; j++) {
      p[j] = (p[j] as number) / h
      dot += (p[j] as number) * (a[row + j] as number)
    }
    const half = dot / (2 * h)
    // A <- A - v p' - p v', with p less its part along v.
    for (let j = 0; j < i; j++) p[j] = (p[j] as number) - half * (a[row + j] as number)
    for (let j = 0; j < i; j++) {
      const vj = a[row + j] as number
      const pj = p[j] as number
      for (let k = 0; k <= j; k++) {
        a[j * n + k] = (a[j * n + k] as number) - (vj * (p[k] as number) + pj * (a[row + k] as number))
      }
    }
    diagonal[i] = h
  }
  // Multiply the reflections out, from the smallest block up; diagonal[i] held h of reflection i until now.
  diagonal[0] = 0
  for (let i = 0; i < n; i++) {
    const row = i * n
    const h = diagonal[i] as number
    if (h !== 0) {
      p.fill(0, 0, i)
      for (let k = 0; k < i; k++) {
        const vk = a[row + k] as number
        for (let j = 0; j < i; j++) p[j] = (p[j] as number) + vk * (a[k * n + j] as number)
      }
      for (let k = 0; k < i; k++) {
        const factor = (a[row + k] as number) / h
        for (let j = 0; j < i; j++) a[k * n + j] = (a[k * n + j] as number) - factor * (p[j] as number)
      }
    }
    diagonal[i] = a[row + i] as number
    a[row + i] = 1
    for (let j = 0; j < i; j++) {
      a[row + j] = 0
      a[j * n + i] = 0
    }
  }
}

/** QL with implicit shifts on T; rotates the rows of `vectors` along. */
function implicitQl(vectors: Float64Array, d: Float64Array, off: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) off[i - 1] = off[i] as number
  off[n - 1] = 0
  for (let l = 0; l < n; l++) {
    for (let round = 0; ; round++) {
      let m = l
      for (; m < n - 1; m++) {
        const size = Math.abs(d[m] as number) + Math.abs(d[m + 1] as number)
        if (Math.abs(off[m] as number) <= Number.EPSILON * size) break
      }
      if (m === l) break
      if (round === 60) throw new Error('the eigenvalues do not converge')
      // Wilkinson's shift, from the leading 2 x 2 block.
      let g = ((d[l + 1] as number) - (d[l] as number)) / (2 * (off[l] as number))
      let r = Math.hypot(g, 1)
      g = (d[m] as number) - (d[l] as number) + (off[l] as number) / (g + (g >= 0 ? r : -r))
      let s = 1
      let c = 1
      let p = 0
      let i = m - 1
      for (; i >= l; i--) {
        const f = s * (off[i] as number)
        const b = c * (off[i] as number)
        r = Math.hypot(f, g)
        off[i + 1] = r
        if (r === 0) {
          d[i + 1] = (d[i + 1] as number) - p
          off[m] = 0
          break
        }
        s = f / r
        c = g / r
        g = (d[i + 1] as number) - p
        r = ((d[i] as number) - g) * s + 2 * c * b
        p = s * r
        d[i + 1] = g + p
        g = c * r - b
        rotate(vectors, i * n, (i + 1) * n, c, s, n)
      }
      if (r === 0 && i >= l) continue
      d[l] = (d[l] as number) - p
      off[l] = g
      off[m] = 0
    }
  }
}

function rotate(v: Float64Array, lower: number, upper: number, c: number, s: number, n: number): void {
  for (let k = 0; k < n; k++) {
    const f = v[upper + k] as number
    const e = v[lower + k] as number
    v[upper + k] = s * e + c * f
    v[lower + k] = c * e - s * f
  }
}
