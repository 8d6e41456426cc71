/** Training of a {@link Network} by Adam (Kingma and Ba 2015) on squared errors. */
import type { Random } from '../random.ts'
import type { Network } from './network.ts'

export interface Examples {
  readonly count: number
  /** Writes the input and the target of example i; a target of NaN asks for nothing. */
  write(i: number, input: Float64Array, inputAt: number, target: Float64Array, targetAt: number): void
}

export interface TrainOptions {
  /** How often each example is seen. */
  readonly epochs: number
  /** However few examples there are: of a short set each is seen more often. */
  readonly leastSteps?: number
  /** However many examples there are: of a long set each is seen less often, or only a random part. */
  readonly mostSteps: number
  /** Examples a step. */
  readonly batch?: number
  /** Step size at the start; falls to 0 in a straight line. */
  readonly rate?: number
}

/** Decay of the means of the gradient and of its square, and what keeps the division finite: as published. */
const BETA = 0.9
const BETA_SQUARE = 0.999
const EPSILON = 1e-8

/**
 * The seed alone decides what is learnt, whatever the machine's load.
 * @returns mean squared error before each step
 */
export function train(
  network: Network,
  examples: Examples,
  random: Random,
  { epochs, leastSteps = 300, mostSteps, batch = 64, rate = 0.002 }: TrainOptions,
): Float64Array {
  if (examples.count === 0) throw new RangeError('a network needs examples')
  const steps = Math.min(mostSteps, Math.max(leastSteps, Math.ceil((epochs * examples.count) / batch)))
  const input = new Float64Array(batch * network.inputs)
  const target = new Float64Array(batch * network.outputs)
  const adam = adamOf(network)
  const next = shuffled(examples.count, random)
  return Float64Array.from({ length: steps }, (_, step) => {
    for (let b = 0; b < batch; b++) {
      examples.write(next(), input, b * network.inputs, target, b * network.outputs)
    }
    const { loss, gradient } = squaredError(network.forward(input, batch), target)
    network.backward(input, gradient, batch)
    adam(rate * (1 - step / steps))
    return loss
  })
}

/** Mean squared error over the targets that are numbers, and its gradient, which takes the place of `target`. */
export function squaredError(out: Float64Array, target: Float64Array): { loss: number; gradient: Float64Array } {
  let count = 0
  let squares = 0
  for (let i = 0; i < target.length; i++) {
    if (Number.isNaN(target[i])) {
      target[i] = 0
      continue
    }
    const off = (out[i] as number) - (target[i] as number)
    count++
    squares += off * off
    target[i] = off
  }
  const factor = 2 / Math.max(1, count)
  for (let i = 0; i < target.length; i++) target[i] = factor * (target[i] as number)
  return { loss: squares / Math.max(1, count), gradient: target }
}

function adamOf({ parameters, gradient }: Network): (rate: number) => void {
  const mean = new Float64Array(parameters.length)
  const square = new Float64Array(parameters.length)
  let [left, leftSquare] = [1, 1]
  return (rate) => {
    left *= BETA
    leftSquare *= BETA_SQUARE
    const size = rate / (1 - left)
    const whole = 1 / (1 - leftSquare)
    for (let i = 0; i < parameters.length; i++) {
      const g = gradient[i] as number
      const m = (mean[i] as number) + (1 - BETA) * (g - (mean[i] as number))
      const s = (square[i] as number) + (1 - BETA_SQUARE) * (g * g - (square[i] as number))
      mean[i] = m
      square[i] = s
      parameters[i] = (parameters[i] as number) - (size * m) / (Math.sqrt(s * whole) + EPSILON)
    }
  }
}

/** Indices 0..n-1 in a random order, then in another, and so on. */
function shuffled(n: number, random: Random): () => number {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  let at = 0
  return () => {
    const k = at + random.integer(n - at)
    const chosen = order[k] as number
    order[k] = order[at] as number
    order[at] = chosen
    at = (at + 1) % n
    return chosen
  }
}
