import { addGram, mirror, solvePositive } from '@portent/core/linalg'
import t from 'tap'
import { Random } from '../random.ts'
import { symmetricEigen } from './eigen.ts'

function gramOf(random: Random, n: number, p: number): Float64Array {
  const x = Float64Array.from({ length: n * p }, () => random.normal())
  const gram = new Float64Array(p * p)
  addGram(x, p, gram)
  mirror(gram, p)
  return gram
}

/** max |A v - lambda v| over all pairs, and max |V V' - I|. */
function errors(a: Float64Array, n: number): { residual: number; skew: number } {
  const { values, vectors } = symmetricEigen(a, n)
  let residual = 0
  let skew = 0
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < n; i++) {
      let av = 0
      let dot = 0
      for (let j = 0; j < n; j++) {
        av += (a[i * n + j] as number) * (vectors[k * n + j] as number)
        dot += (vectors[k * n + j] as number) * (vectors[i * n + j] as number)
      }
      residual = Math.max(residual, Math.abs(av - (values[k] as number) * (vectors[k * n + i] as number)))
      skew = Math.max(skew, Math.abs(dot - (i === k ? 1 : 0)))
    }
  }
  return { residual, skew }
}

t.test('a Gram matrix is the sum of products of columns', async (t) => {
  const gram = new Float64Array(4)
  addGram(Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 2, gram)
  mirror(gram, 2)
  t.same([...gram], [165, 190, 190, 220])
})

t.test('eigenvalues of small matrices are the known ones', async (t) => {
  t.same([...symmetricEigen(Float64Array.from([3]), 1).values], [3])
  const { values } = symmetricEigen(Float64Array.from([2, 1, 0, 1, 2, 1, 0, 1, 2]), 3)
  for (const [i, x] of [2 + Math.SQRT2, 2, 2 - Math.SQRT2].entries()) {
    t.ok(Math.abs((values[i] as number) - x) < 1e-14)
  }
})

t.test('eigenvectors are orthogonal and solve A v = lambda v, also where A is singular or diagonal', async (t) => {
  const random = new Random('eigen')
  const diagonal = Float64Array.from({ length: 25 }, (_, i) => (i % 6 === 0 ? i : 0))
  for (const [a, n] of [
    [gramOf(random, 30, 20), 20],
    [gramOf(random, 5, 20), 20],
    [diagonal, 5],
    [new Float64Array(16), 4],
    [gramOf(random, 300, 228), 228],
  ] as const) {
    const { residual, skew } = errors(a, n)
    t.ok(residual < 1e-10, `residual ${residual} at n = ${n}`)
    t.ok(skew < 1e-12, `skew ${skew} at n = ${n}`)
  }
})

t.test('228 x 228 is solved well within a second', async (t) => {
  const a = gramOf(new Random('time'), 300, 228)
  const start = performance.now()
  symmetricEigen(a, 228)
  const took = performance.now() - start
  t.ok(took < 1000, `${took} ms`)
})

t.test('a positive definite system is solved, an indefinite one refused', async (t) => {
  const random = new Random('solve')
  const n = 40
  const a = gramOf(random, 100, n)
  const x = Float64Array.from({ length: n * 3 }, () => random.normal())
  const b = new Float64Array(n * 3)
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      for (let c = 0; c < 3; c++)
        b[i * 3 + c] = (b[i * 3 + c] as number) + (a[i * n + k] as number) * (x[k * 3 + c] as number)
    }
  }
  const solved = solvePositive(a, b, n)
  t.ok(solved.every((value, i) => Math.abs(value - (x[i] as number)) < 1e-11))
  t.throws(() => solvePositive(Float64Array.from([1, 2, 2, 1]), Float64Array.from([1, 1]), 2), RangeError)
})
