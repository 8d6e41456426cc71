import type { Transform } from '@portent/core'
import { decodeModel, GraphBuilder, tensorValues } from '@portent/core/onnx'
import t from 'tap'
import { autoencoder } from '../detectors/autoencoder.ts'
import { convolution } from '../detectors/convolution.ts'
import { scoreSet } from '../detectors/index.ts'
import type { Batch } from '../detectors/types.ts'
import { seriesOf } from '../features/series.ts'
import { batchesOf, fitFeatureModel, type TrainingSet, trainingSetOf } from '../features/training-set.ts'
import { KINDS, WINDOW_ROWS } from '../features/window.ts'
import { disagreement, runGraph } from '../graph/run-in-tests.ts'
import { Random } from '../random.ts'
import { networkNodes } from './graph.ts'
import { Network } from './network.ts'
import { matrix, product, transposed, type View } from './product.ts'
import { squaredError, train } from './train.ts'

const normals = (random: Random, n: number) => Float64Array.from({ length: n }, () => random.normal())

t.test('a product of matrices is the sum of products, whatever the shape and the strides', async (t) => {
  const random = new Random('product')
  const at = ({ values, row, column }: View, r: number, c: number) => values[r * row + c * column] as number
  for (const [rows, columns, depth] of [
    [1, 1, 1],
    [2, 4, 3],
    [3, 7, 5],
    [8, 8, 8],
    [5, 3, 11],
    [1, 9, 2],
  ] as const) {
    const a = normals(random, rows * depth)
    const b = normals(random, depth * columns)
    for (const left of [matrix(a, depth), transposed(matrix(a, rows))]) {
      for (const right of [matrix(b, columns), transposed(matrix(b, depth))]) {
        const out = new Float64Array(rows * columns)
        product(left, right, out, rows, columns, depth)
        const expected = out.map((_, i) => {
          let sum = 0
          for (let k = 0; k < depth; k++) sum += at(left, Math.floor(i / columns), k) * at(right, k, i % columns)
          return sum
        })
        t.ok(disagreement(out, expected) < 1e-12, `${rows} x ${depth} x ${columns}`)
      }
    }
  }
})

/** Layers over single samples and over three pieces of each. */
function small(random: Random): Network {
  const network = new Network(12, [
    { inputs: 4, outputs: 5, activation: 'tanh' },
    { inputs: 15, outputs: 3, activation: 'tanh' },
    { inputs: 3, outputs: 2, activation: 'linear' },
  ])
  network.initialise(random)
  for (const { biases } of network.layers) for (let i = 0; i < biases.length; i++) biases[i] = 0.3 * random.normal()
  return network
}

t.test('the gradient is that of finite differences, also of layers applied to pieces', async (t) => {
  const random = new Random('gradient')
  const network = small(random)
  const n = 7
  const x = normals(random, n * 12)
  const target = normals(random, n * 2)
  target[3] = Number.NaN
  const loss = () => squaredError(network.forward(x, n), target.slice()).loss
  const { gradient } = squaredError(network.forward(x, n), target.slice())
  t.equal(gradient[3], 0)
  network.backward(x, gradient, n)
  const step = 1e-5
  const numeric = network.parameters.map((before, i) => {
    network.parameters[i] = before + step
    const above = loss()
    network.parameters[i] = before - step
    const below = loss()
    network.parameters[i] = before
    return (above - below) / (2 * step)
  })
  t.ok(disagreement(network.gradient, numeric) < 1e-9)
  t.ok(numeric.some((g) => Math.abs(g) > 0.01))
})

t.test('a layer that does not divide what comes in is refused', async (t) => {
  t.throws(() => new Network(10, [{ inputs: 4, outputs: 2, activation: 'tanh' }]), RangeError)
  t.throws(() => new Network(10, []).forward(new Float64Array(10), 1), RangeError)
})

t.test('a net written as ONNX computes the same, for any number of samples', async (t) => {
  const random = new Random('graph')
  const network = small(random)
  const g = new GraphBuilder('net')
  g.output('out', 'double', ['N', 2], networkNodes(g, network, g.input('x', 'double', ['N', 12])))
  for (const n of [300, 1, 6]) {
    const x = normals(random, n * 12)
    for (const level of ['basic', 'all'] as const) {
      const { out } = await runGraph(g.encode(), { x: [x, [n, 12]] }, level)
      t.ok(disagreement(out as Float64Array, network.forward(x, n)) < 1e-12, `${n} samples, ${level}`)
    }
  }
})

t.test('training learns a function that no linear map is, and the same seed learns the same', async (t) => {
  const learn = (seed: number, mostSteps = 1500) => {
    const random = new Random(seed)
    const network = new Network(2, [
      { inputs: 2, outputs: 16, activation: 'tanh' },
      { inputs: 16, outputs: 1, activation: 'linear' },
    ])
    network.initialise(random)
    const x = normals(random.fork('x'), 1000)
    const write = (i: number, input: Float64Array, inputAt: number, target: Float64Array, targetAt: number) => {
      const [a, b] = [x[2 * i] as number, x[2 * i + 1] as number]
      input.set([a, b], inputAt)
      target[targetAt] = Math.sign(a * b)
    }
    const losses = train(network, { count: 500, write }, random, { epochs: 1000, mostSteps, rate: 0.02 })
    return { losses, parameters: network.parameters }
  }
  const { losses, parameters } = learn(1)
  const mean = (part: Float64Array) => part.reduce((a, b) => a + b) / part.length
  t.equal(losses.length, 1500)
  t.ok(mean(losses.subarray(0, 50)) > 0.8)
  t.ok(mean(losses.subarray(-50)) < 0.25)
  t.same(learn(1).parameters, parameters)
  t.not(learn(2, 10).parameters[0], learn(3, 10).parameters[0])
})

t.test('a set without examples is refused, and a small one is seen often', async (t) => {
  const network = small(new Random(1))
  const write = (_: number, input: Float64Array, at: number, target: Float64Array, targetAt: number) => {
    input.fill(1, at, at + 12)
    target.fill(2, targetAt, targetAt + 2)
  }
  const options = { epochs: 8, leastSteps: 20, mostSteps: 50 }
  t.throws(() => train(network, { count: 0, write }, new Random(1), options), RangeError)
  t.equal(train(network, { count: 1, write }, new Random(1), options).length, 20)
  t.equal(train(network, { count: 300, write }, new Random(1), options).length, 38)
  t.equal(train(network, { count: 3000, write }, new Random(1), options).length, 50)
})

/** Signals that follow one daily wave and each other; `lost` rows of signal 0 are missing. */
function host(rows: number, d: number, seed: string, lost: readonly [number, number] = [0, 0]): Float64Array {
  const random = new Random(seed)
  let load = 0
  return Float64Array.from({ length: rows * d }, (_, i) => {
    const [at, j] = [Math.floor(i / d), i % d]
    if (j === 0) load = 0.9 * load + 0.1 * random.normal() + 0.05 * Math.sin(at / 40)
    return j === 0 && at >= lost[0] && at < lost[1] ? Number.NaN : 0.5 + load * (1 + j / 4) + 0.05 * random.normal()
  })
}

function setsOf(values: Float64Array, test: Float64Array, d: number): { train: TrainingSet; test: TrainingSet } {
  const series = seriesOf(values, d)
  const model = fitFeatureModel(series, new Array<Transform>(d).fill({ kind: 'linear', scale: 1 }))
  return { train: trainingSetOf(series, model), test: trainingSetOf(seriesOf(test, d), model) }
}

function feedsOf(batch: Batch, inputs: readonly string[]) {
  const { n, signals: d } = batch
  const feeds = {
    features: [batch.features, [n, KINDS * d]],
    rows: [batch.rows, [n, WINDOW_ROWS, d]],
    mask: [batch.mask, [n, d]],
  } as const
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.includes(name)))
}

for (const detector of [autoencoder(), convolution()]) {
  const { name } = detector

  for (const [what, rows, d, lost] of [
    ['few rows', 120, 4, [0, 0]],
    ['one signal', 300, 1, [0, 0]],
    ['a signal that was absent for a time', 300, 3, [100, 200]],
  ] as const) {
    t.test(`${name}: fits ${what}, and its file scores the same`, async (t) => {
      const { train: set, test } = setsOf(host(rows, d, 'train', lost), host(60, d, 'test', [40, 50]), d)
      const fitted = detector.fit(set, new Random(1))
      for (const batch of batchesOf(test)) {
        const { score } = await runGraph(fitted.toOnnx(), feedsOf(batch, fitted.inputs))
        t.ok(disagreement(score as Float64Array, fitted.score(batch)) < fitted.tolerance)
      }
      t.ok(scoreSet(fitted, set).every((x) => Number.isFinite(x) && x >= 0))
    })
  }

  t.test(`${name}: a signal that never moved gives finite scores, and stands out when it does`, async (t) => {
    const still = (values: Float64Array) => values.map((x, i) => (i % 3 === 1 ? 0.25 : x))
    const moved = still(host(60, 3, 'test')).map((x, i) => (i === 3 * 50 + 1 ? 0.75 : x))
    const { train: set, test } = setsOf(still(host(400, 3, 'train')), moved, 3)
    const scores = scoreSet(detector.fit(set, new Random(1)), test)
    t.ok(scores.every(Number.isFinite))
    t.ok((scores[50] as number) > 2 * Math.max(...scores.subarray(0, 50)))
    const { train: constant } = setsOf(new Float64Array(900).fill(0.5), new Float64Array(3), 3)
    t.ok(scoreSet(detector.fit(constant, new Random(1)), constant).every((x) => x >= 0 && x < 1))
  })

  t.test(`${name}: the larger the jump, the higher the score, far beyond what the net reads`, async (t) => {
    const test = host(60, 3, 'test')
    const { train: set } = setsOf(host(600, 3, 'train'), test, 3)
    const fitted = detector.fit(set, new Random(1))
    const scoreOf = (jump: number) => {
      const jumped = test.map((x, i) => (i === 3 * 50 + 2 ? x + jump : x))
      return scoreSet(fitted, setsOf(host(600, 3, 'train'), jumped, 3).test)[50] as number
    }
    const scores = [0, 0.5, 1, 2, 4].map(scoreOf)
    t.same(
      scores,
      scores.slice().sort((a, b) => a - b),
    )
    t.ok((scores[4] as number) > 3 * (scores[2] as number))
  })

  t.test(`${name}: the file holds the weights in full, and another seed gives others`, async (t) => {
    const { train: set } = setsOf(host(120, 2, 'train'), host(20, 2, 'test'), 2)
    const [one, other] = [1, 2].map((seed) => detector.fit(set, new Random(seed)))
    const weights = Buffer.from(one?.toOnnx() ?? [])
    const tensors = (decodeModel(weights).graph?.initializer ?? []).map(tensorValues)
    t.ok(tensors.some((x) => x.length > 100 && x.some((w) => w !== Math.fround(w))))
    t.notOk(weights.equals(other?.toOnnx() ?? weights))
  })
}

t.test(
  'the autoencoder learns what goes together: its error falls far below that of the net it began with',
  async (t) => {
    const { train: set, test } = setsOf(host(1500, 6, 'train'), host(400, 6, 'test'), 6)
    const mean = (mostSteps: number) =>
      scoreSet(autoencoder({ mostSteps }).fit(set, new Random(1)), test).reduce((a, b) => a + b) / 400
    t.ok(mean(500) < 0.2 * mean(1))
  },
)

t.test('the convolution learns a pattern that one row back does not foretell', async (t) => {
  const sawtooth = Float64Array.from({ length: 1200 }, (_, i) => (Math.floor(i / 2) % 4) * (i % 2 ? 0.1 : -0.2))
  const { train: set } = setsOf(sawtooth, sawtooth.slice(0, 40), 2)
  const spread = (mostSteps: number) =>
    convolution({ mostSteps, residualFloor: 0 }).fit(set, new Random(1)).residualScale
  const [before, after] = [spread(1), spread(500)]
  t.ok(before.every((x) => x > 0.5) && after.every((x) => x < 0.15), `${before} to ${after}`)
})
