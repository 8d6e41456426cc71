import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { ROUTES } from './api/index.ts'
import { bundleOfInterval, copyBundle, editManifest, SHIPPED, sign, tempFolder } from './bundle/testing.ts'
import type { Io } from './cli/io.ts'
import { readConfigFile } from './cli/io.ts'
import { serve } from './cli/serve.ts'

/** Rows come this often here: every one of them costs a cycle. */
const ROW_SECONDS = 0.2
const TARGET = 'test-host'
const DEADLINE_MS = 30_000
const bin = fileURLToPath(new URL('../bin/portent.js', import.meta.url))

// What waits for rows waits for time: a few at once.
t.jobs = 3
// Half a minute on an idle machine; a busy one is no failure.
t.setTimeout(300_000)

/** Looks again until `look` gives something; what it says when it throws is told when time is up. */
async function until<T>(about: string, look: () => T | Promise<T>, deadlineMs = DEADLINE_MS): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs
  let last: unknown
  while (performance.now() < end) {
    try {
      const found = await look()
      if (found !== undefined && found !== null && found !== false) return found
    } catch (error) {
      last = error
    }
    await wait(40)
  }
  throw new Error(`${about}: not within ${deadlineMs} ms`, { cause: last })
}

interface Settings {
  readonly bundle?: string
  readonly store?: string
  readonly more?: string
}

/** A configuration in a folder of its own; `write` changes it. */
function configOf(t: Test, settings: Settings = {}) {
  const folder = tempFolder(t)
  const file = join(folder, 'portent.yml')
  const own = bundleOfInterval(join(folder, 'bundle'), ROW_SECONDS)
  const store = settings.store ?? join(folder, 'store', 'portent.db')
  const write = ({ bundle = own, more = '' }: Settings = settings) =>
    writeFileSync(
      file,
      `target: { name: ${TARGET} }
sample_interval: 100ms
score_interval: ${ROW_SECONDS * 1000}ms
bundle: { path: ${bundle} }
store: { path: ${store}, ballast: 0B, max_size: 64MiB }
${/^web:/m.test(more) ? '' : 'web: { listen_address: "127.0.0.1:0" }'}
${/^collectors:/m.test(more) ? '' : 'collectors: { deadline: 90ms }'}
${more}
`,
    )
  write()
  return { folder, file, own, store, write }
}

type Line = Record<string, unknown> & { msg: string; level: string }

/** The service in this process, exactly as the command runs it. */
async function started(t: Test, file: string) {
  const lines: Line[] = []
  const process = new EventEmitter()
  const io: Io = {
    out() {},
    err() {},
    env: {},
    cwd: '/',
    readFile: readConfigFile,
    process: Object.assign(process, { exit() {} }) as unknown as Io['process'],
  }
  const stream = { write: (line: string) => lines.push(JSON.parse(line) as Line) }
  const code = serve([`--config.file=${file}`], io, undefined, { stream })
  let stopped = false
  const stop = async () => {
    if (!stopped) process.emit('SIGTERM', 'SIGTERM')
    stopped = true
    return await code
  }
  t.teardown(stop)
  const { address } = (await until('listening', () => {
    const failed = lines.find((line) => line.level === 'fatal')
    if (failed) throw new Error(JSON.stringify(failed))
    return lines.find((line) => line.msg === 'listening')
  })) as unknown as { address: string }
  return { ...clientOf(address), lines, stop }
}

function clientOf(address: string) {
  const get = (path: string, headers: Record<string, string> = {}) => fetch(address + path, { headers })
  const json = async (path: string) => {
    const response = await get(`/api/v1${path}`)
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at by tests
    return (await response.json()) as any
  }
  const metrics = async () => await (await get('/metrics')).text()
  /** The value of the series whose text begins so. */
  const series = async (start: string) => numberAfter(await metrics(), start)
  const send = (method: string, path: string, body?: unknown) =>
    fetch(address + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  /** Waits for a score of the model in the metrics. */
  const scored = () =>
    until('a score', async () => (await series(`portent_confidence_ratio{target="${TARGET}"}`)) !== null)
  /** Waits for an assessment, by whomever. */
  const assessed = () =>
    until('an assessment', async () => (await series(`portent_health_ratio{target="${TARGET}"}`)) !== null)
  return { address, get, json, metrics, series, send, scored, assessed }
}

function numberAfter(text: string, start: string): number | null {
  const line = text.split('\n').find((x) => x.startsWith(`${start} `))
  return line === undefined ? null : Number(line.slice(start.length + 1))
}

const health = `/targets/${TARGET}/health`

t.test('within a few rows the metrics say how the host is, and only of what is known', async (t) => {
  const { file } = configOf(t)
  const app = await started(t, file)
  await app.scored()
  const text = await app.metrics()
  const of = (name: string, labels = '') => numberAfter(text, `${name}{target="${TARGET}"${labels}}`)
  const ratio = (x: number | null) => x !== null && x >= 0 && x <= 1
  for (const name of [
    'portent_health_ratio',
    'portent_confidence_ratio',
    'portent_trust_ratio',
    'portent_signal_coverage_ratio',
  ]) {
    t.ok(ratio(of(name)), `${name} ${of(name)}`)
  }
  t.equal(
    ['green', 'yellow', 'red']
      .map((state) => of('portent_risk_state', `,state="${state}"`))
      .reduce<number>((a, b) => a + (b ?? 9), 0),
    1,
  )
  for (const detector of ['ensemble', 'win_z', 'isolation_forest']) {
    t.ok((of('portent_anomaly_score', `,detector="${detector}"`) ?? -1) >= 0, detector)
  }
  t.ok((of('portent_trust_ratio') ?? 1) < 0.6, 'little trust at first')
  t.equal(of('portent_model_state', ',state="active"'), 1)
  t.equal(of('portent_model_ready'), 0, 'the window is padded still')
  t.notMatch(text, /^portent_(failure|drift)[a-z_]*\{/m)
  for (const window of ['failure', 'drift']) {
    const progress = of('portent_warmup_progress_ratio', `,window="${window}"`) ?? -1
    t.ok((window === 'drift' ? progress > 0 : progress >= 0) && progress < 1, `progress of ${window}: ${progress}`)
  }
  t.notMatch(text, /^\S+ (NaN|undefined|null)$/m)
  t.match(text, /^portent_collector_success\{collector="memory"\} 1$/m)
  t.match(text, /^portent_build_info\{version="/m)

  const ready = await until(
    'a full window',
    async () => (await app.series(`portent_model_ready{target="${TARGET}"}`)) === 1,
  )
  t.ok(ready)
  t.equal(await app.series('portent_rows_dropped_total{reason="duplicate"}'), 0)
  t.same(
    app.lines.filter((line) => line.level === 'error'),
    [],
  )
})

interface Explanation {
  readonly at: string
  readonly range: { readonly rows: { readonly explained: number } }
  readonly primary: {
    readonly base: number
    readonly output: number
    readonly signals: readonly { readonly signal: string; readonly value: number }[]
  }
}

t.test('the explanation of a range is the mean of those of its rows, also after a restart', async (t) => {
  const config = configOf(t)
  const app = await started(t, config.file)
  const path = `/targets/${TARGET}/explain`
  await app.scored()
  const seen = new Map<number, Explanation['primary']>()
  const range = (from: number, to: number) => `${path}?from=${from / 1000}&to=${to / 1000}`
  // Rows that were missed here are not in the mean: looks until it has seen each row of a range.
  const [from, to, found] = await until('a few rows in a row', async () => {
    const { at, primary } = (await app.json(path)) as Explanation
    seen.set(Date.parse(at), primary)
    const times = [...seen.keys()].sort((a, b) => a - b).slice(-6)
    const [first, last] = [times[0] as number, times[times.length - 1] as number]
    if (times.length < 6) return null
    const found = (await app.json(range(first, last))) as Explanation
    return found.range.rows.explained === 5 ? ([first, last, found] as const) : null
  })
  const rows = [...seen].filter(([at]) => at >= from && at < to).map(([, primary]) => primary)
  t.equal(rows.length, 5)
  const { base, output, signals } = found.primary
  const size = Math.max(...signals.map((x) => Math.abs(x.value)), Math.abs(base))
  const near = (a: number, b: number, digits: number) => Math.abs(a - b) <= digits * size
  const mean = (of: (x: Explanation['primary']) => number) => rows.reduce((sum, x) => sum + of(x), 0) / rows.length
  t.ok(
    near(
      signals.reduce((sum, x) => sum + x.value, base),
      output,
      1e-12,
    ),
    'base + sum = output',
  )
  t.ok(
    near(
      mean((x) => x.base),
      base,
      1e-6,
    ) &&
      near(
        mean((x) => x.output),
        output,
        1e-6,
      ),
  )
  for (const { signal, value } of signals) {
    const one = mean((x) => x.signals.find((s) => s.signal === signal)?.value ?? Number.NaN)
    t.ok(near(one, value, 1e-6), `${signal}: ${one} is ${value}`)
  }
  t.equal(await app.stop(), 0)
  const again = await started(t, config.file)
  t.strictSame((await again.json(range(from, to))).primary, found.primary)
})

t.test('every reading route answers what its schema allows; the rest is as it says it is', async (t) => {
  const { file } = configOf(t)
  const app = await started(t, file)
  await app.scored()
  for (const { method, path, response } of ROUTES) {
    if (method !== 'GET') continue
    const answer: unknown = await app.json(path.replace(':target', TARGET))
    t.ok(response.safeParse(answer).success, path)
  }
  const explained = await app.json(`/targets/${TARGET}/explain?features=true&forest=true`)
  for (const part of [explained.primary, explained.forest]) {
    const sum = part.signals.reduce((total: number, x: { value: number }) => total + x.value, part.base)
    t.ok(Math.abs(sum - part.output) < 1e-9 * Math.max(1, Math.abs(part.output)), 'base + sum = output')
  }
  t.equal(explained.primary.features.length, 6 * explained.primary.signals.length)
  const model = await app.json('/model')
  t.match(model, { state: 'active', reason: null, bundle: { interval_seconds: ROW_SECONDS } })
  const past = await until('history', async () => {
    const { points } = await app.json(`/targets/${TARGET}/history?step=1s&fields=health,anomaly,cpu_busy`)
    return points.length > 0 ? points : null
  })
  t.match(past[0].values, { health: Number })
  t.match(await app.json('/performance'), { cycle: { count: Number }, inference: { p95_seconds: Number } })

  const page = await app.get('/')
  t.match(page.headers.get('content-type'), 'text/html')
  const html = await page.text()
  for (const link of ['/metrics', '/api/v1/targets', TARGET]) t.match(html, link)
  t.equal((await app.get('/-/healthy')).status, 200)
  t.equal((await app.get('/-/ready')).status, 200)
  t.equal((await app.get('/nothing')).status, 404)

  const plain = await app.get('/metrics', { 'accept-encoding': 'identity' })
  t.match(plain.headers.get('content-type'), 'version=0.0.4')
  t.equal(plain.headers.get('content-encoding'), null)
  await plain.text()
  const open = await app.get('/metrics', { accept: 'application/openmetrics-text;version=1.0.0' })
  t.match(open.headers.get('content-type'), /^application\/openmetrics-text/)
  t.match(await open.text(), /\n# EOF\n$/)
  const packed = await app.get('/metrics', { 'accept-encoding': 'gzip' })
  t.equal(packed.headers.get('content-encoding'), 'gzip')
  t.match(await packed.text(), /^portent_health_ratio/m)
  const foreign = await fetch(`${app.address}/-/reload`, { method: 'POST', headers: { origin: 'http://evil.example' } })
  t.equal(foreign.status, 403)
  await foreign.text()
})

t.test('settings, history and what was learnt survive a restart', async (t) => {
  const { file, store } = configOf(t)
  const first = await started(t, file)
  await first.scored()
  t.equal((await first.send('PUT', `/api/v1/targets/${TARGET}/settings`, { sensitivity: 8 })).status, 200)
  const before = await until('a row with the new sensitivity', async () => {
    const now = await first.json(health)
    return now.sensitivity === 8 && now.trust.factors.history > 0.3 ? now : null
  })
  t.equal(await first.stop(), 0)
  t.notOk(existsSync(`${store}-wal`), 'all is in the database itself')

  const second = await started(t, file)
  await second.scored()
  const after = await second.json(health)
  t.equal(after.sensitivity, 8)
  t.ok(after.trust.factors.history > before.trust.factors.history, 'the rows before count')
  t.match(await second.json(`/targets/${TARGET}/settings`), { sensitivity: 8 })
  const { points } = await second.json(`/targets/${TARGET}/history?step=1s`)
  t.ok(
    points.some((x: { at: string }) => x.at <= before.at),
    'rows of the first run are there',
  )
})

t.test('a reload changes what it can, tells what it cannot, and refuses what is wrong', async (t) => {
  const config = configOf(t)
  const app = await started(t, config.file)
  await app.scored()
  const reload = async () => {
    const response = await app.send('POST', '/-/reload')
    return { status: response.status, body: await response.json() }
  }
  config.write({ more: 'sensitivity: 9\nlimits: { targets: 7 }\nstore_: 1' })
  t.match(await reload(), {
    status: 400,
    body: { error: { code: 'invalid_configuration', message: /store_: unknown key/ } },
  })
  config.write({ more: 'sensitivity: 9\nlimits: { targets: 7 }' })
  t.match(await reload(), { status: 200, body: { applied: ['sensitivity'], need_restart: ['limits.targets'] } })
  await until('a row with the new sensitivity', async () => (await app.json(health)).sensitivity === 9)
  t.match((await app.json(health)).anomaly.budget.requested, 0.005 * 1.6 ** 4)

  config.write({ bundle: join(config.folder, 'nowhere'), more: 'sensitivity: 2' })
  t.match(await reload(), { status: 400, body: { error: { message: /nowhere.*manifest\.json is not there/ } } })
  t.match(await app.json('/model'), { state: 'active' }, 'the bundle in force stays')
  await app.scored()
  t.equal((await app.json(health)).sensitivity, 9, 'nothing is half reloaded')
})

t.test('without a bundle for its interval rules score, and a reload with a good one brings the models', async (t) => {
  const config = configOf(t)
  const nowhere = join(config.folder, 'nowhere')
  config.write({ bundle: nowhere })
  const app = await started(t, config.file)
  const state = (name: string) => app.series(`portent_model_state{target="${TARGET}",state="${name}"}`)
  await until('rules', async () => (await state('fallback')) === 1)
  t.equal((await app.get('/-/healthy')).status, 200)
  t.equal((await app.get('/-/ready')).status, 200)
  t.match(await app.json('/model'), {
    state: 'fallback',
    reason: `${nowhere}/manifest.json is not there`,
    bundle: null,
  })
  const text = await app.metrics()
  t.match(text, /^portent_health_ratio\{/m)
  t.notMatch(text, /^portent_(anomaly|confidence|shap)[a-z_]*\{/m)
  t.equal(numberAfter(text, 'portent_bundle_load_failures_total{reason="missing"}'), 1)
  t.match(await app.json(health), { model: { state: 'fallback' }, anomaly: null, confidence: null })
  t.match(await app.json(`/targets/${TARGET}/explain?forest=true`), { primary: null, forest: null, reason: String })

  config.write({ bundle: nowhere, more: 'sensitivity: 3' })
  const other = await app.send('POST', '/-/reload')
  t.match(await other.json(), { applied: ['sensitivity'] }, 'a bundle that is broken still does not stop the rest')
  config.write({ bundle: SHIPPED })
  const slow = await app.send('POST', '/-/reload')
  t.equal(slow.status, 400)
  t.match(await slow.json(), { error: { message: /scores rows of .* s, score_interval is 0\.2 s/ } })
  t.match(await app.json('/model'), { state: 'fallback', reason: /score_interval is 0\.2 s/ })
  await until('the refusal in the metrics', async () => {
    return (await app.series('portent_bundle_load_failures_total{reason="interval"}')) === 1
  })
  config.write()
  const good = await app.send('POST', '/-/reload')
  t.match(await good.json(), { applied: ['sensitivity', 'bundle.path'] })
  await app.scored()
  t.match(await app.json('/model'), { state: 'active', reason: null, bundle: { interval_seconds: ROW_SECONDS } })
})

t.test('an alert is one line in the log, one row in the store and one in the counter', async (t) => {
  const config = configOf(t)
  // Calibrated so that every row of any host is far over its threshold.
  const nervous = copyBundle(join(config.folder, 'nervous'))
  editManifest(nervous, (manifest) => {
    manifest.interval_seconds = ROW_SECONDS
    for (const detector of manifest.detectors) detector.calibration = { median: -40, q95: -39 }
  })
  sign(nervous)
  config.write({ bundle: nervous })
  const app = await started(t, config.file)
  const raised = () => app.lines.filter((line) => line.level === 'warn' && line.alert !== undefined)
  await until('an alert', () => raised().length > 0)
  const rows = Number(await app.series('portent_cycles_total'))
  await until('more rows', async () => Number(await app.series('portent_cycles_total')) >= rows + 8)
  t.match(raised(), [{ component: 'cycle', alert: 'warning', target: TARGET, msg: new RegExp(`^${TARGET}: risk red`) }])
  const { alerts } = await app.json('/alerts')
  t.match(alerts, [{ target: TARGET, severity: 'warning', from: 'info', message: raised()[0]?.msg }])
  t.equal(await app.series(`portent_alerts_total{target="${TARGET}",severity="warning"}`), 1)
})

t.test('a sensor that hangs costs itself', async (t) => {
  const silent = net.createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const sockets = new Set<net.Socket>()
  silent.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const { port } = silent.address() as AddressInfo
  const { file } = configOf(t, {
    // Rules will do.
    bundle: '/nowhere',
    more: `collectors:
  deadline: 90ms
  response: { probes: [{ name: silent, type: http, url: "http://127.0.0.1:${port}/", timeout: 300ms }] }`,
  })
  const app = await started(t, file)
  await app.assessed()
  await until('the probe to fail', async () => {
    const { signals } = await app.json(`/targets/${TARGET}/signals`)
    return signals.some((x: { signal: string; value: number }) => x.signal === 'probe_failed' && x.value === 1)
  })
  t.ok(sockets.size > 0)
  const rows = Number(await app.series('portent_cycles_total'))
  await until('rows go on', async () => Number(await app.series('portent_cycles_total')) > rows + 3)
  t.equal(await app.series('portent_collector_success{collector="memory"}'), 1)
  t.notMatch(
    await app.metrics(),
    /^portent_signal_seconds.*"response_time"/m,
    'a time that nobody measured is not shown',
  )
  t.equal(await app.stop(), 0)
})

t.test('a database that is corrupt is put aside, and the service runs', async (t) => {
  const config = configOf(t)
  mkdirSync(dirname(config.store))
  writeFileSync(config.store, `SQLite format 3\0${'noise'.repeat(5000)}`)
  config.write({ bundle: join(config.folder, 'nowhere') })
  const app = await started(t, config.file)
  await app.assessed()
  t.equal(await app.series('portent_store_corrupt_files_total'), 1)
  t.ok(app.lines.some((line) => line.level === 'error' && /is corrupt and was put aside/.test(line.msg)))
  t.ok(readdirSync(dirname(config.store)).some((x) => x.startsWith('portent.db.corrupt-')))
  t.match(await app.json(`/targets/${TARGET}/history`), { target: TARGET })
})

// The rest needs the program as a process of its own.

interface Child {
  readonly child: ChildProcess
  readonly lines: Line[]
  readonly text: () => string
  /** Code or signal. */
  readonly gone: Promise<number | string>
}

function run(t: Test, ...argv: string[]): Child {
  const child = spawn(process.execPath, [bin, 'serve', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH },
  })
  const lines: Line[] = []
  let all = ''
  let rest = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    all += chunk
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part.startsWith('{')) lines.push(JSON.parse(part) as Line)
  })
  const gone = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'gone'))
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await gone
  })
  return { child, lines, gone, text: () => all }
}

const listening = async ({ lines, text, child }: Child) => {
  const line = await until('listening', () => {
    if (child.exitCode !== null) throw new Error(text())
    return lines.find((x) => x.msg === 'listening')
  })
  return clientOf(String(line.address))
}

/** Points of the last minute, a row each. */
const pointsOf = async (app: ReturnType<typeof clientOf>): Promise<string[]> => {
  const { points } = await app.json(`/targets/${TARGET}/history?step=200ms&from=${Math.floor(Date.now() / 1000) - 120}`)
  return points.map((x: { at: string }) => x.at)
}

t.test('SIGTERM: what is asked is answered, rows are written, and the process is gone in five seconds', async (t) => {
  const { file, store } = configOf(t)
  const child = run(t, `--config.file=${file}`)
  const app = await listening(child)
  await app.scored()
  await until('history', async () => (await pointsOf(app)).length > 0)
  // A request of which half has come.
  const body = JSON.stringify({ sensitivity: 3 })
  const request = http.request(`${app.address}/api/v1/targets/${TARGET}/settings`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'content-length': body.length },
  })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  request.write(body.slice(0, 5))
  const many = Array.from({ length: 40 }, (_, i) =>
    app.get(i % 2 === 0 ? '/metrics' : `/api/v1${health}`).then(
      async (response) => `${response.status} ${(await response.text()).length > 100}`,
      () => 'not accepted',
    ),
  )
  await Promise.race(many)
  const asked = performance.now()
  child.child.kill('SIGTERM')
  await until('stopping', () => child.lines.some((line) => line.msg === 'stopping'))
  request.end(body.slice(5))
  const [response] = await answered
  t.equal(response.statusCode, 200, 'the slow request is answered')
  response.resume()
  const answers = new Set(await Promise.all(many))
  answers.delete('not accepted')
  t.same([...answers], ['200 true'])
  t.equal(await child.gone, 0)
  t.ok(performance.now() - asked < 5000)
  t.notOk(existsSync(`${store}-wal`))
  const db = new Database(store, { readonly: true })
  t.equal(db.pragma('quick_check', { simple: true }), 'ok')
  t.match(db.prepare("select value from settings where key = 'sensitivity'").get(), { value: '3' })
  db.close()
})

t.test('kill -9 loses no row that was served and leaves a valid database', async (t) => {
  const { file, store } = configOf(t)
  let served: string[] = []
  for (const rows of [1, 4, 2, 6, 3]) {
    const child = run(t, `--config.file=${file}`)
    const app = await listening(child)
    const before = await pointsOf(app)
    const lost = served.filter((at) => !before.includes(at))
    t.same(lost, [], `${served.length} rows served before are there`)
    if (lost.length > 0) t.comment(readdirSync(dirname(store)), child.text())
    served = await until('rows', async () => {
      const points = await pointsOf(app)
      return points.length >= before.length + rows ? points : null
    })
    child.child.kill('SIGKILL')
    t.equal(await child.gone, 'SIGKILL')
    const db = new Database(store)
    t.equal(db.pragma('quick_check', { simple: true }), 'ok')
    const stored = db.prepare('select at from readings').pluck().all() as number[]
    const steps = new Set(stored.map((at) => new Date(Math.floor(at / 200) * 200).toISOString()))
    t.ok(
      served.every((at) => steps.has(at)),
      'every row that was served is on disk',
    )
    db.close()
  }
  t.ok(served.length >= 16)
})

t.test('what stops the start is told in words, with exit code 1', async (t) => {
  const config = configOf(t)
  const taken = net.createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const notAFolder = join(config.file, 'deeper', 'portent.db')
  const fatal = async (...argv: string[]) => {
    const child = run(t, `--config.file=${config.file}`, ...argv)
    t.equal(await child.gone, 1, argv.join(' '))
    return child.lines.find((line) => line.level === 'fatal')
  }
  const [address, store] = await Promise.all([
    fatal(`--web.listen-address=127.0.0.1:${port}`),
    fatal(`--store.path=${notAFolder}`),
  ])
  t.match(address, {
    msg: 'cannot start',
    err: { message: `cannot listen on 127.0.0.1:${port}: the address is in use` },
  })
  t.match(store?.err, {
    message: new RegExp(`^store\\.path: the folder ${join(config.file, 'deeper')} cannot be made`),
  })
  const wrong = run(t, `--config.file=${config.file}`, '--store.max-size=much')
  t.equal(await wrong.gone, 1)
  t.match(wrong.text(), /--store\.max-size: store\.max_size: expected/)
})

t.test('a second instance leaves the first alone', async (t) => {
  const { file } = configOf(t)
  const app = await started(t, file)
  await app.scored()
  const address = `--web.listen-address=${new URL(app.address).host}`
  const samePort = run(t, `--config.file=${configOf(t).file}`, address)
  const sameStore = run(t, `--config.file=${file}`)
  t.equal(await samePort.gone, 1)
  t.match(samePort.lines.at(-1), { level: 'fatal', err: { message: /^cannot listen on .*: the address is in use/ } })
  t.equal(await sameStore.gone, 1)
  t.match(sameStore.lines.at(-1), {
    level: 'fatal',
    err: { message: /^store\.path: .*portent\.db is in use by another service/ },
  })
  const rows = Number(await app.series('portent_cycles_total'))
  await until('rows go on', async () => Number(await app.series('portent_cycles_total')) > rows)
  t.equal(await app.series('portent_store_write_errors_total'), 0)
})

const lacks = (program: string) =>
  spawnSync(program, ['--version']).error !== undefined && `${program} is not installed`

t.test(
  'a real Prometheus scrapes the service and answers queries about it',
  { skip: lacks('prometheus') || lacks('promtool') },
  async (t) => {
    const { file, folder } = configOf(t, { more: 'collector_raw: true\nshap_features: true' })
    const app = await started(t, file)
    await app.scored()
    const free = net.createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const address = `127.0.0.1:${(free.address() as AddressInfo).port}`
    free.close()
    await once(free, 'close')
    const scrape = join(folder, 'prometheus.yml')
    writeFileSync(
      scrape,
      `global: { scrape_interval: 500ms, scrape_timeout: 500ms }
scrape_configs: [{ job_name: portent, static_configs: [{ targets: ["${new URL(app.address).host}"] }] }]
`,
    )
    const prometheus = spawn(
      'prometheus',
      [`--config.file=${scrape}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`, `--web.listen-address=${address}`],
      { stdio: 'ignore' },
    )
    const gone = once(prometheus, 'close')
    t.teardown(async () => {
      prometheus.kill('SIGTERM')
      await gone
    })
    await t.test('promtool finds nothing to say about the live text', async (t) => {
      const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input: await app.metrics() })
      t.equal(`${stdout}${stderr}`, '')
      t.equal(status, 0)
    })
    // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at by tests
    const ask = async (path: string): Promise<any> => await (await fetch(`http://${address}/api/v1/${path}`)).json()
    const query = async (expression: string): Promise<number | null> => {
      const { data } = await ask(`query?query=${encodeURIComponent(expression)}`)
      const [first] = data.result as { value: [number, string] }[]
      return first === undefined ? null : Number(first.value[1])
    }
    const scrapes = await until('scrapes', async () => {
      const count = await query('count_over_time(up[1m])')
      return count !== null && count >= 6 ? count : null
    })
    t.ok(scrapes)
    const { data } = await ask('targets')
    t.match(data.activeTargets, [{ health: 'up', lastError: '' }])
    t.equal(await query('min_over_time(up[1m])'), 1, 'no scrape failed')
    const told = await query(`portent_health_ratio{target="${TARGET}"}`)
    t.ok(told !== null && told >= 0 && told <= 1)
    t.equal(await query(`count(portent_risk_state{target="${TARGET}"} == 1)`), 1)
    t.ok(Number(await query('increase(portent_cycles_total[1m])')) > 0)
    t.equal(await query('sum(prometheus_target_scrapes_exceeded_sample_limit_total) or vector(0)'), 0)
  },
)
