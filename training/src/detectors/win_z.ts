/**
 * Window z: the mean over the present features of the squared standardised feature, clipped.
 *
 * Works when an incident moves some signals far from where they usually are, in level, spread or slope; it needs no
 * memory of how signals hang together and stands a short training. Additive, so that its Shapley values are its own
 * terms less their training means: the reason for an alarm costs nothing. Does not work when signals stay within their
 * ranges and only their relation breaks (see pca_win, var), and it answers to any one signal out of range as much as to
 * a real incident. A row of pure noise scores 1.
 *
 * With clip 30 a single feature at z = 30 among 216 adds 4.2 to the score; with clip 10, 0.46: the wide clip says better
 * which signal it was, the narrow one is not led astray by a signal that hardly moved in training.
 */
import { GraphBuilder } from '@portent/core/onnx'
import { clip, KINDS } from '../features/window.ts'
import { clipNode, featurePresence, presentCount, rowSum, scoreOutput, zeroAbsent } from '../graph/masked.ts'
import type { Batch, Fitted, SeedlessDetector } from './types.ts'

export interface WinZOptions {
  readonly clip?: number
}

export class FittedWinZ implements Fitted {
  readonly name = 'win_z'
  readonly inputs = ['features', 'mask'] as const
  readonly tolerance = 1e-9
  readonly clip: number
  /** Training mean of each squared, clipped feature [F], over the rows in which it is present. */
  readonly base: Float64Array

  constructor(base: Float64Array, limit: number) {
    this.base = base
    this.clip = limit
  }

  score(batch: Batch): Float64Array {
    const shares = this.contributions(batch)
    const width = this.base.length
    const scores = new Float64Array(batch.n)
    for (let i = 0; i < batch.n; i++) {
      let sum = 0
      for (let f = 0; f < width; f++) sum += shares[i * width + f] as number
      scores[i] = sum
    }
    return scores
  }

  contributions({ n, signals: d, features, mask }: Batch): Float64Array {
    const width = KINDS * d
    const shares = new Float64Array(n * width)
    for (let i = 0; i < n; i++) {
      let present = 0
      for (let j = 0; j < d; j++) present += mask[i * d + j] as number
      for (let f = 0; f < width; f++) {
        if (mask[i * d + (f % d)] !== 1) continue
        const x = clip(features[i * width + f] as number, this.clip)
        shares[i * width + f] = (x * x) / (KINDS * present)
      }
    }
    return shares
  }

  toOnnx(): Uint8Array {
    const width = this.base.length
    const g = new GraphBuilder('win_z', 'Mean squared standardised window feature')
    const features = g.input('features', 'double', ['N', width])
    const mask = g.input('mask', 'double', ['N', width / KINDS])
    const z = clipNode(g, zeroAbsent(g, featurePresence(g, mask), features), this.clip)
    const count = g.node('Mul', [presentCount(g, mask), g.double([KINDS], [])])
    const shares = g.node('Div', [g.node('Mul', [z, z]), count])
    g.output('contributions', 'double', ['N', width], shares)
    scoreOutput(g, rowSum(g, shares))
    return g.encode()
  }
}

export function winZ({ clip: limit = 30 }: WinZOptions = {}): SeedlessDetector<FittedWinZ> {
  return {
    name: 'win_z',
    fit({ signals: d, features, mask }) {
      const width = KINDS * d
      const sum = new Float64Array(width)
      const count = new Float64Array(d)
      for (let t = 0; t * d < mask.length; t++) {
        addPresence(mask, t * d, count)
        addSquares(features, t * width, limit, sum)
      }
      return new FittedWinZ(
        sum.map((total, f) => total / Math.max(1, count[f % d] as number)),
        limit,
      )
    },
  }
}

// Functions of one row: the compiler makes them fast after the first few hundred rows, a loop over all rows in one call late.

function addPresence(mask: Float64Array, from: number, count: Float64Array): void {
  for (let j = 0; j < count.length; j++) if (mask[from + j] === 1) count[j] = (count[j] as number) + 1
}

/** Adds the squares of a row's clipped features; absent ones are 0. */
function addSquares(features: Float64Array, from: number, limit: number, sum: Float64Array): void {
  for (let f = 0; f < sum.length; f++) {
    const x = clip(features[from + f] as number, limit)
    sum[f] = (sum[f] as number) + x * x
  }
}
