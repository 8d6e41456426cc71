import { emptyInputs, type Manifest, type ModelInputs, type ModelOutputs, WINDOW_ROWS } from '@portent/core'
import t from 'tap'
import { Cycle, type CycleDeps, type Published, type Step } from './cycle.ts'
import type { Scorer } from './detect/scorer.ts'
import type { OutlookInput } from './outlook/keeper.ts'
import type { AlertEvent, Assessment, Row } from './types.ts'

const SIGNALS = ['interrupts', 'cpu_busy', 'memory_used']
const KINDS = 6
const F = KINDS * SIGNALS.length
const INTERVAL = 10
const DRIFT_ROWS = 200
const sha256 = '0'.repeat(64)

/** Calibrated scores are uniform between 0 and 1 on normal rows, so the threshold at sensitivity 5 is .996. */
function manifestOf(more: Partial<Manifest> = {}): Manifest {
  const uniform: [number, number][] = [
    [0, 0],
    [1, 1],
  ]
  return {
    format: 1,
    name: 'test',
    version: 'aaaaaaaaaaaa',
    interval_seconds: INTERVAL,
    window_rows: WINDOW_ROWS,
    signals: SIGNALS.map((name) => ({ name, unit: 'ratio', transform: { kind: 'linear', scale: 1 } })),
    features: { file: 'features.onnx', sha256, mean: new Array(F).fill(0), scale: new Array(F).fill(1) },
    center: { mode: 'frozen' },
    detectors: [
      {
        name: 'win_z',
        file: 'win_z.onnx',
        sha256,
        inputs: ['features', 'mask'],
        float32: false,
        weight: 1,
        calibration: { median: 0, q95: 1 },
        distribution: uniform,
      },
    ],
    ensemble: { smoothing: 1, peak_decay: 0.98, distribution: uniform, seed_hours: 144 },
    explain: { primary: 'win_z', base: new Array(F).fill(0) },
    golden: { file: 'golden.json', sha256 },
    evidence: {},
    ...more,
  }
}

/** The newest value of `interrupts`, less its centre, is the calibrated score of a row; a scorer as fast as it is simple. */
class FakeScorer implements Scorer {
  readonly bundle: Scorer['bundle']
  readonly batches: number[] = []
  failing = false
  alive = true
  inside = 0
  mostInside = 0

  constructor(manifest = manifestOf()) {
    this.bundle = { manifest } as Scorer['bundle']
  }

  async score({ n, window, mask, center }: ModelInputs): Promise<ModelOutputs> {
    this.batches.push(n)
    this.mostInside = Math.max(this.mostInside, ++this.inside)
    await new Promise((resolve) => setImmediate(resolve))
    this.inside--
    if (this.failing) throw new Error('no models today')
    const d = SIGNALS.length
    const features = new Float64Array(n * F)
    const newest = new Float64Array(n * d)
    const scores = new Float64Array(n)
    const contributions = new Float64Array(n * F)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < d; j++) {
        const x = window[(i * WINDOW_ROWS + WINDOW_ROWS - 1) * d + j] as number
        newest[i * d + j] = x
        const present = mask[i * d + j] === 1
        for (let k = 0; k < 2; k++) {
          const f = i * F + k * d + j
          features[f] = present ? x - (center[f] as number) : 0
        }
      }
      scores[i] = Math.exp(features[i * F] as number)
      contributions[i * F] = scores[i] as number
    }
    return { features, newest, scores: new Map([['win_z', scores]]), contributions }
  }

  async failure(history: Float64Array, n: number): Promise<Float64Array> {
    return Float64Array.from({ length: n }, (_, i) => (history[(i * history.length) / n] as number) / 2)
  }

  async explainForest() {
    return null
  }

  async close() {
    this.alive = false
  }
}

const START = Date.UTC(2026, 0, 1)
const USUAL = { interrupts: 0.3, cpu_busy: 0.2, memory_used: 0.4 }
/** Row n of a target. */
const row = (n: number, values: Row['values'] = USUAL, target = 'a', more: Partial<Row> = {}): Row => ({
  target,
  at: START + n * INTERVAL * 1000,
  monotonic: n * INTERVAL * 1000,
  values,
  resources: [],
  ...more,
})

function cycleOf(over: Partial<CycleDeps> = {}) {
  const told = {
    alerts: [] as Omit<AlertEvent, 'id'>[],
    errors: [] as [Step, string][],
    dropped: [] as [string, number][],
    nonFinite: 0,
    published: [] as Published[],
  }
  const scorer = new FakeScorer()
  const state = { scorer: scorer as Scorer | null }
  const cycle = new Cycle({
    intervalSeconds: INTERVAL,
    scorer: () => state.scorer,
    sensitivity: () => 5,
    publishers: [(batch) => void told.published.push(...batch)],
    onAlert: (event) => told.alerts.push(event),
    onError: (step, error) => told.errors.push([step, (error as Error).message]),
    onDropped: (reason, rows) => told.dropped.push([reason, rows]),
    onNonFinite: (values) => {
      told.nonFinite += values
    },
    ...over,
  })
  /** Rows from `from` on, one after the other; the last assessment. */
  const runRows = async (from: number, count: number, values?: Row['values']): Promise<Assessment> => {
    let last: Assessment | undefined
    for (let n = from; n < from + count; n++) [last] = await cycle.run([row(n, values)])
    return last as Assessment
  }
  return { cycle, scorer, state, told, runRows }
}

const near = (a: number | undefined, b: number) => a !== undefined && Math.abs(a - b) < 1e-6

t.test('a row becomes an assessment with score, health, explanation and what is still missing', async (t) => {
  const { cycle, told } = cycleOf()
  const [first] = await cycle.run([row(1)])
  t.match(first, {
    target: 'a',
    at: START + 10_000,
    model: 'active',
    version: 'aaaaaaaaaaaa',
    risk: 'green',
    severity: 'none',
    scores: { alarm: false, budget: { requested: 0.005, realised: 0 } },
    outlook: null,
    drift: null,
    warmup: { window: 1 / WINDOW_ROWS, failure: 0, drift: 1 / DRIFT_ROWS },
    coverage: 1,
    sensitivity: 5,
    values: USUAL,
  })
  t.ok(near(first?.scores?.raw, 0.3) && near(first?.scores?.anomaly.ensemble, 0.3 / 0.996))
  t.ok(near(first?.scores?.threshold, 0.996))
  t.ok(near(first?.scores?.confidence, 0.3), 'the rank of .3 among uniform scores')
  t.ok(near(first?.health, 100 - (8 * 0.3) / 0.996 / 0.5))
  t.ok(near(first?.trust, 0.2 + 0.5 / 30 + 0.3 / 2160), 'a padded window is little to go by')
  const { base = 0, output = 0, signals = {} } = first?.shap ?? {}
  t.same(Object.keys(signals), SIGNALS)
  t.ok(near(base + Object.values(signals).reduce((sum, x) => sum + x, 0), output) && near(output, Math.exp(0.3)))
  t.equal(told.published.length, 1)
  t.same(told.errors, [])
})

t.test('a thousand targets share few batches, each with its own score', async (t) => {
  const { cycle, scorer, told } = cycleOf()
  const rows = Array.from({ length: 1000 }, (_, i) => row(1, { ...USUAL, interrupts: i / 1000 }, `t${i}`))
  const assessments = await cycle.run(rows)
  t.equal(
    scorer.batches.reduce((sum, n) => sum + n, 0),
    1000,
  )
  t.ok(scorer.batches.length <= 4, `batches of ${scorer.batches}`)
  t.equal(assessments.length, 1000)
  t.ok(assessments.every((a, i) => a.target === `t${i}` && near(a.scores?.raw, i / 1000)))
  t.equal(assessments.filter((a) => a.scores?.alarm).length, 3, 'those above .996')
  t.equal(told.published.length, 1000)
  t.equal(cycle.targets.size, 1000)
  cycle.removeTarget('t7')
  t.notOk(cycle.targets.has('t7'))
})

t.test('the event loop has its turns while many targets are worked on', async (t) => {
  /** Works for so many ms without letting go. */
  const work = (ms: number) => {
    const end = performance.now() + ms
    while (performance.now() < end);
  }
  const { cycle } = cycleOf({ restore: () => work(0.5) })
  let turns = 0
  let counting = true
  const count = () => {
    turns++
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  await cycle.run(Array.from({ length: 400 }, (_, i) => row(1, USUAL, `t${i}`)))
  counting = false
  t.ok(turns >= 10, `200 ms of work in ${turns} turns`)
})

t.test('a workload that stops is the first hint, in words', async (t) => {
  const { state, runRows, told } = cycleOf()
  const signals = manifestOf().signals.map((s) => ({ ...s, never_zero: s.name === 'memory_used' }))
  state.scorer = new FakeScorer(manifestOf({ signals }))
  await runRows(1, 20)
  t.notOk((await runRows(21, 2, { ...USUAL, memory_used: 0 })).scores?.alarm, 'a reading may be missed')
  const still = await runRows(23, 2, { ...USUAL, memory_used: 0 })
  t.match(still.scores, { alarm: true, stopped: ['memory_used'] })
  t.match(still.hints[0], { signal: 'memory_used', value: 0, direction: 'stopped' })
  t.match(still.riskReason, '; memory_used has stopped: exactly 0, never so before')
  t.same((await runRows(25, 1)).scores?.stopped, [])
  t.same(told.errors, [])
})

t.test('late and duplicate rows are counted and change nothing', async (t) => {
  const { cycle, told, runRows } = cycleOf()
  await runRows(1, 3)
  t.same(await cycle.run([row(3), row(2, { ...USUAL, interrupts: 9 }), row(4, USUAL, 'b')]).then((x) => x.length), 1)
  t.same(told.dropped, [
    ['duplicate', 1],
    ['late', 1],
  ])
  const [next] = await cycle.run([row(4)])
  t.ok(near(next?.scores?.ranking, 0.3), 'the late row left no trace')
  t.equal(cycle.targets.get('a')?.state.rows, 4)
  t.same(await cycle.run([]), [])
})

t.test('runs queue up, and none overlaps another', async (t) => {
  const { cycle, scorer, told } = cycleOf()
  const runs = [1, 2, 3].map((n) => cycle.run([row(n)]))
  await cycle.idle()
  t.equal(told.published.length, 3)
  t.equal(scorer.mostInside, 1)
  t.same(
    (await Promise.all(runs)).map(([a]) => a?.at),
    [1, 2, 3].map((n) => START + n * 10_000),
  )
})

t.test('a scorer that fails leaves the rules, and scores again when it recovers', async (t) => {
  const { cycle, scorer, told, runRows } = cycleOf()
  await runRows(1, 25)
  scorer.failing = true
  const [rules] = await cycle.run([row(26, { ...USUAL, cpu_busy: 0.95 })])
  t.match(rules, { model: 'fallback', version: null, scores: null, shap: null, outlook: null, drift: null, trust: 0 })
  t.ok(near(rules?.health, 100 - 1.5 * 18), 'a penalty of 12, half as much again half way to the limit, times 1.5')
  t.match(rules?.penalties, [{ signal: 'cpu_busy', value: 0.95, limit: 0.9 }])
  t.match(rules?.hints, [{ signal: 'cpu_busy', direction: 'above' }])
  t.same(told.errors, [['score', 'no models today']])
  t.equal(cycle.targets.get('a')?.features, null)
  t.equal(cycle.targets.get('a')?.shap, null)
  scorer.failing = false
  const [back] = await cycle.run([row(27)])
  t.match(back, { model: 'active', warmup: { window: 1, drift: 26 / DRIFT_ROWS } }, 'where it was')
})

t.test('a scorer that is gone costs its scores, not what was learnt of the target', async (t) => {
  const { cycle, state, runRows } = cycleOf()
  await runRows(1, 30)
  const before = cycle.targets.get('a')?.state
  state.scorer = null
  t.match(await runRows(31, 2), { model: 'fallback', scores: null })
  t.ok(cycle.targets.get('a')?.state.usual.range('cpu_busy'), 'rules still know what is usual')
  state.scorer = new FakeScorer(manifestOf())
  t.match(await runRows(33, 1), { model: 'active', warmup: { drift: 31 / DRIFT_ROWS } })
  t.equal(cycle.targets.get('a')?.state, before, 'the same bundle goes on with the same state')
  t.equal(cycle.targets.get('a')?.manifest, state.scorer.bundle.manifest)
  state.scorer = new FakeScorer(manifestOf({ version: 'bbbbbbbbbbbb' }))
  t.match(await runRows(34, 1), { model: 'active', version: 'bbbbbbbbbbbb', warmup: { drift: 1 / DRIFT_ROWS } })
  t.not(cycle.targets.get('a')?.state, before, 'another bundle begins afresh')
  t.same(await cycle.run([row(34)]), [], 'though not with rows that were seen')
})

t.test('without a bundle rules speak from the first row on', async (t) => {
  const { cycle, state, runRows } = cycleOf()
  state.scorer = null
  const good = await runRows(1, 1)
  t.match(good, { model: 'fallback', health: 100, risk: 'green', severity: 'none', coverage: 1, trust: 0 })
  const bad = await runRows(2, 3, { cpu_busy: 1, memory_used: 1 })
  t.ok(near(bad.health, 100 - 1.5 * 40), 'no more than 40 points')
  t.match(bad, {
    risk: 'yellow',
    severity: 'warning',
    severityReason: /^risk yellow by rules: cpu_busy 100 % is above 90/,
  })
  const calm = await runRows(5, 1)
  t.match(calm, { risk: 'yellow', severityReason: /by rules$/ }, 'a risk that lingers names no symptom that is over')
  t.equal(cycle.targets.get('a')?.manifest, null)
})

t.test('a value that is not finite is counted, absent, and shown nowhere', async (t) => {
  const { cycle, told, runRows } = cycleOf()
  await runRows(1, 12)
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number
  const resources = [
    { resource: 'memory', used: nan },
    { resource: 'swap', used: 0.5 },
  ]
  const [a] = await cycle.run([
    row(13, { interrupts: nan, cpu_busy: infinity, memory_used: 0.4, no_such_signal: nan }, 'a', { resources }),
  ])
  t.equal(told.nonFinite, 4, 'also one that the bundle does not know, and a resource')
  t.same(a?.values, { memory_used: 0.4 })
  t.same(a?.resources, [{ resource: 'swap', used: 0.5 }])
  t.match(a, { model: 'active', coverage: 1 }, 'carried over for a while')
  t.same(told.published.at(-1)?.row.values, { memory_used: 0.4 })
  const text = JSON.stringify(a, (_, x) => (typeof x === 'number' && !Number.isFinite(x) ? 'not finite' : x))
  t.notMatch(text, /not finite/)
  t.same(told.errors, [])
})

t.test('a missing signal lowers coverage and trust once it cannot be carried any longer', async (t) => {
  const { runRows } = cycleOf()
  const whole = await runRows(1, 20)
  const { interrupts, cpu_busy } = USUAL
  const carried = await runRows(21, 3, { interrupts, cpu_busy })
  t.equal(carried.coverage, 1)
  t.notOk('memory_used' in carried.values, 'a carried value is never shown')
  const absent = await runRows(24, 1, { interrupts, cpu_busy })
  t.ok(near(absent.coverage, 2 / 3))
  t.ok(absent.trust < (whole.trust * 2) / 3 + 0.1 && absent.trust < carried.trust)
  t.equal(absent.shap?.signals.memory_used, 0)
  t.equal(absent.warmup.failure, 0, 'what the failure model needs is missing')
})

t.test('a publisher that throws costs only itself', async (t) => {
  const seen: string[] = []
  const { cycle, told } = cycleOf({
    publishers: [
      () => {
        throw new Error('disk on fire')
      },
      async (batch) => {
        seen.push(...batch.map((x) => x.assessment.target))
        throw new Error('later')
      },
      (batch) => void seen.push(...batch.map((x) => `${x.row.target} too`)),
    ],
  })
  t.equal((await cycle.run([row(1)])).length, 1)
  t.same(seen, ['a', 'a too'])
  t.same(told.errors, [
    ['publish', 'disk on fire'],
    ['publish', 'later'],
  ])
})

t.test('what goes wrong with one target costs that target', async (t) => {
  const { cycle, told } = cycleOf({
    sensitivity: (target) => {
      if (target === 'bad') throw new Error('no settings')
      return 5
    },
    restore: (target) => {
      if (target === 'odd') throw new RangeError('of another shape')
    },
    onAlert: () => {
      throw new Error('nobody listens')
    },
  })
  const full = { resources: [{ resource: 'memory', used: 1 }] }
  const got = await cycle.run([
    row(1, USUAL, 'bad'),
    row(1, USUAL, 'odd'),
    row(1, USUAL, 'a', full),
    row(1, USUAL, 'c'),
  ])
  t.same(
    got.map((a) => a.target),
    ['odd', 'a', 'c'],
  )
  t.same(told.errors, [
    ['window', 'no settings'],
    ['window', 'of another shape'],
    ['assess', 'nobody listens'],
  ])
})

t.test('an alert is raised on escalation only', async (t) => {
  const { cycle, told, runRows } = cycleOf()
  await runRows(1, 40)
  t.same(told.alerts, [])
  const hot = { ...USUAL, interrupts: 2 }
  await runRows(41, 30, hot)
  t.equal(told.alerts.length, 1, 'one however long it lasts')
  t.match(told.alerts[0], {
    target: 'a',
    from: 'info',
    severity: 'warning',
    confidence: Number,
    hints: [{ signal: 'interrupts' }],
  })
  t.match(told.alerts[0]?.message, /^a: risk (yellow|red), confidence x trust 0\.\d\d; interrupts /)
  await cycle.run([row(71, hot, 'a', { resources: [{ resource: 'filesystem:/', used: 1 }] })])
  t.match(told.alerts[1], { from: 'warning', severity: 'critical', message: /^a: filesystem:\/ has reached its limit/ })
  await runRows(72, 1, hot)
  t.equal(told.alerts.length, 2, 'nothing on the way down')
  await runRows(73, 60)
  t.equal(told.published.at(-1)?.assessment.severity, 'none')
  t.equal(told.alerts.length, 2)
  await runRows(133, 10, hot)
  t.equal(told.alerts.length, 3, 'a new incident is a new alert')
})

t.test('drift shows when its window is full, and only its progress before', async (t) => {
  const { runRows } = cycleOf()
  const nearly = await runRows(1, DRIFT_ROWS - 1)
  t.match(nearly, { drift: null, warmup: { drift: (DRIFT_ROWS - 1) / DRIFT_ROWS } })
  t.match(await runRows(DRIFT_ROWS, 1), { drift: { ratio: 0, detected: false }, warmup: { drift: 1 } })
  const hot = await runRows(DRIFT_ROWS + 1, 20, { ...USUAL, interrupts: 1.5 })
  t.match(hot, { drift: { ratio: 0.1, detected: false } }, 'an incident is no drift')
  t.ok(near(hot.drift?.scores.anomaly_rate ?? Number.NaN, 0.1 / 0.015), 'though it shows')
  t.ok(near(hot.trust, 0.2 + 0.5 + (0.3 * 220) / 2160), 'and does not make the model less to be believed')
})

t.test('what is to come rests on rows with their scores, and decides the severity', async (t) => {
  const seen: OutlookInput[] = []
  const resource = {
    resource: 'memory',
    level: 0.7,
    capacity: 1,
    median: 0,
    upper: 0,
    confidence: 0.9,
    withinDay: 0.9,
    trend: null,
    state: 'growing',
    sentence: 'Memory likely full in 3 h',
    action: '',
  }
  let hours = 30
  const { runRows, told } = cycleOf({
    outlook: async (inputs) => {
      seen.push(...inputs)
      const at = inputs[0]?.row.at ?? 0
      const resources = [{ ...resource, lower: at / 1000 + 3600 * hours }]
      return new Map([['a', { at, resources, failure: null, failureProgress: 0.5, forecasts: [] }]])
    },
  })
  t.match(await runRows(1, 1), { severity: 'none', outlook: { resources: [{ resource: 'memory' }] } })
  t.match(seen, [{ row: { target: 'a' }, anomaly: Number, health: Number, trust: 1 }])
  hours = 12
  t.match(await runRows(2, 1), { severity: 'warning', severityReason: 'Memory likely full in 3 h' })
  hours = 3
  t.match(await runRows(3, 1), { severity: 'critical' })
  t.match(told.alerts, [{ severity: 'warning' }, { severity: 'critical', message: /^a: Memory likely full in 3 h/ }])
})

t.test('a room of forecasts that fails costs the forecasts', async (t) => {
  const { runRows, told } = cycleOf({
    outlook: async () => {
      throw new Error('no idea')
    },
  })
  t.match(await runRows(1, 1), { model: 'active', outlook: null })
  t.strictSame(told.errors, [['outlook', 'no idea']])
})

t.test('a confirmed drift lowers the trust until it is re-based', async (t) => {
  // Rows of an hour: a day is 24 of them.
  const { cycle, runRows } = cycleOf({ intervalSeconds: 3600 })
  await runRows(1, DRIFT_ROWS)
  t.match(cycle.targets.get('a')?.state.drift?.status(), { state: 'watching', events: [] })
  const moved = { interrupts: 1.5, cpu_busy: 0.7, memory_used: 0.9 }
  const drifted = await runRows(DRIFT_ROWS + 1, 10, moved)
  t.match(drifted, { drift: { detected: true, confirmed: 1 }, trust: 0.6 })
  const rebased = await runRows(DRIFT_ROWS + 11, 12, moved)
  t.match(rebased, { drift: { detected: false, confirmed: 1 }, trust: 1 })
  t.match(cycle.targets.get('a')?.state.drift?.status(), {
    state: 'watching',
    reference: { origin: 'rebased' },
    events: [{ kind: 'rebased' }, { kind: 'confirmed', by: 'score_and_signals' }],
  })
})

t.test('the sensitivity moves the threshold with the next row', async (t) => {
  const { cycle, runRows } = cycleOf()
  const before = await runRows(1, 1)
  cycle.setSensitivity('a', 7, 0.0128)
  const after = await runRows(2, 1)
  t.match(after, { sensitivity: 7, scores: { budget: { requested: 0.0128 } } })
  t.ok(near(before.scores?.threshold, 0.996) && near(after.scores?.threshold, 1 - 0.8 * 0.0128))
  cycle.setSensitivity('nobody', 7, 0.0128)
  t.notOk(cycle.targets.has('nobody'))
})

t.test('a step of the wall clock drops nothing', async (t) => {
  const { cycle, told, runRows } = cycleOf()
  await runRows(1, 15)
  const hour = 3_600_000
  for (const [n, step] of [
    [16, -hour],
    [17, -hour],
    [18, 48 * hour],
  ] as const) {
    const [a] = await cycle.run([{ ...row(n), at: row(n).at + step }])
    t.match(a, { at: row(n).at + step, model: 'active', warmup: { window: 1 } }, `the clock ${step / hour} h off`)
  }
  t.same(told.dropped, [])
})

t.test('a hole in time begins the window afresh', async (t) => {
  const { runRows } = cycleOf()
  await runRows(1, 15)
  t.equal((await runRows(19, 1)).warmup.window, 1, 'three rows are carried')
  t.equal((await runRows(100, 1)).warmup.window, 1 / WINDOW_ROWS)
})

t.test('a target that is restored scores its next row as it would have', async (t) => {
  const follow = manifestOf({
    center: { mode: 'follow', prior_rows: new Array(F).fill(50), memory_rows: 8640 },
    ensemble: { ...manifestOf().ensemble, seed_hours: 1 },
  })
  const first = cycleOf()
  first.state.scorer = new FakeScorer(follow)
  // More than an hour of rows, so that the threshold has moved from its seed.
  for (let n = 1; n <= 400; n++) await first.cycle.run([row(n, { ...USUAL, interrupts: (n % 10) / 20 })])
  await first.runRows(401, 20)
  const saved = JSON.parse(JSON.stringify(first.cycle.targets.get('a')?.state.save())) as never
  const second = cycleOf({ restore: (_, state) => state.restore(saved) })
  second.state.scorer = new FakeScorer(follow)
  const [going] = await first.cycle.run([row(421)])
  const [restored] = await second.cycle.run([row(421)])
  t.not(going?.scores?.threshold, 0.996, 'the threshold is its own by now')
  const { raw, threshold, confidence, anomaly, budget } = going?.scores ?? {}
  t.match(restored?.scores, { raw, threshold, confidence, anomaly, budget })
  t.same(restored?.shap, going?.shap)
  t.equal(restored?.trust, going?.trust, 'its history counts')
  t.equal(restored?.warmup.window, 1 / WINDOW_ROWS, 'though its window fills anew')
  t.equal(emptyInputs(follow, 2).center.length, 2 * F)
})
