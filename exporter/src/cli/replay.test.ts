import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { copyBundle, editManifest, SHIPPED, sign } from '../bundle/testing.ts'
import { csvOf, frozenBundle, recording } from '../replay/testing.ts'
import { caller } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'portent-cli-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const bundle = frozenBundle(join(folder, 'frozen'))
const HEADER = 'timestamp,score,score_raw,threshold,alarm,confidence,health,drift'

const call = caller(folder)

/** Scores a text as a file; resolves with the lines of both outputs too. */
async function scored(text: string, ...flags: string[]) {
  const dir = mkdtempSync(join(folder, 'run-'))
  const [data, out, why] = ['data.csv', 'out.csv', 'why.csv'].map((name) => join(dir, name)) as [string, string, string]
  writeFileSync(data, text)
  const defaults = flags.some((flag) => flag.startsWith('--bundle')) ? [] : [`--bundle=${bundle}`, '--interval=10']
  const result = await call('score', ...defaults, `--data=${data}`, `--out=${out}`, `--attributions=${why}`, ...flags)
  const lines = (path: string) => (result.code === 0 ? readFileSync(path, 'utf8').trimEnd().split('\n') : [])
  return { ...result, dir, data, scores: lines(out), attributions: lines(why) }
}

t.test('one row in gives one row out, with numbers from the first on', async (t) => {
  const { code, out, err, scores, attributions } = await scored(csvOf(recording(260)))
  t.equal(code, 0, err)
  t.match(out, /out\.csv: 260 rows scored in [\d.]+ s, \d+ of them in alarm\n$/)
  t.equal(scores.length, 261)
  t.equal(scores[0], HEADER)
  const rows = scores.slice(1).map((line) => line.split(','))
  t.ok(rows.every((row) => row.length === 8 && row.slice(0, 7).every((x) => x !== '' && Number.isFinite(Number(x)))))
  t.strictSame(
    rows.map((row) => row[0]),
    rows.map((_, i) => String(10 * i)),
  )
  t.ok(rows.slice(0, 199).every((row) => row[7] === ''))
  t.ok(rows.slice(199).every((row) => row[7] === '0' || row[7] === '1'))
  t.ok(rows.every((row) => row[4] === '0' || row[4] === '1'))
  t.equal(attributions.length, 261)
  t.match(attributions[0], /^timestamp,cpu_busy,.*,temperature$/)
  t.ok(
    attributions.slice(1).every((line) =>
      line
        .split(',')
        .slice(1)
        .every((x) => x !== '' && Number.isFinite(Number(x))),
    ),
  )

  const one = await scored(csvOf(recording(1)))
  t.strictSame(one.scores, scores.slice(0, 2), 'a row alone is scored as the first of many')
})

t.test('the future changes nothing: a file cut off gives the same bytes', async (t) => {
  const rows = recording(1100)
  for (const flags of [[], [`--bundle=${SHIPPED}`, '--interval=10']]) {
    const n = flags.length === 0 ? 1100 : 150
    const whole = await scored(
      csvOf(rows.slice(0, n), (i) => 10 * i + (i > 77 ? 900 : 0)),
      ...flags,
    )
    for (const cut of flags.length === 0 ? [1, 9, 78, 511, 512, 513, 1024] : [1, 79, 100]) {
      const part = await scored(
        csvOf(rows.slice(0, cut), (i) => 10 * i + (i > 77 ? 900 : 0)),
        ...flags,
      )
      t.strictSame(part.scores, whole.scores.slice(0, cut + 1), `scores of ${cut} rows`)
      t.strictSame(part.attributions, whole.attributions.slice(0, cut + 1), `attributions of ${cut} rows`)
    }
  }
})

t.test('times are those of the file, and a hole starts the window afresh', async (t) => {
  const stamp = (i: number) => new Date(Date.UTC(2026, 0, 5) + 10_000 * (i + (i > 20 ? 500 : 0))).toISOString()
  const { code, err, scores } = await scored(csvOf(recording(40), stamp))
  t.equal(code, 0)
  t.equal(err, '')
  t.equal(scores[1]?.split(',')[0], '2026-01-05T00:00:00.000Z')
  t.equal(scores.length, 41)
})

t.test('a constant column and a column without values are scored', async (t) => {
  const rows = recording(30).map((row) => ({ ...row, cpu_busy: 0.5 }))
  t.match(await scored(csvOf(rows)), { code: 0, scores: { length: 31 } })
})

t.test('--budget moves the threshold', async (t) => {
  const text = csvOf(recording(20))
  const threshold = (given: { scores: string[] }) => Number(given.scores.at(-1)?.split(',')[3])
  const usual = threshold(await scored(text))
  t.ok(threshold(await scored(text, '--budget=0.1')) < usual)
  t.ok(threshold(await scored(text, '--budget', '0.0005')) > usual)
})

t.test('columns that the bundle does not know are left out, and those it misses are told', async (t) => {
  const { code, err, data, scores, attributions } = await scored('cpu_busy,speed,fault\n.1,fast,none\n.2,slow,none\n')
  t.equal(code, 0)
  t.equal(scores.length, 3)
  t.match(err, `portent score: ${data}: the bundle does not know speed: left out\n`)
  t.match(err, /no column for cpu_iowait, .* and 28 more: absent\n$/)
  t.ok(
    attributions[1]
      ?.split(',')
      .slice(2)
      .every((x) => x === '0'),
    'what is absent explains nothing',
  )
  t.match(
    (await scored('timestamp,cpu_busy\n0,.1\n60,.1\n120,.1\n')).err,
    'rows lie 60 s apart (median), the bundle is for rows of 10 s',
  )
})

t.test('a bad file is refused with its place, and nothing is written', async (t) => {
  const cases: [text: string, message: string][] = [
    ['cpu_busy,memory_used\n1\n', 'line 2: 1 cell, the header names 2'],
    ['cpu_busy\nhigh\n', 'line 2, column cpu_busy: expected a number, found "high"'],
    ['cpu_busy,cpu_busy\n1,1\n', 'line 1, column cpu_busy: named twice in the header'],
    [
      'timestamp,cpu_busy\n2,1\n1,1\n',
      'line 3, column timestamp: 1 comes after 2: times must increase from row to row',
    ],
    [
      'timestamp,cpu_busy\n2,1\n2,1\n',
      'line 3, column timestamp: 2 repeats the row before: times must increase from row to row',
    ],
    ['cpu_busy\n', 'no rows after the header'],
    ['', 'the file is empty'],
    [
      'speed\n1\n',
      'no column is a signal of the bundle, which knows cpu_busy, cpu_iowait, cpu_steal, cpu_busiest_core, load_per_core, memory_used, swap_used and 29 more',
    ],
  ]
  for (const [text, message] of cases) {
    const { code, err, dir, data } = await scored(text)
    t.strictSame([code, err], [1, `portent score: ${data}: ${message}\n`])
    t.strictSame(readdirSync(dir), ['data.csv'])
  }
  const latin = join(folder, 'latin.csv')
  writeFileSync(latin, Buffer.from([0x61, 0xe4, 0x0a]))
  const flags = [`--bundle=${bundle}`, '--interval=10', '--out=o.csv']
  t.match(await call('score', ...flags, `--data=${latin}`), { code: 1, err: `${latin}: is not UTF-8 text\n` })
  t.match(await call('score', ...flags, '--data=nowhere.csv'), { code: 1, err: 'nowhere.csv: is not there\n' })
  t.match(await call('score', ...flags, `--data=${folder}`), { code: 1, err: 'is not a file\n' })
})

t.test('an output that cannot be written leaves none of the two', async (t) => {
  const text = csvOf(recording(3))
  const { code, err, dir } = await scored(text, `--attributions=${join(folder, 'no', 'where.csv')}`)
  t.equal(code, 1)
  t.match(err, /^portent score: .*no such file or directory/)
  t.strictSame(readdirSync(dir), ['data.csv'])
})

t.test('a bundle is used only at its own interval', async (t) => {
  const { code, err } = await scored('cpu_busy\n1\n', `--bundle=${bundle}`)
  t.equal(code, 1)
  t.equal(
    err,
    `portent score: ${bundle} scores rows of 10 s, --interval is 60 s: a bundle is used only at its own interval\n`,
  )
})

t.test('wrong flags are told', async (t) => {
  const flags = ['score', '--bundle=b', '--data=d', '--out=o']
  t.match(await call('score', '--help'), { code: 0, out: /^Usage: portent score/ })
  t.match(await call('score'), { code: 2, err: 'portent score: --bundle is needed\nSee portent score --help\n' })
  t.match(await call(...flags, '--budget=0'), {
    code: 2,
    err: '--budget: expected a share above 0 and at most 0.5, found 0',
  })
  t.match(await call(...flags, '--interval=x'), { code: 2, err: '--interval: expected seconds, found x' })
  t.match(await call(...flags, '--attributions=./o'), { code: 2, err: '--out and --attributions name the same file' })
  t.match(await call(...flags, '--what'), { code: 2, err: "Unknown option '--what'" })
})

t.test('a bundle is verified, or what is wrong with it is said', async (t) => {
  const made = (name: string, edit: (dir: string) => void) => {
    const dir = copyBundle(join(folder, name))
    edit(dir)
    return dir
  }
  const { code, out, err } = await call('bundle', 'verify', SHIPPED, bundle)
  t.strictSame([code, err], [0, ''])
  t.match(out, new RegExp(`^${SHIPPED}: ok\n  name +\\S+, version [0-9a-f]{12}\n`))
  t.match(out, /detectors +isolation_forest \d+ %, .*\n/)
  t.match(out, /golden +\d+ windows, \d+ histories agree; worst deviation [\d.e-]+ % of what is tolerated\n/)
  t.match(out, 'centre     frozen at the training mean')

  const cases: [dir: string, message: RegExp][] = [
    [
      made('byte', (dir) => {
        const bytes = readFileSync(join(dir, 'pca_win.onnx'))
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
        writeFileSync(join(dir, 'pca_win.onnx'), bytes)
      }),
      /pca_win\.onnx was changed: its sha256 is [0-9a-f]{64}, the manifest says [0-9a-f]{64}\n$/,
    ],
    [made('gone', (dir) => rmSync(join(dir, 'var.onnx'))), /gone\/var\.onnx is not there\n$/],
    [
      made('edited', (dir) => {
        editManifest(dir, (manifest) => {
          manifest.interval_seconds = 60
        })
      }),
      /manifest\.json was changed: its version is [0-9a-f]{12}, its content [0-9a-f]{12}\n$/,
    ],
    [
      made('signals', (dir) => {
        editManifest(dir, (m) => void m.signals.pop())
        sign(dir)
      }),
      /manifest\.json: features\.mean holds 216 numbers; 35 signals need 210\n$/,
    ],
    [join(folder, 'nowhere'), /nowhere\/manifest\.json is not there\n$/],
  ]
  for (const [dir, message] of cases) {
    const result = await call('bundle', 'verify', dir)
    t.strictSame([result.code, result.out], [1, ''])
    t.ok(result.err.startsWith(`${dir}: `))
    t.match(result.err, message)
    const score = await call('score', `--bundle=${dir}`, '--data=d.csv', '--out=never.csv', '--interval=10')
    t.equal(score.code, 1)
    t.match(score.err, message)
  }
  t.notOk(readdirSync(folder).includes('never.csv'))
  const both = await call('bundle', 'verify', join(folder, 'gone'), bundle)
  t.match(both, { code: 1, out: `${bundle}: ok`, err: 'is not there' })

  t.match(await call('bundle', '--help'), { code: 0, out: /^Usage/ })
  t.match(await call('bundle'), { code: 2, err: 'portent bundle: what?' })
  t.match(await call('bundle', 'verify'), { code: 2, err: 'which folder?' })
  t.match(await call('bundle', 'sign', 'x'), { code: 2, err: 'unexpected sign' })
  mkdirSync(join(folder, 'empty'))
  t.match(await call('bundle', 'verify', 'empty'), { code: 1, err: 'empty: ' })
})
