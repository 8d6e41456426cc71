import t from 'tap'
import { Center } from '../center.ts'
import { RollingDistribution } from '../distribution.ts'
import {
  DAY_HOURS,
  type DriftEvent,
  DriftMonitor,
  frozenScore,
  HourlyLevels,
  ksDistance,
  LAMBDA,
  mergeQuantiles,
  PageHinkley,
  QUANTILES,
  trainingLevels,
  usualScoreOf,
} from './index.ts'
import type { DriftManifest } from './monitor.ts'

const near = (a: number | undefined, b: number, tolerance = 1e-9) => a !== undefined && Math.abs(a - b) <= tolerance

/** Uniform between 0 and 1, the same every time. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state / 0x7fffffff
  }
}

const SIGNALS = Array.from({ length: 10 }, (_, j) => `s${j}`)

function manifestOf(more: Partial<DriftManifest> = {}): DriftManifest {
  const width = 6 * SIGNALS.length
  return {
    signals: SIGNALS.map((name) => ({ name, unit: 'ratio', transform: { kind: 'linear', scale: 1 } })),
    features: {
      file: 'features.onnx',
      sha256: '0'.repeat(64),
      mean: new Array(width).fill(0.5),
      scale: new Array(width).fill(0.1),
    },
    center: { mode: 'frozen' },
    ...more,
  }
}

const HOUR_SECONDS = 3600
/** Rows of ten minutes. */
const INTERVAL = 600
const ROWS = HOUR_SECONDS / INTERVAL

interface Life {
  /** Training spreads added to each signal and to the score, by hour. */
  readonly signals?: (hour: number, j: number) => number
  readonly score?: (hour: number) => number
}

/** A target with a daily pattern and noise, at row n. */
function lifeOf({ signals = () => 0, score = () => 0 }: Life, seed = 1) {
  const random = randomOf(seed)
  return (n: number) => {
    const hour = Math.floor(n / ROWS)
    const day = Math.sin((2 * Math.PI * n) / (24 * ROWS))
    const values: Record<string, number> = {}
    SIGNALS.forEach((name, j) => {
      values[name] = 0.5 + 0.1 * ((j % 3) * day + random() - 0.5 + signals(hour, j))
    })
    return { at: n * INTERVAL * 1000, values, score: 0.3 * (day + random() + score(hour)), over: false, budget: 0.005 }
  }
}

function run(monitor: DriftMonitor, rowOf: ReturnType<typeof lifeOf>, hours: number, from = 0): DriftEvent[] {
  const events: DriftEvent[] = []
  for (let n = from * ROWS; n < (from + hours) * ROWS; n++) {
    const event = monitor.step(rowOf(n))
    if (event !== null) events.push(event)
  }
  return events
}

const told = (events: readonly DriftEvent[]) => events.map(({ kind, by, at }) => [kind, by, at / 3_600_000])

t.test('Page-Hinkley adds up what goes beyond half a spread', async (t) => {
  const test = new PageHinkley({ mean: 1, sigma: 2, hours: 1000 })
  test.step(7)
  t.equal(test.statistic, 2.5, 'three spreads off, less half a one')
  t.ok(near(test.usual.mean, 1 + 6 / 289), 'the mean remembers twelve days')
  test.step(7)
  t.ok(near(test.statistic, 2.5 + 3 * (288 / 289) - 0.5))
  test.step(1000)
  t.ok(near(test.statistic, 5 - 3 / 289 - 0.0 + 4.5), 'an hour counts for five spreads at most')
  t.equal(test.direction, 'up')
  t.equal(test.hours, 3)
  t.ok(near(test.shift, (6 - 3 / 289 + 5) / 3))
  test.step(Number.NaN)
  t.equal(test.hours, 3, 'an hour without a score is left out')
  for (let i = 0; i < 3; i++) test.step(-1000)
  t.match([test.direction, test.statistic], ['down', 13.5], 'and the other way')
  test.restart()
  t.equal(test.statistic, 0)
  for (let i = 0; i < 1000; i++) test.step(test.usual.mean + 0.9)
  t.equal(test.statistic, 0, 'less than half a spread is never a change')
})

t.test(
  'a shift of three spreads is seen in the thirteenth hour, and the sum comes down when the score does',
  async (t) => {
    const test = new PageHinkley({ mean: 0, sigma: 1, hours: 1000 })
    let hour = 0
    while (!test.detected) {
      test.step(3)
      hour++
    }
    t.equal(hour, 13, 'a mean that stood still would be one hour earlier')
    t.ok(near(test.statistic, 3 * 289 * (1 - (288 / 289) ** 13) - 6.5), '3 (288/289)^k added up, less 13 halves')
    for (let i = 0; i < 50; i++) test.step(3)
    t.equal(test.statistic, 1.5 * LAMBDA, 'held')
    const steady = new PageHinkley({ mean: 0, sigma: 0, hours: 1 })
    steady.step(0.3)
    t.ok(near(steady.statistic, 1), 'no spread is smaller than .2')
    const copy = PageHinkley.restore(JSON.parse(JSON.stringify(test.save())))
    for (const x of [test, copy]) for (let i = 0; i < 5; i++) x.step(-0.7)
    t.same(copy.save(), test.save())
    t.throws(() => PageHinkley.restore({ usual: { mean: Number.NaN, sigma: 1, hours: 1 }, sides: [] }), RangeError)
  },
)

t.test('the Kolmogorov-Smirnov distance is the largest difference of the shares', async (t) => {
  t.equal(ksDistance([1, 2, 3, 4], [3, 4, 5, 6]), 0.5)
  t.equal(ksDistance([1, 2, 3], [1, 2, 3]), 0)
  t.equal(ksDistance([1, 2], [3, 4, 5]), 1)
  t.equal(ksDistance([0, 0, 0, 1], [0, 1, 1, 1]), 0.5, 'equal values count together')
  t.ok(near(ksDistance([1, 2, 3], [2.5]), 2 / 3))
  t.ok(Number.isNaN(ksDistance([], [1])))
  const random = randomOf(3)
  for (let round = 0; round < 50; round++) {
    const draw = (n: number, step: number) =>
      Array.from({ length: n }, () => Math.floor(random() * 12) * step).sort((a, b) => a - b)
    const [a, b] = [draw(1 + Math.floor(24 * random()), 1), draw(24, round % 2 === 0 ? 1 : 1.5)]
    const below = (x: number, all: number[]) => all.filter((y) => y <= x).length / all.length
    const defined = Math.max(...[...a, ...b].map((x) => Math.abs(below(x, a) - below(x, b))))
    if (!near(ksDistance(a, b), defined)) t.fail(`${a} and ${b}`)
  }
})

t.test('distributions are merged by their weights', async (t) => {
  const merged = mergeQuantiles([
    { values: [0], weight: 3 },
    { values: [10], weight: 1 },
    { values: [], weight: 9 },
  ])
  t.same(merged, [...new Array(18).fill(0), ...new Array(6).fill(10)])
  const hours = Array.from({ length: QUANTILES }, (_, i) => i)
  t.same(mergeQuantiles([{ values: hours, weight: 2 }]), hours, 'a day is its own quantiles')
  t.same(mergeQuantiles([{ values: [], weight: 1 }]), [])
})

t.test('levels are hourly means in hundredths of a spread, of the last day', async (t) => {
  const levels = new HourlyLevels(manifestOf(), INTERVAL)
  const values = (x: number) => ({ s0: x, s1: Number.NaN, unknown: 1 })
  const ended = [0.5, 0.6, 0.7, 0.8, 0.9, 1].map((x) => levels.add({ ...values(x), ...(x > 0.7 ? { s2: 1 } : {}) }, x))
  t.same(ended, [false, false, false, false, false, true])
  t.equal(levels.newest(0), 250, '.75 is two and a half spreads above .5')
  t.ok(Number.isNaN(levels.newest(1)), 'never there')
  t.equal(levels.newest(2), 500, 'there in half of the rows')
  t.ok(near(levels.scores(1)[0], 0.75))
  for (let hour = 0; hour < 25; hour++)
    for (let i = 0; i < ROWS; i++) levels.add({ s0: 0.5 + hour / 1000, s2: 1e9 }, hour)
  t.same(
    [...levels.sorted(0)],
    Array.from({ length: DAY_HOURS }, (_, i) => i + 1),
    'the first hours have gone',
  )
  t.same([levels.hours, levels.known, levels.sorted(1).length], [26, 24, 0])
  t.same(levels.scores(2), [23, 24])
  t.equal(levels.sorted(2)[0], 32767, 'nothing is too large')
})

t.test('the score that is watched is that of the detectors that stay as they are', async (t) => {
  const detectors = [{ weight: 1 }, { weight: 0 }, { weight: 3 }]
  t.equal(
    frozenScore(detectors, (k) => [1, 100, 2, 50][k] as number),
    7 / 4,
    'by weight, daily members not asked',
  )
  t.equal(
    frozenScore(detectors, (k) => [Number.NaN, 100, 2][k] as number),
    2,
  )
  t.ok(Number.isNaN(frozenScore([{ weight: 0 }], () => 1)))
})

t.test('a target with a daily pattern does not drift, and is known after three days', async (t) => {
  const monitor = new DriftMonitor(manifestOf(), INTERVAL)
  const rowOf = lifeOf({})
  t.same(run(monitor, rowOf, 36), [])
  t.match(monitor.status(), { state: 'learning', progress: 0.5, pageHinkley: null, distribution: null, signals: [] })
  t.match(monitor.figures, { detected: false, scores: { page_hinkley: null, distribution: null } })
  t.same(run(monitor, rowOf, 20 * 24, 36), [])
  const status = monitor.status()
  t.match(status, {
    state: 'watching',
    progress: 1,
    reference: { origin: 'first_days', days: 7 },
    distribution: { signals: 0, limit: 2, of: 10, detected: false },
  })
  t.equal(status.signals.length, 10)
  t.ok((status.pageHinkley?.statistic ?? 99) < LAMBDA / 2)
  t.equal(monitor.confirmed, 0)
})

t.test('a shift that lasts is confirmed, re-based after twelve hours, and then is usual', async (t) => {
  const at = 10 * 24
  const shifted = lifeOf({
    signals: (hour, j) => (hour >= at && j < 3 ? 2 : 0),
    score: (hour) => (hour >= at ? 3 : 0),
  })
  const monitor = new DriftMonitor(manifestOf(), INTERVAL)
  const events = run(monitor, shifted, at + 9)
  t.equal(events.length, 1)
  const [confirmed] = events
  t.match(confirmed, { kind: 'confirmed', by: 'score_and_signals', score: { direction: 'up', limit: LAMBDA } })
  t.ok(confirmed?.signals.length && confirmed.signals.every((x) => x <= 's2'), 'of those that have moved')
  t.ok((confirmed?.score.hours ?? 99) <= 9, 'since about when')
  t.match(monitor.figures, { detected: true, confirmed: 1 })
  const { state, signals } = monitor.status()
  const [furthest] = signals
  t.equal(state, 'drifted')
  t.ok(furthest && furthest.distance > furthest.limit && furthest.signal <= 's2')
  const [rebased, ...more] = run(monitor, shifted, 20 * 24, at + 9)
  t.match(rebased, { kind: 'rebased', by: 'score_and_signals' })
  t.equal((rebased?.at ?? 0) - (confirmed?.at ?? 0), 12 * 3_600_000)
  t.same(more, [])
  t.match(monitor.figures, { detected: false, confirmed: 1 })
  t.match(monitor.status(), {
    reference: { origin: 'rebased', days: 7 },
    events: [{ kind: 'rebased' }, { kind: 'confirmed' }],
  })
})

t.test('an incident of an hour is no drift, and one of ten hours moves nothing', async (t) => {
  const start = 8 * 24
  const incident = (hours: number) =>
    lifeOf({
      signals: (hour) => (hour >= start && hour < start + hours ? 20 : 0),
      score: (hour) => (hour >= start && hour < start + hours ? 40 : 0),
    })
  t.same(run(new DriftMonitor(manifestOf(), INTERVAL), incident(1), 14 * 24), [])
  const monitor = new DriftMonitor(manifestOf(), INTERVAL)
  t.match(told(run(monitor, incident(10), 14 * 24)), [
    ['confirmed', 'score_and_signals'],
    ['passed', 'score_and_signals'],
  ])
  t.match(monitor.status().reference, { origin: 'first_days' })
})

t.test('a fifth of the signals for half a day is a drift that no score says', async (t) => {
  const at = 9 * 24
  const shifted = lifeOf({ signals: (hour, j) => (hour >= at && j >= 6 ? -3 : 0) })
  const events = run(new DriftMonitor(manifestOf({ center: { mode: 'frozen' } }), INTERVAL), shifted, 20 * 24)
  t.match(told(events), [
    ['confirmed', 'signals'],
    ['rebased', 'signals'],
  ])
  t.ok((events[0]?.at ?? 0) / 3_600_000 - at < 30)
  const early = lifeOf({ signals: (hour, j) => (hour >= 4 * 24 && hour < 6 * 24 && j >= 6 ? -3 : 0) })
  t.same(run(new DriftMonitor(manifestOf(), INTERVAL), early, 16 * 24), [], 'in the first week it may be a weekend')
})

t.test('a bundle of the own past knows usual days from its first row', async (t) => {
  const rowOf = lifeOf({}, 7)
  const levels = new HourlyLevels(manifestOf(), INTERVAL)
  const hours = SIGNALS.map((): number[] => [])
  const scores: number[] = []
  for (let n = 0; n < 8 * 24 * ROWS; n++) {
    const { values, score } = rowOf(n)
    if (!levels.add(values, score)) continue
    for (const [j, own] of hours.entries()) own.push(levels.newest(j))
    scores.push(...levels.scores(1))
  }
  const { quantiles, worst } = trainingLevels(hours)
  const { mean, sigma } = usualScoreOf(scores)
  t.equal(quantiles[0]?.length, QUANTILES)
  t.ok(worst.every((x) => x > 0 && x < 0.5))
  const drift = { days: 8, score: { mean, sigma }, quantiles: quantiles.map((x) => x && [...x]), worst: [...worst] }
  const monitor = new DriftMonitor(manifestOf({ drift }), INTERVAL)
  const at = 3 * 24
  const shifted = lifeOf({ signals: (h, j) => (h >= at && j < 3 ? 2 : 0), score: (h) => (h >= at ? 3 : 0) })
  t.same(run(monitor, shifted, at), [])
  t.match(monitor.status(), { state: 'watching', progress: 1, reference: { origin: 'training', days: 8 } })
  t.match(told(run(monitor, shifted, 9, at)), [['confirmed', 'score_and_signals']])
  t.same(trainingLevels([[Number.NaN, Number.NaN]]), { quantiles: [null], worst: [0] })
})

t.test('a monitor goes on after a restart as if there had been none, wherever it stood', async (t) => {
  const at = 6 * 24
  const life = {
    signals: (h: number, j: number) => (h >= at && j < 4 ? 2 : 0),
    score: (h: number) => (h >= at ? 3 : 0),
  }
  const whole = new DriftMonitor(manifestOf(), INTERVAL)
  const rowOf = lifeOf(life)
  let saved = new DriftMonitor(manifestOf(), INTERVAL)
  let biggest = 0
  for (let n = 0; n < 12 * 24 * ROWS; n++) {
    const row = rowOf(n)
    const [one, two] = [whole.step(row), saved.step(row)]
    if (JSON.stringify(one) !== JSON.stringify(two)) t.fail(`row ${n}: ${JSON.stringify([one, two])}`)
    if (n % 97 !== 0) continue
    const text = JSON.stringify(saved.save())
    biggest = Math.max(biggest, text.length)
    saved = new DriftMonitor(manifestOf(), INTERVAL)
    saved.restore(JSON.parse(text))
    // The rate's window is not kept, so what is held against each other here is the rest.
    const { anomalyRate: _, ...left } = whole.status()
    const { anomalyRate: __, ...right } = saved.status()
    if (JSON.stringify(left) !== JSON.stringify(right)) t.fail(`status after row ${n}`)
  }
  t.equal(whole.confirmed, 1)
  t.same(saved.save(), whole.save())
  t.ok(biggest < 10_000, `${biggest} bytes for ten signals`)
  const other = new DriftMonitor({ ...manifestOf(), signals: manifestOf().signals.slice(1) }, INTERVAL)
  t.throws(() => other.restore(whole.save()), RangeError)
})

t.test('a re-based distribution is that of the last day, unless that were to go the other way', async (t) => {
  const uniform: [number, number][] = [
    [0, 0],
    [1, 1],
  ]
  const make = () => new RollingDistribution(uniform, { intervalSeconds: 60 })
  const days = (d: RollingDistribution, value: number, count: number) => {
    for (let i = 0; i < count * 1440; i++) d.add(value + (i % 10) / 1000, false)
  }
  const risen = make()
  days(risen, 0.5, 2)
  days(risen, 3, 1)
  t.ok(risen.quantile(0.5) < 1)
  risen.rebase('up')
  t.equal(risen.rows, 1440)
  t.ok(near(risen.quantile(0.1), 3, 0.06) && near(risen.quantile(0.99), 3.05, 0.06), 'neither the seed nor older rows')
  const restored = make()
  restored.restore(JSON.parse(JSON.stringify(risen.save())))
  t.equal(restored.quantile(0.5), risen.quantile(0.5))
  const calm = make()
  days(calm, 3, 2)
  days(calm, 0.5, 1)
  const before = [0.1, 0.5, 0.9, 0.99].map((p) => calm.quantile(p))
  calm.rebase('up')
  t.same(
    [0.1, 0.5, 0.9, 0.99].map((p) => calm.quantile(p)),
    before,
    'a calm day after a rise',
  )
  t.equal(calm.rows, 3 * 1440)
  calm.rebase('down')
  t.ok(calm.quantile(0.99) < 0.6)
  const young = make()
  young.rebase('up')
  t.ok(near(young.quantile(0.5), 0.5, 0.01), 'without rows the seed is all there is')
})

t.test('a centre that is hastened follows in hours', async (t) => {
  const make = () =>
    new Center({
      ...manifestOf(),
      center: { mode: 'follow', prior_rows: new Array(60).fill(0), memory_rows: 800 },
    } as unknown as ConstructorParameters<typeof Center>[0])
  const [slow, fast] = [make(), make()]
  const one = new Float64Array(60).fill(1)
  for (const center of [slow, fast]) {
    center.start(0, 0.5)
    for (let i = 0; i < 1000; i++) center.follow(new Float64Array(60), 0, 0, () => true)
  }
  fast.hasten()
  for (const center of [slow, fast]) center.follow(one, 0, 0, () => true)
  t.ok(near(slow.values[0], 2 / 802) && near(fast.values[0], 2 / 102))
})
