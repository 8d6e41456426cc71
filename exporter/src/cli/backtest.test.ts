import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseCsv } from '@portent/core'
import t from 'tap'
import { gridOf, levelsOf } from '../backtest/levels.ts'
import { predictLinear } from '../backtest/rules.ts'
import { hostMinutes, openMetricsOf, recordingOf } from '../backtest/testing.ts'
import { type HistoryEntry, openStore } from '../store/index.ts'
import { entry } from '../store/testing.ts'
import { caller } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'portent-backtest-test-'))
t.teardown(() => rmSync(folder, { recursive: true }))
// What others leave in the common folder is none of this test's business.
process.env.TMPDIR = folder

const call = (...argv: string[]) => caller(folder)('backtest', ...argv)

const left = () => readdirSync(tmpdir()).filter((name) => /^portent-backtest-(?!test)/.test(name))

/** Two days and a half: /var fills from day 1.6 on, two processors are busy on day 2.1. */
const options = { days: 2.5, from: 1_780_000_020, fillDay: 1.6, fillHours: 10, busyDay: 2.1 }
const { csv, signals } = recordingOf(hostMinutes(options))
writeFileSync(join(folder, 'host.csv'), csv)
writeFileSync(join(folder, 'signals.json'), signals)
const files = ['--data=host.csv', '--signals=signals.json']

t.test('a recording is trained on, replayed and reported', async (t) => {
  const before = left()
  const { code, out, err } = await call(...files, '--out=report')
  t.equal(code, 0, err)
  t.match(out, /^.*host\.csv: 3600 rows of 60 s/)
  t.match(out, /reached its limit: Disk \/var 1 x/)
  t.match(out, /\nAnomalies\. Trained on the rows before .*, scored the 1\.3 days after: \d+ alarm/)
  t.match(out, /\n {2}2026-.*score up to [\d.]+ times its threshold, health down to \d+: .*(cpu_busy|load_per_core)/)
  t.match(out, /\nwrote .*report\.html and .*report\.json\n$/)
  t.match(err, 'portent backtest: training on the first 1.25 days\n')
  const html = readFileSync(join(folder, 'report', 'report.html'), 'utf8')
  for (const text of ['Level of Disk /var', 'Anomaly score', 'aria-label="Health"', 'the detectors learnt from this']) {
    t.ok(html.includes(text), text)
  }
  t.notMatch(html, /NaN|undefined|Infinity/)
  const json = JSON.parse(readFileSync(join(folder, 'report', 'report.json'), 'utf8'))
  const first = Date.parse(new Date(options.from * 1000).toISOString()) / 1000
  t.equal(json.from, first)
  t.equal(json.trainedUntil, first + 1.25 * 86_400)
  t.ok(
    json.anomalies.alarms.every((x: { from: number }) => x.from >= json.trainedUntil),
    'nothing it learnt is scored',
  )
  t.strictSame(left(), before, 'nothing is left behind')
})

t.test('a short past, or one that no model can be made of, is told without anomalies', async (t) => {
  const short = await call(...files, '--days=1', '--out=short')
  t.equal(short.code, 0, short.err)
  t.match(
    short.out,
    /note: no model of this host: 1\.0 days are too short to train on 1 and score the rest; exhaustion and/,
  )
  t.match(short.out, /\(1 days\)/)
  const few = await call(...files, '--train-days=0.05', '--days=0.5', '--out=short')
  t.match(few, {
    code: 0,
    out: /note: no model of this host: the first part: at least 120 rows are needed, found 72: /,
  })
  const none = await call(...files, '--train-days=0', '--out=short')
  t.match(none, { code: 0, out: /no model of this host: --train-days is 0/ })
})

t.test('what is wrong is said in words, and nothing is written', async (t) => {
  for (const [argv, message] of [
    [['--out=x'], '--prometheus, --store or --data is needed'],
    [['--store=a.db', '--data=b.csv', '--out=x'], '--store and --data: one past at a time'],
    [['--data=host.csv', '--out=x'], '--signals is needed'],
    [[...files], '--out is needed'],
    [[...files, '--out=x', '--target=web'], '--target is for --store, not for --data'],
    [['--store=a.db', '--out=x', '--until=5'], '--until is for --prometheus, not for --store'],
    [[...files, '--out=x', '--days=0'], '--days is a number of 0.05 to 366, not 0'],
    [[...files, '--out=x', '--train-days=soon'], '--train-days is a number of 0 to 366, not soon'],
    [['--prometheus=u', '--out=x', '--until=soon'], '--until is seconds since 1970 or a date and time of ISO 8601'],
    [['--promethius=u'], "Unknown option '--promethius'"],
  ] as const) {
    const { code, err } = await call(...argv)
    t.equal(code, 2, err)
    t.ok(err.startsWith(`portent backtest: ${message}`) && err.endsWith('See portent backtest --help\n'), err)
  }
  writeFileSync(join(folder, 'bad.csv'), 'timestamp,memory_used\n0,1\n60,much\n')
  writeFileSync(join(folder, 'other.csv'), 'timestamp,speed\n0,1\n60,2\n')
  writeFileSync(join(folder, 'one.csv'), 'timestamp,memory_used\n0,1\n')
  for (const [argv, message] of [
    [['--data=gone.csv', '--signals=signals.json'], /gone\.csv: is not there/],
    [['--data=host.csv', '--signals=gone.json'], /gone\.json: is not there/],
    [['--data=host.csv', '--signals=host.csv'], /host\.csv: is not JSON/],
    [['--data=bad.csv', '--signals=signals.json'], /bad\.csv: line 3, column memory_used: expected a number/],
    [['--data=other.csv', '--signals=signals.json'], /other\.csv: no column is a signal of .*signals\.json/],
    [['--data=one.csv', '--signals=signals.json'], /one\.csv: a single row is no past/],
    [['--store=gone.db'], /gone\.db: there is no such file/],
    [['--prometheus=nowhere'], /--prometheus is no address, as http:\/\/localhost:9090 would be/],
  ] as const) {
    const { code, out, err } = await call(...argv, '--out=x')
    t.strictSame([code, out], [1, ''], err)
    t.match(err, message)
  }
  t.match(await call(...files, '--out=host.csv'), { code: 1, err: /--out .*host\.csv is a file/ })
  t.notOk(existsSync(join(folder, 'x')))
  t.match(await call('--help'), { code: 0, out: /^Usage: portent backtest/ })
})

t.test('the history of the service is replayed by mount', async (t) => {
  const file = join(folder, 'portent.db')
  let now = options.from * 1000
  const store = openStore({ file, clock: () => now })
  let batch: HistoryEntry[] = []
  for (const m of hostMinutes(options)) {
    if (m.at < options.from + 86_400) continue
    now = m.at * 1000
    const made = entry(m.at * 1000, {
      cpu_busy: m.busy,
      memory_used: m.memory,
      filesystem_used: Math.max(m.var, m.srv),
    })
    const resources = [
      { resource: 'memory', used: m.memory },
      { resource: 'filesystem:/var', used: m.var },
      { resource: 'filesystem:/srv', used: m.srv },
    ]
    batch.push({ ...made, row: { ...made.row, resources } })
    if (batch.length < 240) continue
    store.history.write(batch)
    batch = []
  }
  store.close()
  const { code, out, err } = await call(`--store=${file}`, '--train-days=0', '--out=stored')
  t.equal(code, 0, err)
  t.match(out, /portent\.db, target host: 2160 rows of 60 s/)
  t.match(out, /What can run out: 3; reached its limit: Disk \/var 1 x/)
  const json = JSON.parse(readFileSync(join(folder, 'stored', 'report.json'), 'utf8'))
  t.strictSame(json.resources.map((x: { resource: string }) => x.resource).sort(), [
    'filesystem:/srv',
    'filesystem:/var',
    'memory',
  ])
  t.match(await call(`--store=${file}`, '--target=web', '--out=y'), { code: 1, err: /holds no target web, but host/ })
})

const lacks = (program: string) =>
  spawnSync(program, ['--version']).error !== undefined && `${program} is not installed`

t.test(
  'a real Prometheus is read, and its predict_linear is the one of the rules',
  { skip: lacks('prometheus') || lacks('promtool') },
  async (t) => {
    const short = { ...options, days: 1.2, fillDay: 0.5 }
    const until = short.from + short.days * 86_400 - 60
    writeFileSync(join(folder, 'host.om'), openMetricsOf(hostMinutes(short), 'web:9100'))
    const blocks = join(folder, 'tsdb')
    const made = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'host.om'), blocks])
    t.equal(made.status, 0, String(made.stderr))
    const free = net.createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const address = `127.0.0.1:${(free.address() as AddressInfo).port}`
    free.close()
    await once(free, 'close')
    writeFileSync(join(folder, 'prometheus.yml'), 'global: {}\n')
    const server = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${blocks}`,
        '--storage.tsdb.retention.time=100y',
        `--web.listen-address=${address}`,
      ],
      { stdio: 'ignore' },
    )
    const gone = once(server, 'close')
    t.teardown(async () => {
      server.kill('SIGTERM')
      await gone
    })
    const url = `http://${address}`
    const isReady = () =>
      fetch(`${url}/-/ready`).then(
        (r) => r.ok,
        () => false,
      )
    for (let i = 0; i < 300 && !(await isReady()); i++) await wait(100)

    const flags = [`--prometheus=${url}`, `--until=${until}`, '--days=1.5', '--train-days=0']
    const { code, out, err } = await call(...flags, '--out=asked')
    t.equal(code, 0, err)
    t.match(out, /^web:9100 at http:\/\/127.*: 1728 rows of 60 s/)
    t.match(out, /What can run out: 8; reached its limit: Disk \/var 1 x/)
    t.match(out, /Disk \/var .* GiB an hour since/)
    t.notMatch(out, /\/run/, 'a tmpfs is no resource')
    const wrong = await call(...flags, '--instance=db', '--out=y')
    t.match(wrong, { code: 1, err: /no metric of node_exporter has a value in that time/ })

    const table = parseCsv(recordingOf(hostMinutes(short)).csv)
    const at = table.at as Float64Array
    const grid = gridOf(at, 60)
    const column = table.columns.indexOf('filesystem:/var')
    const levels = levelsOf(table, at, { column, share: (x) => x, grid, limit: 0.99 })
    const size = 95 * 2 ** 30
    for (const [range, ahead] of [
      [6 * 3600, 86_400],
      [3 * 3600, 86_400],
      [6 * 3600, 4 * 3600],
    ] as const) {
      // A second less, so that the sample at the left end is out in every version.
      const query = `predict_linear(node_filesystem_avail_bytes{mountpoint="/var"}[${range - 1}s], ${ahead})`
      const body = new URLSearchParams({ query, start: String(grid.from + 21_600), end: String(until), step: '300' })
      const answer = (await (await fetch(`${url}/api/v1/query_range`, { method: 'POST', body })).json()) as {
        data: { result: { values: [number, string][] }[] }
      }
      const values = answer.data.result[0]?.values ?? []
      t.ok(values.length > 200)
      const worst = values.reduce((most, [when, text]) => {
        const mine = 1 - predictLinear(levels, (when - grid.from) / 60, range, ahead)
        return Math.max(most, Math.abs(mine - Number(text) / size))
      }, 0)
      t.ok(worst < 1e-4, `of ${range} s, ${ahead} s ahead: off by ${worst} at most`)
    }
  },
)
