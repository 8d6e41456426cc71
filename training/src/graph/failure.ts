/**
 * failure.onnx: `history` [N,H,K] of the features of a failure -> `probability` [N,H], ascending. Each term's value is cut
 * into the stretches between its knots, every stretch has one weight a horizon, and trust scales what is above the base
 * rate.
 */
import { type FailureTerms, RISK_COLUMN, TRUST_COLUMN } from '@portent/core'
import { GraphBuilder } from '@portent/core/onnx'

export function failureGraph({ horizons, terms, intercepts, baseRates }: FailureTerms): Uint8Array {
  const stretches = terms.flatMap(({ feature, knots, weights }) =>
    knots.slice(1).map((high, b) => ({
      column: RISK_COLUMN[feature],
      low: knots[b] as number,
      width: high - (knots[b] as number),
      weights: weights.map((w) => w[b] as number),
    })),
  )
  const h = horizons.length
  const s = stretches.length
  const g = new GraphBuilder('failure', 'Probability of a failure within each horizon, by additive logistic regression')
  const history = g.input('history', 'double', ['N', h, TRUST_COLUMN + 1])
  const columns = g.int64(stretches.map((x) => x.column))
  const values = g.node('Gather', [history, columns], { axis: { int: 2 } })
  const lows = g.double(stretches.map((x) => x.low))
  const widths = g.double(stretches.map((x) => x.width))
  const share = g.node('Clip', [
    g.node('Div', [g.node('Sub', [values, lows]), widths]),
    g.double([0], []),
    g.double([1], []),
  ])
  const weights = g.double(
    Array.from({ length: h * s }, (_, i) => stretches[i % s]?.weights[Math.floor(i / s)] as number),
    [h, s],
  )
  const summed = g.node('ReduceSum', [g.node('Mul', [share, weights]), g.int64([2])], { keepdims: { int: 0 } })
  const bold = g.node('Sigmoid', [g.node('Add', [summed, g.double(intercepts)])])
  const base = g.double(baseRates)
  const trust = g.node('Gather', [history, g.int64([TRUST_COLUMN], [])], { axis: { int: 2 } })
  const above = g.node('Max', [g.node('Sub', [bold, base]), g.double([0], [])])
  const shrunk = g.node('Add', [g.node('Min', [bold, base]), g.node('Mul', [trust, above])])
  const ascending: string[] = []
  for (let k = 0; k < h; k++) {
    const own = g.node('Gather', [shrunk, g.int64([k])], { axis: { int: 1 } })
    const before = ascending.at(-1)
    ascending.push(before === undefined ? own : g.node('Max', [before, own]))
  }
  g.output('probability', 'double', ['N', h], g.node('Concat', ascending, { axis: { int: 1 } }))
  return g.encode()
}
