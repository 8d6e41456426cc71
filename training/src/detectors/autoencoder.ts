/**
 * Autoencoder: mean squared error of the window features after a net has squeezed them through twelve numbers and made
 * them again (6d-64-12-64-6d, tanh).
 *
 * Assumes that a host's usual states lie near a curved surface of few dimensions, of which the training rows cover all.
 * Works where signals hang together in ways that are not straight lines, which window PCA cannot follow (a rate that
 * saturates, two regimes with a different relation each), and answers to the level as well as to the shape of a window.
 * Does not work for states that training did not show: a level that moved for good scores high until it is refitted,
 * exactly as with window z, and what the net happens to extrapolate well scores low. With some hundred rows it learns
 * little more than the mean. On server metrics about as good alone as window PCA, and no gain beside it.
 *
 * The net reads features within +-5 and learns to make those; its output is held against features within +-30, so that
 * one spread more still scores higher far out. An absent signal stands at its mean for the net, asks nothing of it in
 * training, and its own error is left out. Noise or lost signals in training (denoising) gained nothing.
 */
import { GraphBuilder } from '@portent/core/onnx'
import { clip, KINDS } from '../features/window.ts'
import { clipNode, featurePresence, presentCount, rowSum, scoreOutput, zeroAbsent } from '../graph/masked.ts'
import { networkNodes } from '../net/graph.ts'
import { Network } from '../net/network.ts'
import { train } from '../net/train.ts'
import type { Batch, Detector, Fitted } from './types.ts'

export interface AutoencoderOptions {
  readonly hidden?: number
  /** Width of the narrowest layer. */
  readonly code?: number
  /** What the net reads and learns to make is clipped to this. */
  readonly clip?: number
  /** What the net's output is held against is clipped to this. */
  readonly errorClip?: number
  readonly epochs?: number
  /** Of training, whatever the number of rows: beyond 4,000 rows each is seen less than `epochs` times. */
  readonly mostSteps?: number
}

export class FittedAutoencoder implements Fitted {
  readonly name = 'autoencoder'
  readonly inputs = ['features', 'mask'] as const
  readonly tolerance = 1e-9
  readonly network: Network
  readonly clip: number
  readonly errorClip: number

  constructor(network: Network, limit: number, errorClip: number) {
    this.network = network
    this.clip = limit
    this.errorClip = errorClip
  }

  score(batch: Batch): Float64Array {
    const { n, signals: d } = batch
    const width = KINDS * d
    const input = new Float64Array(n * width)
    for (let i = 0; i < n; i++) writeRow(batch, i, this.clip, 0, input, i * width)
    const output = this.network.forward(input, n)
    const target = new Float64Array(width)
    const scores = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      writeRow(batch, i, this.errorClip, Number.NaN, target, 0)
      let [sum, present] = [0, 0]
      for (let f = 0; f < width; f++) {
        const x = target[f] as number
        if (Number.isNaN(x)) continue
        present++
        sum += (x - (output[i * width + f] as number)) ** 2
      }
      scores[i] = sum / Math.max(1, present)
    }
    return scores
  }

  toOnnx(): Uint8Array {
    const width = this.network.inputs
    const g = new GraphBuilder(this.name, 'Mean squared error of an autoencoder of the window features')
    const features = g.input('features', 'double', ['N', width])
    const mask = g.input('mask', 'double', ['N', width / KINDS])
    const present = featurePresence(g, mask)
    // Absent first: what stands there may be as large as it likes.
    const known = zeroAbsent(g, present, features)
    const output = networkNodes(g, this.network, clipNode(g, known, this.clip))
    const error = zeroAbsent(g, present, g.node('Sub', [clipNode(g, known, this.errorClip), output]))
    const count = g.node('Mul', [presentCount(g, mask), g.double([KINDS], [])])
    scoreOutput(g, g.node('Div', [rowSum(g, g.node('Mul', [error, error])), count]))
    return g.encode()
  }
}

export function autoencoder({
  hidden = 64,
  code = 12,
  clip: limit = 5,
  errorClip = 30,
  epochs = 8,
  mostSteps = 500,
}: AutoencoderOptions = {}): Detector<FittedAutoencoder> {
  return {
    name: 'autoencoder',
    fit(set, random) {
      const width = KINDS * set.signals
      const network = new Network(width, [
        { inputs: width, outputs: hidden, activation: 'tanh' },
        { inputs: hidden, outputs: code, activation: 'tanh' },
        { inputs: code, outputs: hidden, activation: 'tanh' },
        { inputs: hidden, outputs: width, activation: 'linear' },
      ])
      network.initialise(random)
      const examples = {
        count: set.mask.length / set.signals,
        write(t: number, input: Float64Array, inputAt: number, target: Float64Array, targetAt: number) {
          writeRow(set, t, limit, 0, input, inputAt)
          writeRow(set, t, limit, Number.NaN, target, targetAt)
        },
      }
      train(network, examples, random, { epochs, mostSteps })
      return new FittedAutoencoder(network, limit, errorClip)
    },
  }
}

/** The features of row i within +-limit; `absent` where their signal is. */
function writeRow(
  { signals: d, features, mask }: Pick<Batch, 'signals' | 'features' | 'mask'>,
  i: number,
  limit: number,
  absent: number,
  out: Float64Array,
  at: number,
): void {
  const from = i * KINDS * d
  for (let k = 0; k < KINDS; k++) {
    for (let j = 0; j < d; j++) {
      const f = k * d + j
      out[at + f] = mask[i * d + j] === 1 ? clip(features[from + f] as number, limit) : absent
    }
  }
}
