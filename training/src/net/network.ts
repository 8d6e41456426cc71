/**
 * A chain of dense layers, forwards and backwards. A layer may be narrower than what comes in: then it is applied to each
 * piece of that width, with the same weights, and the pieces' outputs stand side by side. Over rows of time that is a
 * convolution whose stride is its width.
 */
import type { Random } from '../random.ts'
import { matrix, product, transposed } from './product.ts'

export interface Layer {
  /** Divides the width of what comes in. */
  readonly inputs: number
  readonly outputs: number
  readonly activation: 'tanh' | 'linear'
}

/** Where a layer's numbers are. */
interface Place extends Layer {
  /** Pieces a sample. */
  readonly pieces: number
  /** Of the weights [inputs,outputs], which the biases [outputs] follow. */
  readonly offset: number
}

export class Network {
  /** Width of a sample. */
  readonly inputs: number
  /** Width of what comes out. */
  readonly outputs: number
  /** All weights and biases, layer by layer: [inputs,outputs], then [outputs]. */
  readonly parameters: Float64Array
  /** Of the parameters, as of the last {@link backward}. */
  readonly gradient: Float64Array
  readonly #places: readonly Place[]
  /** What comes out of each layer, and its gradient; grown with the batch. */
  #values: Float64Array[] = []
  #gradients: Float64Array[] = []

  /** @throws RangeError when a layer's inputs do not divide what comes in */
  constructor(inputs: number, layers: readonly Layer[]) {
    let width = inputs
    let offset = 0
    this.#places = layers.map((layer) => {
      const pieces = width / layer.inputs
      if (!Number.isInteger(pieces)) throw new RangeError(`a layer of ${layer.inputs} inputs does not divide ${width}`)
      const place = { ...layer, pieces, offset }
      offset += (layer.inputs + 1) * layer.outputs
      width = pieces * layer.outputs
      return place
    })
    this.inputs = inputs
    this.outputs = width
    this.parameters = new Float64Array(offset)
    this.gradient = new Float64Array(offset)
  }

  /** Each layer with its weights [inputs,outputs] and biases [outputs]; views, not copies. */
  get layers(): readonly (Layer & { readonly weights: Float64Array; readonly biases: Float64Array })[] {
    return this.#places.map((place) => {
      const { inputs, outputs, activation } = place
      return { inputs, outputs, activation, ...partsOf(this.parameters, place) }
    })
  }

  /** Uniform weights of variance 2 / (inputs + outputs) (Glorot and Bengio 2010), biases 0. */
  initialise(random: Random): void {
    for (const place of this.#places) {
      const { weights, biases } = partsOf(this.parameters, place)
      const limit = Math.sqrt(6 / (place.inputs + place.outputs))
      for (let i = 0; i < weights.length; i++) weights[i] = limit * (2 * random.uniform() - 1)
      biases.fill(0)
    }
  }

  /**
   * @param x [n,inputs]
   * @returns [n,outputs]; holds until the next call
   */
  forward(x: Float64Array, n: number): Float64Array {
    this.#reserve(n)
    let input = x
    for (const [k, place] of this.#places.entries()) {
      const { inputs, outputs, activation, pieces } = place
      const { weights, biases } = partsOf(this.parameters, place)
      const out = this.#values[k] as Float64Array
      const rows = n * pieces
      product(matrix(input, inputs), matrix(weights, outputs), out, rows, outputs, inputs)
      const isTanh = activation === 'tanh'
      for (let r = 0, at = 0; r < rows; r++) {
        for (let c = 0; c < outputs; c++, at++) {
          const sum = (out[at] as number) + (biases[c] as number)
          out[at] = isTanh ? Math.tanh(sum) : sum
        }
      }
      input = out
    }
    return input.subarray(0, n * this.outputs)
  }

  /**
   * Sets {@link gradient}, of a loss whose gradient by the outputs of the last {@link forward} is given.
   * @param x as given to forward
   * @param outputs [n,outputs]
   */
  backward(x: Float64Array, outputs: Float64Array, n: number): void {
    let after = outputs
    for (let k = this.#places.length - 1; k >= 0; k--) {
      const place = this.#places[k] as Place
      const rows = n * place.pieces
      if (place.activation === 'tanh') {
        const values = this.#values[k] as Float64Array
        for (let i = 0; i < rows * place.outputs; i++) {
          after[i] = (after[i] as number) * (1 - (values[i] as number) ** 2)
        }
      }
      const input = k === 0 ? x : (this.#values[k - 1] as Float64Array)
      const { weights, biases } = partsOf(this.gradient, place)
      const gradientOfOut = matrix(after, place.outputs)
      product(transposed(matrix(input, place.inputs)), gradientOfOut, weights, place.inputs, place.outputs, rows)
      biases.fill(0)
      for (let r = 0, at = 0; r < rows; r++) {
        for (let c = 0; c < place.outputs; c++, at++) biases[c] = (biases[c] as number) + (after[at] as number)
      }
      if (k === 0) break
      const before = this.#gradients[k - 1] as Float64Array
      const by = transposed(matrix(partsOf(this.parameters, place).weights, place.outputs))
      product(gradientOfOut, by, before, rows, place.inputs, place.outputs)
      after = before
    }
  }

  #reserve(n: number): void {
    const [first] = this.#places
    if (first === undefined) throw new RangeError('a network has at least one layer')
    if ((this.#values[0]?.length ?? 0) >= n * first.pieces * first.outputs) return
    const room = () => this.#places.map(({ pieces, outputs }) => new Float64Array(n * pieces * outputs))
    this.#values = room()
    this.#gradients = room()
  }
}

function partsOf(all: Float64Array, { inputs, outputs, offset }: Place) {
  const end = offset + inputs * outputs
  return { weights: all.subarray(offset, end), biases: all.subarray(end, end + outputs) }
}
