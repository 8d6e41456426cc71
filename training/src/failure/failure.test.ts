import { readFileSync } from 'node:fs'
import {
  FAILURE_HORIZONS,
  type FailureTerms,
  failureProbabilities,
  RISK_COLUMN,
  RISK_FEATURES,
  TRUST_COLUMN,
} from '@portent/core'
import t from 'tap'
import { failureGraph } from '../graph/failure.ts'
import { disagreement, runGraph } from '../graph/run-in-tests.ts'
import { fitNonNegative, sigmoid } from '../logistic.ts'
import { Random } from '../random.ts'
import { SIGNAL_NAMES } from '../simulate/index.ts'
import {
  fitFailure,
  judgeFailure,
  judgeProbabilities,
  kindsOf,
  kindValues,
  labelOf,
  makeDataset,
  replay,
} from './index.ts'
import { KNOTS } from './knots.ts'

const K = RISK_FEATURES.length
const ones = (n: number) => new Float64Array(n).fill(1)
const samples = makeDataset({ hosts: 22, faultsPerDay: 0.45, random: new Random('test of failure') })
const model = fitFailure(samples)

t.test('the logistic regression is that of scikit-learn', async (t) => {
  const oracle: {
    x: number[][]
    y: number[]
    coef: number[]
    intercept: number
    rows: number[][]
    probability: number[]
  } = JSON.parse(readFileSync(new URL('../../fixtures/oracle/logistic_regression.json', import.meta.url), 'utf8'))
  // A weight of any sign is the difference of two that are not negative, of which the penalty leaves one.
  const both = Float64Array.from(oracle.x.flatMap((row) => [...row, ...row.map((x) => -x)]))
  const { weights, intercept } = fitNonNegative(both, 12, oracle.y, ones(oracle.y.length))
  const coef = oracle.coef.map((_, j) => (weights[j] as number) - (weights[6 + j] as number))
  t.ok(disagreement(coef, oracle.coef) < 1e-4)
  t.ok(Math.abs(intercept - oracle.intercept) < 1e-4)
  const probability = oracle.rows.map((row) =>
    sigmoid(intercept + row.reduce((sum, x, j) => sum + x * (coef[j] as number), 0)),
  )
  t.ok(disagreement(probability, oracle.probability) < 1e-4)

  // Weights of rows count as often as the rows.
  const [x, y] = [both.slice(0, 12 * 60), oracle.y.slice(0, 60)]
  const heavy = Float64Array.from(y, (_, i) => 1 + (i % 3))
  const repeated = y.flatMap((_, i) => new Array<number>(1 + (i % 3)).fill(i))
  const weighted = fitNonNegative(x, 12, y, heavy)
  const counted = fitNonNegative(
    Float64Array.from(repeated.flatMap((i) => [...x.slice(i * 12, i * 12 + 12)])),
    12,
    repeated.map((i) => y[i] as number),
    ones(repeated.length),
  )
  t.ok(disagreement(weighted.weights, counted.weights) < 1e-4)
})

t.test('no weight is negative, though the data would have it', async (t) => {
  const random = new Random(4)
  const x = new Float64Array(400)
  const y = new Uint8Array(200)
  for (let i = 0; i < 200; i++) {
    x[2 * i] = random.uniform()
    x[2 * i + 1] = random.uniform()
    y[i] = Number(random.uniform() < sigmoid(4 * (x[2 * i] as number) - 4 * (x[2 * i + 1] as number)))
  }
  const { weights } = fitNonNegative(x, 2, y, ones(200))
  t.ok((weights[0] as number) > 1)
  t.equal(weights[1], 0)
  t.throws(() => fitNonNegative(x, 2, new Uint8Array(200), ones(200)), /both classes/)
  t.same([sigmoid(0), sigmoid(-1000), sigmoid(1000)], [0.5, 0, 1])
})

t.test('every term of the model grows with risk, and the horizons ascend', async (t) => {
  for (const { feature, knots, weights } of model.terms) {
    t.same(knots, KNOTS[feature as keyof typeof KNOTS])
    t.equal(weights.length, FAILURE_HORIZONS.length)
    t.ok(
      weights.every((w) => w.length === knots.length - 1 && w.every((x) => x >= 0)),
      feature,
    )
  }
  t.ok(model.terms.some((x) => x.weights.flat().some((w) => w > 0.5)))
  t.ok(model.baseRates.every((b, h) => b > 0 && b > (model.baseRates[h - 1] ?? 0)))
  for (const s of samples.filter((_, i) => i % 50 === 0)) {
    const p = failureProbabilities(model, s.features)
    if (p.some((x, h) => x < (p[h - 1] ?? 0))) t.fail('descends')
    const worse = s.features.map((x, i) => (i % K === TRUST_COLUMN ? x : x * 1.2 + 0.05))
    const q = failureProbabilities(model, worse)
    if (q.some((x, h) => x < (p[h] as number))) t.fail('more risk, and a lower probability')
  }
})

t.test('failure.onnx computes the model, whatever the batch and the optimisation', async (t) => {
  const graph = failureGraph(model)
  const risky = [...samples].sort((a, b) => a.secondsToFailure - b.secondsToFailure).slice(0, 40)
  const rows = [...risky, ...samples.slice(0, 10)].map((s) => s.features.slice())
  const random = new Random('wild')
  for (let i = 0; i < 10; i++) rows.push(Float64Array.from({ length: 3 * K }, () => 3 * random.uniform() - 1))
  for (const row of rows.slice(-20)) for (let h = 0; h < 3; h++) row[h * K + TRUST_COLUMN] = random.uniform()
  for (const level of ['disabled', 'basic', 'all'] as const) {
    for (const n of [1, 7, rows.length]) {
      const history = Float64Array.from(rows.slice(0, n).flatMap((x) => [...x]))
      const { probability } = await runGraph(graph, { history: [history, [n, 3, K]] }, level)
      const expected = rows.slice(0, n).flatMap((x) => [...failureProbabilities(model, x)])
      t.ok(disagreement(probability as Float64Array, expected) < 1e-12, `${level}, ${n} rows`)
    }
  }
})

t.test('the data are the same from one seed, and weights stand for the time without a fault', async (t) => {
  const again = makeDataset({ hosts: 3, faultsPerDay: 0.45, random: new Random('test of failure') })
  t.same(
    again,
    samples.filter((s) => s.host < 3),
  )
  const seconds = samples.reduce((sum, s) => sum + s.weight * 300, 0)
  const days = seconds / 86_400
  t.ok(days > 22 / 0.45 && days < 22 / 0.45 + 22 * 3, `${days} days of 22 faults`)
  t.ok(samples.every((s) => s.features.every(Number.isFinite) && s.secondsToFailure > 0))
  t.ok(samples.some((s) => labelOf(s, 0) === 1) && samples.some((s) => labelOf(s, 2) === 0))
})

t.test('nothing is sampled in an outage, and the seconds to it are right', async (t) => {
  const at = Float64Array.from({ length: 600 }, (_, i) => 1_767_600_000 + 60 * i)
  const failed = Uint8Array.from(at, (_, i) => Number(i >= 400 && i < 420))
  const life = {
    intervalSeconds: 60,
    kinds: ['cpu_busy_ratio'] as const,
    at,
    failed,
    values: () => ({ cpu_busy_ratio: 0.2 }),
  }
  const found = replay(life)
  t.notOk(found.some((s) => s.t >= 400 && s.at < (at[419] as number) + 1800))
  for (const s of found) t.equal(s.secondsToFailure, s.t < 400 ? (400 - s.t) * 60 : Number.POSITIVE_INFINITY)
  t.ok(found.length > 60 && found.every((s, i) => i === 0 || s.at - (found[i - 1]?.at ?? 0) >= 300))
})

t.test('judgements are those of the definitions', async (t) => {
  const judged = judgeProbabilities([0.05, 0.15, 0.15, 0.95], [0, 1, 0, 1])
  t.equal(judged.baseRate, 0.5)
  const brier = (0.05 ** 2 + 0.85 ** 2 + 0.15 ** 2 + 0.05 ** 2) / 4
  t.ok(Math.abs(judged.brier - brier) < 1e-12 && Math.abs(judged.skill - (1 - brier / 0.25)) < 1e-12)
  t.ok(Math.abs(judged.calibrationErrorTold - (0.7 + 0.05) / 3) < 1e-12)
  t.same(
    judged.bins.map((b) => [b.weight, b.observed]),
    [
      [1, 0],
      [2, 0.5],
      [1, 1],
    ],
  )
  const [soon, hour, later] = judgeFailure(model, samples)
  t.ok(soon && hour && later && hour.skill > 0.2 && later.baseRate > hour.baseRate, 'on its own hosts')
})

t.test('both ways of the network are one rate, and an absent signal is no kind', async (t) => {
  const row = new Float64Array(SIGNAL_NAMES.length).fill(Number.NaN)
  const set = (name: string, x: number) => {
    row[SIGNAL_NAMES.indexOf(name)] = x
  }
  set('network_receive', 3)
  set('network_transmit', 4)
  set('memory_used', 0.5)
  t.same(kindValues(row), { network_rate: 7, memory_used_ratio: 0.5 })
  const mask = Uint8Array.from(row, (x) => Number(!Number.isNaN(x)))
  t.same(kindsOf(mask).sort(), ['memory_used_ratio', 'network_rate'])
  t.equal(RISK_COLUMN.trust, K - 1)
})

t.test('a model survives the way through JSON', async (t) => {
  const back = JSON.parse(JSON.stringify(model)) as FailureTerms
  t.same(back, model)
})
