import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { HOST_SIGNALS } from '@portent/core'
import Database from 'better-sqlite3'
import t from 'tap'
import { InputError } from '../input.ts'
import { Random } from '../random.ts'
import { readHistory } from '../sources/history.ts'
import { type PrometheusSource, readPrometheus } from '../sources/prometheus.ts'
import { PROMETHEUS_QUERIES } from '../sources/prometheus-queries.ts'
import { progressOn, type Screen } from './progress.ts'
import { trainCommand } from './train-command.ts'

class Paper implements Screen {
  text = ''
  readonly isTTY: boolean
  constructor(isTTY = false) {
    this.isTTY = isTTY
  }
  write(text: string): void {
    this.text += text
  }
}

async function call(...args: string[]) {
  const [out, progress] = [new Paper(), new Paper()]
  const code = await trainCommand(args, { out, progress })
  return { code, out: out.text, err: progress.text }
}

function csv(rows: number): string {
  const random = new Random('csv')
  const line = (i: number) => `${i * 60},${random.normal()},${10 + random.normal()}`
  return `timestamp,a,b\n${Array.from({ length: rows }, (_, i) => line(i)).join('\n')}\n`
}

t.test('a bundle is made from a file, with a table and a report, and byte for byte again', async (t) => {
  const folder = t.testdir({ 'rows.csv': csv(480) })
  const [file, one, two] = ['rows.csv', 'one', 'two'].map((name) => join(folder, name)) as [string, string, string]
  const { code, out, err } = await call('--data', file, '--out', one, '--name', 'web')
  t.equal(code, 0)
  t.match(out, /^2 signals, 480 rows of 60 s \(0.3 days\), 0 gaps\ndetector +weight +median +q95 +step found/)
  t.match(out, /\nwrote .*one: version [0-9a-f]{12}, 7 files, 0\.\d\d MB, [\d.]+ s\nreport: .*one\/report.html\n$/)
  t.match(err, /^ +\d+\.\d s {2}1\/5 cross-fitting block 1 of 4\n/)
  t.match(err, /note: timestamp was read as seconds, rows are 60 s apart\nnote: less than a day/)
  const report = join(folder, 'elsewhere', 'report.html')
  t.equal((await call('--data', file, '--out', two, '--name', 'web', '--report', report)).code, 0)
  t.ok(readFileSync(report).equals(readFileSync(join(one, 'report.html'))))
  t.notOk(existsSync(join(two, 'report.html')))
  for (const name of readdirSync(two).filter((x) => x !== 'training.json')) {
    t.ok(readFileSync(join(one, name)).equals(readFileSync(join(two, name))), name)
  }
})

t.test('bad input ends with 1 and leaves what was there, a wrong call with 2', async (t) => {
  const folder = t.testdir({ 'bad.csv': 'a,b\n1,2\n1,x\n', 'short.csv': csv(3), papers: { 'a.txt': 'precious' } })
  const at = (name: string) => join(folder, name)
  const bad = await call('--data', at('bad.csv'), '--out', at('new'))
  t.same(
    [bad.code, bad.out, bad.err],
    [1, '', `portent train: ${at('bad.csv')}: line 3, column b: expected a number, found "x"\n`],
  )
  const short = await call('--data', at('short.csv'), '--out', at('new'))
  t.equal(short.code, 1)
  t.match(short.err, /short.csv: at least 120 rows are needed, found 3/)
  writeFileSync(at('long.csv'), csv(300))
  const precious = await call('--data', at('long.csv'), '--out', at('papers'))
  t.equal(precious.code, 1)
  t.match(precious.err, /papers holds other files and no bundle: it would be replaced as a whole/)
  t.equal((await call('--data', at('long.csv'), '--out', at('bad.csv'))).code, 1)
  t.same(readdirSync(folder).sort(), ['bad.csv', 'long.csv', 'papers', 'short.csv'])
  t.equal(readFileSync(at('papers/a.txt'), 'utf8'), 'precious')

  for (const [args, message] of [
    [[], '--data is needed'],
    [['--data', 'x.csv'], '--out is needed'],
    [['--data', 'x.csv', '--out', 'y', '--interval', 'soon'], '--interval is a number of 0.001 to 86400, not soon'],
    [
      ['--data', 'x.csv', '--out', 'y', '--days', '3'],
      '--days is for --from history or prometheus or simulator, not for csv',
    ],
    [['--from', 'moon', '--out', 'y'], '--from is one of csv, history, prometheus, simulator, not moon'],
    [['--from', 'history', '--out', 'y'], '--store is needed'],
    [['--from', 'simulator', '--out', at('y'), '--hosts', '1.5'], '--hosts is a whole number of 1 to 10000, not 1.5'],
    [
      ['--data', 'x.csv', '--out', 'y', '--detectors', 'vra'],
      '--detectors: there is no detector vra: default, all, or of',
    ],
    [['--date', 'x.csv'], "Unknown option '--date'"],
  ] as const) {
    const { code, err } = await call(...args)
    t.equal(code, 2, err)
    t.ok(err.startsWith(`portent train: ${message}`) && err.includes('portent train --help'), err)
  }
  const { code, out } = await call('--help')
  t.equal(code, 0)
  t.match(out, /^Usage: portent train/)
})

t.test('progress rewrites one line on a terminal', async (t) => {
  const paper = new Paper(true)
  const progress = progressOn(paper, () => 1000)
  progress.step(1, 4, 'fitting')
  progress.say('note: done')
  t.equal(paper.text, '\r\u001b[K   0.0 s [=====               ] fitting\r\u001b[Knote: done\n')
})

/** The tables of the service's database that are read. */
function store(file: string, targets: Readonly<Record<string, number>>): void {
  const db = new Database(file)
  db.exec(`CREATE TABLE targets (id INTEGER PRIMARY KEY, name TEXT NOT NULL, removed_at INTEGER);
    CREATE TABLE signal_sets (id INTEGER PRIMARY KEY, names TEXT NOT NULL);
    CREATE TABLE readings (id INTEGER PRIMARY KEY, target_id INTEGER, at INTEGER, signal_set_id INTEGER, "values" BLOB);
    INSERT INTO signal_sets VALUES (1, '["cpu_busy","memory_used"]'), (2, '["cpu_busy","disk_busy"]');
    INSERT INTO targets VALUES (99, 'gone', 5)`)
  const add = db.prepare('INSERT INTO readings (target_id, at, signal_set_id, "values") VALUES (?, ?, ?, ?)')
  Object.entries(targets).forEach(([name, rows], k) => {
    db.prepare('INSERT INTO targets VALUES (?, ?, NULL)').run(k + 1, name)
    for (let i = 0; i < rows; i++) {
      const blob = Buffer.alloc(16)
      blob.writeDoubleLE(0.1 + (i % 7) / 100, 0)
      blob.writeDoubleLE(i % 50 === 0 ? Number.NaN : 0.5, 8)
      add.run(k + 1, 1_700_000_000_000 + i * 10_003, i < 200 ? 1 : 2, blob)
    }
  })
  db.close()
}

t.test('a history is read by target, its last days only, and a bundle comes from it', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'portent.db')
  store(file, { local: 400, web: 3, empty: 0 })
  const source = { file, target: 'local', days: 7, intervalSeconds: null }
  const { recording, intervalSeconds } = readHistory(source)
  t.equal(intervalSeconds, 10)
  t.same(recording.signals, ['cpu_busy', 'disk_busy', 'memory_used'])
  t.equal(recording.at.length, 400)
  t.same(recording.values.slice(3, 6), Float64Array.of(0.1 + 0.01, Number.NaN, 0.5))
  t.same(recording.values.slice(200 * 3, 201 * 3), Float64Array.of(0.1 + 4 / 100, Number.NaN, Number.NaN))
  t.equal(readHistory({ ...source, days: 0.01 }).recording.at.length, 87)

  const refused = (more: object, message: string) =>
    t.throws(() => readHistory({ ...source, ...more }), new InputError(message))
  refused({ target: null }, `${file}: holds 3 targets, name one by --target: empty, local, web`)
  refused({ target: 'gone' }, `${file}: holds no target gone, but empty, local, web`)
  refused({ target: 'empty' }, `${file}: target empty has no rows`)
  refused({ intervalSeconds: 60 }, `${file}: rows are 10 s apart, not 60 s: give --interval 10`)
  refused({ file: `${file}.no` }, `${file}.no: there is no such file`)
  writeFileSync(join(folder, 'text.db'), 'no database at all, but text that is long enough to be looked at')
  t.throws(() => readHistory({ ...source, file: join(folder, 'text.db') }), /text.db: cannot be read as a history: /)

  const { code, err } = await call(
    '--from',
    'history',
    '--store',
    file,
    '--target',
    'local',
    '--out',
    join(folder, 'b'),
  )
  t.equal(code, 0, err)
})

/** A server that knows some hosts and answers range queries with a wave. */
async function fakePrometheus(
  instances: readonly string[],
  more: { bad?: (url: string) => [number, string] | null } = {},
) {
  const asked: URLSearchParams[] = []
  const paths: string[] = []
  const credentials: (string | undefined)[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => {
      body += part.toString()
    })
    request.on('end', () => {
      const form = new URLSearchParams(body)
      asked.push(form)
      paths.push(request.url ?? '')
      credentials.push(request.headers.authorization)
      const query = form.get('query') ?? ''
      const [status, text] = more.bad?.(request.url ?? '') ?? [
        200,
        JSON.stringify({ status: 'success', data: { result: answer(query, form) } }),
      ]
      response.writeHead(status).end(text)
    })
  })
  const answer = (query: string, form: URLSearchParams): unknown[] => {
    if (query.startsWith('count by (instance)'))
      return instances.map((instance) => ({ metric: { instance }, value: [0, '1'] }))
    if (query.startsWith('max(count_over_time')) return [{ metric: {}, value: [0, '20'] }]
    if (/swap|pswp/i.test(query)) return []
    const [start, end, step] = ['start', 'end', 'step'].map((name) => Number(form.get(name))) as [
      number,
      number,
      number,
    ]
    const values: [number, string][] = []
    for (let at = start; at <= end; at += step) {
      values.push([
        at,
        at % 3000 === 0 && query.includes('load1')
          ? 'NaN'
          : String(0.4 + 0.1 * Math.sin(at / 500) + ((at / 60) % 7) / 100),
      ])
    }
    return [{ metric: {}, values }]
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => new Promise((resolve) => server.close(resolve))
  return { url, asked, paths, credentials, close }
}

t.test('a host is read from Prometheus in pieces that it answers, and a bundle comes from it', async (t) => {
  const fake = await fakePrometheus(['web:9100'])
  t.teardown(fake.close)
  const source: PrometheusSource = {
    url: `${fake.url.replace('//', '//me:se%40cret@')}/prometheus/`,
    days: 10,
    intervalSeconds: 60,
    instance: null,
    now: 1_700_000_000_000,
  }
  const { recording, notes } = await readPrometheus(source)
  t.equal(recording.at.length, 14_400)
  t.equal(recording.at[14_399], Math.floor(1_700_000_000 / 60) * 60_000)
  t.ok(recording.signals.includes('cpu_busy') && !recording.signals.includes('swap_used'))
  t.same(notes, ['not known to the server: swap_used, swap_io'])
  t.match(fake.paths[0], /^\/prometheus\/api\/v1\/query$/)
  t.equal(fake.credentials[0], `Basic ${Buffer.from('me:se@cret').toString('base64')}`)
  t.notMatch(recording.name, /se.*cret/)
  const ranges = fake.asked.filter((form) => form.has('step'))
  t.equal(ranges.length, 2 * Object.keys(PROMETHEUS_QUERIES).length)
  for (const form of ranges) {
    t.ok((Number(form.get('end')) - Number(form.get('start'))) / 60 < 11_000)
    t.match(form.get('query'), /instance="web:9100"/)
    t.notMatch(form.get('query'), /\$/)
  }
  t.match(fake.asked.find((form) => form.get('query')?.startsWith('1 - avg'))?.get('query'), /\[120s\]/)

  const folder = t.testdir()
  const out = join(folder, 'bundle')
  const { code, err } = await call('--from', 'prometheus', '--url', fake.url, '--days', '0.2', '--out', out)
  t.equal(code, 0, err)
  t.notMatch(readFileSync(join(out, 'manifest.json'), 'utf8'), /127\.0\.0\.1/)
})

t.test('what a server answers wrongly is said with its address, without its password', async (t) => {
  const fails = async (url: string, message: RegExp, more: Partial<PrometheusSource> = {}) => {
    const source = { url, days: 1, intervalSeconds: 60, instance: 'web', now: 1e12, ...more }
    await t.rejects(readPrometheus(source), { name: 'InputError', message })
  }
  const several = await fakePrometheus(['b:9100', 'a:9100'])
  t.teardown(several.close)
  await fails(several.url, /knows 2 hosts, name one by --instance: a:9100, b:9100$/, { instance: null })
  const none = await fakePrometheus([])
  t.teardown(none.close)
  await fails(none.url, /no instance of node_exporter is known there now/, { instance: null })
  for (const [answer, message] of [
    [[200, '<html>login</html>'], /api\/v1\/query: answered 200 and not as Prometheus does$/],
    [[400, '{"status":"error","error":"parse error"}'], /answered 400: parse error$/],
    [[200, '{"status":"success"}'], /answered without a result$/],
    [[503, ''], /answered 503 and not as Prometheus does$/],
  ] as [[number, string], RegExp][]) {
    const bad = await fakePrometheus(['web'], { bad: () => answer })
    t.teardown(bad.close)
    await fails(bad.url.replace('//', '//me:secret@'), message)
  }
  const gone = await fakePrometheus([])
  await gone.close()
  await fails(gone.url, /api\/v1\/query: fetch failed: connect ECONNREFUSED/)
  await fails('localhost:9090', /--url is neither http nor https/)
  await fails('not at all', /--url is no address/)
  await fails(several.url, /500 days of rows of 60 s are 720000 rows: at most 500000/, { days: 500 })
})

t.test('every query is of a known signal and balanced', async (t) => {
  for (const [name, query] of Object.entries(PROMETHEUS_QUERIES)) {
    t.ok(
      HOST_SIGNALS.some((s) => s.name === name),
      name,
    )
    let depth = 0
    for (const c of query.replace(/"[^"]*"/g, ''))
      depth += Number(c === '(' || c === '{') - Number(c === ')' || c === '}')
    t.equal(depth, 0, name)
  }
})

t.test('a small bundle is made from simulated hosts', async (t) => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'empty'))
  const out = join(folder, 'empty')
  const {
    code,
    err,
    out: text,
  } = await call('--from', 'simulator', '--hosts', '4', '--days', '0.25', '--interval', '60', '--out', out)
  t.equal(code, 0, err)
  t.match(text, /^36 signals, a row in 60 s\n/)
  t.match(readFileSync(join(out, 'report.html'), 'utf8'), /<svg/)
})
