import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { Shap } from '../types.ts'
import { type Explained, openStore } from './index.ts'
import { MIGRATIONS, migrate } from './migrations.ts'
import { entry, folder, T0 } from './testing.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const ROW = 10 * SECOND
const NAMES = Array.from({ length: 36 }, (_, j) => `signal_${j}`)

/** The explanation of row i: values of every size, that sum to what the models gave. */
function shapOf(i: number, names: readonly string[] = NAMES): Shap {
  const base = 1 + (i % 7) / 7
  const signals = Object.fromEntries(names.map((name, j) => [name, Math.sin(i * 1.7 + j) * 10 ** ((i + j) % 4)]))
  return { base, output: Object.values(signals).reduce((sum, x) => sum + x, base), signals }
}

const rowOf = (i: number, more: Parameters<typeof entry>[2] = {}) =>
  entry(T0 + i * ROW, { a: i }, { shap: shapOf(i), ...more })
const rules = { scores: null, version: null, shap: null }

/** The mean of explanations taken one by one, with the names of all of them. */
function meanOf(all: readonly Shap[]): Shap {
  const names = new Set(all.flatMap((x) => Object.keys(x.signals)))
  const mean = (of: (shap: Shap) => number) => all.reduce((sum, x) => sum + of(x), 0) / all.length
  return {
    base: mean((x) => x.base),
    output: mean((x) => x.output),
    signals: Object.fromEntries([...names].map((name) => [name, mean((x) => x.signals[name] ?? 0)])),
  }
}

/** Float32 holds seven digits of the largest value. */
function holds(t: Tap, found: Explained, rows: readonly Shap[], about: string): void {
  const { shap } = found
  const mean = meanOf(rows)
  const near = (a: number, b: number) => Math.abs(a - b) <= 2e-7 * 1000
  t.equal(found.rows.explained, rows.length, about)
  t.ok(shap !== null && near(shap.base, mean.base) && near(shap.output, mean.output), `${about}: base and output`)
  t.same(Object.keys(shap?.signals ?? {}).sort(), Object.keys(mean.signals).sort())
  for (const [name, value] of Object.entries(mean.signals)) {
    if (!near(shap?.signals[name] ?? Number.NaN, value)) t.fail(`${about}: ${name}`)
  }
  const sum = Object.values(shap?.signals ?? {}).reduce((total, x) => total + x, shap?.base ?? 0)
  t.ok(Math.abs(sum - (shap?.output ?? 0)) < 1e-9, `${about}: base + sum = output`)
}
type Tap = Pick<typeof t, 'equal' | 'ok' | 'same' | 'fail'>

const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => shapOf(from + k))

t.test('a range has the mean of the explanations of its rows, whatever minutes it begins and ends in', async (t) => {
  const store = openStore({ file: ':memory:', clock: () => T0 + HOUR })
  store.history.write(Array.from({ length: 60 }, (_, i) => rowOf(i)))
  for (const [from, to] of [
    [0, 60],
    [6, 54],
    [0, 1],
    [7, 8],
    [5, 7],
    [1, 59],
    [13, 17],
    [17, 41],
  ] as const) {
    const found = await store.history.explained('host', T0 + from * ROW, T0 + to * ROW)
    holds(t, found, upTo(from, to), `rows ${from} to ${to}`)
    t.same([found.from, found.to], [T0 + from * ROW, T0 + to * ROW])
  }
  const { from, to, ...rest } = await store.history.explained('host', T0 + HOUR, T0 + 2 * HOUR)
  t.same(rest, { shap: null, rows: { explained: 0, rulesAlone: 0, unassessed: 0, notKept: 0 } })
  t.match(await store.history.explained('nobody', T0, T0 + HOUR), { shap: null, rows: { explained: 0 } })
})

t.test('rows without an explanation are counted by what they lack, and change no mean', async (t) => {
  const store = openStore({ file: ':memory:', clock: () => T0 + HOUR })
  store.history.ingest([{ target: 'host', at: T0 + 1, values: { a: 1 }, resources: [] }])
  store.history.write([rowOf(1), rowOf(2, rules), rowOf(3), rowOf(4, { shap: null }), rowOf(6, rules), rowOf(7)])
  for (const end of [59 * SECOND, MINUTE]) {
    const first = await store.history.explained('host', T0, T0 + end)
    holds(t, first, [shapOf(1), shapOf(3)], `until ${end}`)
    t.same(first.rows, { explained: 2, rulesAlone: 1, unassessed: 1, notKept: 1 })
  }
  const both = await store.history.explained('host', T0, T0 + 2 * MINUTE)
  holds(t, both, [shapOf(1), shapOf(3), shapOf(7)], 'two minutes')
  t.same(both.rows, { explained: 3, rulesAlone: 2, unassessed: 1, notKept: 1 })
})

t.test('means are the same after a restart within a minute, with late rows, and once raw rows are gone', async (t) => {
  const file = join(folder(t), 'p.db')
  let now = T0
  const open = () => openStore({ file, ballastBytes: 0, clock: () => now })
  let store = open()
  store.history.write([0, 1, 3].map((i) => rowOf(i)))
  t.equal(store.close(), 0)
  store = open()
  store.history.write([rowOf(4), rowOf(8), rowOf(14)])
  store.history.write([rowOf(2), rowOf(3), rowOf(9)])
  const rows = [0, 1, 2, 3, 4, 8, 9, 14].map((i) => shapOf(i))
  const asked = () => store.history.explained('host', T0 + ROW, T0 + 15 * ROW)
  holds(t, await asked(), rows.slice(1), 'with raw rows')

  now = T0 + DAY + 2 * ROW
  await store.maintain()
  const partly = await asked()
  holds(t, partly, rows, 'the first minute has lost a row: all of it is counted')
  t.same([partly.from, partly.to], [T0, T0 + 15 * ROW])
  now = T0 + DAY + HOUR
  await store.maintain()
  const minutes = await asked()
  holds(t, minutes, rows, 'without raw rows')
  t.same([minutes.from, minutes.to], [T0, T0 + 3 * MINUTE], 'whole minutes')
  store.close()
})

t.test('bundles of other signals in one minute add up; a signal that one does not know is 0 there', async (t) => {
  let now = T0 + HOUR
  const store = openStore({ file: ':memory:', clock: () => now })
  const shaps = [
    ...upTo(0, 3),
    ...[3, 4].map((i) => shapOf(i, ['signal_1', 'queue_length'])),
    ...upTo(5, 6),
    shapOf(6, []),
    shapOf(7, ['queue_length']),
  ]
  shaps.forEach((shap, i) => {
    store.history.write([rowOf(i, { shap })])
  })
  holds(t, await store.history.explained('host', T0, T0 + 2 * MINUTE), shaps, 'minutes')
  holds(t, await store.history.explained('host', T0 + ROW, T0 + 7 * ROW), shaps.slice(1, 7), 'rows')
  now = T0 + DAY + HOUR
  await store.maintain()
  holds(t, await store.history.explained('host', T0 + ROW, T0 + 7 * ROW), shaps, 'after the raw rows')
})

t.test('rows outlive minutes where raw rows are kept for longer', async (t) => {
  let now = T0 + HOUR
  const store = openStore({ file: ':memory:', rawHours: 72, minuteDays: 1, clock: () => now })
  const after = DAY / ROW
  store.history.write([0, 1, 8].map((i) => rowOf(i)))
  now = T0 + DAY + HOUR
  store.history.write([rowOf(after)])
  await store.maintain()
  const found = await store.history.explained('host', T0, now)
  holds(t, found, [shapOf(0), shapOf(1), shapOf(8), shapOf(after)], 'minutes that are gone')
})

t.test('a database of before is migrated: its rows explain their minutes, until they are gone', async (t) => {
  const file = join(folder(t), 'p.db')
  const old = new Database(file)
  migrate(old, file, T0, MIGRATIONS.slice(0, 1))
  const names = ['b', 'a'].sort()
  old.exec(`INSERT INTO targets (id, name, kind, created_at) VALUES (1, 'host', 'host', 0);
    INSERT INTO signal_sets (id, names) VALUES (1, '${JSON.stringify(names)}')`)
  const shaps = [0, 1, 2].map((i) => shapOf(i, names))
  shaps.forEach((shap, i) => {
    const blob = Buffer.from(Float64Array.of(shap.base, shap.output, ...names.map((x) => shap.signals[x] ?? 0)).buffer)
    old
      .prepare('INSERT INTO readings (id, target_id, at, signal_set_id, "values") VALUES (?, 1, ?, 1, ?)')
      .run(i + 1, T0 + i * ROW, Buffer.alloc(16))
    old
      .prepare(
        'INSERT INTO assessments (id, health, risk, severity, anomaly, version, shap_set_id, shap) VALUES (?, 90, 0, 0, 1, ?, 1, ?)',
      )
      .run(i + 1, 'v1', blob)
  })
  old.exec(`INSERT INTO readings_minute (id, target_id, at, signal_set_id, count, means) VALUES (1, 1, ${T0}, 1, 3, zeroblob(16));
    INSERT INTO assessments_minute (id, count, health, health_min, health_max, risk, trust, coverage, scored, failure_count, drift_count)
    VALUES (1, 3, 90, 90, 90, 0, 1, 1, 3, 0, 0)`)
  old.close()

  let now = T0 + MINUTE
  const store = openStore({ file, ballastBytes: 0, clock: () => now })
  t.strictSame(
    store.history.assessments('host', T0, T0 + MINUTE).map((a) => a.shap?.signals),
    shaps.map((x) => x.signals),
    'as exact as they were',
  )
  shaps.push(shapOf(3, names))
  store.history.write([rowOf(3, { shap: shapOf(3, names) }), rowOf(6)])
  holds(t, await store.history.explained('host', T0, T0 + MINUTE), shaps, 'half the minute from before')
  now = T0 + DAY + HOUR
  await store.maintain()
  const rest = await store.history.explained('host', T0, T0 + MINUTE)
  holds(t, rest, shaps.slice(3), 'what was written since')
  t.equal(rest.rows.notKept, 3)
  store.close()
})

t.test('what a float32 cannot hold is 0, not infinity', async (t) => {
  const store = openStore({ file: ':memory:', clock: () => T0 })
  const signals = { a: 1e300, b: Number.NaN, c: 2 }
  store.history.write([rowOf(0, { shap: { base: 1, output: 3, signals } })])
  const { shap } = await store.history.explained('host', T0, T0 + MINUTE)
  t.same(shap, { base: 1, output: 3, signals: { a: 0, b: 0, c: 2 } })
})
