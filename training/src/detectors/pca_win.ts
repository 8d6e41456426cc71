/**
 * Window PCA: mean squared residual of the window features after projection on the leading components, which hold 90 % of
 * the variance in training.
 *
 * Works when signals hang together (load drives CPU, interrupts and traffic alike) and an incident breaks that, even
 * where each signal stays within its range; the strongest single detector on server metrics. Does not work when the
 * incident lies along the leading components (more of the usual load), nor with so few rows that the components are
 * noise: some 10 rows a feature are wanted. A new relation, as after a deployment, scores high until it is refitted.
 *
 * An absent signal stands at its mean in the projection, and its own residual is left out.
 */

import { addGram, mirror } from '@portent/core/linalg'
import { GraphBuilder } from '@portent/core/onnx'
import type { TrainingSet } from '../features/training-set.ts'
import { clip, KINDS } from '../features/window.ts'
import { clipNode, featurePresence, presentCount, rowSum, scoreOutput, zeroAbsent } from '../graph/masked.ts'
import { symmetricEigen } from '../linalg/eigen.ts'
import type { Batch, Fitted, SeedlessDetector } from './types.ts'

export interface PcaWinOptions {
  readonly clip?: number
  /** Share of the covariance's trace that the components hold. */
  readonly share?: number
}

export class FittedPcaWin implements Fitted {
  readonly name = 'pca_win'
  readonly inputs = ['features', 'mask'] as const
  readonly tolerance = 1e-9
  readonly clip: number
  /** Training mean of the clipped features [F]. */
  readonly mean: Float64Array
  /** One component a row [k,F]. */
  readonly components: Float64Array

  constructor(mean: Float64Array, components: Float64Array, limit: number) {
    this.mean = mean
    this.components = components
    this.clip = limit
  }

  score({ n, signals: d, features, mask }: Batch): Float64Array {
    const width = KINDS * d
    const scores = new Float64Array(n)
    const centred = new Float64Array(width)
    const residual = new Float64Array(width)
    for (let i = 0; i < n; i++) {
      for (let f = 0; f < width; f++) {
        const present = mask[i * d + (f % d)] === 1
        centred[f] = present ? clip(features[i * width + f] as number, this.clip) - (this.mean[f] as number) : 0
      }
      residual.set(centred)
      project(this.components, centred, residual)
      let sum = 0
      let present = 0
      for (let f = 0; f < width; f++) {
        if (mask[i * d + (f % d)] !== 1) continue
        present++
        const x = residual[f] as number
        sum += x * x
      }
      scores[i] = sum / Math.max(1, present)
    }
    return scores
  }

  toOnnx(): Uint8Array {
    const width = this.mean.length
    const k = this.components.length / width
    const g = new GraphBuilder('pca_win', 'Mean squared residual of the window features beside the leading components')
    const features = g.input('features', 'double', ['N', width])
    const mask = g.input('mask', 'double', ['N', width / KINDS])
    const present = featurePresence(g, mask)
    // Absent first: what stands there may be as large as it likes.
    const clipped = clipNode(g, zeroAbsent(g, present, features), this.clip)
    const centred = zeroAbsent(g, present, g.node('Sub', [clipped, g.double(this.mean)]))
    const transposed = new Float64Array(width * k)
    for (let c = 0; c < k; c++) {
      for (let f = 0; f < width; f++) transposed[f * k + c] = this.components[c * width + f] as number
    }
    const coordinates = g.node('MatMul', [centred, g.double(transposed, [width, k])])
    const projection = g.node('MatMul', [coordinates, g.double(this.components, [k, width])])
    const residual = zeroAbsent(g, present, g.node('Sub', [centred, projection]))
    const count = g.node('Mul', [presentCount(g, mask), g.double([KINDS], [])])
    scoreOutput(g, g.node('Div', [rowSum(g, g.node('Mul', [residual, residual])), count]))
    return g.encode()
  }
}

export function pcaWin({ clip: limit = 10, share = 0.9 }: PcaWinOptions = {}): SeedlessDetector<FittedPcaWin> {
  return {
    name: 'pca_win',
    fit(train) {
      const width = KINDS * train.signals
      const { mean, covariance } = covarianceOf(train, limit)
      const { values, vectors } = symmetricEigen(covariance, width)
      let trace = 0
      for (let f = 0; f < width; f++) trace += covariance[f * width + f] as number
      let held = 0
      let k = 0
      while (k < width - 1 && held < share * trace) held += Math.max(0, values[k++] as number)
      return new FittedPcaWin(mean, vectors.slice(0, k * width), limit)
    },
  }
}

/** Takes the parts along the components [k,F] out of `residual`, which starts as x. */
function project(components: Float64Array, x: Float64Array, residual: Float64Array): void {
  const n = x.length
  const end = components.length
  // Four components at a time: each number of x and of the residual is loaded once for them.
  let c0 = 0
  for (; c0 + 4 * n <= end; c0 += 4 * n) {
    const [c1, c2, c3] = [c0 + n, c0 + 2 * n, c0 + 3 * n]
    let [a0, a1, a2, a3] = [0, 0, 0, 0]
    for (let f = 0; f < n; f++) {
      const value = x[f] as number
      a0 += value * (components[c0 + f] as number)
      a1 += value * (components[c1 + f] as number)
      a2 += value * (components[c2 + f] as number)
      a3 += value * (components[c3 + f] as number)
    }
    for (let f = 0; f < n; f++) {
      residual[f] =
        (residual[f] as number) -
        (a0 * (components[c0 + f] as number) + a1 * (components[c1 + f] as number)) -
        (a2 * (components[c2 + f] as number) + a3 * (components[c3 + f] as number))
    }
  }
  for (; c0 < end; c0 += n) {
    let a0 = 0
    for (let f = 0; f < n; f++) a0 += (x[f] as number) * (components[c0 + f] as number)
    for (let f = 0; f < n; f++) residual[f] = (residual[f] as number) - a0 * (components[c0 + f] as number)
  }
}

/**
 * Rows that are enough: of a long stretch of time only every second, third ... counts where all rows together are so many
 * more, for windows next to each other share nine rows.
 */
const ENOUGH_ROWS = 4608

function thinned({ signals: d, features, mask, segments }: TrainingSet): Pick<TrainingSet, 'features' | 'mask'> {
  const stride = Math.max(1, Math.floor(mask.length / d / ENOUGH_ROWS))
  const isLong = ({ start, end }: { start: number; end: number }) => end - start > ENOUGH_ROWS
  if (stride === 1 || !segments.some(isLong)) return { features, mask }
  const kept = segments.flatMap((segment) => {
    const step = isLong(segment) ? stride : 1
    return Array.from({ length: Math.ceil((segment.end - segment.start) / step) }, (_, i) => segment.start + i * step)
  })
  const width = KINDS * d
  const out = { features: new Float64Array(kept.length * width), mask: new Float64Array(kept.length * d) }
  kept.forEach((t, i) => {
    out.features.set(features.subarray(t * width, (t + 1) * width), i * width)
    out.mask.set(mask.subarray(t * d, (t + 1) * d), i * d)
  })
  return out
}

/** Each entry over the rows in which both signals are present. */
function covarianceOf(set: TrainingSet, limit: number) {
  const { signals: d } = set
  const { features, mask } = thinned(set)
  const width = KINDS * d
  const n = mask.length / d
  if (n < 2) throw new RangeError('pca_win needs at least two rows')
  const mean = new Float64Array(width)
  const together = new Float64Array(d * d)
  addGram(mask, d, together)
  mirror(together, d)
  const centred = new Float64Array(features.length)
  for (let t = 0; t < n; t++) {
    for (let j = 0; j < d; j++) {
      if (mask[t * d + j] !== 1) continue
      for (let f = j; f < width; f += d) {
        const x = clip(features[t * width + f] as number, limit)
        centred[t * width + f] = x
        mean[f] = (mean[f] as number) + x
      }
    }
  }
  for (let f = 0; f < width; f++) mean[f] = (mean[f] as number) / Math.max(1, together[(f % d) * (d + 1)] as number)
  for (let t = 0; t < n; t++) {
    for (let j = 0; j < d; j++) {
      if (mask[t * d + j] !== 1) continue
      for (let f = t * width + j, k = j; k < width; f += d, k += d) {
        centred[f] = (centred[f] as number) - (mean[k] as number)
      }
    }
  }
  const covariance = new Float64Array(width * width)
  addGram(centred, width, covariance)
  mirror(covariance, width)
  for (let a = 0; a < width; a++) {
    for (let b = 0; b < width; b++) {
      const at = a * width + b
      covariance[at] = (covariance[at] as number) / Math.max(1, together[(a % d) * d + (b % d)] as number)
    }
  }
  return { mean, covariance }
}
