import { readFileSync } from 'node:fs'
import t from 'tap'
import type { DetectorManifest, Manifest } from '../manifest.ts'
import { AlarmPolicy, budgetOf, CLOSE_AFTER_ROWS, OPEN_SHARE } from './alarm.ts'
import { Center } from './center.ts'
import { quantileOf, RollingDistribution } from './distribution.ts'
import { AnomalyRateDrift, DRIFT_ROWS } from './drift/index.ts'
import { Ensemble } from './ensemble.ts'
import { GREEN, healthOf, healthOfScore, penaltiesOf, RED, RiskHysteresis, YELLOW } from './health.ts'
import { emptyInputs, type ModelOutputs, TargetState } from './target.ts'
import { UsualRanges } from './usual.ts'
import { MAX_CARRY_ROWS, RowWindow, WINDOW_ROWS } from './window.ts'

const near = (a: number, b: number, tolerance = 1e-9) => Math.abs(a - b) <= tolerance

/** Quantiles of a distribution that is uniform between 0 and 1. */
const UNIFORM: [number, number][] = [
  [0, 0],
  [1, 1],
]

function manifestOf(signals: string[], more: Partial<Manifest> = {}): Manifest {
  const width = 6 * signals.length
  const detector = (name: string, inputs: DetectorManifest['inputs']): DetectorManifest => ({
    name,
    file: `${name}.onnx`,
    sha256: '0'.repeat(64),
    inputs,
    float32: false,
    weight: 1,
    calibration: { median: 0, q95: 1 },
    distribution: UNIFORM,
  })
  return {
    format: 1,
    name: 'test',
    version: '0'.repeat(12),
    interval_seconds: 10,
    window_rows: 10,
    signals: signals.map((name) => ({ name, unit: 'ratio', transform: { kind: 'linear', scale: 1 } })),
    features: {
      file: 'features.onnx',
      sha256: '0'.repeat(64),
      mean: new Array(width).fill(0),
      scale: new Array(width).fill(1),
    },
    center: { mode: 'frozen' },
    detectors: [detector('win_z', ['features', 'mask']), { ...detector('var', ['rows', 'ewma']), ewma_alpha: 0.5 }],
    ensemble: { smoothing: 1, peak_decay: 0.98, distribution: UNIFORM, seed_hours: 144 },
    explain: { primary: 'win_z', base: new Array(width).fill(0) },
    golden: { file: 'golden.json', sha256: '0'.repeat(64) },
    evidence: {},
    ...more,
  }
}

t.test('health follows the curve and is linear between its points', async (t) => {
  const points = [
    [-1, 100],
    [0, 100],
    [0.5, 92],
    [0.8, 85],
    [0.9, 77.5],
    [1, 70],
    [1.25, 60],
    [1.5, 50],
    [2.5, 25],
    [3.75, 12.5],
    [5, 0],
    [50, 0],
  ] as const
  for (const [score, health] of points) t.ok(near(healthOfScore(score), health), `${score} -> ${health}`)
})

t.test('a penalty starts above its border and doubles at its limit', async (t) => {
  const usual = () => 0.01
  t.same(penaltiesOf({ cpu_busy: 0.9 }, usual), [])
  const [half] = penaltiesOf({ cpu_busy: 0.95 }, usual)
  t.ok(half && near(half.points, 18) && half.limit === 0.9)
  t.equal(penaltiesOf({ cpu_busy: 1 }, usual)[0]?.points, 24)
  t.equal(penaltiesOf({ memory_used: 1 }, usual)[0]?.points, 20)
  t.equal(penaltiesOf({ filesystem_used: 1 }, usual)[0]?.points, 20)
  t.equal(penaltiesOf({ disk_busy: 1 }, usual)[0]?.points, 16)
  t.same(penaltiesOf({ response_time: 0.1 }, usual), [])
  t.ok(near(penaltiesOf({ response_time: 0.15 }, usual)[0]?.points ?? 0, 15))
  t.equal(penaltiesOf({ response_time: 9 }, usual)[0]?.points, 20)
  t.same(
    penaltiesOf({ response_time: 9 }, () => Number.NaN),
    [],
    'not while the usual time is unknown',
  )
  t.same(penaltiesOf({ cpu_busy: Number.NaN }, usual), [])
})

t.test('penalties take 40 points at most, and weigh half as much again without a model', async (t) => {
  const all = penaltiesOf({ cpu_busy: 1, memory_used: 1, filesystem_used: 1, disk_busy: 1 }, () => 1)
  t.equal(healthOf(0, all), 60)
  t.equal(healthOf(null, all), 40)
  t.equal(healthOf(5, all), 0)
  const one = penaltiesOf({ cpu_busy: 1 }, () => 1)
  t.equal(healthOf(1, one), 46)
  t.equal(healthOf(null, one), 64)
})

t.test('risk gets worse after 2 rows and better after 6 rows that are 5 points clear', async (t) => {
  const risk = new RiskHysteresis()
  const steps = (...health: number[]) => health.map((h) => risk.step(h))
  t.same(steps(100, 60, 90), [GREEN, GREEN, GREEN], 'one bad row is not enough')
  t.same(steps(60, 30), [GREEN, YELLOW], 'the milder of the two rows counts')
  t.same(steps(30), [RED])
  t.same(steps(80, 80, 80, 80, 80), [RED, RED, RED, RED, RED])
  t.same(steps(80), [GREEN])
  t.same(steps(50, 50), [GREEN, YELLOW])
  t.same(steps(72, 72, 72, 72, 72, 72, 72), new Array(7).fill(YELLOW), 'not clear of the border')
  t.same(steps(75, 75, 75, 75, 75, 75), [YELLOW, YELLOW, YELLOW, YELLOW, YELLOW, GREEN])
})

t.test('the budget is .005 at sensitivity 5 and grows by 1.6 a step', async (t) => {
  t.equal(budgetOf(5), 0.005)
  t.ok(near(budgetOf(6), 0.008))
  t.ok(near(budgetOf(1), 0.005 / 1.6 ** 4))
  t.ok(near(budgetOf(10), 0.005 * 1.6 ** 5))
})

t.test('an alarm opens above the threshold and closes after ten rows below the lower one', async (t) => {
  const alarm = new AlarmPolicy()
  t.equal(alarm.step(1, 1), false)
  t.equal(alarm.step(1.01, 1), true)
  for (let i = 0; i < CLOSE_AFTER_ROWS - 1; i++) t.equal(alarm.step(0.4, 1), true)
  t.equal(alarm.step(1.2, 1), true, 'a row above the threshold starts the count again')
  for (let i = 0; i < CLOSE_AFTER_ROWS - 1; i++) t.equal(alarm.step(0.4, 1), true)
  t.equal(alarm.step(0.4, 1), false)
})

t.test('a rolling distribution starts as its seed and becomes the live rows', async (t) => {
  const d = new RollingDistribution(UNIFORM, { intervalSeconds: 10, seedHours: 2 })
  t.ok(near(d.quantile(0.5), 0.5, 1e-3))
  t.ok(near(d.quantile(0.995), 0.995, 1e-3))
  t.ok(near(d.rank(0.25), 0.25, 1e-3))
  t.ok(d.rank(100) < 1, 'nothing is certain')
  t.ok(d.rank(-100) > 0)
  for (let i = 0; i < 360; i++) d.add(3 + i / 360, i < 36)
  t.ok(near(d.quantile(0.75), 3.5, 0.03), `half seed, half live: ${d.quantile(0.75)}`)
  t.ok(near(d.realised, 0.1))
  for (let i = 0; i < 360; i++) d.add(3 + i / 360, false)
  t.ok(near(d.quantile(0.5), 3.5, 0.03), 'the seed has gone')
  t.ok(near(d.rank(3.9), 0.9, 0.02))
})

t.test('a rolling distribution forgets after six days', async (t) => {
  const d = new RollingDistribution(UNIFORM, { intervalSeconds: 600 })
  for (let i = 0; i < 6 * 144; i++) d.add(5, true)
  t.ok(near(d.quantile(0.5), 5, 0.06))
  t.equal(d.realised, 1)
  for (let i = 0; i < 6 * 144; i++) d.add(-2, false)
  t.ok(near(d.quantile(0.99), -2, 0.06))
  t.equal(d.realised, 0)
  t.equal(d.rows, 6 * 144)
})

t.test('a rolling distribution is the same after saving and restoring', async (t) => {
  const make = () => new RollingDistribution(UNIFORM, { intervalSeconds: 600, seedHours: 1 })
  const one = make()
  for (let i = 0; i < 1000; i++) one.add(Math.sin(i) * 2, i % 7 === 0)
  const two = make()
  two.restore(JSON.parse(JSON.stringify(one.save())))
  t.equal(two.rows, one.rows)
  t.equal(two.realised, one.realised)
  t.equal(two.rows, one.rows)
  for (const d of [one, two]) for (let i = 0; i < 6; i++) d.add(0.5, false)
  for (const p of [0.1, 0.5, 0.9, 0.99]) t.equal(two.quantile(p), one.quantile(p))
  const none = { pairs: [], over: 0 }
  t.throws(() => make().restore({ blocks: [{ pairs: [99999, 1], over: 0 }], block: none, hour: none }), RangeError)
})

t.test('quantiles are linear between the given ones', async (t) => {
  const q: [number, number][] = [
    [0, -1],
    [0.5, 0],
    [1, 4],
  ]
  t.equal(quantileOf(q, 0.25), -0.5)
  t.equal(quantileOf(q, 0.75), 2)
  t.equal(quantileOf(q, 1), 4)
  t.equal(quantileOf(q, 0), -1)
})

t.test('the combined score and its ranking equal the independent reference', async (t) => {
  const oracle = JSON.parse(
    readFileSync(new URL('../../fixtures/oracle/ensemble.json', import.meta.url), 'utf8'),
  ) as Record<string, number[]> & { calibration: Record<string, number[]> }
  const names = ['pca_win', 'win_z', 'var']
  const calibration = (name: string) => {
    let state = Number.NaN
    const logs = (oracle.calibration[name] as number[]).map((x) => {
      state = Number.isNaN(state) ? x : state + 0.3 * (x - state)
      return Math.log(state)
    })
    return { median: quantile(logs, 0.5), q95: quantile(logs, 0.95) }
  }
  const base = manifestOf(['a'])
  const detectors = names.map((name) => ({
    ...(base.detectors[0] as DetectorManifest),
    name,
    calibration: calibration(name),
  }))
  const manifest = { ...base, detectors, ensemble: { ...base.ensemble, smoothing: 0.3 } }
  const ensemble = new Ensemble(manifest)
  const combined = (oracle.combined as number[]).map((_, i) =>
    ensemble.step((k) => oracle[names[k] as string]?.[i] ?? Number.NaN),
  )
  combined.forEach((x, i) => {
    if (!near(x, oracle.combined?.[i] as number, 1e-9)) t.fail(`row ${i}: ${x}, not ${oracle.combined?.[i]}`)
  })
  t.equal(combined.length, 300)
})

function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = p * (sorted.length - 1)
  const low = Math.floor(at)
  const high = Math.ceil(at)
  return (sorted[low] as number) + (at - low) * ((sorted[high] as number) - (sorted[low] as number))
}

t.test('a detector whose score is not a number is left out of the row', async (t) => {
  const ensemble = new Ensemble(manifestOf(['a']))
  t.ok(
    near(
      ensemble.step((k) => (k === 0 ? Number.NaN : Math.E)),
      1,
    ),
  )
  t.ok(Number.isNaN(ensemble.step(() => Number.POSITIVE_INFINITY)))
})

t.test('drift needs a full window above three times the budget for two minutes', async (t) => {
  const drift = new AnomalyRateDrift(10)
  for (let i = 0; i < DRIFT_ROWS - 1; i++) drift.step(i < 4, 0.005)
  t.equal(drift.detected, false)
  t.ok(near(drift.progress, 199 / 200))
  const detected: boolean[] = []
  for (let i = 0; i < 12; i++) {
    drift.step(i < 4, 0.005)
    detected.push(drift.detected)
  }
  t.same(detected, [...new Array(11).fill(false), true])
  for (let i = 0; i < DRIFT_ROWS; i++) drift.step(false, 0.005)
  t.equal(drift.ratio, 0)
  t.equal(drift.detected, false)
})

t.test('the window is padded with the first row and slides', async (t) => {
  const window = new RowWindow(['a', 'b'], 10)
  const tensor = new Float64Array(WINDOW_ROWS * 2)
  const mask = new Float64Array(2)
  window.push(0, { a: 1, b: 5 })
  window.write(0, tensor, mask)
  t.same([...tensor], new Array(10).fill([1, 5]).flat())
  for (let i = 1; i <= 12; i++) window.push(i * 10_000, { a: 1 + i, b: 5 })
  window.write(0, tensor, mask)
  t.same(
    [...tensor].filter((_, i) => i % 2 === 0),
    [4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  )
  t.same([...mask], [1, 1])
})

t.test('a missing value is carried for three rows, then the signal is absent until it returns', async (t) => {
  const window = new RowWindow(['a', 'b'], 10)
  const tensor = new Float64Array(WINDOW_ROWS * 2)
  const mask = new Float64Array(2)
  window.push(0, { a: 1, b: 2 })
  for (let i = 1; i <= MAX_CARRY_ROWS; i++) window.push(i * 10_000, { a: Number.NaN, b: 2 })
  t.equal(window.coverage, 1)
  t.equal(window.newest(0), 1)
  window.push(40_000, { b: 2 })
  window.write(0, tensor, mask)
  t.equal(window.coverage, 0.5)
  t.same([...mask], [0, 1])
  t.ok(
    tensor.every((x, i) => x === (i % 2 === 0 ? 0 : 2)),
    'an absent signal leaves nothing behind',
  )
  t.ok(Number.isNaN(window.newest(0)))
  t.equal(window.nonFinite, MAX_CARRY_ROWS)
  window.push(50_000, { a: 7, b: 2 })
  window.write(0, tensor, mask)
  t.same([...mask], [1, 1])
  t.same(window.appeared, [0])
  t.ok(tensor.every((x, i) => x === (i % 2 === 0 ? 7 : 2)))
})

t.test('a hole in time starts the window afresh', async (t) => {
  const window = new RowWindow(['a'], 10)
  const tensor = new Float64Array(WINDOW_ROWS)
  window.push(0, { a: 1 })
  window.push(40_000, { a: 2 })
  t.equal(window.rows, 2, 'three missing rows are no hole')
  window.push(90_000, { a: 3 })
  window.write(0, tensor, new Float64Array(1))
  t.equal(window.rows, 1)
  t.same([...tensor], new Array(10).fill(3))
})

t.test('a following centre starts at the first row and moves little in an incident', async (t) => {
  const center = new Center(
    manifestOf(['a'], { center: { mode: 'follow', prior_rows: [0, 0, 99, 99, 99, 99], memory_rows: 100 } }),
  )
  center.start(0, 8)
  t.same([...center.values], [8, 8, 0, 0, 0, 0])
  const features = Float64Array.from([2, 2, 10, 0, 0, 0])
  center.follow(features, 0, 0.5, () => true)
  t.ok(near(center.values[0] as number, 8 + (2 * 2) / 3), 'the second row weighs twice the first')
  t.ok(near(center.values[2] as number, 20 / 102), 'the training mean weighs 99 rows')
  const still = new Float64Array(6)
  for (let i = 0; i < 10; i++) center.follow(still, 0, 0.5, () => true)
  const before = center.values[0] as number
  center.follow(features, 0, 10, () => true)
  const moved = (center.values[0] as number) - before
  t.ok(moved > 0 && moved < 0.01, 'a row of ten times the threshold weighs a hundredth')
  const usual = center.values[2] as number
  center.follow(Float64Array.from([0, 0, 1e300, 0, 0, 0]), 0, 0.5, () => true)
  t.ok((center.values[2] as number) - usual <= 30, 'an absurd value moves it no further than 30 spreads would')
  const copy = new Center(
    manifestOf(['a'], { center: { mode: 'follow', prior_rows: [0, 0, 99, 99, 99, 99], memory_rows: 100 } }),
  )
  copy.restore(center.save())
  t.same([...copy.values], [...center.values])
  t.throws(() => copy.restore([1]), RangeError)
})

t.test('a frozen centre stays at zero', async (t) => {
  const center = new Center(manifestOf(['a']))
  center.start(0, 8)
  center.follow(Float64Array.from([2, 2, 2, 2, 2, 2]), 0, 0, () => true)
  t.same([...center.values], [0, 0, 0, 0, 0, 0])
})

t.test('the usual range of a steady signal is narrow and stays through an incident', async (t) => {
  const usual = new UsualRanges(10, () => ({ kind: 'linear', scale: 1 }))
  t.equal(usual.range('a'), null)
  for (let i = 0; i < 200; i++) usual.step({ a: 0.4 + (i % 2) * 0.2 }, 0.2)
  const before = usual.range('a')
  t.ok(before && near(before.middle, 0.5, 1e-3))
  t.ok(before && near(before.low, 0.4) && near(before.high, 0.6), 'never beyond what was seen')
  for (let i = 0; i < 20; i++) usual.step({ a: 5 }, 10)
  const after = usual.range('a')
  t.ok(after && near(after.middle, 0.5, 0.01))
  t.ok(after && after.high <= 0.6 + 1e-9)
})

/** Outputs of models that give the same raw score for every detector. */
function outputsOf(manifest: Manifest, raw: number): ModelOutputs {
  const d = manifest.signals.length
  return {
    features: new Float64Array(6 * d),
    newest: new Float64Array(d).fill(20),
    scores: new Map(manifest.detectors.map(({ name }) => [name, Float64Array.of(raw)])),
    contributions: new Float64Array(6 * d),
  }
}

t.test('a target is scored against its threshold, which the sensitivity moves', async (t) => {
  const manifest = manifestOf(['a'])
  const state = new TargetState(manifest, { intervalSeconds: 10, sensitivity: 5 })
  const step = (raw: number) => {
    state.push((state.rows + 1) * 10_000, { a: 1 })
    return state.finish(outputsOf(manifest, Math.exp(raw)), 0)
  }
  const usual = step(0.5).scores
  t.ok(usual && near(usual.threshold, 1 - OPEN_SHARE * 0.005, 1e-3))
  t.ok(usual && near(usual.confidence, 0.5, 1e-3))
  t.equal(usual?.alarm, false)
  const high = step(1.99)
  t.equal(high.scores?.alarm, true)
  t.ok(high.scores && near(high.scores.anomaly.ensemble as number, 2, 0.01))
  t.ok(near(high.health, 37.5, 0.3))
  t.equal(step(-3).scores?.anomaly.ensemble, 0, 'floored at 0')
  state.setBudget(budgetOf(10))
  const threshold = step(0.5).scores?.threshold as number
  t.ok(near(threshold, 1 - OPEN_SHARE * budgetOf(10), 1e-3), `${threshold}`)
})

t.test('the newest rows enter the exponential mean clipped and after they were scored', async (t) => {
  const manifest = manifestOf(['a'])
  const state = new TargetState(manifest, { intervalSeconds: 10, sensitivity: 5 })
  const inputs = emptyInputs(manifest, 1)
  t.same([...inputs.ewma.keys()], ['var'])
  const seen: number[] = []
  for (let i = 1; i <= 3; i++) {
    state.push(i * 10_000, { a: 1 })
    state.writeInputs(inputs, 0)
    seen.push(inputs.ewma.get('var')?.[0] as number)
    state.finish(outputsOf(manifest, 1), 0)
  }
  t.same(seen, [1, 5.5, 7.75], 'starts with the first row')
})

t.test('without a bundle, or when it fails, rules alone speak', async (t) => {
  const rules = new TargetState(null, { intervalSeconds: 10, sensitivity: 5 })
  rules.push(10_000, { cpu_busy: 1 })
  const outcome = rules.finish(null, 0)
  t.equal(outcome.scores, null)
  t.equal(outcome.health, 64)
  const manifest = manifestOf(['a'])
  const failing = new TargetState(manifest, { intervalSeconds: 10, sensitivity: 5 })
  failing.push(10_000, { a: 0.1 })
  const nan = failing.finish(outputsOf(manifest, Number.NaN), 0)
  t.equal(nan.scores, null)
  t.equal(nan.health, 100)
})

t.test('a target is scored on after a restart as if there had been none', async (t) => {
  const manifest = manifestOf(['a'], {
    center: { mode: 'follow', prior_rows: [1, 1, 9, 9, 9, 9], memory_rows: 50 },
  })
  const make = () => new TargetState(manifest, { intervalSeconds: 600, sensitivity: 5 })
  const one = make()
  for (let i = 1; i < 400; i++) {
    one.push(i * 600_000, { a: Math.sin(i) })
    one.finish(outputsOf(manifest, Math.exp(Math.cos(i))), 0)
  }
  const two = make()
  two.restore(JSON.parse(JSON.stringify(one.save())))
  for (const state of [one, two]) state.push(400 * 600_000, { a: 0 })
  const [a, b] = [one, two].map((state) => state.finish(outputsOf(manifest, 2), 0).scores)
  t.equal(b?.threshold, a?.threshold)
  t.equal(b?.budget.realised, a?.budget.realised)
})
