/**
 * Local outlier factor (Breunig, Kriegel, Ng and Sander 2000) in novelty mode: how much sparser the surroundings of a row
 * are than those of its nearest neighbours among the training rows, whose density is fixed.
 *
 * Works where usual rows lie in several groups of different density (day and night, a batch job and rest): what is far
 * for one group is near for another. Does not work where incidents stand in the training rows (then they are neighbours
 * themselves), and in hundreds of features all distances grow alike, so that one signal that is off hardly shows. On
 * server metrics about as good alone as window z, and hardly a gain beside it. The kept rows make the largest file, and
 * each row is held against every one of them.
 *
 * Kept are `subsample` different training rows, drawn by the seed: repeated rows would have infinite density. A score is
 * near 1 for a usual row and grows without bound, in proportion to the distance.
 */
import { GraphBuilder } from '@portent/core/onnx'
import { clip, KINDS } from '../features/window.ts'
import { clipNode, rowSum, scoreOutput } from '../graph/masked.ts'
import type { Random } from '../random.ts'
import type { Batch, Detector, Fitted } from './types.ts'

export interface LocalOutlierFactorOptions {
  readonly neighbours?: number
  /** Training rows that are kept. */
  readonly subsample?: number
  readonly clip?: number
}

/**
 * Least mean distance to neighbours, in spreads a feature: rows closer than that are equally dense. Keeps densities of
 * near repetitions finite, and far above the rounding of distances computed from products.
 */
const NEAR = 0.01

export class FittedLocalOutlierFactor implements Fitted {
  readonly name = 'local_outlier_factor'
  readonly inputs = ['features'] as const
  readonly tolerance = 1e-6
  readonly clip: number
  readonly neighbours: number
  /** Kept rows, clipped [m,F]. */
  readonly rows: Float64Array
  /** Distance of each kept row to its k-th nearest [m]. */
  readonly reach: Float64Array
  /** Local reachability density of each kept row [m]. */
  readonly density: Float64Array
  readonly #width: number
  readonly #near: number

  /** @param rows [m,width] different from each other, within +-limit */
  constructor(rows: Float64Array, width: number, neighbours: number, limit: number) {
    const m = rows.length / width
    if (!(m >= 1)) throw new RangeError('a local outlier factor needs at least one row')
    this.rows = rows
    this.clip = limit
    this.#width = width
    this.#near = NEAR * Math.sqrt(width)
    this.neighbours = Math.max(1, Math.min(neighbours, m - 1))
    this.reach = new Float64Array(m)
    this.density = new Float64Array(m)
    const k = this.neighbours
    const nearest = Array.from({ length: m }, (_, i) => {
      const found = this.#nearest(rows, i * width, i)
      this.reach[i] = m === 1 ? 0 : (found.distance[k - 1] as number)
      return found
    })
    nearest.forEach((found, i) => {
      this.density[i] = 1 / this.#meanReach(found)
    })
  }

  score({ n, features }: Batch): Float64Array {
    const width = this.#width
    const x = new Float64Array(width)
    return Float64Array.from({ length: n }, (_, i) => {
      for (let f = 0; f < width; f++) x[f] = clip(features[i * width + f] as number, this.clip)
      const found = this.#nearest(x, 0, -1)
      let density = 0
      for (const row of found.index) density += this.density[row] as number
      return (density / found.index.length) * this.#meanReach(found)
    })
  }

  /** The k kept rows nearest to x, nearest first; `self` is left out. */
  #nearest(x: Float64Array, offset: number, self: number): { index: Int32Array; distance: Float64Array } {
    const { rows } = this
    const width = this.#width
    const k = this.neighbours
    const m = rows.length / width
    const index = new Int32Array(k)
    const distance = new Float64Array(k).fill(Number.POSITIVE_INFINITY)
    for (let r = 0; r < m; r++) {
      if (r === self && m > 1) continue
      const worst = distance[k - 1] as number
      const at = r * width
      let sum = 0
      for (let f = 0; f < width && sum < worst; ) {
        // In pieces, so that a row that is too far already is left.
        for (const end = Math.min(width, f + 24); f < end; f++) {
          const off = (x[offset + f] as number) - (rows[at + f] as number)
          sum += off * off
        }
      }
      if (!(sum < worst)) continue
      let to = k - 1
      for (; to > 0 && (distance[to - 1] as number) > sum; to--) {
        distance[to] = distance[to - 1] as number
        index[to] = index[to - 1] as number
      }
      distance[to] = sum
      index[to] = r
    }
    for (let i = 0; i < k; i++) distance[i] = Math.sqrt(distance[i] as number)
    return { index, distance }
  }

  #meanReach({ index, distance }: { readonly index: Int32Array; readonly distance: Float64Array }): number {
    let sum = 0
    for (let i = 0; i < index.length; i++) {
      sum += Math.max(distance[i] as number, this.reach[index[i] as number] as number)
    }
    return Math.max(sum / index.length, this.#near)
  }

  toOnnx(): Uint8Array {
    const width = this.#width
    const m = this.rows.length / width
    const transposed = new Float64Array(width * m)
    const squares = new Float64Array(m)
    for (let r = 0; r < m; r++) {
      for (let f = 0; f < width; f++) {
        const value = this.rows[r * width + f] as number
        transposed[f * m + r] = -2 * value
        squares[r] = (squares[r] as number) + value * value
      }
    }
    const g = new GraphBuilder(this.name, 'Local outlier factor against a sample of training rows')
    const x = clipNode(g, g.input('features', 'double', ['N', width]), this.clip)
    // |x - r|^2 = |x|^2 - 2 x.r + |r|^2
    const products = g.node('Add', [g.node('MatMul', [x, g.double(transposed, [width, m])]), g.double(squares)])
    const squared = g.node('Add', [products, rowSum(g, g.node('Mul', [x, x]))])
    const [nearest, index] = g.nodes('TopK', [squared, g.int64([this.neighbours])], 2, {
      axis: { int: 1 },
      largest: { int: 0 },
    }) as [string, string]
    const distance = g.node('Sqrt', [g.node('Max', [nearest, g.double([0], [])])])
    const reached = g.node('Max', [distance, g.node('Gather', [g.double(this.reach), index])])
    const overNeighbours = { axes: { ints: [1] }, keepdims: { int: 1 } } as const
    const mean = g.node('Max', [g.node('ReduceMean', [reached], overNeighbours), g.double([this.#near], [])])
    const density = g.node('ReduceMean', [g.node('Gather', [g.double(this.density), index])], overNeighbours)
    scoreOutput(g, g.node('Mul', [density, mean]))
    return g.encode()
  }
}

export function localOutlierFactor({
  neighbours = 20,
  subsample = 512,
  clip: limit = 10,
}: LocalOutlierFactorOptions = {}): Detector<FittedLocalOutlierFactor> {
  return {
    name: 'local_outlier_factor',
    fit({ signals: d, features }, random) {
      const rows = differentRows(features, KINDS * d, subsample, limit, random)
      return new FittedLocalOutlierFactor(rows, KINDS * d, neighbours, limit)
    },
  }
}

/** Rows drawn without replacement, clipped, each one once; fewer where the set has no more. */
function differentRows(
  features: Float64Array,
  width: number,
  most: number,
  limit: number,
  random: Random,
): Float64Array {
  const n = features.length / width
  const order = Int32Array.from({ length: n }, (_, i) => i)
  const rows = new Float64Array(Math.min(most, n) * width)
  const seen = new Set<string>()
  for (let i = 0; i < n && seen.size < most; i++) {
    const k = i + random.integer(n - i)
    const chosen = order[k] as number
    order[k] = order[i] as number
    order[i] = chosen
    const row = features.subarray(chosen * width, (chosen + 1) * width).map((x) => clip(x, limit))
    const key = row.join()
    if (seen.has(key)) continue
    rows.set(row, seen.size * width)
    seen.add(key)
  }
  return rows.subarray(0, seen.size * width)
}
