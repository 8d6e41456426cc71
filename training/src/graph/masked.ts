/** Parts that the graphs of several detectors share. Where instead of a product: 0 times infinity is no 0. */
import type { GraphBuilder } from '@portent/core/onnx'
import { KINDS } from '../features/window.ts'

/** mask [N,d] -> condition [N,d]. */
export function presence(g: GraphBuilder, mask: string): string {
  return g.node('Greater', [mask, g.double([0.5], [])])
}

/** mask [N,d] -> condition [N,6d] in the order of the features. */
export function featurePresence(g: GraphBuilder, mask: string): string {
  const all = g.node('Concat', new Array<string>(KINDS).fill(mask), { axis: { int: 1 } })
  return g.node('Greater', [all, g.double([0.5], [])])
}

/** x where present, else 0. */
export function zeroAbsent(g: GraphBuilder, present: string, x: string): string {
  return g.node('Where', [present, x, g.double([0], [])])
}

/** x within +-limit. */
export function clipNode(g: GraphBuilder, x: string, limit: number): string {
  return g.node('Clip', [x, g.double([-limit], []), g.double([limit], [])])
}

/** Number of present signals, at least 1 [N,1]. */
export function presentCount(g: GraphBuilder, mask: string): string {
  return g.node('Max', [g.node('ReduceSum', [mask, g.int64([1])]), g.double([1], [])])
}

/** Sum over axis 1: [N,k] -> [N,1]. */
export function rowSum(g: GraphBuilder, x: string): string {
  return g.node('ReduceSum', [x, g.int64([1])])
}

/** [N,1] -> the output `score` [N]. */
export function scoreOutput(g: GraphBuilder, score: string): void {
  g.output('score', 'double', ['N'], g.node('Squeeze', [score, g.int64([1])]))
}
