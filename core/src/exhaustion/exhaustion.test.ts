import t from 'tap'
import type { Limit } from '../outlook/kinds.ts'
import { type Exhaustion, ExhaustionTracker } from './index.ts'

const START = 1_760_000_400
const FULL: Limit = { capacity: 1, direction: 'up' }
const HOUR = 3600
const DAY = 86_400

/** Standard normals without Math.random, so that a test is the same every time. */
function normals(seed: number): () => number {
  let state = seed >>> 0
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
}

interface Told {
  readonly at: number
  readonly exhaustion: Exhaustion
}

/** Rows of a level in hours since the start, asked every five minutes. */
function told(
  level: (hour: number) => number,
  hours: number,
  options: {
    limit?: Limit
    intervalSeconds?: number
    noise?: number
    from?: number
    keep?: (hour: number) => boolean
  } = {},
): Told[] {
  const { limit = FULL, intervalSeconds = 60, noise = 0.001, from = 0, keep = () => true } = options
  const normal = normals(7)
  const tracker = new ExhaustionTracker({ intervalSeconds, kind: 'disk_used_ratio', limit })
  const out: Told[] = []
  let asked = -1
  for (let s = from * HOUR; s < hours * HOUR; s += intervalSeconds) {
    const value = level(s / HOUR) + noise * normal()
    if (!keep(s / HOUR)) continue
    tracker.push(START + s, value)
    const slot = Math.floor(s / 300)
    if (slot === asked) continue
    asked = slot
    out.push({ at: START + s, exhaustion: tracker.predict() })
  }
  return out
}

const daily = (hour: number) => 0.05 * (1 + Math.sin((2 * Math.PI * hour) / 24))
const within24 = ({ at, exhaustion }: Told) => exhaustion.lower - at < DAY
const after = (hour: number) => (x: Told) => x.at >= START + hour * HOUR
const minutesOf = (some: readonly Told[]) => 5 * some.length

t.test('healthy resources are left alone', async (t) => {
  const families: Record<string, (hour: number) => number> = {
    constant: () => 0.8,
    'a daily wave': (h) => 0.5 + 4 * daily(h),
    'a daily saw': (h) => 0.45 + (0.4 * (h % 24)) / 24,
    'a saw of seven hours': (h) => 0.6 + (0.2 * (h % 7)) / 7,
    'a nightly backup': (h) => 0.5 + (h % 24 > 2 && h % 24 < 3.5 ? 0.25 : 0),
    'weekdays above weekends': (h) => 0.4 + (Math.floor(h / 24) % 7 < 5 ? 5 : 2) * daily(h),
    'two percent a week': (h) => 0.6 + (0.02 * h) / 168 + daily(h),
  }
  for (const [name, level] of Object.entries(families)) {
    const alarms = told(level, 240).filter(after(72)).filter(within24)
    t.ok(minutesOf(alarms) <= 30, `${name}: ${minutesOf(alarms)} min`)
  }
})

t.test('growth that lasts is foreseen, and the interval holds its end', async (t) => {
  const families: Record<string, (h: number) => number> = {
    'a straight line': (h) => h / 20,
    accelerating: (h) => (h / 20) ** 1.8,
    decelerating: (h) => (h / 20) ** 0.7,
    'a staircase': (h) => Math.floor(h) / 20,
    'collections on the way': (h) => Math.max(0, h / 20 - 0.05 * ((h * 3) % 1)),
  }
  for (const [name, growth] of Object.entries(families)) {
    const level = (h: number) => 0.4 + daily(h) + (h < 120 ? 0 : 0.5 * growth(h - 120))
    let end = 120
    while (level(end) < 1) end += 1 / 60
    const rows = told(level, end)
    t.equal(rows.filter((x) => !after(120)(x) && after(72)(x)).filter(within24).length, 0, `${name}: nothing before`)
    const grown = rows.filter(after(120))
    const first = grown.find(within24)
    t.ok(first !== undefined && first.at < START + (120 + (end - 120) / 2) * HOUR, `${name}: in time`)
    const later = rows.filter(after(120 + (end - 120) / 2))
    t.ok(later.filter(within24).length > 0.9 * later.length, `${name}: stands`)
    const held = later.filter(({ exhaustion: x }) => x.lower <= START + end * HOUR && x.upper >= START + end * HOUR)
    // What accelerates comes earlier than growth of its kind does as a rule.
    t.ok(
      held.length > (name === 'accelerating' ? 0.4 : 0.5) * later.length,
      `${name}: ${held.length} of ${later.length} intervals hold`,
    )
    const last = later[Math.floor(later.length / 2)] as Told
    const left = START + end * HOUR - last.at
    t.ok(Math.abs(last.exhaustion.median - last.at - left) < 0.5 * left, `${name}: median`)
  }
})

t.test('a leak on a daily saw is told from the saw', async (t) => {
  const level = (h: number) => 0.35 + (0.25 * (h % 24)) / 24 + (h < 130 ? 0 : (h - 130) / 60)
  const rows = told(level, 158)
  t.equal(rows.filter((x) => after(72)(x) && !after(130)(x)).filter(within24).length, 0)
  t.ok(rows.filter(after(152)).every(within24))
})

t.test('a runaway of 25 minutes is seen within ten', async (t) => {
  const rows = told((h) => 0.5 + daily(h) + Math.max(0, (h - 100) * 1.1), 100.4)
  const urgent = rows.find((x) => after(100)(x) && x.exhaustion.median - x.at < HOUR)
  t.ok(urgent !== undefined && urgent.at <= START + 100 * HOUR + 600)
})

t.test('the state says why nothing is predicted', async (t) => {
  const step = told((h) => (h < 100 ? 0.4 : 0.75), 130)
  t.ok(minutesOf(step.filter(after(100)).filter(within24)) <= 60, 'one step')
  const plateau = told((h) => 0.3 + (h < 100 ? 0 : 0.5 * (1 - Math.exp(-(h - 100) / 3))), 150)
  t.ok(minutesOf(plateau.filter(after(100)).filter(within24)) <= 600, 'a cache that fills')
  t.equal(plateau.filter(after(118)).filter(within24).length, 0, 'and is full')
  t.ok(plateau.some((x) => x.exhaustion.state === 'plateau'))
  t.equal(told(() => 0.4, 100).at(-1)?.exhaustion.state, 'flat')
})

t.test('a prediction is withdrawn within ten minutes of a cure', async (t) => {
  for (const [name, cured] of Object.entries<(h: number) => number>({
    cleaned: (h) => 0.42 + daily(h),
    resized: (h) => (0.4 + daily(h) + 10 / 25) * 0.6,
  })) {
    const level = (h: number) => (h < 100 ? 0.4 + daily(h) : h < 110 ? 0.4 + daily(h) + (h - 100) / 25 : cured(h))
    for (const intervalSeconds of [15, 60, 300]) {
      const rows = told(level, 160, { intervalSeconds })
      t.ok(
        rows.some((x) => !after(110)(x) && within24(x)),
        `${name}, ${intervalSeconds} s: foreseen`,
      )
      t.equal(rows.filter(after(110 + 1 / 6)).filter(within24).length, 0, `${name}, ${intervalSeconds} s: withdrawn`)
      const soon = rows.find(after(110.5))?.exhaustion.state
      t.equal(soon, 'recovered')
    }
  }
  const smaller = told((h) => (h < 100 ? 0.4 + daily(h) : (0.4 + daily(h)) * 1.25), 160)
  t.ok(
    minutesOf(smaller.filter(after(100)).filter(within24)) <= 60,
    `a disk made smaller is one step: ${minutesOf(smaller.filter(after(100)).filter(within24))} min`,
  )
})

t.test('what runs down is the mirror of what runs up', async (t) => {
  const level = (h: number) => 0.4 + daily(h) + (h < 100 ? 0 : (h - 100) / 30)
  const up = told(level, 116)
  const down = told((h) => 1 - level(h), 116, { limit: { capacity: 0, direction: 'down' }, noise: -0.001 })
  const bytes = told((h) => 5e11 * (1 - level(h)), 116, { limit: { capacity: 0, direction: 'down' }, noise: -5e8 })
  const last = (rows: Told[]) => (rows.at(-1) as Told).exhaustion
  t.ok(Math.abs(last(up).median - last(down).median) < 900, 'share free')
  t.ok(Math.abs(last(up).median - last(bytes).median) < 900, 'bytes free')
  t.ok((last(up).trend?.perSecond ?? 0) > 0)
  t.ok((last(bytes).trend?.perSecond ?? 0) < -1e6)
  t.ok(Math.abs((last(up).trend?.since ?? 0) - START - 100 * HOUR) < 3 * HOUR)
})

t.test('holes, coarse steps and every interval of rows', async (t) => {
  const level = (h: number) => 0.4 + daily(h) + (h < 100 ? 0 : (h - 100) / 30)
  const end = START + 116.5 * HOUR
  const kinds: Record<string, () => Told[]> = {
    '10 s': () => told(level, 115, { intervalSeconds: 10, from: 30 }),
    '15 s': () => told(level, 115, { intervalSeconds: 15 }),
    '300 s': () => told(level, 115, { intervalSeconds: 300 }),
    'a third of the rows missing': () => told(level, 115, { keep: (h) => Math.sin(h * 1e4) < 0.4 }),
    'holes of an hour': () => told(level, 115, { keep: (h) => h % 9 > 1 }),
    'whole percents': () => told((h) => Math.round(level(h) * 100) / 100, 115, { noise: 0 }),
    'five-minute means before the last hours': () =>
      told(level, 115, { keep: (h) => h > 108 || Math.round(h * 60) % 5 === 0 }),
  }
  for (const [name, rows] of Object.entries(kinds)) {
    const { at, exhaustion } = rows().at(-1) as Told
    t.equal(exhaustion.state, 'growing', name)
    t.ok(exhaustion.lower - at < 4 * HOUR && exhaustion.upper > end - 0.5 * HOUR, name)
  }
})

t.test('the three instants and the probabilities are in order', async (t) => {
  const rows = told((h) => 0.4 + daily(h) + (h < 100 ? 0 : (h - 100) / 30), 116)
  for (const { at, exhaustion: x } of rows) {
    if (x.state !== 'growing') {
      t.equal(x.lower, Number.POSITIVE_INFINITY)
      t.equal(x.within(DAY), x.state === 'exhausted' ? 1 : 0)
      continue
    }
    if (!(x.lower <= x.median && x.median <= x.upper && x.lower >= at)) t.fail(`not in order at ${at}`)
    const p = [0, 60, HOUR, 6 * HOUR, DAY, 30 * DAY].map((s) => x.within(s))
    if (p.some((v, k) => !(v >= 0 && v <= 1) || v < (p[k - 1] ?? 0))) t.fail(`not a distribution at ${at}`)
  }
  const { at, exhaustion } = rows.at(-1) as Told
  t.ok(Math.abs(exhaustion.within(exhaustion.median - at) - exhaustion.confidence / 2) < 0.01)
  t.ok(Math.abs(exhaustion.within(exhaustion.lower - at) - exhaustion.confidence / 10) < 0.01)
})

t.test('a prediction rests on what came before it alone, to the bit, and asking changes nothing', async (t) => {
  const level = (h: number) => 0.4 + daily(h) + (h < 100 ? 0 : h < 112 ? (h - 100) / 30 : 0.05)
  const make = () => new ExhaustionTracker({ intervalSeconds: 60, kind: 'disk_used_ratio', limit: FULL })
  const [often, seldom] = [make(), make()]
  const plain = ({ lower, median, upper, state, trend, confidence }: Exhaustion) => ({
    lower,
    median,
    upper,
    state,
    trend,
    confidence,
  })
  const normal = normals(3)
  for (let m = 0; m < 120 * 60; m++) {
    const [at, value] = [START + m * 60, level(m / 60) + 0.002 * normal()]
    often.push(at, value)
    seldom.push(at, value)
    const now = plain(often.predict())
    if (m % 371 === 0) t.strictSame(plain(seldom.predict()), now)
  }
})

t.test('bad input leads to no prediction', async (t) => {
  const make = (limit: Limit = FULL) => new ExhaustionTracker({ intervalSeconds: 60, kind: 'other', limit })
  const none = (tracker: ExhaustionTracker, state: string) => {
    const x = tracker.predict()
    t.equal(x.state, state)
    t.equal(x.lower, Number.POSITIVE_INFINITY)
    t.equal(x.trend, null)
  }
  const filled = (tracker: ExhaustionTracker, value: (m: number) => number, minutes = 3000) => {
    for (let m = 0; m < minutes; m++) {
      tracker.push(START + m * 60, value(m))
      if (tracker.predict().state === 'growing') t.fail(`bold at minute ${m}`)
    }
    return tracker
  }
  none(make(), 'too_short')
  none(
    filled(make(), (m) => 0.1 + m / 10, 2),
    'too_short',
  )
  none(
    filled(make(), () => Number.NaN),
    'too_short',
  )
  none(
    filled(make(), () => 0.99),
    'flat',
  )
  none(
    filled(make({ capacity: 0, direction: 'up' }), (m) => m),
    'no_limit',
  )
  none(
    filled(make({ capacity: Number.POSITIVE_INFINITY, direction: 'up' }), (m) => m),
    'no_limit',
  )
  none(
    filled(make({ capacity: Number.NaN, direction: 'down' }), (m) => m),
    'no_limit',
  )
  none(
    filled(make(), (m) => 5 + Math.sin(m)),
    'beyond_limit',
  )
  none(
    filled(make(), (m) => 1e6 + 37 * m),
    'counter',
  )
  none(
    filled(make(), (m) => (m % 2 === 0 ? Number.POSITIVE_INFINITY : 0.4)),
    'flat',
  )
  const tracker = filled(make(), (m) => 0.5 + 0.001 * Math.sin(m))
  const before = tracker.predict()
  for (let m = 0; m < 100; m++) tracker.push(START + m * 60, 0.99)
  t.equal(tracker.predict().state, before.state, 'time that runs backwards is left out')
  tracker.push(START + 400 * DAY, 0.98)
  none(tracker, 'flat')
  for (const at of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) tracker.push(at, 1)
  t.not(tracker.predict().state, 'exhausted')
  tracker.push(START + 401 * DAY, 1)
  t.equal(tracker.predict().state, 'exhausted')
})

t.test('growth that was going on before the first row is foreseen with an interval that holds its end', async (t) => {
  for (const [hours, from, to, intervalSeconds] of [
    [24, 0.3, 0.995, 60],
    [48, 0.3, 0.95, 60],
    [6, 0.3, 0.98, 60],
    [4, 0.5, 0.95, 10],
  ] as const) {
    const rows = told((h) => from + ((to - from) * h) / hours, hours, { intervalSeconds })
    const end = START + (hours * HOUR * (1 - from)) / (to - from)
    const said = rows.filter(({ exhaustion: x }) => Number.isFinite(x.median))
    const held = said.filter(({ exhaustion: x }) => x.lower <= end && end <= x.upper)
    t.ok(said.length > 0.6 * rows.length, `${hours} h: ${said.length} of ${rows.length} say something`)
    t.ok(held.length > 0.9 * said.length, `${hours} h: ${held.length} of ${said.length} hold`)
    t.ok(
      said.every(({ exhaustion: x }) => x.trend === null || x.trend.since >= START - 300),
      'since the first row at most',
    )
  }
})

t.test('a limit that is passed is reached, and one that never was below is none', async (t) => {
  const queue: Limit = { capacity: 1000, direction: 'up' }
  const passed = told((h) => 400 + 50 * h, 16, { limit: queue, noise: 1 })
  t.equal(passed.at(-1)?.exhaustion.state, 'exhausted', 'half as much again')
  const free: Limit = { capacity: 100, direction: 'down' }
  t.equal(told((h) => 400 - 25 * h, 14, { limit: free, noise: 1 }).at(-1)?.exhaustion.state, 'exhausted')
  t.equal(told(() => 1500, 4, { limit: queue, noise: 1 }).at(-1)?.exhaustion.state, 'beyond_limit')
  t.equal(told((h) => 5000 + 50 * h, 6, { limit: queue, noise: 0 }).at(-1)?.exhaustion.state, 'counter')
})
