/** features.onnx: `window` [N,L,d], `mask` [N,d], `center` [N,F] -> `features` [N,F], `rows` [N,L,d]; double throughout. */
import { GraphBuilder } from '@portent/core/onnx'
import { type FeatureModel, VALUE_LIMIT } from '../features/model.ts'
import { KINDS, SPIKE_LIMIT, SPIKE_SOFTENER, slopeWeights, WINDOW_ROWS } from '../features/window.ts'
import { clipNode, featurePresence, presence, zeroAbsent } from './masked.ts'

export function featureGraph({ transforms, mean, scale }: FeatureModel): Uint8Array {
  const d = transforms.length
  const width = KINDS * d
  const g = new GraphBuilder(
    'features',
    'Window features: last, mean, std, slope, spike, rate of every signal, standardised and centred',
  )
  const window = g.input('window', 'double', ['N', WINDOW_ROWS, d])
  const mask = g.input('mask', 'double', ['N', d])
  const center = g.input('center', 'double', ['N', width])

  const present = presence(g, mask)
  const presentRows = g.node('Unsqueeze', [present, g.int64([1])])
  const natural = clipNode(g, zeroAbsent(g, presentRows, window), VALUE_LIMIT)
  const scaled = g.node('Mul', [natural, g.double(transforms.map((x) => x.scale))])
  const x = transformed(g, scaled, transforms)

  const rowAt = (k: number) => g.node('Gather', [x, g.int64([k], [])], { axis: { int: 1 } })
  const overRows = { axes: { ints: [1] }, keepdims: { int: 1 } } as const
  const meanRows = g.node('ReduceMean', [x], overRows)
  const off = g.node('Sub', [x, meanRows])
  const variance = g.node('ReduceMean', [g.node('Mul', [off, off])], overRows)
  const squeeze = (tensor: string) => g.node('Squeeze', [tensor, g.int64([1])])
  const last = rowAt(WINDOW_ROWS - 1)
  const average = squeeze(meanRows)
  const std = squeeze(g.node('Sqrt', [variance]))
  const weights = g.double(slopeWeights(WINDOW_ROWS), [1, WINDOW_ROWS, 1])
  const slope = g.node('ReduceSum', [g.node('Mul', [off, weights]), g.int64([1])], { keepdims: { int: 0 } })
  const softened = g.node('Add', [std, g.double([SPIKE_SOFTENER], [])])
  const spike = clipNode(g, g.node('Div', [g.node('Sub', [last, average]), softened]), SPIKE_LIMIT)
  const rate = g.node('Sub', [last, rowAt(WINDOW_ROWS - 2)])
  const raw = g.node('Concat', [last, average, std, slope, spike, rate], { axis: { int: 1 } })

  const standardised = g.node('Div', [g.node('Sub', [raw, g.double(mean)]), g.double(scale)])
  const centred = g.node('Sub', [standardised, center])
  g.output('features', 'double', ['N', width], zeroAbsent(g, featurePresence(g, mask), centred))

  // Rows stand where `last` does.
  const rows = g.node('Div', [g.node('Sub', [x, g.double(mean.subarray(0, d))]), g.double(scale.subarray(0, d))])
  const levels = g.node('Slice', [center, g.int64([0]), g.int64([d]), g.int64([1])])
  const centredRows = g.node('Sub', [rows, g.node('Unsqueeze', [levels, g.int64([1])])])
  g.output('rows', 'double', ['N', WINDOW_ROWS, d], zeroAbsent(g, presentRows, centredRows))
  return g.encode()
}

/** log(1 + x) of the values above 0 where the signal's transform is log1p, else x. */
function transformed(g: GraphBuilder, scaled: string, transforms: FeatureModel['transforms']): string {
  const isLog = transforms.map((x) => (x.kind === 'log1p' ? 1 : 0))
  const positive = g.node('Max', [scaled, g.double([0], [])])
  const log = g.node('Log', [g.node('Add', [positive, g.double([1], [])])])
  if (!isLog.includes(0)) return log
  if (!isLog.includes(1)) return scaled
  return g.node('Where', [g.node('Cast', [g.int64(isLog)], { to: { int: 9 } }), log, scaled])
}
