/** A trained {@link Network} as nodes of an ONNX graph. */
import type { GraphBuilder } from '@portent/core/onnx'
import type { Network } from './network.ts'

/** x [N,inputs] double -> [N,outputs]. */
export function networkNodes(g: GraphBuilder, network: Network, x: string): string {
  let [value, width] = [x, network.inputs]
  for (const { inputs, outputs, activation, weights, biases } of network.layers) {
    const pieces = width / inputs
    const input = pieces === 1 ? value : g.node('Reshape', [value, g.int64([0, pieces, inputs])])
    const product = g.node('MatMul', [input, g.double(weights, [inputs, outputs])])
    const sum = g.node('Add', [product, g.double(biases)])
    const out = activation === 'tanh' ? g.node('Tanh', [sum]) : sum
    width = pieces * outputs
    value = pieces === 1 ? out : g.node('Reshape', [out, g.int64([0, width])])
  }
  return value
}
