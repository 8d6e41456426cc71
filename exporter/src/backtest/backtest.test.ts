import { failureProbabilities, type Manifest, parseCsv } from '@portent/core'
import t from 'tap'
import { readSignals } from '../replay/index.ts'
import { findAnomalies } from './anomalies.ts'
import { backtest, htmlOf, jsonOf, type Recording, textOf, timesOf } from './index.ts'
import { judge, median } from './judge.ts'
import { eventsOf, gridOf, instants, type Levels, levelsOf, limitOf, nextAtLimit, timeOf } from './levels.ts'
import { checkIntervals, newestBlocks } from './own.ts'
import { recordedPlan, resourceOf, trainingCsv } from './recording.ts'
import { conditionOf, firingsOf, predictLinear, USUAL_RULES } from './rules.ts'
import { hostMinutes, recordingOf } from './testing.ts'
import { outcomeText } from './words.ts'

const HOUR = 60

/** One value a minute from the hour 0 of 1970 on. */
const minutes = (used: Iterable<number>): Levels => ({
  step: 60,
  from: 0,
  used: Float64Array.from(used),
  limit: 0.99,
})
const of = (length: number, value: (k: number) => number) => minutes(Array.from({ length }, (_, k) => value(k)))

function madeUp(days: number, more: object = {}, edit: (text: string) => string = (text) => text): Recording {
  const options = { days, from: 1_780_000_020, fillDay: 2.2, fillHours: 12, busyDay: 2.5, ...more }
  const { csv, signals } = recordingOf(hostMinutes(options))
  const told = readSignals(signals)
  const table = parseCsv(edit(csv))
  const wholes = { 'filesystem:/var': { amount: 100 * 2 ** 30, unit: 'bytes' } }
  return { name: 'host <1>', table, at: timesOf(table, 60), signals: told, wholes }
}

t.test('predict_linear is least squares over the range, seen from the time of evaluation', (t) => {
  const line = of(400, (k) => 0.1 + 0.001 * k)
  // 0.1 % a minute: in an hour 6 % more than now.
  t.ok(Math.abs(predictLinear(line, 399, 6 * 3600, 3600) - (0.1 + 0.399 + 0.06)) < 1e-12)
  // By hand: y = 0, 0, 3 at x = -120, -60, 0 s: slope 1.5 a minute, 2.5 now.
  const bent = minutes([0, 0, 3])
  t.ok(Math.abs(predictLinear(bent, 2, 3600, 60) - 4) < 1e-12)
  t.ok(Math.abs(predictLinear(bent, 2, 3600, 0) - 2.5) < 1e-12)
  // A range of two minutes is open on its left: two values, slope 3 a minute.
  t.ok(Math.abs(predictLinear(bent, 2, 120, 60) - 6) < 1e-12)
  const holes = minutes([1, Number.NaN, Number.NaN, 4, Number.NaN])
  t.ok(Math.abs(predictLinear(holes, 4, 3600, 60) - 6) < 1e-12, 'missing values count for nothing')
  t.ok(Number.isNaN(predictLinear(minutes([Number.NaN, 1]), 1, 3600, 60)), 'one value is no line')
  t.equal(
    predictLinear(
      of(10, () => 0.5),
      9,
      3600,
      86_400,
    ),
    0.5,
  )
  t.end()
})

t.test('each rule fires at the minute that can be computed by hand', (t) => {
  // 1 % an hour from empty: full after 100 h.
  const fill = of(100 * HOUR + 1, (k) => k / (100 * HOUR))
  const firstOf = (id: string) => {
    const rule = USUAL_RULES.find((one) => one.id === id) as (typeof USUAL_RULES)[number]
    return firingsOf(conditionOf(rule, fill), rule, 60)
  }
  const within = (found: ReturnType<typeof firstOf>, from: number) => {
    t.equal(found.length, 1)
    // The least squares of a line may miss it by a rounding: a minute.
    t.ok(Math.abs((found[0]?.from ?? 0) - from) <= 1, `${found[0]?.from} is about ${from}`)
    t.equal(found[0]?.to, 100 * HOUR)
  }
  within(firstOf('node_mixin_warning'), 76 * HOUR + 60)
  within(firstOf('node_mixin_critical'), 96 * HOUR + 60)
  within(firstOf('awesome_prometheus_alerts'), 76 * HOUR + 2)
  within(firstOf('level_90'), 90 * HOUR + 1 + 15)

  // As steep, but with more free than the mixin looks at.
  const early = of(6 * HOUR, (k) => 0.1 + k / (20 * HOUR))
  const fires = (id: string) => {
    const rule = USUAL_RULES.find((one) => one.id === id) as (typeof USUAL_RULES)[number]
    return firingsOf(conditionOf(rule, early), rule, 60).length
  }
  t.equal(fires('node_mixin_warning'), 0)
  t.equal(fires('awesome_prometheus_alerts'), 1)
  t.end()
})

t.test('an alert is pending until its condition has held, and a hole of five minutes ends it', (t) => {
  const rule = { hold: 120 }
  const holds = [false, true, true, false, true, true, true, true, false]
  t.strictSame(firingsOf(holds, rule, 60), [{ from: 6, to: 7 }])
  t.strictSame(firingsOf([true], { hold: 0 }, 60), [{ from: 0, to: 0 }])
  const gaps = minutes([1, ...Array<number>(4).fill(Number.NaN), 2, ...Array<number>(7).fill(Number.NaN)])
  t.strictSame(Array.from(instants(gaps)), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, ...Array<number>(3).fill(Number.NaN)])
  t.end()
})

t.test('a level is the mean of the rows of its minute, known at the end of it', (t) => {
  const table = parseCsv('timestamp,disk\n75,10\n90,20\n105,30\n120,40\n135,50\n300,100\n')
  const at = timesOf(table, 15)
  const grid = gridOf(at, 15)
  t.strictSame(grid, { step: 60, from: 120, length: 4 })
  const { used } = levelsOf(table, at, { column: 0, share: (x) => x / 100, grid, limit: 0.99 })
  t.strictSame(Array.from(used), [0.25, 0.5, Number.NaN, 1])
  t.strictSame(gridOf(Float64Array.of(0, 300_000), 300), { step: 300, from: 0, length: 2 })
  t.end()
})

t.test('limits are counted once, and found ahead', (t) => {
  const levels = minutes([0.5, 0.99, 0.98, 0.995, ...Array<number>(61).fill(0.4), 1])
  t.strictSame(eventsOf(levels), [1, 65], 'one that is left for an hour is another')
  t.strictSame(Array.from(nextAtLimit(levels)).slice(0, 6), [1, 1, 3, 3, 65, 65])
  t.equal(nextAtLimit(minutes([0.1]))[0], Number.POSITIVE_INFINITY)
  t.strictSame([limitOf('memory_used_ratio'), limitOf('disk_used_ratio')], [0.98, 0.99])
  t.end()
})

t.test('a firing came true, did not, or is not known yet', (t) => {
  // Full at minute 600, and again never.
  const levels = of(2000, (k) => (k >= 600 && k < 620 ? 1 : 0.5))
  const rule = { horizon: 3600 }
  const spans = [
    { from: 100, to: 109 },
    { from: 500, to: 550 },
    { from: 1000, to: 1000 },
    { from: 1950, to: 1999 },
  ]
  const judged = judge(rule, spans, { resource: 'disk', levels, countFrom: 0, sentence: (from) => `since ${from}` })
  t.strictSame(
    judged.firings.map(({ outcome, lead, minutes: m, sentence }) => [outcome, lead, m, sentence]),
    [
      ['not', null, 10, 'since 6000'],
      ['came_true', 100 * 60, 51, 'since 30000'],
      ['not', null, 1, 'since 60000'],
      ['open', null, 50, 'since 117000'],
    ],
  )
  t.strictSame(judged.firings.map(outcomeText), [
    'not in time: limit reached 8 h 20 min later',
    'came true, 1 h 40 min before',
    'did not come true',
    'not known yet',
  ])
  t.strictSame(judged.minutes, { came_true: 11, not: 10 + 40 + 1, open: 50 }, 'each minute by itself')
  t.strictSame(judged.leads, [6000])
  t.strictSame(judge(rule, [], { resource: 'disk', levels, countFrom: 0 }).leads, [null], 'a limit nobody announced')

  const late = judge(rule, spans, { resource: 'disk', levels, countFrom: 105 * 60 })
  t.match(late.firings[0], { from: 105 * 60, minutes: 5 }, 'what is warm-up is not counted')
  t.strictSame(judge(rule, spans, { resource: 'disk', levels, countFrom: 700 * 60 }).leads, [])
  const at = judge(rule, [{ from: 610, to: 700 }], { resource: 'disk', levels, countFrom: 0 })
  t.match(at, { firings: [{ outcome: 'came_true', lead: 0 }], leads: [null] }, 'too late is no announcement')
  t.strictSame([median([]), median([3, 1, 2]), median([4, 1])], [null, 2, 2.5])
  t.end()
})

t.test('an interval is held against the limit that was reached, and a prediction lasts a quarter of an hour', (t) => {
  const made = {
    at: [0, 300, 600, 900],
    lower: [900, 1100, Number.POSITIVE_INFINITY, 1300],
    median: [1000, 1200, Number.POSITIVE_INFINITY, 1400],
    upper: [1100, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1500],
    state: [],
    sentence: [],
  }
  t.strictSame(checkIntervals(made, [1000, 1000, 1000, 1000], 0), { predictions: 3, held: 1 })
  t.strictSame(checkIntervals(made, [1000, 1000, 1000, 1400], 301), { predictions: 1, held: 1 })
  t.strictSame(
    checkIntervals(
      made,
      made.at.map(() => Number.POSITIVE_INFINITY),
      0,
    ),
    { predictions: 0, held: 0 },
  )
  const blocks = newestBlocks([120, 420], { from: 0, step: 60, length: 26 })
  t.strictSame([blocks[1], blocks[2], blocks[6], blocks[7], blocks[22], blocks[24]], [-1, 0, 0, 1, 1, -1])
  t.end()
})

t.test('columns become the resources that the service would have named', (t) => {
  t.strictSame(['memory_used', 'filesystem:/var', 'disk', 'cpu_busy'].map(resourceOf), [
    'memory',
    'filesystem:/var',
    'disk',
    'cpu_busy',
  ])
  const recording = madeUp(0.1)
  const found = recordedPlan(recording).depleting({ memory_used: 0.5, 'filesystem:/var': 0.6, cpu_busy: 0.2 }, [])
  t.strictSame(
    found.map(({ resource, level, whole }) => [resource, level, whole?.unit]),
    [
      ['memory', 0.5, undefined],
      ['filesystem:/var', 0.6, 'bytes'],
    ],
  )
  const lines = [...trainingCsv(recording)]
  t.equal(lines.length, 1 + recording.table.rows)
  t.notMatch(lines[0], /:/, 'a model learns from signals, not from single mounts')
  t.equal(lines[1]?.split(',').length, lines[0]?.split(',').length)
  t.end()
})

const without = { trained: null, failure: null, notes: [] }

t.test('a disk that fills is foreseen, and the usual rules fire on the daily sawtooth', async (t) => {
  const recording = madeUp(4)
  const result = await backtest({ recording, ...without, notes: ['a <note>'] })
  t.equal(result.resources.length, 5 - 1)
  const disk = result.resources.find((one) => one.resource === 'filesystem:/var')
  t.equal(disk?.reached.length, 1)
  const own = disk?.rules.find(({ rule }) => rule.id === 'portent_warning')?.judged.firings ?? []
  t.match(own.at(-1), { outcome: 'came_true', sentence: /^Disk \/var .* GiB an hour since .*free space/ })
  const saw = result.resources.find((one) => one.resource === 'filesystem:/srv')
  const notTrue = (id: string) => saw?.rules.find(({ rule }) => rule.id === id)?.judged.minutes.not ?? -1
  t.ok(notTrue('awesome_prometheus_alerts') > 1000)
  t.ok(notTrue('portent_warning') < notTrue('awesome_prometheus_alerts'))
  t.equal(
    saw?.rules.some(({ judged }) => judged.firings.some((f) => f.from < result.countFrom)),
    false,
  )
  const memory = result.resources.find((one) => one.resource === 'memory')
  t.strictSame(
    memory?.rules.map(({ rule }) => rule.id),
    ['portent_warning', 'portent_critical', 'level_90'],
    'rules on file systems are not held against memory',
  )

  const text = textOf(result)
  t.match(text, /^host <1>: 5760 rows of 60 s, .* UTC \(4 days\)\. Counted from .* on; before that is warm-up\./)
  t.match(text, /reached its limit: Disk \/var 1 x/)
  t.match(text, /\nnode-mixin, warning +\d+ /)
  t.match(text, /No model of this host: exhaustion and rules only\./)
  t.match(text, /is not proven false: somebody may have acted/)

  const html = htmlOf(result)
  t.notMatch(html, /<script|https?:\/\/(?!www\.w3)|src=|NaN|undefined|Infinity/, 'one file, no network, no script')
  t.match(html, '<title>Backtest: host &#60;1&#62;</title>')
  t.match(html, 'a &#60;note&#62;')
  t.match(html, 'prefers-color-scheme: dark')
  t.match(html, 'Level of Disk /var')
  t.match(html, 'Time until Disk /var is full')
  t.equal(html, htmlOf(await backtest({ recording, ...without, notes: ['a <note>'] })), 'the same bytes again')

  const json = JSON.parse(jsonOf(result))
  t.equal(json.rules.length, 6)
  t.match(json.resources[0], { level: { first: Number, last: Number, largest: Number }, predictions: Array })
  const predicted = json.resources.find((x: { resource: string }) => x.resource === 'filesystem:/var').predictions
  t.ok(predicted.length > 0 && predicted.every((x: { lower: number; at: number }) => x.lower >= x.at - 300))
  t.equal(json.failure, null)
})

t.test('cutting the future off changes no prediction before it', async (t) => {
  const lines = (n: number) => (text: string) => text.split('\n').slice(0, n).join('\n')
  const [whole, part] = await Promise.all(
    [4000, 3500].map((n) => backtest({ recording: madeUp(3, {}, lines(n)), ...without })),
  )
  for (const one of part?.resources ?? []) {
    const full = whole?.resources.find((x) => x.resource === one.resource)?.predictions
    const n = one.predictions?.at.length ?? 0
    t.ok(n > 600)
    for (const name of ['at', 'lower', 'median', 'upper', 'sentence'] as const) {
      t.strictSame(one.predictions?.[name], full?.[name].slice(0, n), `${name} of ${one.resource}`)
    }
  }
})

t.test('rows that hold nothing are scored, without an alarm', async (t) => {
  const model = await shipped()
  const rows = Array.from({ length: 3 }, (_, i) => ({ at: 60_000 * i, values: {} }))
  const found = await findAnomalies(model, rows, model.manifest.interval_seconds)
  t.equal(found.rows.at.length, 3)
  t.ok(found.rows.health.every((x) => x >= 0 && x <= 100))
  t.strictSame([found.alarms, found.minutes], [[], 0])
})

t.test('a failure that is foreseen is told with its reasons, and not judged', async (t) => {
  const weights = [[8], [9], [10]]
  const model = {
    horizons_seconds: [900, 3600, 21_600],
    intercepts: [-7.5, -7.5, -7.5],
    base_rates: [0.001, 0.002, 0.01],
  }
  const terms = [{ feature: 'storage_level' as const, knots: [0, 1], weights }]
  const manifest = { failure: { ...model, terms } } as unknown as Manifest
  const { intercepts, base_rates: baseRates, horizons_seconds: horizons } = model
  const failure = {
    manifest,
    failure: (features: Float64Array) =>
      Promise.resolve(failureProbabilities({ horizons, terms, intercepts, baseRates }, features)),
  }
  const recording = madeUp(4)
  const result = await backtest({ recording, ...without, failure })
  t.equal(result.failure?.firings.length, 1)
  const [firing] = result.failure?.firings ?? []
  const [full] = result.resources.find((one) => one.resource === 'filesystem:/var')?.reached ?? []
  t.ok((firing?.from ?? 0) < (full ?? 0) && (full ?? 0) < (firing?.to ?? 0))
  t.match(firing, { outcome: 'open', sentence: /^file system full; storage at \d+ %$/ })
  t.match(
    textOf(result),
    /\nFailure\. A probability of a half or more within an hour, for 5 min: 1 x, \d+ minutes\.\n {2}2026/,
  )
  t.match(textOf(result), 'no anomaly scores, and the failure probability rests on the raw signals alone')
  const html = htmlOf(result)
  t.match(html, 'aria-label="Failure probability"')
  t.match(html, 'file system full; storage at')
  t.match(JSON.parse(jsonOf(result)).failure, {
    predictions: { horizons: [900, 3600, 21_600], rows: [[Number, Number]] },
  })
  const none = await backtest({ recording, ...without, failure: { ...failure, manifest: {} as unknown as Manifest } })
  t.equal(none.failure, null, 'a bundle without a failure model')
})

t.test('an empty past and one without capacities are told calmly', async (t) => {
  const table = parseCsv('timestamp,speed\n0,1\n60,2\n120,\n')
  const signals = readSignals('{"interval_seconds":60,"signals":{"speed":{"kind":"gauge","unit":"none"}}}')
  const recording = { name: 'x', table, at: timesOf(table, 60), signals, wholes: {} }
  const result = await backtest({ recording, ...without })
  t.match(textOf(result), 'Nothing in it has a capacity: no rule applies.')
  t.match(htmlOf(result), 'Nothing in it has a capacity')
  t.equal(timeOf({ from: 60, step: 60 }, 2), 180)
})

async function shipped() {
  const { readBundle } = await import('../bundle/files.ts')
  const { shippedBundle } = await import('../config/index.ts')
  const { OnnxModel } = await import('../detect/model.ts')
  const model = await OnnxModel.load(await readBundle(shippedBundle()))
  t.teardown(() => model.release())
  return model
}
