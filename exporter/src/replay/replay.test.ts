import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { emptyInputs, type ModelInputs, parseCsv, TargetState, type TimedRow } from '@portent/core'
import t from 'tap'
import { readBundle } from '../bundle/files.ts'
import { editManifest, SHIPPED, sign } from '../bundle/testing.ts'
import { OnnxModel } from '../detect/model.ts'
import { primaryShap } from '../explain/primary.ts'
import {
  BLOCK_ROWS,
  type ReplayedRow,
  type ReplayModel,
  type ReplayOptions,
  replay,
  rowsOf,
  scoreLine,
  writeWhole,
} from './index.ts'
import { csvOf, frozenBundle, recording } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'portent-replay-'))
const frozen = await OnnxModel.load(await readBundle(frozenBundle(join(folder, 'frozen'))))
const following = await OnnxModel.load(await readBundle(SHIPPED))
t.teardown(async () => {
  await Promise.all([frozen.release(), following.release()])
  rmSync(folder, { recursive: true })
})

const SECONDS = frozen.manifest.interval_seconds
const WIDTH = 6 * frozen.manifest.signals.length

/** Rows with two holes in time, and a value that no model can take. */
const ROWS: TimedRow[] = recording(700).map((values, i) => ({
  at: 1000 * SECONDS * (i + (i >= 120 ? 3 : 0) + (i >= 300 ? 40 : 0)),
  values: i === 250 ? { ...values, cpu_busy: 1e200, memory_used: -1e200 } : values,
}))

/** The models as they would be if a large value made their features overflow. */
const fragile: ReplayModel = {
  manifest: frozen.manifest,
  async features(inputs: ModelInputs) {
    const out = await frozen.features(inputs)
    const d = frozen.manifest.signals.length
    for (let i = 0; i < inputs.n; i++) {
      if ((inputs.window[(i * 10 + 9) * d] as number) > 1e100) out.features[i * WIDTH] = Number.NaN
    }
    return out
  },
  detect: (inputs, features, rows) => frozen.detect(inputs, features, rows),
  async score(inputs) {
    const { features, rows } = await this.features(inputs)
    const outputs = await this.detect(inputs, features, rows)
    return { ...outputs, features, newest: rows.slice((rows.length * 9) / 10) }
  },
}

async function replayed(model: ReplayModel, rows: readonly TimedRow[], options: ReplayOptions = {}) {
  const all: ReplayedRow[] = []
  for await (const block of replay(model, rows, options)) all.push(...block)
  return all
}

/** What the service does with one target: a batch of one for every row. */
async function oneByOne(model: ReplayModel, rows: readonly TimedRow[]) {
  const { manifest } = model
  const state = new TargetState(manifest, { intervalSeconds: manifest.interval_seconds, sensitivity: 5 })
  const results = []
  for (const { at, values } of rows) {
    const inputs = emptyInputs(manifest, 1)
    state.push(at, values)
    state.writeInputs(inputs, 0)
    const outputs = await model.score(inputs).catch(() => null)
    const outcome = state.finish(outputs, 0)
    const shap = outputs && primaryShap(manifest, outputs.contributions, 0, (j) => state.isPresent(j))
    results.push({ outcome, shap, output: outputs?.scores.get(manifest.explain.primary)?.[0] })
  }
  return results
}

const near = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b))

t.test('blocks of rows give what the service gives row by row', async (t) => {
  const expected = await oneByOne(fragile, ROWS)
  for (const blockRows of [64, BLOCK_ROWS]) {
    const found = await replayed(fragile, ROWS, { blockRows })
    t.equal(found.length, ROWS.length)
    const wrong = found.filter((row, i) => {
      const { outcome, shap } = expected[i] as (typeof expected)[number]
      const { scores, drift, health } = outcome
      if (row.unscored || scores === null) return row.unscored !== (scores === null) || row.health !== health
      const numbers = [
        [row.score, scores.ranking],
        [row.scoreRaw, scores.raw],
        [row.threshold, scores.threshold],
        [row.confidence, scores.confidence],
        [row.health, health],
        ...Array.from(row.shap?.features ?? [], (x, f) => [x, shap?.features[f]]),
      ] as [number, number][]
      const same = row.alarm === scores.alarm && row.drift === (drift ? drift.detected : null)
      return !same || numbers.length !== 5 + WIDTH || !numbers.every(([a, b]) => near(a, b))
    })
    t.strictSame(wrong, [], `blocks of ${blockRows}`)
    t.ok(found.some((row) => row.alarm) && found.some((row) => row.drift !== null) && found.some((x) => x.unscored))
  }
})

t.test('a drift is confirmed at the same row in blocks and row by row, and whatever comes later', async (t) => {
  const path = frozenBundle(join(folder, 'hourly'))
  editManifest(path, (manifest) => {
    manifest.interval_seconds = 3600
  })
  sign(path)
  const hourly = await OnnxModel.load(await readBundle(path))
  t.teardown(() => hourly.release())
  const moved = 240
  const noise = (i: number, j: number) => Math.abs(Math.sin(12.9898 * i + 78.233 * j) * 43758.5453) % 1
  const rows = Array.from({ length: moved + 48 }, (_, i): TimedRow => {
    const usual = 0.2 + 0.05 * Math.sin((2 * Math.PI * i) / 24) + (i < moved ? 0 : 0.3)
    const values = hourly.manifest.signals.map(({ name }, j) => [name, usual + 0.05 * noise(i, j)])
    return { at: i * 3_600_000, values: Object.fromEntries(values) }
  })
  const drifts = (all: readonly ReplayedRow[]) => all.flatMap((row, i) => (row.drift ? [i] : []))
  const whole = drifts(await replayed(hourly, rows))
  t.ok((whole[0] ?? 0) > moved && (whole[0] ?? 999) < moved + 24, `confirmed at ${whole[0]}`)
  t.equal(whole.length, 12, 'and re-based twelve hours later')
  const expected = await oneByOne(hourly, rows)
  t.strictSame(
    whole,
    expected.flatMap(({ outcome }, i) => (outcome.drift?.detected ? [i] : [])),
  )
  const cut = (whole[0] ?? 0) + 1
  t.strictSame(drifts(await replayed(hourly, rows.slice(0, cut), { blockRows: 64 })), [cut - 1])
})

t.test('where the centre follows, rows go one by one', async (t) => {
  const rows = ROWS.slice(0, 60)
  const expected = await oneByOne(following, rows)
  const found = await replayed(following, rows)
  t.strictSame(
    found.map((row) => row.scoreRaw),
    expected.map(({ outcome }) => outcome.scores?.raw),
  )
  const state = new TargetState(following.manifest, { intervalSeconds: 10, sensitivity: 5 })
  await t.rejects(state.scoreBlock(rows, following, emptyInputs(following.manifest, 60)), {
    message: 'only a frozen centre can be scored in blocks',
  })
})

t.test('every row has numbers, also the first, those in holes and one that no model takes', async (t) => {
  for (const model of [fragile, following]) {
    const rows = await replayed(model, ROWS.slice(0, 320))
    for (const { score, scoreRaw, threshold, confidence, health } of rows)
      if (![score, scoreRaw, threshold, confidence, health].every(Number.isFinite)) t.fail('a number is missing')
    t.equal(rows[198]?.drift, null)
    t.type(rows[319]?.drift, 'boolean')
  }
  const [first, second] = await replayed(fragile, [
    { at: 0, values: { cpu_busy: 1e200 } },
    { at: 1000 * SECONDS, values: { cpu_busy: 0.1 } },
  ])
  t.match(first, { unscored: true, score: 0, scoreRaw: 0, alarm: false, confidence: 0, shap: null })
  t.match(second, { unscored: false, threshold: first?.threshold })
  const stateful = await replayed(fragile, ROWS.slice(200, 251))
  t.match(stateful[50], { unscored: true, score: stateful[49]?.score, threshold: stateful[49]?.threshold })
  t.match(scoreLine('0', first as ReplayedRow), /^0(,[\d.]+){6},\n$/)
})

t.test('the attributions of a row add up to its window score', async (t) => {
  const rows = ROWS.slice(0, 200)
  const expected = await oneByOne(frozen, rows)
  const found = await replayed(frozen, rows)
  const off = found.map(({ shap }, i) => {
    const sum = Object.values(shap?.signals ?? {}).reduce((a, b) => a + b, shap?.base ?? Number.NaN)
    const output = expected[i]?.output ?? Number.NaN
    return Math.max(Math.abs(sum - output), Math.abs(sum - (shap?.output ?? Number.NaN)))
  })
  t.ok(off.every((x) => x <= 1e-9))
  const [first] = await replayed(frozen, rows.slice(0, 1), { explain: false })
  t.equal(first?.shap, null)
})

t.test('a larger budget lowers the threshold', async (t) => {
  const last = async (options: ReplayOptions) => (await replayed(frozen, ROWS, options)).at(-1)?.threshold as number
  t.ok((await last({ budget: 0.05 })) < (await last({})))
  t.equal(await last({ budget: 0.005 }), await last({ sensitivity: 5 }))
})

t.test('a table gives its rows with time and present values', async (t) => {
  const table = parseCsv('cpu_busy,memory_used\n.5,\n,.25\n')
  t.strictSame(
    [...rowsOf(table, 60)],
    [
      { at: 0, values: { cpu_busy: 0.5 } },
      { at: 60_000, values: { memory_used: 0.25 } },
    ],
  )
  const timed = parseCsv(csvOf(recording(3), (i) => 100 + i))
  t.strictSame(
    [...rowsOf(timed, 60)].map((row) => row.at),
    [100_000, 101_000, 102_000],
  )
})

t.test('files appear whole or not at all', async (t) => {
  const dir = mkdtempSync(join(folder, 'whole-'))
  const [a, b] = [join(dir, 'a'), join(dir, 'b')] as const
  writeFileSync(a, 'before')
  await t.rejects(
    writeWhole([a, b], async ([file]) => {
      file?.write('x'.repeat(1 << 19))
      throw new Error('the models broke')
    }),
    { message: 'the models broke' },
  )
  t.equal(readFileSync(a, 'utf8'), 'before')
  t.strictSame(readdirSync(dir), ['a'])
  await t.rejects(
    writeWhole([a, join(dir, 'nowhere', 'b')], async () => undefined),
    { code: 'ENOENT' },
  )
  t.strictSame(readdirSync(dir), ['a'])
  const result = await writeWhole([a, b], async ([one, two]) => {
    one?.write('ä')
    two?.write('2')
    return 7
  })
  t.equal(result, 7)
  t.strictSame([readFileSync(a, 'utf8'), readFileSync(b, 'utf8'), existsSync(`${a}.tmp`)], ['ä', '2', false])
})
