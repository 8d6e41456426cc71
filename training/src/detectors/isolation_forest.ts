/**
 * Isolation forest (Liu, Ting and Zhou 2008): random splits isolate an unusual row in few steps.
 *
 * Works with unusual combinations of a few features, stands training rows that hold incidents, and needs no scale. Does
 * not work where an incident shows in few of many features (a split hits them rarely: with 216 features one that alone
 * is off is hardly seen), nor with training rows in several dense groups, between which it sees nothing. Weaker on
 * server metrics than the window detectors beside it, and kept for its independent vote.
 *
 * Few large trees instead of many small ones: with hundreds of features a tree of 256 rows ends before it has split on
 * most of them. Each tree grows from a subsample drawn without replacement to the height ceil(log2 psi); a leaf that still holds n
 * rows counts c(n) steps more. Scores lie in 0-1: near 1 isolated at once, .5 usual. Features are clipped, so that an
 * outlier of the training rows does not stretch every split's range.
 */
import {
  averagePathLength,
  emptyTree,
  encodeForest,
  type Forest,
  floorToFloat32,
  forestInput,
  forestScore,
  type Tree,
} from '@portent/core/onnx'
import { KINDS } from '../features/window.ts'
import type { Random } from '../random.ts'
import type { Batch, Detector, Fitted } from './types.ts'

export interface IsolationForestOptions {
  readonly trees?: number
  /** Rows a tree grows from, psi. */
  readonly subsample?: number
  readonly clip?: number
}

export class FittedIsolationForest implements Fitted {
  readonly name = 'isolation_forest'
  readonly inputs = ['features'] as const
  readonly float32 = true
  readonly tolerance = 1e-5
  readonly forest: Forest

  constructor(forest: Forest) {
    this.forest = forest
  }

  score({ n, features }: Batch): Float64Array {
    const width = this.forest.features
    const x = new Float64Array(width)
    return Float64Array.from({ length: n }, (_, i) => {
      forestInput(this.forest, features, i * width, x)
      return forestScore(this.forest, x)
    })
  }

  toOnnx(): Uint8Array {
    return encodeForest(this.forest)
  }
}

export function isolationForest({
  trees = 50,
  subsample = 4096,
  clip = 10,
}: IsolationForestOptions = {}): Detector<FittedIsolationForest> {
  return {
    name: 'isolation_forest',
    fit({ signals: d, features }, random) {
      const width = KINDS * d
      const n = features.length / width
      if (n < 2) throw new RangeError('an isolation forest needs at least two rows')
      const psi = Math.min(subsample, n)
      const order = Int32Array.from({ length: n }, (_, i) => i)
      const shape: Forest = { trees: [], features: width, subsample: psi, clip }
      const columns = columnsOf(shape, features, n)
      const grown = Array.from({ length: trees }, () => {
        for (let i = 0; i < psi; i++) {
          const k = i + random.integer(n - i)
          const chosen = order[k] as number
          order[k] = order[i] as number
          order[i] = chosen
        }
        // In the order of the rows, which a column lies in; which rows a node holds does not depend on it.
        return growTree(columns, order.slice(0, psi).sort(), width, random)
      })
      return new FittedIsolationForest({ ...shape, trees: grown })
    },
  }
}

/** Numbers of a column that are written together. */
const CACHE_LINE = 16

/** What the trees compare, a feature after the other [width,n]: a split reads one feature of many rows. */
function columnsOf(shape: Forest, features: Float64Array, n: number): Float32Array {
  const width = shape.features
  const columns = new Float32Array(width * n)
  const rows = Array.from({ length: CACHE_LINE }, () => new Float64Array(width))
  for (let from = 0; from < n; from += CACHE_LINE) {
    const count = Math.min(CACHE_LINE, n - from)
    for (let i = 0; i < count; i++) forestInput(shape, features, (from + i) * width, rows[i] as Float64Array)
    for (let f = 0; f < width; f++) {
      for (let i = 0; i < count; i++) columns[f * n + from + i] = (rows[i] as Float64Array)[f] as number
    }
  }
  return columns
}

/**
 * @param columns [width,rows]
 * @param members the subsample, in ascending order; it is rearranged
 */
function growTree(columns: Float32Array, members: Int32Array, width: number, random: Random): Tree {
  const rows = columns.length / width
  const n = members.length
  const limit = Math.ceil(Math.log2(n))
  const tree = emptyTree(2 * n - 1)
  const candidates = Int32Array.from({ length: width }, (_, f) => f)
  const beyond = new Int32Array(n)
  let nodes = 0

  /** Rows members[from .. to) of the subsample. Children come after their parent. */
  const grow = (from: number, to: number, depth: number): number => {
    const at = nodes++
    tree.count[at] = to - from
    const split = depth < limit && to - from > 1 ? chooseSplit(from, to) : null
    if (split === null) {
      tree.value[at] = depth + averagePathLength(to - from)
      return at
    }
    // Both sides stay in ascending order, so that columns are read from their beginning to their end.
    let middle = from
    let put = 0
    for (let i = from; i < to; i++) {
      const member = members[i] as number
      if ((columns[split.feature * rows + member] as number) > split.threshold) beyond[put++] = member
      else members[middle++] = member
    }
    for (let i = 0; i < put; i++) members[middle + i] = beyond[i] as number
    tree.feature[at] = split.feature
    tree.threshold[at] = split.threshold
    tree.left[at] = grow(from, middle, depth + 1)
    tree.right[at] = grow(middle, to, depth + 1)
    return at
  }

  /** A uniform threshold on a uniform choice among the features that vary; null where none does. */
  const chooseSplit = (from: number, to: number): { feature: number; threshold: number } | null => {
    for (let left = width; left > 0; left--) {
      const k = random.integer(left)
      const feature = candidates[k] as number
      candidates[k] = candidates[left - 1] as number
      candidates[left - 1] = feature
      let low = Number.POSITIVE_INFINITY
      let high = Number.NEGATIVE_INFINITY
      for (let i = from; i < to; i++) {
        const x = columns[feature * rows + (members[i] as number)] as number
        if (x < low) low = x
        if (x > high) high = x
      }
      if (low >= high) continue
      const threshold = floorToFloat32(low + random.uniform() * (high - low))
      return { feature, threshold: threshold < high ? threshold : low }
    }
    return null
  }

  grow(0, n, 0)
  return trim(tree, nodes)
}

function trim(tree: Tree, nodes: number): Tree {
  return {
    left: tree.left.slice(0, nodes),
    right: tree.right.slice(0, nodes),
    feature: tree.feature.slice(0, nodes),
    threshold: tree.threshold.slice(0, nodes),
    count: tree.count.slice(0, nodes),
    value: tree.value.slice(0, nodes),
  }
}
