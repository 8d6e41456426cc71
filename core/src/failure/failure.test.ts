import t from 'tap'
import type { SignalKind } from '../outlook/kinds.ts'
import {
  FAILURE_HORIZONS,
  type FailureTerms,
  FailureTracker,
  failureProbabilities,
  failureReasons,
  RISK_COLUMN,
  RISK_FEATURES,
  type RiskFeature,
  subjectOf,
  TRUST_COLUMN,
  termValue,
} from './index.ts'
import { Restarts } from './restart.ts'
import { KindSeries, SLOW } from './series.ts'
import { SortedWindow } from './sorted.ts'

const K = RISK_FEATURES.length
const NOBODY = { anomaly: null, health: null }
const START = 1_767_600_000
const HOUR = 3600
type Values = Partial<Record<SignalKind, number>>

const near = (a: number, b: number, tolerance = 1e-9) => Math.abs(a - b) <= tolerance
/** A fixed noise of -1 to 1 that depends on nothing but the instant. */
const wobble = (at: number, k = 0) => Math.sin(at / 97 + k) * Math.cos(at / 31 + 2 * k)
/** A usual host with a daily course. */
const usual = (at: number): Values => ({
  cpu_busy_ratio: 0.3 + 0.1 * Math.sin((at / 86_400) * 2 * Math.PI) + 0.01 * wobble(at),
  cpu_iowait_ratio: 0.02 + 0.005 * wobble(at, 1),
  memory_used_ratio: 0.5 + 0.005 * wobble(at, 2),
  disk_used_ratio: 0.6,
  network_rate: 1e6 * (1 + 0.05 * wobble(at, 3)),
  network_error_ratio: 0.0002,
  response_time: 0.1 * (1 + 0.05 * wobble(at, 4)),
  error_ratio: 0.001,
})
const KINDS = Object.keys(usual(0)) as SignalKind[]

function play(tracker: FailureTracker, hours: number, interval: number, values: (at: number) => Values, from = START) {
  for (let at = from; at < from + hours * HOUR; at += interval) tracker.push(at, values(at), NOBODY)
  return tracker
}
const fresh = (interval = 60, kinds: readonly SignalKind[] = KINDS) =>
  new FailureTracker({ intervalSeconds: interval, kinds })
const of = (features: Float64Array | null, feature: RiskFeature, h = 1) =>
  (features as Float64Array)[h * K + RISK_COLUMN[feature]] as number

t.test('a sorted window gives the quantiles of its newest values', async (t) => {
  const window = new SortedWindow(5)
  t.ok(Number.isNaN(window.quantile(0.5)))
  for (const x of [9, 3, 3, 7, 1]) window.push(x)
  t.same(
    [0, 0.25, 0.5, 0.75, 1].map((p) => window.quantile(p)),
    [1, 3, 3, 7, 9],
  )
  window.push(5)
  t.same(
    [0, 0.5, 1].map((p) => window.quantile(p)),
    [1, 3, 7],
    'the oldest one, 9, has gone',
  )
  const all: number[] = []
  const long = new SortedWindow(40)
  for (let i = 0; i < 500; i++) {
    all.push(Math.round(20 * wobble(i * 50)))
    long.push(all[i] as number)
    const sorted = all.slice(-40).sort((a, b) => a - b)
    const x = 0.3 * (sorted.length - 1)
    const low = sorted[Math.floor(x)] as number
    const high = sorted[Math.ceil(x)] as number
    if (!near(long.quantile(0.3), low + (high - low) * (x % 1))) t.fail(`after ${i}`)
  }
})

t.test('a series knows its medians, its usual level, and how far a straight line goes', async (t) => {
  const series = new KindSeries(60, SLOW)
  for (let i = 0; i < 600; i++) series.push(i % 5 === 0 ? 0.9 : 0.4)
  t.equal(series.short, 0.4, 'one spike of five does not move the median')
  t.equal(series.usual, 0.4)
  t.equal(series.reaches(1, 0), Number.POSITIVE_INFINITY)
  for (let i = 1; i <= 20; i++) series.push(0.4 + 0.01 * i)
  // The median of the last five minutes is two minutes old: 0.58. Over ten minutes it rose by 0.1.
  t.ok(near(series.short, 0.58))
  t.ok(near(series.reaches(1, 0), ((1 - 0.58) / 0.1) * 600, 1e-6))
  t.equal(series.reaches(0.5, 0), 0, 'already there')
})

t.test('features have the values that can be worked out by hand', async (t) => {
  const tracker = fresh()
  t.equal(tracker.features([]), null, 'nothing is known at first')
  play(tracker, 12, 60, usual)
  const calm = tracker.features([])
  t.equal(calm?.length, FAILURE_HORIZONS.length * K)
  for (const f of ['errors', 'network_errors', 'anomaly_frequency', 'storage_reach', 'memory_reach'] as const)
    t.ok(near(of(calm, f), 0, 1e-6), f)
  t.equal(of(calm, 'storage_level'), 0.6)
  t.equal(of(calm, 'trust'), 1)

  const from = START + 12 * HOUR
  const ill = (at: number): Values => ({
    ...usual(at),
    error_ratio: 0.101,
    response_time: 0.4,
    disk_used_ratio: 0.6 + 0.2 * Math.min(1, (at - from) / HOUR),
  })
  play(tracker, 1, 60, ill, from)
  const features = tracker.features([{ kind: 'disk_used_ratio', exhaustion: { within: (s) => s / 21_600 } }])
  t.ok(near(of(features, 'errors'), 0.1, 1e-9))
  t.ok(near(of(features, 'errors_lasting'), 0.1, 1e-9))
  t.ok(near(of(features, 'response_growth'), 2, 0.1), 'four times the usual is two doublings')
  const slow = (of(features, 'response_growth') - 0.3) / (3 - 0.3)
  t.ok(near(of(features, 'errors_and_response'), Math.sqrt(0.4 * slow)))
  t.equal(of(features, 'storage_exhaustion', 0), 900 / 21_600)
  t.equal(of(features, 'storage_exhaustion', 2), 1)
  // 0.2 an hour: half an hour brings 0.1, and the short median is two minutes behind its end of 0.7967.
  const short = of(features, 'storage_level')
  t.ok(near(short, 0.79, 0.002))
  t.ok(near(of(features, 'storage_reach'), 3600 / (3600 + ((1 - short) / 0.1) * 1800), 1e-6))
  t.ok(of(features, 'anomaly') > 1 && of(features, 'anomaly_frequency') > 0.9)
  t.ok(of(features, 'health_deficit') > 30, 'health falls with the score where no bundle tells it')
})

t.test('a restart excuses symptoms for some minutes, once an hour', async (t) => {
  const restarts = new Restarts()
  const seen: number[] = []
  const step = (level: number, before: number) => {
    restarts.step(level, before, 60)
    seen.push(restarts.weight)
  }
  for (let i = 0; i < 5; i++) step(0.5, 0.5)
  for (let i = 0; i < 15; i++) step(0.4, i < 3 ? 0.5 : 0.4)
  t.same(seen.slice(0, 11), [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
  t.ok(near(seen[12] as number, 2 / 7) && seen[17] === 1, 'it fades after five minutes')
  step(0.3, 0.4)
  t.equal(restarts.weight, 1, 'a second one within the hour is no excuse')
  step(Number.NaN, 0.4)
  t.equal(restarts.weight, 1)

  const released = (at: number): Values => ({
    ...usual(at),
    memory_used_ratio: at < START + 9 * HOUR ? 0.5 : 0.4,
    error_ratio: at < START + 9 * HOUR ? 0.001 : 0.101,
  })
  const tracker = play(fresh(), 9 + 0.1, 60, released)
  t.equal(of(tracker.features([]), 'errors'), 0)
  play(tracker, 0.2, 60, released, START + 9.1 * HOUR)
  t.ok(near(of(tracker.features([]), 'errors'), 0.1, 1e-9), 'what lasts counts')
})

t.test('score and health of a bundle take the place of its own', async (t) => {
  const tracker = play(fresh(), 8, 60, usual)
  for (let i = 0; i < 60; i++)
    tracker.push(START + 8 * HOUR + i * 60, usual(START + 8 * HOUR + i * 60), {
      anomaly: i < 30 ? 0.5 : 1.5,
      health: 100 - i,
    })
  const features = tracker.features([])
  t.ok(near(of(features, 'anomaly'), 1.5) && near(of(features, 'anomaly_frequency'), 0.5))
  t.ok(near(of(features, 'health_deficit'), 52), 'mean of the last 15 minutes')
  t.ok(near(of(features, 'health_worst'), 59))
  t.ok(near(of(features, 'health_fall'), 52 - 29.5))
  tracker.push(START + 9 * HOUR, usual(START), { anomaly: 0, health: 100, trust: 0.25 })
  t.ok(near(tracker.trust, 0.25), 'and its trust is a factor')
})

t.test('rows of 10, 15 and 60 s give nearly the same features', async (t) => {
  const from = START + 14 * HOUR
  const course = (at: number): Values => {
    const x = Math.max(0, at - from) / HOUR
    return {
      ...usual(at),
      memory_used_ratio: 0.5 + 0.2 * x,
      response_time: 0.1 * (1 + 3 * x),
      error_ratio: 0.001 + 0.1 * x,
    }
  }
  const [minute, quarter, ten] = [60, 15, 10].map((interval) =>
    play(fresh(interval), 15, interval, course).features([]),
  )
  for (let i = 0; i < (minute as Float64Array).length; i++) {
    const [a, b, c] = [minute, quarter, ten].map((x) => (x as Float64Array)[i] as number) as [number, number, number]
    const name = RISK_FEATURES[i % K]
    const scale = name?.startsWith('health') ? 100 : 1
    t.ok(Math.abs(a - b) / scale < 0.04 && Math.abs(a - c) / scale < 0.04, `${name}: ${a} ${b} ${c}`)
  }
})

t.test('what is missing is 0 and lowers the trust; what comes back in time or twice is left out', async (t) => {
  const whole = play(fresh(), 10, 60, usual)
  const few = play(fresh(60, ['cpu_busy_ratio']), 10, 60, usual)
  const features = few.features([])
  for (const f of RISK_FEATURES) {
    if (f !== 'trust' && !/^(cpu|anomaly|health)/.test(f)) t.equal(of(features, f), 0, f)
  }
  t.ok(few.trust < whole.trust && few.trust > 0)
  const before = whole.features([])
  whole.push(START, { cpu_busy_ratio: 1 }, NOBODY)
  whole.push(Number.NaN, { cpu_busy_ratio: 1 }, NOBODY)
  t.same(whole.features([]), before)
  play(few, 1, 60, () => ({ cpu_busy_ratio: Number.NaN }), START + 10 * HOUR)
  t.equal(of(few.features([]), 'cpu_level'), 0, 'a level that nobody has seen for an hour is none')
})

t.test('trust grows with the length of the past', async (t) => {
  const tracker = fresh()
  const seen: number[] = []
  for (let hour = 0; hour < 8; hour++) {
    play(tracker, 1, 60, usual, START + hour * HOUR)
    seen.push(tracker.trust)
  }
  t.ok(seen.every((x, i) => i === 0 || x >= (seen[i - 1] as number)))
  t.ok((seen[1] as number) < 0.4 && seen[7] === 1)
  t.equal(fresh().progress, 0)
  t.ok(near(play(fresh(10), 0.25, 10, usual).progress, 0.25, 0.01))
  t.equal(play(fresh(), 2, 60, usual).progress, 1)
  t.equal(play(fresh(), 2, 60, () => ({})).progress, 0.99, 'nothing was seen')
})

t.test('the features of an instant do not depend on what follows', async (t) => {
  const until = play(fresh(), 9, 60, usual)
  const [then] = [until.features([])]
  play(until, 3, 60, (at) => ({ ...usual(at), cpu_busy_ratio: 1 }), START + 9 * HOUR)
  t.same(play(fresh(), 9, 60, usual).features([]), then)
  t.notSame(until.features([]), then)
})

t.test('memory with swap is at its end when both are', async (t) => {
  const kinds: SignalKind[] = [...KINDS, 'swap_used_ratio']
  const certain = { within: () => 1 }
  const ask = (tracker: FailureTracker) =>
    tracker.features([
      { kind: 'memory_used_ratio', exhaustion: certain },
      { kind: 'swap_used_ratio', exhaustion: certain },
    ])
  const cold = ask(play(fresh(60, kinds), 8, 60, (at) => ({ ...usual(at), swap_used_ratio: 0.99 })))
  t.equal(of(cold, 'memory_exhaustion'), 0, 'a full swap beside free memory holds what nobody asks for')
  t.equal(of(cold, 'swapping_ahead'), 1)
  const tight = ask(
    play(fresh(60, kinds), 8, 60, (at) => ({ ...usual(at), memory_used_ratio: 0.96, swap_used_ratio: 0.99 })),
  )
  t.equal(of(tight, 'memory_exhaustion'), 1)
  const none = ask(play(fresh(60, KINDS), 8, 60, usual))
  t.equal(of(none, 'memory_exhaustion'), 1)
  t.equal(of(none, 'swapping_ahead'), 0)
})

const MODEL: FailureTerms = {
  horizons: [900, 3600, 21_600],
  intercepts: [-7, -5, -5],
  baseRates: [0.002, 0.01, 0.06],
  terms: [
    {
      feature: 'memory_level',
      knots: [0.6, 0.8, 1],
      weights: [
        [1, 3],
        [1, 2],
        [0, 0],
      ],
    },
    { feature: 'errors', knots: [0, 0.1], weights: [[4], [2], [1]] },
    { feature: 'anomaly', knots: [1, 3], weights: [[1], [9], [1]] },
  ],
}
const row = (values: Partial<Record<RiskFeature, number>>, trust = 1) => {
  const features = new Float64Array(3 * K)
  for (let h = 0; h < 3; h++) {
    for (const [name, x] of Object.entries(values)) features[h * K + RISK_COLUMN[name as RiskFeature]] = x
    features[h * K + TRUST_COLUMN] = trust
  }
  return features
}
const logistic = (x: number) => 1 / (1 + Math.exp(-x))

t.test(
  'probabilities are those of the terms, ascend with the horizon, and are shrunk where trust is low',
  async (t) => {
    const memory = MODEL.terms[0] as FailureTerms['terms'][number]
    t.same(
      [0.5, 0.6, 0.7, 0.8, 0.9, 1, 7].map((x) => Number(termValue(memory, 0, x).toFixed(9))),
      [0, 0, 0.5, 1, 2.5, 4, 4],
    )
    const p = failureProbabilities(MODEL, row({ memory_level: 0.9, errors: 0.05 }))
    t.ok(near(p[0] as number, logistic(-7 + 2.5 + 2)))
    t.ok(near(p[1] as number, logistic(-5 + 2 + 1)) || p[1] === p[0])
    t.ok((p[0] as number) <= (p[1] as number) && (p[1] as number) <= (p[2] as number))
    const healthy = failureProbabilities(MODEL, row({}))
    t.ok(near(healthy[2] as number, logistic(-5)))
    const half = failureProbabilities(MODEL, row({ memory_level: 1, errors: 1 }, 0.5))
    t.ok(near(half[0] as number, 0.002 + 0.5 * (logistic(1) - 0.002)))
    const none = failureProbabilities(MODEL, row({ memory_level: 1, errors: 1 }, 0))
    t.same([...none].slice(0, 2), [0.002, 0.01], 'without trust the base rate')
    t.ok(near(none[2] as number, logistic(-4)), 'and less where the features say less')
    t.same([...failureProbabilities(MODEL, row({}, 0))], [...healthy], 'what is below it stays')
  },
)

t.test('reasons are the largest shares of the logit, and name what fails', async (t) => {
  const { subject, reasons } = failureReasons(MODEL, row({ memory_level: 0.9, errors: 0.05, anomaly: 3 }), 1, 2)
  t.equal(subject, 'memory', 'a score alone names no part')
  t.same(
    reasons.map((r) => [r.feature, r.value, r.logit]),
    [
      ['anomaly', 3, 9],
      ['memory_level', 0.9, 2],
    ],
  )
  t.ok(near((reasons[0] as { share: number }).share, 0.75))
  t.same(failureReasons(MODEL, row({}), 0), { subject: null, reasons: [] })
  t.equal(failureReasons(MODEL, row({ anomaly: 3 }), 0).subject, 'host')
  const subjects = RISK_FEATURES.filter((f) => f !== 'trust').map(subjectOf)
  t.same(new Set(subjects), new Set(['host', 'cpu', 'memory', 'storage', 'handles', 'io', 'network', 'service']))
})

t.test('four days of minutes take less than a second', async (t) => {
  const tracker = fresh()
  const started = performance.now()
  for (let i = 0; i < 5760; i++) {
    tracker.push(START + i * 60, usual(START + i * 60), NOBODY)
    if (i % 5 === 0) tracker.features([])
  }
  t.ok(performance.now() - started < 1000, `${performance.now() - started} ms`)
})
