/** An isolation forest as plain trees: walking them, and what their path lengths mean (Liu, Ting and Zhou 2008). */

/** One binary tree, node 0 its root. x[feature] <= threshold goes left. All arrays have one entry a node. */
export interface Tree {
  /** Index of the left child; -1 marks a leaf. */
  readonly left: Int32Array
  readonly right: Int32Array
  readonly feature: Int32Array
  /** Exactly representable in float32. */
  readonly threshold: Float64Array
  /** Training samples that reached the node. */
  readonly count: Float64Array
  /** Path length of a sample that ends here: depth + c(count); 0 at inner nodes. */
  readonly value: Float64Array
}

export interface Forest {
  readonly trees: readonly Tree[]
  /** Number of features F. */
  readonly features: number
  /** Samples a tree was grown from, psi. */
  readonly subsample: number
  /** Features are clipped to +-clip before the trees; null = not clipped. */
  readonly clip: number | null
}

const EULER_GAMMA = 0.5772156649015329

/** c(n): mean path length of an unsuccessful search in a binary search tree of n samples. */
export function averagePathLength(n: number): number {
  if (n <= 1) return 0
  if (n === 2) return 1
  return 2 * (Math.log(n - 1) + EULER_GAMMA) - (2 * (n - 1)) / n
}

const bits = new DataView(new ArrayBuffer(4))

/** The largest float32 that is not above x: for float32 inputs, `<=` decides the same as with x itself. */
export function floorToFloat32(x: number): number {
  const near = Math.fround(x)
  if (near <= x) return near
  bits.setFloat32(0, near)
  const i = bits.getInt32(0)
  // Towards minus infinity: a positive number's bits go down, a negative one's up, and 0 becomes the least negative.
  bits.setInt32(0, near > 0 ? i - 1 : near === 0 ? 0x80000001 | 0 : i + 1)
  return bits.getFloat32(0)
}

/** Index of the leaf that row x (float32 values, clipped) ends in. */
export function leafOf(tree: Tree, x: ArrayLike<number>, offset = 0): number {
  const { left, right, feature, threshold } = tree
  let i = 0
  while ((left[i] as number) >= 0) {
    const goesLeft = (x[offset + (feature[i] as number)] as number) <= (threshold[i] as number)
    i = (goesLeft ? left[i] : right[i]) as number
  }
  return i
}

/** Writes row `from` of the features as the trees see them: clipped, float32. */
export function forestInput(forest: Forest, features: ArrayLike<number>, offset: number, out: Float64Array): void {
  const limit = forest.clip ?? Number.POSITIVE_INFINITY
  for (let j = 0; j < forest.features; j++) {
    const x = features[offset + j] as number
    out[j] = Math.fround(Math.min(limit, Math.max(-limit, x)))
  }
}

/** Score of one row as the trees see it: 2^(-mean path length / c(psi)), 0-1, higher = more anomalous. */
export function forestScore(forest: Forest, x: ArrayLike<number>, offset = 0): number {
  let sum = 0
  for (const tree of forest.trees) sum += tree.value[leafOf(tree, x, offset)] as number
  return 2 ** (-sum / forest.trees.length / averagePathLength(forest.subsample))
}

/** A tree of `size` nodes, all leaves. */
export function emptyTree(size: number): Tree {
  return {
    left: new Int32Array(size).fill(-1),
    right: new Int32Array(size).fill(-1),
    feature: new Int32Array(size).fill(-1),
    threshold: new Float64Array(size),
    count: new Float64Array(size),
    value: new Float64Array(size),
  }
}
