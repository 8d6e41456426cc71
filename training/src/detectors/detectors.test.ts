/**
 * Numbers in fixtures/oracle were computed with scikit-learn 1.9.1 and NumPy: linear_scorers.json (NumPy),
 * isolation_forest.json and local_outlier_factor.json (scikit-learn).
 */
import { readFileSync } from 'node:fs'
import type { Transform } from '@portent/core'
import { averagePathLength, decodeForest, type Forest, floorToFloat32, operatorsOf, vetModel } from '@portent/core/onnx'
import t from 'tap'
import { seriesOf } from '../features/series.ts'
import { fitFeatureModel, type TrainingSet, trainingSetOf } from '../features/training-set.ts'
import { KINDS, WINDOW_ROWS } from '../features/window.ts'
import { disagreement, type Feed, runGraph } from '../graph/run-in-tests.ts'
import { Random } from '../random.ts'
import {
  autoregression,
  type Batch,
  DEFAULT_DETECTORS,
  DETECTORS,
  type Fitted,
  FittedIsolationForest,
  FittedLocalOutlierFactor,
  isolationForest,
  localOutlierFactor,
  pcaWin,
  scoreSet,
  winZ,
} from './index.ts'

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/oracle/${name}.json`, import.meta.url), 'utf8'))

const LINEAR: Transform = { kind: 'linear', scale: 1 }

t.test('win_z, pca_win, var and their combination are those of the reference', async (t) => {
  const oracle: {
    train: number[][]
    test: number[][]
    calibration: Record<string, number[]>
    combined: number[]
    ranking: number[]
    attribution: number[][]
    [scorer: string]: unknown
  } = fixture('linear_scorers')
  const d = 5
  const transforms = new Array<Transform>(d).fill(LINEAR)
  const series = (rows: number[][]) => seriesOf(Float64Array.from(rows.flat()), d)
  const fitRows = series(oracle.train.slice(0, 450))
  const model = fitFeatureModel(fitRows, transforms)
  const train = trainingSetOf(fitRows, model)
  const calibration = trainingSetOf(series(oracle.train.slice(450)), model)
  const test = trainingSetOf(series(oracle.test), model)

  const combined = new Float64Array(oracle.test.length)
  const usual = new Float64Array(150)
  for (const detector of [winZ({ clip: 10 }), pcaWin(), autoregression()]) {
    const fitted = detector.fit(train)
    const scores = scoreSet(fitted, test)
    const calibrated = scoreSet(fitted, calibration)
    t.ok(disagreement(scores, oracle[detector.name] as number[]) < 1e-6, `${detector.name} on test`)
    t.ok(
      disagreement(calibrated, oracle.calibration[detector.name] as number[]) < 1e-6,
      `${detector.name} on calibration`,
    )
    const log = smooth(calibrated).map(Math.log)
    const middle = quantile(log, 0.5)
    const spread = Math.max(0.1, quantile(log, 0.95) - middle)
    const add = (to: Float64Array, x: Float64Array) => {
      smooth(x).forEach((s, i) => {
        to[i] = (to[i] as number) + (Math.log(s) - middle) / spread / 3
      })
    }
    add(combined, scores)
    add(usual, calibrated)
  }
  t.ok(disagreement(combined, oracle.combined) < 1e-6)
  let held = 0
  const floor = quantile(usual, 0.01)
  const ranking = combined.map((x) => {
    held = Math.max(x - floor, held * 0.98)
    return held
  })
  t.ok(disagreement(ranking, oracle.ranking) < 1e-6)

  const shares = winZ({ clip: 10 }).fit(train).contributions(batchOf(test))
  const bySignal = Float64Array.from({ length: test.values.length }, (_, i) => {
    let sum = 0
    for (let k = 0; k < KINDS; k++) sum += shares[Math.floor(i / d) * KINDS * d + k * d + (i % d)] as number
    return sum * KINDS * d
  })
  t.ok(disagreement(bySignal, oracle.attribution.flat()) < 1e-6)
})

function smooth(x: Float64Array): Float64Array {
  let state = x[0] as number
  return x.map((value) => {
    state += 0.3 * (value - state)
    return state
  })
}

function quantile(x: Float64Array, p: number): number {
  const sorted = x.slice().sort()
  const at = p * (sorted.length - 1)
  const low = sorted[Math.floor(at)] as number
  return low + (at - Math.floor(at)) * ((sorted[Math.ceil(at)] as number) - low)
}

/** All rows of a set in one batch, without an exponential mean. */
function batchOf(set: TrainingSet): Batch {
  const n = set.mask.length / set.signals
  return {
    n,
    signals: set.signals,
    features: set.features,
    rows: new Float64Array(0),
    mask: set.mask,
    ewma: new Float64Array(0),
  }
}

t.test("scikit-learn's trees written as ONNX give scikit-learn's scores", async (t) => {
  const oracle = fixture('isolation_forest')
  const forest: Forest = {
    features: 6,
    subsample: oracle.max_samples,
    clip: null,
    trees: oracle.trees.map((tree: Record<string, number[]>) => {
      const left = tree.children_left as number[]
      const right = tree.children_right as number[]
      const count = tree.n_node_samples as number[]
      const depth = new Array<number>(left.length).fill(0)
      left.forEach((child, i) => {
        if (child >= 0) depth[child] = depth[right[i] as number] = (depth[i] as number) + 1
      })
      return {
        left: Int32Array.from(left),
        right: Int32Array.from(right),
        feature: Int32Array.from(tree.feature as number[]),
        threshold: Float64Array.from(tree.threshold as number[], floorToFloat32),
        count: Float64Array.from(count),
        value: Float64Array.from(left, (child, i) =>
          child < 0 ? (depth[i] as number) + averagePathLength(count[i] as number) : 0,
        ),
      }
    }),
  }
  const fitted = new FittedIsolationForest(forest)
  const features = Float32Array.from(oracle.rows.flat())
  const expected = oracle.score_samples.map((x: number) => -x)
  for (const level of ['basic', 'all'] as const) {
    const { score } = await runGraph(fitted.toOnnx(), { features: [features, [50, 6]] }, level)
    t.ok(disagreement(score as Float64Array, expected) < 1e-6)
  }
})

t.test("the local outlier factor is scikit-learn's, and so is its ONNX file", async (t) => {
  const oracle: { k: number; train: number[][]; rows: number[][]; score_samples: number[] } =
    fixture('local_outlier_factor')
  const fitted = new FittedLocalOutlierFactor(Float64Array.from(oracle.train.flat()), 6, oracle.k, 100)
  const features = Float64Array.from(oracle.rows.flat())
  const none = new Float64Array(0)
  const expected = oracle.score_samples.map((x) => -x)
  const n = expected.length
  t.ok(disagreement(fitted.score({ n, signals: 1, features, rows: none, mask: none, ewma: none }), expected) < 1e-6)
  for (const level of ['basic', 'all'] as const) {
    const { score } = await runGraph(fitted.toOnnx(), { features: [features, [n, 6]] }, level)
    t.ok(disagreement(score as Float64Array, expected) < 1e-6)
  }
  t.ok(operatorsOf(fitted.toOnnx()).length <= 13)
})

t.test('repeated rows do not make the local outlier factor infinite', async (t) => {
  const { train } = hosts('repeated', 3, 200)
  const width = KINDS * 3
  const repeated = { ...train, features: train.features.map((_, i) => train.features[i % (5 * width)] as number) }
  const few = localOutlierFactor().fit(repeated, new Random(1))
  t.equal(few.rows.length, 5 * width)
  t.equal(few.neighbours, 4)
  const still = localOutlierFactor().fit({ ...train, features: train.features.map(() => 0) }, new Random(1))
  t.equal(still.rows.length, width)
  const none = new Float64Array(0)
  const at = (x: number) => ({
    n: 1,
    signals: 3,
    features: new Float64Array(width).fill(x),
    rows: none,
    mask: none,
    ewma: none,
  })
  t.ok(Math.abs((still.score(at(0))[0] as number) - 1) < 1e-9)
  t.ok(Math.abs((still.score(at(1))[0] as number) - 100) < 1e-9)
  for (const fitted of [few, still]) {
    const { score } = await runGraph(fitted.toOnnx(), { features: [at(1).features, [1, width]] })
    t.ok(disagreement(score as Float64Array, fitted.score(at(1))) < 1e-6)
  }
})

t.test('what costs most is fitted only when it is asked for', async (t) => {
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name)
  t.same(names(DEFAULT_DETECTORS), ['isolation_forest', 'win_z', 'pca_win', 'var'])
  t.same(names(DETECTORS), [...names(DEFAULT_DETECTORS), 'local_outlier_factor', 'autoencoder', 'convolution'])
})

/** A random walk around a level of its own a signal, driven in part by one load; two hosts; signal 3 lacks on the second. */
function hosts(seed: string, d: number, rows: number): { train: TrainingSet; test: TrainingSet } {
  const random = new Random(seed)
  const values = new Float64Array(2 * rows * d)
  const state = new Float64Array(d)
  for (let i = 0; i < 2 * rows; i++) {
    const load = random.normal()
    for (let j = 0; j < d; j++) {
      state[j] = 0.8 * (state[j] as number) + 0.1 * random.normal() + (j % 2 ? 0.1 * load : 0)
      values[i * d + j] = i >= rows && j === 3 ? Number.NaN : 0.5 + (state[j] as number)
    }
  }
  const series = seriesOf(values, d, [rows, 2 * rows])
  const model = fitFeatureModel(series, new Array<Transform>(d).fill(LINEAR))
  const odd = values.slice(0, 40 * d)
  for (let i = 20 * d; i < 24 * d; i++) odd[i] = (odd[i] as number) + 3
  return { train: trainingSetOf(series, model), test: trainingSetOf(seriesOf(odd, d), model) }
}

function feedsOf(fitted: Fitted, batch: Batch): Record<string, Feed> {
  const { n, signals: d } = batch
  const dims = { features: [n, KINDS * d], rows: [n, WINDOW_ROWS, d], mask: [n, d], ewma: [n, d] }
  return Object.fromEntries(
    fitted.inputs.map((name) => [name, [fitted.float32 ? Float32Array.from(batch[name]) : batch[name], dims[name]]]),
  )
}

/** Random numbers of the shapes of a batch, some far out, some signals absent, in one row all of them. */
function randomBatch(random: Random, n: number, d: number): Batch {
  const mask = Float64Array.from({ length: n * d }, (_, i) => (random.uniform() < 0.7 && (n === 1 || i >= d) ? 1 : 0))
  const fill = (perRow: number) =>
    Float64Array.from({ length: n * perRow * d }, (_, i) => {
      const present = mask[Math.floor(i / (perRow * d)) * d + (i % d)] === 1
      return present ? random.normal() * (random.uniform() < 0.1 ? 40 : 2) : 0
    })
  return { n, signals: d, mask, features: fill(KINDS), rows: fill(WINDOW_ROWS), ewma: fill(1) }
}

for (const detector of DETECTORS) {
  t.test(`${detector.name}: the ONNX file agrees with the reference`, async (t) => {
    for (const d of [3, 8]) {
      const { train } = hosts('graph', d, 400)
      const random = new Random(detector.name)
      const fitted = detector.fit(train, random)
      const bytes = fitted.toOnnx()
      t.equal(vetModel(bytes), null)
      t.ok(operatorsOf(bytes).every((op) => op.type !== 'Transpose'))
      for (const n of [1, 7, 1024]) {
        const batch = randomBatch(random, n, d)
        for (const level of ['basic', 'all'] as const) {
          const found = await runGraph(bytes, feedsOf(fitted, batch), level)
          t.ok(disagreement(found.score as Float64Array, fitted.score(batch)) < fitted.tolerance, `${n} rows, ${level}`)
          if (!fitted.contributions) continue
          t.ok(disagreement(found.contributions as Float64Array, fitted.contributions(batch)) < fitted.tolerance)
        }
      }
    }
  })

  t.test(`${detector.name}: a disturbance scores higher than the rows around it`, async (t) => {
    const { train, test } = hosts('disturbance', 8, 1500)
    const scores = scoreSet(detector.fit(train, new Random(1)), test)
    t.ok((scores[20] as number) > Math.max(...scores.slice(0, 20)))
    t.ok(scores.every((x) => Number.isFinite(x) && x >= 0))
  })

  t.test(`${detector.name}: the same seed gives the same file`, async (t) => {
    const { train } = hosts('same', 5, 300)
    const [a, b] = [7, 7].map((seed) => Buffer.from(detector.fit(train, new Random(seed)).toOnnx()))
    t.ok(a?.equals(b as Buffer))
  })

  t.test(`${detector.name}: what stands at an absent signal does not matter`, async (t) => {
    const { train } = hosts('absent', 8, 300)
    const fitted = detector.fit(train, new Random(3))
    // A detector without the mask relies on zeros there, which the feature graph guarantees.
    if (!(fitted.inputs as readonly string[]).includes('mask')) return
    const batch = randomBatch(new Random(4), 7, 8)
    const junk = (x: Float64Array, perRow: number) =>
      x.map((value, i) => (batch.mask[Math.floor(i / (perRow * 8)) * 8 + (i % 8)] === 1 ? value : 1.7e308))
    const other = {
      ...batch,
      features: junk(batch.features, KINDS),
      rows: junk(batch.rows, WINDOW_ROWS),
      ewma: junk(batch.ewma, 1),
    }
    t.same(fitted.score(other), fitted.score(batch))
    const bytes = fitted.toOnnx()
    t.same(await runGraph(bytes, feedsOf(fitted, other)), await runGraph(bytes, feedsOf(fitted, batch)))
  })
}

t.test('contributions of win_z add up to its score, and its base to its training mean', async (t) => {
  const { train } = hosts('base', 4, 300)
  const full = { ...train, mask: train.mask.map(() => 1) }
  const fitted = winZ().fit(full)
  const mean = scoreSet(fitted, full).reduce((a, b) => a + b, 0) / (full.mask.length / 4)
  t.ok(Math.abs(fitted.base.reduce((a, b) => a + b, 0) / fitted.base.length - mean) < 1e-9)
})

t.test('with few signals present, var takes the mean over those', async (t) => {
  const fitted = autoregression().fit(hosts('few', 8, 300).train)
  const batch = randomBatch(new Random(5), 1, 8)
  const only = {
    ...batch,
    mask: Float64Array.from([1, 0, 0, 0, 0, 0, 0, 0]),
    rows: batch.rows.map(() => 0),
    ewma: new Float64Array(8),
  }
  const constant = fitted.coefficients[4 * 8 * 8] as number
  const [score] = fitted.score(only)
  t.ok(Math.abs((score as number) - Math.abs(constant) / (fitted.residualScale[0] as number)) < 1e-12)
  t.equal(fitted.score({ ...only, mask: new Float64Array(8) })[0], 0)
})

t.test('a signal absent on one host is regressed on the others as if that host were not there', async (t) => {
  const { train } = hosts('pattern', 5, 600)
  const alone = {
    ...train,
    segments: train.segments.slice(0, 1),
    mask: train.mask.subarray(0, 3000),
    values: train.values.subarray(0, 3000),
    features: train.features.subarray(0, 18000),
  }
  const [both, first] = [autoregression().fit(train), autoregression().fit(alone)]
  for (let i = 0; i < 21; i++) {
    t.ok(Math.abs((both.coefficients[i * 5 + 3] as number) - (first.coefficients[i * 5 + 3] as number)) < 1e-9)
  }
})

t.test('the forest written to a file reads back as the one that was fitted', async (t) => {
  const fitted = isolationForest({ trees: 20, subsample: 256 }).fit(hosts('forest', 5, 300).train, new Random(9))
  const again = decodeForest(fitted.toOnnx())
  t.equal(again.clip, 10)
  t.equal(again.subsample, 256)
  again.trees.forEach((tree, i) => {
    t.same(tree.threshold, fitted.forest.trees[i]?.threshold)
    t.same(tree.count, fitted.forest.trees[i]?.count)
    t.equal(tree.count[0], 256)
  })
})
