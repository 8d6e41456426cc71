/** Numbers in fixtures/oracle/window_features.json were computed with NumPy. */
import { readFileSync } from 'node:fs'
import type { Transform } from '@portent/core'
import { operatorsOf, vetModel } from '@portent/core/onnx'
import t from 'tap'
import { featureGraph } from '../graph/features.ts'
import { disagreement, runGraph } from '../graph/run-in-tests.ts'
import { Random } from '../random.ts'
import { applyFeatures, type FeatureModel } from './model.ts'
import { fitScaler } from './scaler.ts'
import { seriesFeatures, seriesOf } from './series.ts'
import { batchesOf, fitFeatureModel, sliceSet, trainingSetOf } from './training-set.ts'
import { KINDS, WINDOW_ROWS } from './window.ts'

const oracle: { x: number[][]; features: number[][] } = JSON.parse(
  readFileSync(new URL('../../fixtures/oracle/window_features.json', import.meta.url), 'utf8'),
)
const LINEAR: Transform = { kind: 'linear', scale: 1 }

t.test('features of a series are those of NumPy', async (t) => {
  const d = 6
  const features = seriesFeatures(seriesOf(Float64Array.from(oracle.x.flat()), d))
  const expected = oracle.features.flat()
  t.equal(features.length, expected.length)
  for (let i = 0; i < features.length; i++) {
    const [found, wanted] = [features[i] as number, expected[i] as number]
    const isStd = Math.floor((i % (KINDS * d)) / d) === 2
    // The reference takes the variance from running sums: a constant's std comes out as 3e-8 there and as 0 here.
    const ok = isStd && wanted < 1e-5 ? Math.abs(found ** 2 - wanted ** 2) < 2e-15 : Math.abs(found - wanted) < 1e-9
    if (!ok) t.fail(`row ${Math.floor(i / 36)} column ${i % 36}: ${found}, not ${wanted}`)
  }
})

t.test(
  'a missing value is carried for three rows, then the signal is masked and padded afresh on its return',
  async (t) => {
    const gap = Number.NaN
    const column = [gap, 1, 2, gap, gap, gap, gap, gap, 9, 9.5]
    const series = seriesOf(Float64Array.from(column), 1)
    t.same([...series.values], [0, 1, 2, 2, 2, 2, 0, 0, 9, 9.5])
    t.same([...series.mask], [0, 1, 1, 1, 1, 1, 0, 0, 1, 1])
    const features = seriesFeatures(series)
    const row = (i: number) => [...features.subarray(i * KINDS, (i + 1) * KINDS)]
    t.same(row(0), [0, 0, 0, 0, 0, 0])
    t.same(row(1), [1, 1, 0, 0, 0, 0])
    t.same(row(6), [0, 0, 0, 0, 0, 0])
    t.same(row(8), [9, 9, 0, 0, 0, 0])
    t.ok(Math.abs((row(9)[1] as number) - 9.05) < 1e-12)
  },
)

t.test('no window reaches into another host', async (t) => {
  const random = new Random('hosts')
  const [a, b] = [40, 25].map((n) => Float64Array.from({ length: n * 2 }, () => random.normal())) as [
    Float64Array,
    Float64Array,
  ]
  const both = seriesFeatures(seriesOf(Float64Array.from([...a, ...b]), 2, [40, 65]))
  t.same([...both], [...seriesFeatures(seriesOf(a, 2)), ...seriesFeatures(seriesOf(b, 2))])
  t.throws(() => seriesOf(a, 2, [39]), RangeError)
  t.throws(() => seriesOf(a, 3), RangeError)
})

t.test('mean and scale are those of present rows, with a floor; a signal never seen is refused', async (t) => {
  const values = Float64Array.from([1, 0, 3, 0, 0, 0, 0, 0])
  const mask = Float64Array.from([1, 1, 1, 1, 0, 1, 0, 1])
  const features = new Float64Array(4 * 2 * KINDS)
  for (let i = 0; i < 4; i++) features.set(values.subarray(2 * i, 2 * i + 2), i * 2 * KINDS)
  const segments = [{ start: 0, end: 4 }]
  const { mean, scale } = fitScaler(features, { signals: 2, mask, segments })
  t.same([mean[0], scale[0], mean[1], scale[1]], [2, 1, 0, 0.02])
  const perHost = [
    { start: 0, end: 1 },
    { start: 1, end: 4 },
  ]
  t.equal(fitScaler(features, { signals: 2, mask, segments: perHost }, { withinSegments: true }).scale[0], 0.02)
  t.throws(() => fitScaler(features, { signals: 2, mask: mask.map((m, i) => (i % 2 ? m : 0)), segments }), /signal 0/)
})

const D = 7
const TRANSFORMS: readonly Transform[] = [
  LINEAR,
  { kind: 'log1p', scale: 1 },
  { kind: 'log1p', scale: 1000 },
  { kind: 'linear', scale: 0.01 },
  LINEAR,
  { kind: 'log1p', scale: 1 },
  LINEAR,
]
/** One natural magnitude a signal. */
const SIZES = [0.3, 1e9, 0.02, 60, 0.9, 5000, 1e-4]

function randomSeries(random: Random, n: number): Float64Array {
  return Float64Array.from({ length: n * D }, (_, i) => (SIZES[i % D] as number) * (1 + 0.2 * random.normal()))
}

function feeds(random: Random, n: number) {
  const window = Float64Array.from(
    { length: n * WINDOW_ROWS * D },
    (_, i) => (SIZES[i % D] as number) * random.uniform(),
  )
  const mask = Float64Array.from({ length: n * D }, () => (random.uniform() < 0.8 ? 1 : 0))
  const center = Float64Array.from({ length: n * KINDS * D }, () => random.normal())
  return { window, mask, center }
}

const shaped = (n: number, { window, mask, center }: ReturnType<typeof feeds>) =>
  ({
    window: [window, [n, WINDOW_ROWS, D]],
    mask: [mask, [n, D]],
    center: [center, [n, KINDS * D]],
  }) as const

t.test(
  'features.onnx agrees with the reference, for every batch size, mask, centre and optimisation level',
  async (t) => {
    const random = new Random('graph')
    const model = fitFeatureModel(seriesOf(randomSeries(random, 500), D), TRANSFORMS)
    const bytes = featureGraph(model)
    t.equal(vetModel(bytes), null)
    t.ok(operatorsOf(bytes).every((op) => op.type !== 'Transpose'))
    for (const n of [1, 7, 1024]) {
      const inputs = feeds(random, n)
      const expected = applyFeatures(model, inputs.window, inputs.mask, inputs.center)
      for (const level of ['disabled', 'basic', 'all'] as const) {
        const found = await runGraph(bytes, shaped(n, inputs), level)
        t.ok(disagreement(found.features as Float64Array, expected.features) < 1e-9, `features of ${n} rows, ${level}`)
        t.ok(disagreement(found.rows as Float64Array, expected.rows) < 1e-9, `rows of ${n} rows, ${level}`)
      }
    }
  },
)

t.test('features.onnx of signals of one kind agrees too', async (t) => {
  const random = new Random('kinds')
  for (const kind of ['linear', 'log1p'] as const) {
    const model: FeatureModel = {
      transforms: TRANSFORMS.map(({ scale }) => ({ kind, scale })),
      mean: new Float64Array(KINDS * D).fill(0.5),
      scale: new Float64Array(KINDS * D).fill(0.25),
    }
    const inputs = feeds(random, 5)
    const found = await runGraph(featureGraph(model), shaped(5, inputs))
    const expected = applyFeatures(model, inputs.window, inputs.mask, inputs.center)
    t.ok(disagreement(found.features as Float64Array, expected.features) < 1e-9)
    t.ok(disagreement(found.rows as Float64Array, expected.rows) < 1e-9)
  }
})

t.test('what stands at an absent signal leaks nowhere, and every finite value gives finite features', async (t) => {
  const random = new Random('leak')
  const model = fitFeatureModel(seriesOf(randomSeries(random, 500), D), TRANSFORMS)
  const bytes = featureGraph(model)
  const inputs = feeds(random, 7)
  const other = { ...inputs, window: inputs.window.slice() }
  const absent = (i: number) => inputs.mask[Math.floor(i / (WINDOW_ROWS * D)) * D + (i % D)] === 0
  other.window = other.window.map((x, i) => (absent(i) ? (i % 3 ? 1.7e308 : -1.7e308) : x))
  const [a, b] = [await runGraph(bytes, shaped(7, inputs)), await runGraph(bytes, shaped(7, other))]
  t.same(b.features, a.features)
  t.same(b.rows, a.rows)
  t.same(
    applyFeatures(model, other.window, other.mask, other.center).features,
    applyFeatures(model, inputs.window, inputs.mask, inputs.center).features,
  )

  const huge = { ...inputs, window: inputs.window.map((_, i) => (i % 2 ? 1.7e308 : -1.7e308)) }
  const found = await runGraph(bytes, shaped(7, huge))
  t.ok(found.features?.every(Number.isFinite))
  t.ok(found.rows?.every(Number.isFinite))
})

t.test('a training set and its batches are what the graph would give row by row', async (t) => {
  const random = new Random('set')
  const natural = randomSeries(random, 60)
  for (let row = 20; row < 30; row++) natural[row * D + 3] = Number.NaN
  const series = seriesOf(natural, D, [35, 60])
  const model = fitFeatureModel(series, TRANSFORMS)
  const set = trainingSetOf(series, model)
  // The service's window: padded with a signal's first row since it appeared.
  const window = new Float64Array(60 * WINDOW_ROWS * D)
  for (let row = 0; row < 60; row++) {
    for (let j = 0; j < D; j++) {
      let from = row
      while (from > 0 && from !== 35 && series.mask[(from - 1) * D + j] === 1) from--
      for (let k = 0; k < WINDOW_ROWS; k++) {
        const source = Math.max(from, row - WINDOW_ROWS + 1 + k)
        window[(row * WINDOW_ROWS + k) * D + j] = series.values[source * D + j] as number
      }
    }
  }
  const expected = applyFeatures(model, window, series.mask, new Float64Array(60 * KINDS * D))
  for (const size of [7, 512]) {
    const batches = [...batchesOf(set, { size })].length
    t.equal(batches, Math.ceil(60 / size))
    const features: number[] = []
    const rows: number[] = []
    for (const batch of batchesOf(set, { size })) {
      features.push(...batch.features)
      rows.push(...batch.rows)
    }
    t.ok(disagreement(features, expected.features) < 1e-12)
    t.ok(disagreement(rows, expected.rows) < 1e-12)
  }
})

t.test('centred, every host has its mean at zero; a slice keeps to its hosts', async (t) => {
  const series = seriesOf(randomSeries(new Random('centred'), 60), D, [35, 60])
  const set = trainingSetOf(series, fitFeatureModel(series, TRANSFORMS), { centred: true })
  for (const { start, end } of set.segments) {
    for (let f = 0; f < KINDS * D; f++) {
      let sum = 0
      for (let row = start; row < end; row++) sum += set.features[row * KINDS * D + f] as number
      t.ok(Math.abs(sum) < 1e-9)
    }
  }
  t.ok(
    set.values.every((x, i) => Math.abs(x - (set.features[Math.floor(i / D) * KINDS * D + (i % D)] as number)) < 1e-12),
  )
  t.same(sliceSet(set, 30, 50).segments, [
    { start: 0, end: 5 },
    { start: 5, end: 20 },
  ])
})

t.test('the exponential mean holds the rows before, and starts with the row a signal appears in', async (t) => {
  const values = Float64Array.from([2, 4, 400, 0, 5])
  const series = {
    signals: 1,
    values,
    mask: Float64Array.from([1, 1, 1, 1, 1]),
    segments: [
      { start: 0, end: 4 },
      { start: 4, end: 5 },
    ],
  }
  const set = { ...series, features: new Float64Array(5 * KINDS) }
  const states: number[] = []
  for (const { ewma } of batchesOf(set, { ewmaAlpha: 0.5, size: 2 })) states.push(...ewma)
  t.same(states, [2, 2, 3, 6.5, 5])
})
