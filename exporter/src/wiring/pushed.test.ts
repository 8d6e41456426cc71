/** Rows that others push, from the store to the metrics. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { emptyInputs, TargetState } from '@portent/core'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { PushedRow } from '../api/index.ts'
import { bundleOfInterval, SHIPPED } from '../bundle/testing.ts'
import { WorkerScorer } from '../detect/scorer.ts'
import { openStore } from '../store/index.ts'
import { PushedSource, type PushedSourceOptions } from './pushed.ts'
import { TableScorer } from './score-table.ts'

/** A minute boundary. */
const T0 = 1_700_000_040_000
const HOUR = 3_600_000

function source(over: Partial<PushedSourceOptions> = {}, store = openStore({ file: ':memory:', clock: () => T0 })) {
  const time = { now: 0 }
  const told = { dropped: 0, asleep: [] as string[] }
  const pushed = new PushedSource({
    intervalMs: 10_000,
    store,
    isOwn: (target) => target === 'own',
    mostTargets: () => 3,
    onDropped: (rows) => {
      told.dropped += rows
    },
    onAsleep: (target) => told.asleep.push(target),
    monotonic: () => time.now,
    ...over,
  })
  return { pushed, store, time, told }
}

let index = 0
const row = (seconds: number, values: PushedRow['values'] = { a: 1 }, target = 'web'): PushedRow => ({
  target,
  at: T0 + seconds * 1000,
  values,
  resources: [],
  index: index++,
})
const seconds = (rows: readonly { at: number }[]) => rows.map(({ at }) => (at - T0) / 1000)

t.test('rows are stored once, late ones are counted, and expired ones are refused', async (t) => {
  const { pushed, store } = source()
  t.match(await pushed.ingest([row(0), row(20), row(10)]), { accepted: 3, duplicates: 0, late: 0 })
  t.match(await pushed.ingest([row(0, { a: 99 }), row(20), row(10)]), { accepted: 0, duplicates: 3, late: 0 })
  t.match(await pushed.ingest([row(5), row(30)]), { accepted: 2, duplicates: 0, late: 1 })
  const old = await pushed.ingest([row(-25 * 3600), row(40)])
  t.match(old, { accepted: 1, rejected: [{ field: /timestamp$/, message: /store.raw_retention/ }] })
  t.strictSame(seconds(store.history.rows('web', 0, T0 * 2)), [0, 5, 10, 20, 30, 40])
  t.strictSame(store.history.rows('web', T0, T0)[0]?.values, { a: 1 }, 'a duplicate changes nothing')
  t.strictSame(
    pushed.take().map(seconds),
    [[0], [10], [20], [30]],
    'late rows are not scored; the last interval is open',
  )
})

t.test('samples of one interval are averaged, and the mean joins the newest of them in the history', async (t) => {
  const { pushed, store, time } = source()
  await pushed.ingest([0, 2, 4].map((s) => row(s, { a: s, ...(s === 2 && { b: 7 }) })))
  t.strictSame(pushed.take(), [], 'the interval goes on')
  time.now = 900
  t.strictSame(pushed.take(), [])
  time.now = 1000
  const [[mean]] = pushed.take() as [[PushedRow]]
  t.strictSame(mean, { target: 'web', at: T0 + 4000, values: { a: 2, b: 7 }, resources: [] })
  await pushed.ingest([6, 8, 10, 12, 14, 16].map((s) => row(s, { a: s })))
  t.strictSame(
    pushed.take().map((batch) => batch[0]?.values),
    [{ a: 10 }],
    'a sample of a later interval ends the one before',
  )
  t.strictSame(seconds(store.history.rows('web', 0, T0 * 2)), [0, 2, 4, 6, 8, 10, 12, 14, 16])
})

t.test('one push an interval is one row an interval, also with jitter, and with a clock that is wrong', async (t) => {
  for (const skew of [0, -300, 300]) {
    const { pushed, time } = source()
    const taken: number[] = []
    for (let i = 0; i < 50; i++) {
      time.now = i * 10_000 + 3000
      await pushed.ingest([row(skew + i * 10 + (i % 3) * 2 - 2)])
      time.now = i * 10_000 + 9900
      for (const batch of pushed.take()) taken.push(...seconds(batch))
    }
    t.equal(taken.length, 50, `${skew}`)
  }
})

t.test('a backlog is scored in order, bounded for each target and at once', async (t) => {
  const { pushed, told } = source()
  await pushed.ingest(Array.from({ length: 1000 }, (_, i) => row(i * 10)))
  await pushed.ingest([row(0, { a: 1 }, 'db'), row(10, { a: 1 }, 'db')])
  const batches = pushed.take()
  t.equal(batches.length, 360)
  t.strictSame(
    batches[0]?.map((r) => r.target),
    ['web', 'db'],
  )
  t.ok(batches.every((batch) => new Set(batch.map((r) => r.target)).size === batch.length))
  t.equal(told.dropped, 1000 - 360 - 1)
  const times = batches.map((batch) => batch[0]?.at ?? 0)
  t.ok(times.every((at, i) => i === 0 || at > (times[i - 1] ?? 0)))
})

t.test('targets and signals are bounded, own ones are refused, and a silent target gives up its place', async (t) => {
  const { pushed, time, told } = source()
  t.match(await pushed.ingest([row(0, { a: 1 }, 'own')]), {
    accepted: 0,
    rejected: [{ field: /target$/, message: /collects itself/ }],
  })
  const four = ['w1', 'w2', 'w3', 'w4'].map((name) => row(0, { a: 1 }, name))
  t.match(await pushed.ingest(four), {
    accepted: 3,
    rejected: [{ limit: 'limits.targets', message: /limits.targets/ }],
  })
  t.strictSame([...pushed.names()], ['w1', 'w2', 'w3'])
  pushed.take()
  time.now = 20_000
  pushed.take()
  time.now = HOUR - 1
  await pushed.ingest([row(10, { a: 1 }, 'w1'), row(10, { a: 1 }, 'w3')])
  time.now = HOUR + 20_001
  pushed.take()
  t.strictSame(told.asleep, ['w2'])
  t.ok(pushed.has('w2'), 'its name and history stay')
  t.match(await pushed.ingest([row(0, { a: 1 }, 'w4')]), { accepted: 1 })
  t.notOk(pushed.has('w2'), 'until another needs its place')

  const wide = Object.fromEntries(Array.from({ length: 255 }, (_, i) => [`s${i}`, i]))
  t.match(await pushed.ingest([row(20, wide, 'w1')]), { accepted: 1 })
  t.match(await pushed.ingest([row(30, { a: 1, b: 2 }, 'w1')]), {
    accepted: 0,
    rejected: [{ limit: 'signals', field: /values$/, message: /257 signals, at most 256/ }],
  })
})

t.test('a store that takes nothing takes no target either, and the error is its own', async (t) => {
  const { pushed, store } = source()
  store.close()
  await t.rejects(pushed.ingest([row(0)]), /the store is closed/)
  t.strictSame([...pushed.names()], [])
})

t.test('who pushed before is known after a restart, and rows of before are duplicates', async (t) => {
  const store = openStore({ file: ':memory:', clock: () => T0 })
  store.targets.ensure('collected', 'host')
  await source({}, store).pushed.ingest([{ ...row(0), kind: 'service' }])
  t.match(store.targets.list(), [{ name: 'collected' }, { name: 'web', kind: 'service' }])
  const { pushed } = source({}, store)
  pushed.restore()
  t.strictSame([...pushed.names()], ['web'])
  t.match(await pushed.ingest([row(0), row(-10)]), { accepted: 1, duplicates: 1, late: 1 })
})

t.test('whatever is pushed in whatever order, each time of a target keeps the first values sent for it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.double({ noNaN: true }), fc.constantFrom('a', 'b')), {
          maxLength: 8,
        }),
      ),
      async (batches) => {
        const { pushed, store } = source()
        const expected = new Map<string, number>()
        let accepted = 0
        for (const batch of batches) {
          const rows = batch.filter(([, value]) => Number.isFinite(value))
          // Within a batch the store sees them by time; among equal times the first sent is the first.
          for (const [at, value, target] of rows) {
            if (!expected.has(`${target} ${at}`)) expected.set(`${target} ${at}`, value)
          }
          accepted += (await pushed.ingest(rows.map(([at, value, target]) => row(at, { v: value }, target)))).accepted
          pushed.take()
        }
        const stored = ['a', 'b'].flatMap((target) => store.history.rows(target, 0, T0 * 2))
        if (stored.length !== expected.size || accepted !== expected.size) throw new Error('another number of rows')
        for (const { target, at, values } of stored) {
          if (!Object.is(values.v, expected.get(`${target} ${(at - T0) / 1000}`))) throw new Error('another value')
        }
      },
    ),
    { numRuns: 60 },
  )
})

t.test('a table is scored to the bit as the live path would score the same rows', async (t) => {
  const scorer = await WorkerScorer.start({ folder: SHIPPED, deadlineMs: 20_000 })
  t.teardown(() => scorer.close())
  const { manifest } = scorer.bundle
  const interval = manifest.interval_seconds
  const signals = [...manifest.signals.slice(0, 12).map((s) => s.name), 'orders_waiting']
  const rows = Array.from({ length: 60 }, (_, i) =>
    signals.map((_, j) =>
      i % 17 === 3 && j === 2 ? null : 0.3 + 0.2 * Math.sin(i + j) + (i > 50 && j === 0 ? 40 : 0),
    ),
  )
  const state = new TargetState(manifest, { intervalSeconds: interval, sensitivity: 5 })
  const expected = []
  for (const [i, cells] of rows.entries()) {
    const values = Object.fromEntries(signals.flatMap((s, j) => (cells[j] === null ? [] : [[s, cells[j]]])))
    state.push(i * interval * 1000, values as Record<string, number>)
    const inputs = emptyInputs(manifest, 1)
    state.writeInputs(inputs, 0)
    const { scores, health } = state.finish(await scorer.score(inputs), 0)
    expected.push([scores?.ranking, scores?.raw, scores?.threshold, scores?.alarm, scores?.confidence, health])
  }
  const tables = new TableScorer({ scorer: () => scorer, reason: () => null, sensitivity: () => 5 })
  const table = { signals, rows, intervalSeconds: interval, times: null, budget: null, attributions: true }
  const first = tables.score(table)
  t.match(await tables.score(table), { ok: false, reason: 'busy' })
  const outcome = await first
  if (!outcome.ok) throw new Error(outcome.message)
  t.strictSame(
    outcome.rows.map((r) => [r.score, r.raw, r.threshold, r.alarm, r.confidence, r.health]),
    expected,
  )
  t.strictSame(outcome.ignored, ['orders_waiting'])
  t.ok(outcome.rows.at(-1)?.alarm || (outcome.rows.at(-1)?.anomaly ?? 0) > 1, 'forty times the usual is noticed')
  for (const { attribution } of outcome.rows) {
    const { base = 0, output = 1, signals: values = {} } = attribution ?? {}
    const sum = Object.values(values).reduce((total, x) => total + x, base)
    if (Math.abs(sum - output) > 1e-9 * Math.max(1, Math.abs(output))) t.fail(`${sum} is not ${output}`)
  }
  t.match(await tables.score({ ...table, intervalSeconds: 60 }), {
    reason: 'interval',
    message: `the bundle scores rows of ${interval} s, the table has rows of 60 s`,
  })
  const none = new TableScorer({ scorer: () => null, reason: () => 'golden vectors differ', sensitivity: () => 5 })
  t.match(await none.score(table), { reason: 'no_model', message: /golden vectors differ/ })

  // Far outside of what a signal can be, but numbers: no row may spoil the batch it is in.
  const huge = await tables.score({ ...table, rows: rows.map((r, i) => (i === 30 ? r.map(() => 1e15) : r)) })
  t.ok(huge.ok && huge.rows.every((r) => r.raw !== null && Number.isFinite(r.raw) && Number.isFinite(r.health)))
})

const bin = fileURLToPath(new URL('../../bin/portent.js', import.meta.url))

/** The service as a process of its own. */
async function service(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'portent-pushed-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  const file = join(folder, 'portent.yml')
  const store = join(folder, 'portent.db')
  writeFileSync(
    file,
    `target: { name: own-host }
sample_interval: 200ms
score_interval: 400ms
collectors: { deadline: 150ms }
bundle: { path: ${bundleOfInterval(join(folder, 'bundle'), 0.4)} }
store: { path: ${store}, ballast: 0B, max_size: 64MiB }
limits: { targets: 4 }
web: { listen_address: "127.0.0.1:${port}" }
`,
  )
  const start = () => {
    const child = spawn(process.execPath, [bin, 'serve', `--config.file=${file}`], { stdio: 'ignore' })
    t.teardown(() => child.kill('SIGKILL'))
    return child
  }
  const url = `http://127.0.0.1:${port}`
  const get = async (path: string) => {
    const response = await fetch(url + path)
    const text = await response.text()
    // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at by tests
    return { status: response.status, text, body: (text.startsWith('{') ? JSON.parse(text) : null) as any }
  }
  const send = async (path: string, body?: unknown, method = 'POST') => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
    const response = await fetch(url + path, { method, ...init })
    // biome-ignore lint/suspicious/noExplicitAny: as above
    return { status: response.status, body: (await response.json()) as any }
  }
  const until = async (about: string, look: () => Promise<boolean>) => {
    for (const end = performance.now() + 40_000; performance.now() < end; await wait(50)) {
      if (await look().catch(() => false)) return
    }
    throw new Error(`${about}: never`)
  }
  return { start, get, send, until, store }
}

t.test(
  'a pushed target has its own health, settings, history and series, and vanishes when it is silent',
  async (t) => {
    const { start, get, send, until } = await service(t)
    start()
    await until('ready', async () => (await get('/-/ready')).status === 200)
    const push = (at: number, values: object) =>
      send('/api/v1/ingest', { rows: [{ target: 'shop/1', kind: 'service', timestamp: at / 1000, values }] })
    const name = encodeURIComponent('shop/1')
    t.match(await push(Date.now(), { cpu_busy: 0.2, orders_waiting: 3 }), { status: 200, body: { accepted: 1 } })
    t.ok((await get('/api/v1/targets')).body.targets.some((x: { target: string }) => x.target === 'shop/1'))
    await until('an assessment', async () => {
      await push(Date.now(), { cpu_busy: 0.2, orders_waiting: 3 })
      return (await get(`/api/v1/targets/${name}/health`)).body.model?.state === 'active'
    })
    const { body: signals } = await get(`/api/v1/targets/${name}/signals`)
    const found = (signal: string) => signals.signals.find((s: { signal: string }) => s.signal === signal)
    t.match(found('orders_waiting'), { present: true, value: 3 })
    t.match(found('memory_used'), { present: false })
    t.match(await send(`/api/v1/targets/${name}/settings`, { sensitivity: 9 }, 'PUT'), { body: { sensitivity: 9 } })
    t.equal((await get('/api/v1/targets/own-host/settings')).body.sensitivity, 5)
    await until('its own sensitivity', async () => {
      await push(Date.now(), { cpu_busy: 0.2, orders_waiting: 4 })
      return (await get(`/api/v1/targets/${name}/health`)).body.sensitivity === 9
    })
    const history = await get(`/api/v1/targets/${name}/history?fields=orders_waiting,health&step=1s`)
    t.ok(
      history.body.points.length > 0 &&
        history.body.points.every((p: { values: { orders_waiting: number } }) => p.values.orders_waiting >= 3),
    )
    const series = async () => (await get('/metrics')).text
    await until('its series', async () => {
      await push(Date.now(), { cpu_busy: 0.2, orders_waiting: 4 })
      return (await series()).includes('portent_health_ratio{target="shop/1"}')
    })

    t.match((await push(Date.now() - 60_000, { cpu_busy: 0.2 })).body, { accepted: 1, late: 1 })
    const own = await send('/api/v1/ingest', { rows: [{ target: 'own-host', timestamp: 1, values: { cpu_busy: 1 } }] })
    t.match(own, { status: 400, body: { error: { field: 'rows[0].target', message: /collects itself/ } } })
    const rows = ['a', '__proto__', 'c'].map((target) => ({
      target,
      timestamp: Date.now() / 1000,
      values: { cpu_busy: 0.1 },
    }))
    t.match((await send('/api/v1/ingest', { rows })).body, {
      accepted: 2,
      rejected: [{ row: 2, field: 'rows[2].target' }],
    })
    t.match(await send('/api/v1/ingest', { rows: rows.slice(2) }), {
      status: 409,
      body: { error: { code: 'limit_reached' } },
    })
    t.equal((await get('/api/v1/targets/__proto__/health')).status === 404, false)

    const collected = await send('/api/v1/collect')
    t.equal(collected.status, 200)
    t.equal(collected.body.target, 'own-host')
    t.ok(Object.keys(collected.body.values).length > 5)
    const scored = await send('/api/v1/score', { signals: ['cpu_busy'], rows: [[0.1], [0.2]], interval_seconds: 0.4 })
    t.match(scored, { status: 200, body: { interval_seconds: 0.4, ignored: [] } })
    t.equal(scored.body.rows.length, 2)
    const wrong = await send('/api/v1/score', { signals: ['cpu_busy'], rows: [[0.1]], interval_seconds: 60 })
    t.match(wrong, { status: 409, body: { error: { field: 'interval_seconds', message: /0.4 s.* 60 s/ } } })

    await until('silence', async () => (await get(`/api/v1/targets/${name}/health`)).body.current === false)
    await until('no series', async () => !(await series()).includes('portent_health_ratio{target="shop/1"}'))
    t.match(await series(), 'portent_health_ratio{target="own-host"}')
    t.ok((await get('/api/v1/targets')).body.targets.some((x: { target: string }) => x.target === 'shop/1'))
  },
)

t.test('kill -9 right after the answer loses no row, and a repeat counts all as duplicates', async (t) => {
  const { start, get, send, until, store } = await service(t)
  let child = start()
  await until('healthy', async () => (await get('/-/healthy')).status === 200)
  const base = Math.floor(Date.now() / 1000) - 3600
  const rows = Array.from({ length: 2000 }, (_, i) => ({
    target: `t${i % 2}`,
    timestamp: base + i,
    values: { cpu_busy: i / 2000, own: i },
  }))
  for (let round = 0; round < 2; round++) {
    const part = rows.slice(round * 1000, (round + 1) * 1000)
    const { status, body } = await send('/api/v1/ingest', { rows: part })
    child.kill('SIGKILL')
    t.match({ status, ...body }, { status: 200, accepted: 1000 })
    await once(child, 'exit')
    const db = new Database(store, { readonly: true })
    t.equal(db.pragma('quick_check(1)', { simple: true }), 'ok')
    const count = db
      .prepare("SELECT count(*) FROM readings JOIN targets ON targets.id = target_id WHERE name LIKE 't_'")
      .pluck()
      .get()
    t.equal(count, (round + 1) * 1000)
    db.close()
    child = start()
    await until('healthy', async () => (await get('/-/healthy')).status === 200)
    t.match((await send('/api/v1/ingest', { rows: part })).body, { accepted: 0, duplicates: 1000 })
  }
  t.strictSame(
    (await get('/api/v1/targets')).body.targets.map((x: { target: string }) => x.target),
    ['own-host', 't0', 't1'],
  )
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
})
