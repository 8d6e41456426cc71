/** Numbers in fixtures/isolation_forest.json were computed with scikit-learn 1.9.1 and shap 0.51.0. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { averagePathLength, emptyTree, type Forest, floorToFloat32, forestScore, type Tree } from './forest.ts'
import { decodeForest, encodeForest } from './onnx/forest.ts'
import { gaussLegendre, TreeShap } from './treeshap.ts'

interface Oracle {
  readonly max_samples: number
  readonly trees: readonly {
    readonly children_left: number[]
    readonly children_right: number[]
    readonly feature: number[]
    readonly threshold: number[]
    readonly n_node_samples: number[]
  }[]
  readonly rows: readonly number[][]
  readonly score_samples: readonly number[]
  readonly shap_base: readonly [number]
  readonly shap_values: readonly number[][]
  readonly shap_model_output: readonly number[]
}

const oracle: Oracle = JSON.parse(readFileSync(new URL('../fixtures/isolation_forest.json', import.meta.url), 'utf8'))

const forest: Forest = {
  trees: oracle.trees.map((tree) => {
    const depth = new Int32Array(tree.feature.length)
    const value = new Float64Array(tree.feature.length)
    for (let i = 0; i < tree.feature.length; i++) {
      const [left, right] = [tree.children_left[i] as number, tree.children_right[i] as number]
      if (left < 0) value[i] = (depth[i] as number) + averagePathLength(tree.n_node_samples[i] as number)
      else depth[left] = depth[right] = (depth[i] as number) + 1
    }
    return {
      left: Int32Array.from(tree.children_left),
      right: Int32Array.from(tree.children_right),
      feature: Int32Array.from(tree.feature),
      threshold: Float64Array.from(tree.threshold, floorToFloat32),
      count: Float64Array.from(tree.n_node_samples),
      value,
    }
  }),
  features: 6,
  subsample: oracle.max_samples,
  clip: null,
}

const worst = (pairs: Iterable<readonly [number, number]>) => {
  let most = 0
  for (const [a, b] of pairs) most = Math.max(most, Math.abs(a - b))
  return most
}
const zip = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (x, i): [number, number] => [x, b[i] as number])

t.test('scores are those of scikit-learn, from memory and from the file read back', async (t) => {
  const again = decodeForest(encodeForest(forest))
  for (const f of [forest, again]) {
    const scores = oracle.rows.map((row) => -forestScore(f, Float64Array.from(row, Math.fround)))
    t.ok(worst(zip(scores, oracle.score_samples)) < 1e-6)
  }
})

t.test('the file keeps the trees whole', async (t) => {
  const again = decodeForest(encodeForest({ ...forest, clip: 10 }))
  t.equal(again.clip, 10)
  t.equal(again.subsample, 64)
  t.equal(again.features, 6)
  for (const [i, tree] of again.trees.entries()) {
    const before = forest.trees[i] as Tree
    t.same(tree.count, before.count)
    t.same(tree.left, before.left)
    t.same(tree.right, before.right)
    t.ok(tree.left.every((child, k) => child < 0 || tree.threshold[k] === before.threshold[k]))
    t.same(tree.value, Float64Array.from(before.value, Math.fround))
  }
})

t.test('SHAP values, base and output are those of shap', async (t) => {
  const shap = new TreeShap(forest)
  t.ok(Math.abs(shap.base - oracle.shap_base[0]) < 1e-9)
  for (const [i, row] of oracle.rows.entries()) {
    const { output, values } = shap.explain(row)
    t.ok(worst(zip(values, oracle.shap_values[i] as number[])) < 1e-9)
    t.ok(Math.abs(output - (oracle.shap_model_output[i] as number)) < 1e-9)
    t.ok(Math.abs(shap.base + values.reduce((a, b) => a + b, 0) - output) < 1e-12)
  }
})

t.test('negated, positive means more anomalous', async (t) => {
  const plain = new TreeShap(forest)
  const negated = new TreeShap(forest, { negate: true })
  t.equal(negated.base, -plain.base)
  for (const row of oracle.rows) {
    const [a, b] = [plain.explain(row), negated.explain(row)]
    t.equal(a.output, -b.output)
    t.same(
      a.values,
      b.values.map((x) => -x),
    )
  }
})

t.test('features beyond the clip are explained as at the clip', async (t) => {
  const shap = new TreeShap({ ...forest, clip: 1 })
  t.same(shap.explain([9, -9, 0.5, 1, 2, 3]), shap.explain([1, -1, 0.5, 1, 1, 1]))
})

/** A random tree; splits may repeat a feature on a path, and shares are never 0. */
function randomTree(bits: () => number, features: number, samples: number, maxDepth: number): Tree {
  const nodes: { left: number; right: number; feature: number; threshold: number; count: number; value: number }[] = []
  const grow = (count: number, depth: number): number => {
    const at = nodes.length
    const node = { left: -1, right: -1, feature: -1, threshold: 0, count, value: bits() * 10 }
    nodes.push(node)
    if (count > 1 && depth < maxDepth && bits() < 0.9) {
      const left = 1 + Math.floor(bits() * (count - 1))
      node.feature = Math.floor(bits() * features)
      node.threshold = floorToFloat32(bits() * 2 - 1)
      node.left = grow(left, depth + 1)
      node.right = grow(count - left, depth + 1)
    }
    return at
  }
  grow(samples, 0)
  const tree = emptyTree(nodes.length)
  for (const [i, node] of nodes.entries()) {
    for (const key of ['left', 'right', 'feature', 'threshold', 'count', 'value'] as const) tree[key][i] = node[key]
  }
  return tree
}

/** Shapley values from their definition, over all subsets of features. */
function bruteForce(tree: Tree, x: readonly number[]): number[] {
  const expected = (known: number, i: number): number => {
    const [left, right] = [tree.left[i] as number, tree.right[i] as number]
    if (left < 0) return tree.value[i] as number
    const f = tree.feature[i] as number
    if (known & (1 << f)) return expected(known, (x[f] as number) <= (tree.threshold[i] as number) ? left : right)
    const share = (tree.count[left] as number) / (tree.count[i] as number)
    return share * expected(known, left) + (1 - share) * expected(known, right)
  }
  const n = x.length
  const factorial = (k: number): number => (k <= 1 ? 1 : k * factorial(k - 1))
  return x.map((_, f) => {
    let sum = 0
    for (let s = 0; s < 1 << n; s++) {
      if (s & (1 << f)) continue
      const size = s.toString(2).replaceAll('0', '').length
      const weight = (factorial(size) * factorial(n - size - 1)) / factorial(n)
      sum += weight * (expected(s | (1 << f), 0) - expected(s, 0))
    }
    return sum
  })
}

t.test('any tree gives the Shapley values of the definition', async (t) => {
  let state = 1
  const bits = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  for (let round = 0; round < 150; round++) {
    const tree = randomTree(bits, 5, 60, 1 + (round % 12))
    const shap = new TreeShap({ trees: [tree], features: 5, subsample: 60, clip: null })
    const x = Array.from({ length: 5 }, () => Math.fround(bits() * 2 - 1))
    t.ok(worst(zip(shap.explain(x).values, bruteForce(tree, x))) < 1e-12)
  }
})

t.test('Gauss-Legendre points integrate polynomials exactly', async (t) => {
  for (const n of [1, 2, 4, 9]) {
    const { t: points, w } = gaussLegendre(n)
    for (let degree = 0; degree < 2 * n; degree++) {
      const integral = w.reduce((sum, weight, i) => sum + weight * (points[i] as number) ** degree, 0)
      t.ok(Math.abs(integral - 1 / (degree + 1)) < 1e-14)
    }
  }
})

t.test('a threshold rounded down to float32 decides the same for every float32', async (t) => {
  fc.assert(
    fc.property(fc.double({ min: -1e30, max: 1e30, noNaN: true }), fc.float({ noNaN: true }), (threshold, x) => {
      const rounded = floorToFloat32(threshold)
      for (const value of [x, rounded, Math.fround(threshold)])
        if (value <= rounded !== value <= threshold) return false
      return Math.fround(rounded) === rounded
    }),
  )
  t.equal(floorToFloat32(0.5), 0.5)
  t.ok(floorToFloat32(-1e-60) < 0)
})

t.test('a file whose trees point outside themselves is refused', async (t) => {
  const broken = (change: (tree: Tree) => void) => {
    const trees = structuredClone(forest.trees)
    change(trees[0] as Tree)
    return () => decodeForest(encodeForest({ ...forest, trees }))
  }
  t.throws(
    broken((tree) => tree.left.fill(0, 1, 2)),
    /points outside its tree/,
  )
  t.throws(
    broken((tree) => tree.right.fill(999, 0, 1)),
    /points outside its tree/,
  )
  t.throws(
    broken((tree) => tree.feature.fill(6, 0, 1)),
    /points outside its tree/,
  )
  t.throws(() => decodeForest(new Uint8Array([1, 2, 3])), /not an ONNX model/)
})
