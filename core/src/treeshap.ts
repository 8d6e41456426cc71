/**
 * Exact path-dependent TreeSHAP (Lundberg et al. 2020) of a forest: base + sum of values = output for every row.
 *
 * With o = 1 where the row passes all of a leaf's splits on feature i, else 0, and z the share of training samples that
 * does, the Shapley value of i for that leaf is v (o_i - z_i) times the integral over t in [0,1] of the product over the
 * other features j of (o_j t + z_j (1 - t)). That is a polynomial, so Gauss-Legendre points give it exactly, and as
 * everything is a product along the path, one pass down and one pass up a tree do for all its leaves: the time is linear
 * in the nodes (the idea of Yu et al., "Linear TreeShap", 2022), where the textbook recursion is quadratic in the depth.
 *
 * Units are path lengths: a short path is anomalous, so a negative value is. `negate` turns values, base and output round:
 * positive = more anomalous.
 */
import { type Forest, forestInput, type Tree } from './forest.ts'

export interface TreeExplanation {
  readonly base: number
  /** base + sum of values. */
  readonly output: number
  /** One value a feature [F]. */
  readonly values: Float64Array
}

/** One tree, laid out for the two passes. */
interface Plan {
  readonly tree: Tree
  /** Parent of each node, -1 at the root. */
  readonly parent: Int32Array
  /** Node whose incoming edge is the nearest one above on the same feature, -1 if none. */
  readonly above: Int32Array
  /** z: share of the samples that passes all splits so far on the incoming edge's feature. */
  readonly passing: Float64Array
}

const LEFT_NOW = 0
const ON = 1
const LEFT_BEFORE = 2

export class TreeShap {
  readonly forest: Forest
  /** Mean output over the training samples. */
  readonly base: number
  readonly #plans: readonly Plan[]
  readonly #quadrature: Quadrature
  readonly #sign: 1 | -1
  /** Sign over the number of trees. */
  readonly #weight: number
  readonly #product: Float64Array
  readonly #below: Float64Array
  readonly #state: Uint8Array
  readonly #row: Float64Array

  constructor(forest: Forest, { negate = false } = {}) {
    this.forest = forest
    this.#sign = negate ? -1 : 1
    this.#weight = this.#sign / forest.trees.length
    const points = Math.max(1, Math.ceil(Math.max(...forest.trees.map(mostFeaturesOnAPath)) / 2))
    this.#quadrature = gaussLegendre(points)
    this.#plans = forest.trees.map(plan)
    const size = Math.max(...forest.trees.map((tree) => tree.left.length))
    this.#product = new Float64Array(size * points)
    this.#below = new Float64Array(size * points)
    this.#state = new Uint8Array(size)
    this.#row = new Float64Array(forest.features)
    this.base = this.#weight * forest.trees.reduce((sum, tree) => sum + expectedValue(tree), 0)
  }

  /** @param features standardised features [F], not yet clipped */
  explain(features: ArrayLike<number>): TreeExplanation {
    const values = new Float64Array(this.forest.features)
    const output = this.explainInto(features, 0, values, 0)
    return { base: this.base, output, values }
  }

  /**
   * The same without allocating: row [F] of `features` at `offset` -> `values` at `valuesOffset`.
   * @returns the output, computed from the leaves themselves and not from the sum
   */
  explainInto(features: ArrayLike<number>, offset: number, values: Float64Array, valuesOffset: number): number {
    forestInput(this.forest, features, offset, this.#row)
    values.fill(0, valuesOffset, valuesOffset + this.forest.features)
    let output = 0
    for (const p of this.#plans) {
      output += this.#down(p)
      this.#up(p, values, valuesOffset)
    }
    return (this.#sign * output) / this.#plans.length
  }

  /** Products of the edges' factors from the root to every node. Returns the value of the row's own leaf. */
  #down({ tree, parent, above, passing }: Plan): number {
    const { left, feature, threshold, count, value } = tree
    const { t } = this.#quadrature
    const q = t.length
    const product = this.#product
    const state = this.#state
    const row = this.#row
    let reached = 0
    product.fill(1, 0, q)
    state[0] = ON
    for (let i = 1; i < parent.length; i++) {
      const p = parent[i] as number
      const isLeft = left[p] === i
      const passes = (row[feature[p] as number] as number) <= (threshold[p] as number) === isLeft
      if (passes && reached === p) reached = i
      const a = above[i] as number
      const to = i * q
      const from = p * q
      if (a >= 0 && state[a] !== ON) {
        const r = (count[i] as number) / (count[p] as number)
        state[i] = LEFT_BEFORE
        for (let k = 0; k < q; k++) product[to + k] = (product[from + k] as number) * r
        continue
      }
      state[i] = passes ? ON : LEFT_NOW
      const o = passes ? 1 : 0
      const z = passing[i] as number
      for (let k = 0; k < q; k++) {
        const tk = t[k] as number
        product[to + k] = (product[from + k] as number) * (o * tk + z * (1 - tk))
      }
      if (a < 0) continue
      // The edge above has put its own factor in: this one takes its place.
      const za = passing[a] as number
      for (let k = 0; k < q; k++) {
        const tk = t[k] as number
        product[to + k] = (product[to + k] as number) / (tk + za * (1 - tk))
      }
    }
    return value[reached] as number
  }

  /**
   * Sums of the leaves' values times products from the leaves to the root. An edge adds to its feature what is below it
   * times (o - z) / (o t + z (1 - t)), and takes off the same of the edge above on that feature, which counted it too.
   */
  #up({ tree, parent, above, passing }: Plan, values: Float64Array, valuesOffset: number): void {
    const { left, feature, value } = tree
    const { t, w } = this.#quadrature
    const q = t.length
    const product = this.#product
    const below = this.#below
    const state = this.#state
    below.fill(0, 0, parent.length * q)
    for (let i = parent.length - 1; i > 0; i--) {
      const at = i * q
      if ((left[i] as number) < 0) {
        const v = value[i] as number
        for (let k = 0; k < q; k++) below[at + k] = v * (product[at + k] as number)
      }
      const p = parent[i] as number
      const to = p * q
      const s = state[i] as number
      if (s === LEFT_BEFORE) {
        for (let k = 0; k < q; k++) below[to + k] = (below[to + k] as number) + (below[at + k] as number)
        continue
      }
      const a = above[i] as number
      const z = passing[i] as number
      const za = a < 0 ? 1 : (passing[a] as number)
      let sum = 0
      for (let k = 0; k < q; k++) {
        const b = below[at + k] as number
        below[to + k] = (below[to + k] as number) + b
        const tk = t[k] as number
        const share = s === ON ? (1 - z) / (tk + z * (1 - tk)) : -1 / (1 - tk)
        const shareAbove = a < 0 ? 0 : (1 - za) / (tk + za * (1 - tk))
        sum += b * (w[k] as number) * (share - shareAbove)
      }
      const f = valuesOffset + (feature[p] as number)
      values[f] = (values[f] as number) + this.#weight * sum
    }
  }
}

interface Quadrature {
  /** Points in (0,1), and their weights. */
  readonly t: Float64Array
  readonly w: Float64Array
}

/** Gauss-Legendre quadrature of n points on [0,1], exact for polynomials up to degree 2n - 1. */
export function gaussLegendre(n: number): Quadrature {
  const t = new Float64Array(n)
  const w = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5))
    let slope = 0
    for (let step = 0; step < 100; step++) {
      let p = 1
      let before = 0
      for (let k = 1; k <= n; k++) [p, before] = [((2 * k - 1) * x * p - (k - 1) * before) / k, p]
      slope = (n * (x * p - before)) / (x * x - 1)
      const dx = p / slope
      x -= dx
      if (Math.abs(dx) < 1e-16) break
    }
    t[i] = (1 + x) / 2
    w[i] = 1 / ((1 - x * x) * slope * slope)
  }
  return { t, w }
}

function plan(tree: Tree): Plan {
  const n = tree.left.length
  const parent = new Int32Array(n).fill(-1)
  for (let i = 0; i < n; i++) {
    for (const child of [tree.left[i] as number, tree.right[i] as number]) {
      if (child < 0) continue
      if (child <= i) throw new Error('a child node must come after its parent')
      parent[child] = i
    }
  }
  const above = new Int32Array(n).fill(-1)
  const passing = new Float64Array(n)
  for (let i = 1; i < n; i++) {
    const p = parent[i] as number
    if (p < 0) throw new Error('a node belongs to no parent')
    let a = p
    while (a > 0 && tree.feature[parent[a] as number] !== tree.feature[p]) a = parent[a] as number
    above[i] = a > 0 ? a : -1
    passing[i] = ((tree.count[i] as number) / (tree.count[p] as number)) * (a > 0 ? (passing[a] as number) : 1)
  }
  return { tree, parent, above, passing }
}

/** Mean leaf value over the training samples. */
function expectedValue({ left, count, value }: Tree): number {
  let sum = 0
  for (let i = 0; i < left.length; i++) if ((left[i] as number) < 0) sum += (count[i] as number) * (value[i] as number)
  return sum / (count[0] as number)
}

function mostFeaturesOnAPath(tree: Tree): number {
  const visit = (i: number, seen: ReadonlySet<number>): number => {
    const left = tree.left[i] as number
    if (left < 0) return seen.size
    const next = new Set(seen).add(tree.feature[i] as number)
    return Math.max(visit(left, next), visit(tree.right[i] as number, next))
  }
  return visit(0, new Set())
}
