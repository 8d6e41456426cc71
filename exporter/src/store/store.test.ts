import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { openStore, type StoreOptions } from './index.ts'
import { MIGRATIONS, migrate } from './migrations.ts'
import { entry, folder, outlookOf, SCORES, T0 } from './testing.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

function memory(options: Partial<StoreOptions> = {}) {
  const time = { now: T0 }
  return { time, store: openStore({ file: ':memory:', clock: () => time.now, ...options }) }
}

t.test('migrations run once, in order, and each is recorded', async (t) => {
  const db = new Database(':memory:')
  t.same(migrate(db, 'x', 5, MIGRATIONS.slice(0, 1)), [1])
  t.same(migrate(db, 'x', 6), [2, 3])
  t.same(migrate(db, 'x', 6), [])
  const more = [...MIGRATIONS, { version: 4, name: 'more', sql: 'CREATE TABLE more (x)' }]
  t.same(migrate(db, 'x', 7, more), [4])
  t.same(db.prepare('SELECT version, at FROM schema_migrations').all(), [
    { version: 1, at: 5 },
    { version: 2, at: 6 },
    { version: 3, at: 6 },
    { version: 4, at: 7 },
  ])
  t.same(
    MIGRATIONS.map((m) => m.version),
    MIGRATIONS.map((_, i) => i + 1),
  )
})

t.test('a migration that fails leaves the schema before it', async (t) => {
  const db = new Database(':memory:')
  migrate(db, 'x', 5)
  const broken = [...MIGRATIONS, { version: 4, name: 'broken', sql: 'CREATE TABLE more (x); SELECT nonsense' }]
  t.throws(() => migrate(db, 'x', 6, broken), /nonsense/)
  t.equal(db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'more'").get(), undefined)
  t.equal(db.prepare('SELECT max(version) FROM schema_migrations').pluck().get(), 3)
})

t.test('rows and assessments come back as they went in, and what is absent stays absent', async (t) => {
  const { store } = memory()
  const shap = { base: 1, output: 1.75, signals: { cpu_busy: 0.5, memory_used: 0.25 } }
  const hint = {
    signal: 'cpu_busy',
    value: 0.99,
    usual: { low: 0.1, high: 0.3 },
    direction: 'above' as const,
    contribution: 0.5,
  }
  const penalty = { signal: 'cpu_busy', value: 0.99, limit: 0.9, points: 10 }
  const bad = {
    risk: 'red' as const,
    severity: 'warning' as const,
    health: 30,
    shap,
    hints: [hint],
    penalties: [penalty],
    symptoms: ['slow'],
    outlook: outlookOf(0.125),
    drift: {
      ratio: 0.5,
      detected: true,
      scores: { anomaly_rate: 2, page_hinkley: 1.5, distribution: null },
      confirmed: 1,
    },
  }
  const result = store.history.write([
    entry(T0, { cpu_busy: 0.5, memory_used: 0.1 }),
    entry(T0 + 10_000, { cpu_busy: 0.75 }, bad),
    entry(
      T0 + 20_000,
      { cpu_busy: Number.NaN, memory_used: Number.POSITIVE_INFINITY, custom: -3 },
      { scores: null, version: null },
    ),
    entry(T0 + 30_000, {}),
  ])
  t.same(result, { written: 4, duplicates: 0, late: 0, expired: 0, invalid: 0, buffered: 0, lost: 0 })
  const resources = [{ resource: 'memory', used: 0.25 }]
  t.strictSame(store.history.rows('host', T0, T0 + DAY), [
    { target: 'host', at: T0, values: { cpu_busy: 0.5, memory_used: 0.1 }, resources },
    { target: 'host', at: T0 + 10_000, values: { cpu_busy: 0.75 }, resources },
    { target: 'host', at: T0 + 20_000, values: { custom: -3 }, resources },
    { target: 'host', at: T0 + 30_000, values: {}, resources },
  ])
  const [plain, red, fallback] = store.history.assessments('host', T0, T0 + 20_000)
  t.match(plain, { at: T0, model: 'active', version: '0123456789ab', health: 90, hints: [] })
  t.strictSame(
    [plain?.reasons, plain?.shap, plain?.failure, plain?.drift, plain?.scores],
    [null, null, null, null, { anomaly: 0.5, raw: 0.6, ranking: 0.7, threshold: 1.2, alarm: false, confidence: 0.25 }],
  )
  t.strictSame(red?.shap, shap)
  t.strictSame(red?.hints, [hint])
  t.strictSame(
    [red?.risk, red?.severity, red?.failure],
    ['red', 'warning', { horizonSeconds: 3600, probability: 0.125 }],
  )
  t.strictSame(red?.drift, { ratio: 0.5, detected: true })
  t.strictSame(red?.reasons, {
    risk: 'health is 90',
    severity: 'nothing is wrong',
    penalties: [penalty],
    symptoms: ['slow'],
  })
  t.strictSame([fallback?.model, fallback?.scores], ['fallback', null])
  t.same(store.history.rows('nobody', 0, T0 + DAY), [])
})

t.test('minutes hold means, extremes and counts, also across a restart and with duplicates', async (t) => {
  const file = join(folder(t), 'p.db')
  const open = () => openStore({ file, ballastBytes: 0, clock: () => T0 })
  const outlook = outlookOf(0.5)
  let store = open()
  store.history.write([
    entry(T0 + 10_000, { cpu_busy: 0.2, memory_used: 0.4 }, { health: 80 }),
    entry(T0 + 20_000, { cpu_busy: 0.4 }, { health: 60, risk: 'yellow', scores: null }),
  ])
  store.close()
  store = open()
  const again = store.history.write([
    entry(T0 + 20_000, { cpu_busy: 99 }, { health: 1 }),
    entry(
      T0 + 30_000,
      { memory_used: 0.6, response_time: 2 },
      {
        health: 100,
        outlook,
        scores: { ...SCORES, anomaly: { ensemble: 1.5 }, alarm: true, confidence: 0.75 },
      },
    ),
  ])
  t.match(again, { written: 1, duplicates: 1, late: 0 })
  store.history.write([entry(T0 + 60_000, { cpu_busy: 0.9 }, { health: 70 })])
  t.match(store.history.write([entry(T0 + 5_000, { cpu_busy: 0.6 }, { health: 40 })]), { written: 1, late: 1 })

  const fields = ['health', 'health_min', 'anomaly', 'confidence', 'failure', 'alarm', 'risk', 'trust'] as const
  const signals = ['cpu_busy', 'memory_used', 'response_time', 'unknown']
  const { source, step, points } = await store.history.range('host', T0, T0 + 119_999, 60_000, {
    assessment: fields,
    signals,
  })
  t.same([source, step], ['minute', 60_000])
  const near = (x: number | undefined, y: number) => t.ok(x !== undefined && Math.abs(x - y) < 1e-12, `${x} is ${y}`)
  const [first, second] = points
  t.equal(points.length, 2)
  t.match(first, { at: T0, assessment: { health_min: 40, anomaly: 1.5, alarm: 1, risk: 1, failure: 0.5, trust: 0.5 } })
  near(first?.assessment.health, 70)
  near(first?.assessment.confidence, (0.25 + 0.75 + 0.25) / 3)
  near(first?.signals.cpu_busy, 0.4)
  near(first?.signals.memory_used, 0.5)
  near(first?.signals.response_time, 2)
  t.notOk('unknown' in (first?.signals ?? {}))
  t.same(second?.signals, { cpu_busy: 0.9 })
  t.notOk('failure' in (second?.assessment ?? {}))

  const wide = await store.history.range('host', T0 + 60_000, T0 + 119_999, 120_000, { signals })
  t.same(wide.points, [{ at: T0, assessment: {}, signals: { cpu_busy: 0.9 } }], 'steps begin at multiples of the step')
  store.close()
})

t.test('a step that holds several minutes weighs them by their rows', async (t) => {
  const { store } = memory()
  const start = T0 - (T0 % 300_000) + 300_000
  store.history.write([
    entry(start, { a: 1 }, { health: 100 }),
    entry(start + 60_000, { a: 4 }, { health: 40 }),
    entry(start + 70_000, { b: 4 }, { health: 40 }),
    entry(start + 80_000, { a: 4 }, { health: 40 }),
  ])
  const { points } = await store.history.range('host', start, start + 299_999, 300_000, {
    assessment: ['health'],
    signals: ['a', 'b'],
  })
  t.same(points, [{ at: start, assessment: { health: 55 }, signals: { a: 3, b: 4 } }])
})

t.test('rows that come first get their assessments later, and keep the values that were sent', async (t) => {
  const file = join(folder(t), 'p.db')
  const open = () => openStore({ file, ballastBytes: 0, clock: () => T0 + DAY })
  let store = open()
  const row = (seconds: number, values: Record<string, number>, target = 'web') => ({
    target,
    at: T0 + seconds * 1000,
    values,
    resources: [],
  })
  t.same(store.history.ingest([row(10, { a: 1 }), row(20, { a: 3, b: 1 }), row(5, { a: 2 }), row(10, { a: 99 })]), [
    'stored',
    'stored',
    'late',
    'duplicate',
  ])
  t.same(store.history.ingest([row(-1, { a: 1 }), row(0, { a: 4 })]), ['expired', 'late'])
  t.same(store.history.assessments('web', T0, T0 + DAY), [])
  store.close()
  store = open()
  t.same(store.history.ingest([row(5, { a: 1 }), row(15, { a: 5 })]), ['duplicate', 'late'], 'also after a restart')

  const assessed = entry(T0 + 20_000, { a: 2 }, { health: 40 }, 'web')
  t.match(store.history.write([assessed]), { written: 1, duplicates: 0, late: 0 })
  t.match(store.history.write([assessed]), { written: 0, duplicates: 1 }, 'once')
  t.match(store.history.write([entry(T0 + 70_000, { a: 7 }, { health: 80 }, 'web')]), { written: 1 })
  t.match(store.history.write([entry(T0 + 10_000, { a: 2 }, { health: 60 }, 'web')]), { written: 1, late: 0 })
  t.strictSame(
    store.history.rows('web', T0, T0 + DAY).map((r) => [(r.at - T0) / 1000, r.values]),
    [
      [0, { a: 4 }],
      [5, { a: 2 }],
      [10, { a: 1 }],
      [15, { a: 5 }],
      [20, { a: 3, b: 1 }],
      [70, { a: 7 }],
    ],
  )
  t.same(
    store.history.assessments('web', T0, T0 + DAY).map((a) => [(a.at - T0) / 1000, a.health]),
    [
      [10, 60],
      [20, 40],
      [70, 80],
    ],
  )
  const fields = { assessment: ['health' as const, 'health_min' as const], signals: ['a', 'b'] }
  t.same((await store.history.range('web', T0, T0 + 119_999, 60_000, fields)).points, [
    { at: T0, assessment: { health: 50, health_min: 40 }, signals: { a: 3, b: 1 } },
    { at: T0 + 60_000, assessment: { health: 80, health_min: 80 }, signals: { a: 7 } },
  ])
  store.close()
})

t.test('rows that cannot be stored are not stored in part', async (t) => {
  const { store } = memory()
  const row = { target: 'web', at: T0, values: { a: 1 }, resources: [] }
  t.throws(() => store.history.ingest([row, { ...row, at: 0.5, target: 'db' }, { ...row, at: Number.NaN }]))
  t.same(store.history.rows('web', 0, T0 * 2), [])
  t.equal(store.stats().errors.failed, 1)
  t.same(store.history.ingest([row]), ['stored'], 'and the next batch is')
})

t.test('short steps are answered by raw rows, with gaps as gaps', async (t) => {
  const { store, time } = memory()
  store.history.write([0, 1, 2, 5, 6].map((i) => entry(T0 + i * 10_000, { a: i }, { health: 90 + i })))
  const fields = { assessment: ['health' as const], signals: ['a'] }
  const fine = await store.history.range('host', T0, T0 + 60_000, 10_000, fields)
  t.equal(fine.source, 'raw')
  t.same(
    fine.points.map((p) => [(p.at - T0) / 10_000, p.assessment.health, p.signals.a]),
    [
      [0, 90, 0],
      [1, 91, 1],
      [2, 92, 2],
      [5, 95, 5],
      [6, 96, 6],
    ],
  )
  const coarse = await store.history.range('host', T0, T0 + 59_999, 20_000, fields)
  t.same(
    coarse.points.map((p) => [(p.at - T0) / 20_000, p.assessment.health, p.signals.a]),
    [
      [0, 90.5, 0.5],
      [1, 92, 2],
      [2, 95, 5],
    ],
  )
  t.same((await store.history.range('nobody', T0, T0 + 1, 10_000, fields)).points, [])
  t.same((await store.history.range('host', T0 + 1, T0, 10_000, fields)).points, [])

  time.now = T0 + DAY + 65_000
  store.history.write([entry(time.now, { a: 7 })])
  await store.maintain()
  const old = await store.history.range('host', T0, time.now, 10_000, fields)
  t.same([old.source, old.step], ['minute', 60_000], 'raw rows are gone, minutes answer')
  t.equal(old.points[0]?.at, T0)
})

t.test('an answer holds at most 11,000 points', async (t) => {
  const { store } = memory()
  const fields = { assessment: ['health' as const] }
  const start = T0 - (T0 % 60_000)
  await t.rejects(store.history.range('host', start, start + 11_000 * 60_000, 60_000, fields), {
    kind: 'limit',
    message: /11001 points asked for, at most 11000/,
  })
  await t.resolves(store.history.range('host', start, start + 11_000 * 60_000 - 1, 60_000, fields))
  await t.rejects(store.history.range('host', start, start + 1, 0, fields), {
    kind: 'limit',
    message: /step of 0 ms/,
  })
})

t.test('raw rows end after their hours, minutes after their days, to the millisecond', async (t) => {
  const { store, time } = memory({ rawHours: 24, minuteDays: 30 })
  store.history.write([entry(T0), entry(T0 + 1), ...Array.from({ length: 600 }, (_, i) => entry(T0 + 60_000 + i))])
  time.now = T0 + DAY
  await store.maintain()
  t.equal(store.history.rows('host', 0, Number.MAX_SAFE_INTEGER).length, 602)
  time.now = T0 + DAY + 1
  await store.maintain()
  t.equal(store.history.rows('host', 0, Number.MAX_SAFE_INTEGER)[0]?.at, T0 + 1)
  t.equal(store.history.assessments('host', 0, Number.MAX_SAFE_INTEGER)[0]?.at, T0 + 1)
  t.match(store.history.write([entry(T0)]), { written: 0, expired: 1 }, 'a row that would be purged is refused')
  time.now = T0 + DAY + 60_600
  await store.maintain()
  t.equal(store.history.rows('host', 0, Number.MAX_SAFE_INTEGER).length, 0)

  const minutes = async () =>
    (
      await store.history.range('host', T0, T0 + 120_000, 60_000, { assessment: ['health'], signals: ['cpu_busy'] })
    ).points.map((p) => p.at)
  time.now = T0 + 30 * DAY
  await store.maintain()
  t.same(await minutes(), [T0, T0 + 60_000])
  time.now = T0 + 30 * DAY + 1
  await store.maintain()
  t.same(await minutes(), [T0 + 60_000])
})

t.test('a clock that jumps a month ahead and back costs history, and mixes nothing up', async (t) => {
  const { store, time } = memory()
  const both = (at: number) => [entry(at, { a: 1 }, { health: 10 }, 'one'), entry(at, { a: 2 }, { health: 20 }, 'two')]
  store.history.write(both(T0))
  time.now = T0 + 40 * DAY
  await store.maintain()
  t.same(store.history.rows('one', 0, Number.MAX_SAFE_INTEGER), [])
  time.now = T0 + 10_000
  t.match(store.history.write(both(time.now).reverse()), { written: 2, late: 0 })
  t.match(store.history.write(both(time.now + 10_000)), { written: 2, late: 0 })
  for (const [name, a, health] of [
    ['one', 1, 10],
    ['two', 2, 20],
  ] as const) {
    const fields = { assessment: ['health' as const], signals: ['a'] }
    const { points } = await store.history.range(name, T0, T0 + 59_999, 60_000, fields)
    t.same(points, [{ at: T0, assessment: { health }, signals: { a } }])
  }
})

t.test('rows that are not a row are counted, and the rest of the batch is written', async (t) => {
  const { store } = memory()
  const result = store.history.write([
    entry(Number.NaN),
    entry(T0 + 0.5),
    entry(T0, { a: 1 }, { health: Number.NaN }),
    entry(T0, { a: 1 }),
  ])
  t.match(result, { written: 1, invalid: 3 })
  t.notOk(result.error)
})

t.test('targets are listed by name and a removed one takes its history with it', async (t) => {
  const { store } = memory()
  store.targets.ensure('web', 'service')
  store.targets.ensure('db', 'host')
  store.targets.ensure('db', 'service')
  store.history.write([entry(T0, { a: 1 }, {}, 'web'), entry(T0, { a: 1 }, {}, 'auto')])
  t.same(
    store.targets.list().map((x) => [x.name, x.kind, x.createdAt]),
    [
      ['auto', 'host', T0],
      ['db', 'service', T0],
      ['web', 'service', T0],
    ],
  )
  t.equal(store.targets.remove('web'), true)
  t.equal(store.targets.remove('web'), false)
  t.same(store.history.rows('web', 0, T0 * 2), [])
  store.history.write([entry(T0, { a: 2 }, {}, 'web')])
  await store.maintain()
  t.same(
    store.history.rows('web', 0, T0 * 2).map((r) => r.values),
    [{ a: 2 }],
    'its name begins a new history',
  )
})

t.test('settings and state belong to a target and keep their last value', async (t) => {
  const { store } = memory()
  store.settings.put('host', 'sensitivity', 7)
  store.settings.put('host', 'sensitivity', 8)
  store.settings.put('host', 'probes', ['http://localhost'])
  t.same(store.settings.get('host'), { sensitivity: 8, probes: ['http://localhost'] })
  t.same(store.settings.get('nobody'), {})
  t.equal(store.state.save('host', 'threshold', new Uint8Array([1, 2])), true)
  t.equal(store.state.save('host', 'threshold', new Uint8Array([3])), true)
  t.same([...(store.state.load('host', 'threshold')?.data ?? [])], [3])
  t.equal(store.state.load('host', 'threshold')?.updatedAt, T0)
  t.equal(store.state.load('host', 'other'), undefined)
})

t.test('alerts are listed newest first, page by page', async (t) => {
  const { store } = memory()
  const event = (i: number, target: string) => ({
    target,
    at: T0 + i,
    from: 'none' as const,
    severity: 'warning' as const,
    health: 60,
    confidence: null,
    trust: 0.5,
    message: `m${i}`,
    hints: [],
  })
  const ids = [0, 1, 2, 3].map((i) => store.alerts.add(event(i, i === 3 ? 'other' : 'host'))?.id)
  t.same(ids, [1, 2, 3, 4])
  t.same(store.alerts.list({ target: 'host' })[0], { ...event(2, 'host'), id: 3 })
  const of = (list: readonly { id: number }[]) => list.map((a) => a.id)
  t.same(of(store.alerts.list()), [4, 3, 2, 1])
  t.same(of(store.alerts.list({ limit: 2 })), [4, 3])
  t.same(of(store.alerts.list({ limit: 2, before: 3 })), [2, 1])
  t.same(of(store.alerts.list({ target: 'host', from: T0 + 1 })), [3, 2])
  t.same(store.alerts.list({ target: 'nobody' }), [])
})

t.test('targets that see signals come and go share few signal sets', async (t) => {
  const file = join(folder(t), 'p.db')
  const store = openStore({ file, ballastBytes: 0, clock: () => T0 })
  for (let i = 0; i < 20; i++) {
    store.history.write([
      entry(T0 + i * 1000, i % 2 ? { b: 1, a: i } : { a: i }),
      entry(T0 + i * 1000, i % 3 ? { a: i, b: 1 } : { b: i }, {}, 'other'),
    ])
  }
  store.close()
  const db = new Database(file, { readonly: true })
  t.same(db.prepare('SELECT names FROM signal_sets ORDER BY id').pluck().all(), ['["a"]', '["b"]', '["a","b"]'])
  db.close()
})
