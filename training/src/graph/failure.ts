/** failure.onnx: `history` [N,K] in natural units -> `probability` [N]. */
import { decodeModel, GraphBuilder, tensorValues } from '@portent/core/onnx'
import type { StandardLogistic } from '../logistic.ts'

export function failureGraph({ mean, scale, weights, intercept }: StandardLogistic): Uint8Array {
  const k = weights.length
  const g = new GraphBuilder('failure', 'Probability of a failure within the horizon, by logistic regression')
  const history = g.input('history', 'double', ['N', k])
  const x = g.node('Div', [g.node('Sub', [history, g.double(mean)]), g.double(scale)])
  const logit = g.node('Add', [g.node('MatMul', [x, g.double(weights, [k, 1])]), g.double([intercept], [])])
  const probability = g.node('Squeeze', [g.node('Sigmoid', [logit]), g.int64([1])])
  g.output('probability', 'double', ['N'], probability)
  return g.encode()
}

/**
 * The model that such a file holds.
 * @throws Error when the file is not one of {@link failureGraph}
 */
export function readFailureGraph(bytes: Uint8Array): StandardLogistic {
  const tensors = (decodeModel(bytes).graph?.initializer ?? []).slice(0, 4).map(tensorValues)
  const [mean, scale, weights, intercept] = tensors
  if (!mean || !scale || !weights || intercept?.length !== 1 || weights.length !== mean.length) {
    throw new Error('not the ONNX file of a logistic regression')
  }
  return { mean, scale, weights, intercept: intercept[0] as number }
}
