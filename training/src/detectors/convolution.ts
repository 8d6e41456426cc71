/**
 * Temporal convolution: how far the newest row is from what a small convolutional net foretells from the nine rows before
 * it. The forecast of a signal is its own last value times its autocorrelation, plus what the net adds from all signals:
 * a layer of 32 channels over each three rows, a layer over the three outcomes of that, and a linear read-out (kernel 3,
 * then kernel 3 with dilation 3, where only the newest outcome is asked for; after Bai, Kolter and Koltun 2018). The score
 * is the mean of the five largest absolute residuals, each over its spread in training.
 *
 * Assumes that the next row follows from the last nine in the same way as in training. Works, as the vector autoregression
 * does, when an incident starts with a jump or moves a signal without the ones that usually move with it, and beyond it
 * where the next step depends on the shape of the last nine (a job that runs for some rows, a sawtooth). Does not work for
 * what creeps or lasts, which soon foretells itself. The own last value is what makes it hold when a level moves for
 * good: without it the net is asked for levels that it never saw, and the residuals stay large (VUS-PR .35 instead of
 * .58 on six servers).
 *
 * The net reads and learns within +-5; residuals are of rows within +-30, so that a larger jump still scores higher. An
 * absent signal stands at 0 in the past, asks nothing of the net in training, and gives no residual; with fewer than five
 * present signals the mean is over those.
 */
import { GraphBuilder } from '@portent/core/onnx'
import { batchesOf, type TrainingSet } from '../features/training-set.ts'
import { clip, WINDOW_ROWS } from '../features/window.ts'
import { clipNode, presence, presentCount, rowSum, scoreOutput, zeroAbsent } from '../graph/masked.ts'
import { networkNodes } from '../net/graph.ts'
import { Network } from '../net/network.ts'
import { train } from '../net/train.ts'
import type { Batch, Detector, Fitted } from './types.ts'

export interface ConvolutionOptions {
  readonly channels?: number
  /** How many of the largest residuals count. */
  readonly top?: number
  /** What the net reads and learns is clipped to this. */
  readonly clip?: number
  /** Rows of which residuals are taken are clipped to this. */
  readonly residualClip?: number
  /** Smallest spread of a residual, in standardised units. */
  readonly residualFloor?: number
  readonly epochs?: number
  /** Of training, whatever the number of rows: beyond 4,000 rows each is seen less than `epochs` times. */
  readonly mostSteps?: number
}

/** Rows that foretell the newest one. */
const PAST = WINDOW_ROWS - 1
const KERNEL = 3
/** Draws each autocorrelation to 0 as this many rows of the usual spread would. */
const RIDGE = 30
/** Most numbers of windows that are kept to train on, 64 MB; of more, every second, third ... window is. */
const MOST_NUMBERS = 2 ** 24

interface Forecaster {
  readonly network: Network
  /** Factor of each signal's own last value [d]. */
  readonly carry: Float64Array
  readonly clip: number
  readonly residualClip: number
}

export class FittedConvolution implements Fitted {
  readonly name = 'convolution'
  readonly inputs = ['rows', 'mask'] as const
  readonly tolerance = 1e-9
  readonly forecaster: Forecaster
  /** [d]. */
  readonly residualScale: Float64Array
  readonly top: number

  constructor(forecaster: Forecaster, residualScale: Float64Array, top: number) {
    this.forecaster = forecaster
    this.residualScale = residualScale
    this.top = Math.min(top, residualScale.length)
  }

  score(batch: Batch): Float64Array {
    const { n, signals: d, mask } = batch
    const residuals = residualsOf(this.forecaster, batch)
    const sorted = new Float64Array(d)
    const scores = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      let present = 0
      for (let j = 0; j < d; j++) {
        if (mask[i * d + j] === 1) present++
        sorted[j] = Math.abs(residuals[i * d + j] as number) / (this.residualScale[j] as number)
      }
      sorted.sort()
      let sum = 0
      for (let k = 1; k <= this.top; k++) sum += sorted[d - k] as number
      scores[i] = sum / Math.max(1, Math.min(this.top, present))
    }
    return scores
  }

  toOnnx(): Uint8Array {
    const { network, carry, clip: limit, residualClip } = this.forecaster
    const d = carry.length
    const g = new GraphBuilder(this.name, 'Mean of the largest residuals of a temporal convolution')
    const rows = g.input('rows', 'double', ['N', WINDOW_ROWS, d])
    const mask = g.input('mask', 'double', ['N', d])
    const present = presence(g, mask)
    const known = zeroAbsent(g, g.node('Unsqueeze', [present, g.int64([1])]), rows)
    const past = g.node('Slice', [known, g.int64([0]), g.int64([PAST]), g.int64([1])])
    const added = networkNodes(g, network, g.node('Reshape', [clipNode(g, past, limit), g.int64([0, PAST * d])]))
    const wide = clipNode(g, known, residualClip)
    const rowAt = (k: number) => g.node('Gather', [wide, g.int64([k], [])], { axis: { int: 1 } })
    const forecast = g.node('Add', [g.node('Mul', [rowAt(PAST - 1), g.double(carry)]), added])
    const off = g.node('Abs', [g.node('Sub', [rowAt(PAST), forecast])])
    const residuals = zeroAbsent(g, present, g.node('Div', [off, g.double(this.residualScale)]))
    const largest = g.nodes('TopK', [residuals, g.int64([this.top])], 2, { axis: { int: 1 } })[0] as string
    const count = g.node('Min', [presentCount(g, mask), g.double([this.top], [])])
    scoreOutput(g, g.node('Div', [rowSum(g, largest), count]))
    return g.encode()
  }
}

export function convolution({
  channels = 32,
  top = 5,
  clip: limit = 5,
  residualClip = 30,
  residualFloor = 0.2,
  epochs = 8,
  mostSteps = 500,
}: ConvolutionOptions = {}): Detector<FittedConvolution> {
  return {
    name: 'convolution',
    fit(set, random) {
      const { signals: d } = set
      const network = new Network(PAST * d, [
        { inputs: KERNEL * d, outputs: channels, activation: 'tanh' },
        { inputs: KERNEL * channels, outputs: channels, activation: 'tanh' },
        { inputs: channels, outputs: d, activation: 'linear' },
      ])
      network.initialise(random)
      const carry = autocorrelations(set, limit)
      const { windows, mask } = windowsOf(set, limit)
      const examples = {
        count: mask.length / d,
        write(i: number, input: Float64Array, inputAt: number, target: Float64Array, targetAt: number) {
          const from = i * WINDOW_ROWS * d
          const newest = from + PAST * d
          for (let k = 0; k < PAST * d; k++) input[inputAt + k] = windows[from + k] as number
          for (let j = 0; j < d; j++) {
            const left = (windows[newest + j] as number) - (carry[j] as number) * (windows[newest - d + j] as number)
            target[targetAt + j] = mask[i * d + j] === 1 ? left : Number.NaN
          }
        },
      }
      train(network, examples, random, { epochs, mostSteps })
      const forecaster = { network, carry, clip: limit, residualClip }
      return new FittedConvolution(forecaster, spreadOf(forecaster, set, residualFloor), top)
    },
  }
}

/** Of the newest rows [n,d]; 0 where absent. */
function residualsOf(
  { network, carry, clip: limit, residualClip }: Forecaster,
  { n, signals: d, rows, mask }: Batch,
): Float64Array {
  const past = new Float64Array(n * PAST * d)
  for (let i = 0, to = 0; i < n; i++) {
    for (let k = 0, from = i * WINDOW_ROWS * d; k < PAST; k++) {
      for (let j = 0; j < d; j++, from++, to++) {
        past[to] = mask[i * d + j] === 1 ? clip(rows[from] as number, limit) : 0
      }
    }
  }
  const added = network.forward(past, n)
  const residuals = new Float64Array(n * d)
  for (let i = 0; i < n; i++) {
    const newest = (i * WINDOW_ROWS + PAST) * d
    for (let j = 0; j < d; j++) {
      const at = i * d + j
      if (mask[at] !== 1) continue
      const last = clip(rows[newest - d + j] as number, residualClip)
      const forecast = last * (carry[j] as number) + (added[at] as number)
      residuals[at] = clip(rows[newest + j] as number, residualClip) - forecast
    }
  }
  return residuals
}

/** Of each signal with its own row before, in its clipped rows [d]. */
function autocorrelations({ signals: d, values, mask, segments }: TrainingSet, limit: number): Float64Array {
  const products = new Float64Array(d)
  const squares = new Float64Array(d).fill(RIDGE)
  for (const { start, end } of segments) {
    for (let t = start + 1; t < end; t++) {
      for (let j = 0; j < d; j++) {
        const at = t * d + j
        if (mask[at] !== 1 || mask[at - d] !== 1) continue
        const last = clip(values[at - d] as number, limit)
        products[j] = (products[j] as number) + last * clip(values[at] as number, limit)
        squares[j] = (squares[j] as number) + last * last
      }
    }
  }
  return products.map((sum, j) => sum / (squares[j] as number))
}

/** Clipped windows [m,L,d] and presence in their newest row [m,d]. */
function windowsOf(set: TrainingSet, limit: number): { windows: Float32Array; mask: Float64Array } {
  const { signals: d } = set
  const width = WINDOW_ROWS * d
  const n = set.mask.length / d
  const stride = Math.max(1, Math.ceil((n * width) / MOST_NUMBERS))
  const m = Math.ceil(n / stride)
  const windows = new Float32Array(m * width)
  const mask = new Float64Array(m * d)
  let t = 0
  let kept = 0
  for (const batch of batchesOf(set)) {
    for (let i = 0; i < batch.n; i++, t++) {
      if (t % stride !== 0) continue
      mask.set(batch.mask.subarray(i * d, (i + 1) * d), kept * d)
      for (let k = 0; k < width; k++) windows[kept * width + k] = clip(batch.rows[i * width + k] as number, limit)
      kept++
    }
  }
  return { windows, mask }
}

/** Root mean square of each signal's residuals in training, at least `floor` [d]. */
function spreadOf(forecaster: Forecaster, set: TrainingSet, floor: number): Float64Array {
  const { signals: d } = set
  const squares = new Float64Array(d)
  const count = new Float64Array(d)
  for (const batch of batchesOf(set)) {
    const residuals = residualsOf(forecaster, batch)
    for (let at = 0; at < residuals.length; at++) {
      const j = at % d
      squares[j] = (squares[j] as number) + (residuals[at] as number) ** 2
      count[j] = (count[j] as number) + (batch.mask[at] as number)
    }
  }
  return squares.map((sum, j) => Math.max(floor, Math.sqrt(sum / Math.max(1, count[j] as number))))
}
