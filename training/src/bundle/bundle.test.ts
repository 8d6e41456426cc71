import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { bundleVersion, goldenSchema, HOST_SIGNALS, manifestSchema, WINDOW_ROWS } from '@portent/core'
import { vetModel } from '@portent/core/onnx'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import t, { type Test } from 'tap'
import { generateFleet } from '../simulate/index.ts'
import { calibrateDetectors, combine, weigh, withDistributions } from './calibrate.ts'
import { joinSets, PooledScaler, piecesOf } from './pool.ts'
import { readRecording, readRecordings } from './recorded.ts'
import { alignColumns, recordingOf, rowValues } from './recording.ts'
import { referenceOutputs } from './reference.ts'
import { makeShippedBundle } from './shipped.ts'
import { averagePrecision, quantilesOf, rounded, sortedQuantile } from './statistics.ts'
import { bundleFiles, writeBundle } from './write.ts'

const KINDS = 6
const near = (a: number, b: number, tolerance = 1e-9) => Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b))
const numbers = (...values: number[]) => Float64Array.from(values)

/** Of its own also where the same test runs twice at once. */
const tempFolder = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'portent-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Six hours of few hosts at a row a minute: the whole way in a second. */
const tiny = (seed: number) => {
  const [host] = generateFleet({ hosts: 1, days: 0.25, intervalSeconds: 60, seed: 'a real one' })
  if (host === undefined) throw new Error('no host')
  return makeShippedBundle({
    seed,
    intervalSeconds: 60,
    hosts: { fit: 12, calibrate: 2, weigh: 2, failure: 12 },
    days: 0.25,
    recordings: [{ ...recordingOf(host), name: 'rest' }],
    log: () => {},
  })
}
const parts = tiny(1)
const files = bundleFiles(parts)
const json = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name))) as Record<string, unknown>

t.test('a bundle made twice from one seed is the same to the byte, from another it is not', async (t) => {
  const again = bundleFiles(tiny(1))
  t.same([...again.keys()], [...files.keys()])
  for (const [name, bytes] of files) t.ok(Buffer.from(bytes).equals(again.get(name) as Uint8Array), name)
  const other = bundleFiles(tiny(2))
  for (const name of ['isolation_forest.onnx', 'golden.json', 'manifest.json']) {
    t.notOk(Buffer.from(files.get(name) as Uint8Array).equals(other.get(name) as Uint8Array), name)
  }
})

t.test('the files of a bundle are what its manifest says', async (t) => {
  const raw = json('manifest.json')
  const manifest = manifestSchema.parse(raw)
  t.equal(manifest.version, bundleVersion(raw))
  t.same(
    manifest.signals.map((s) => s.name),
    HOST_SIGNALS.map((s) => s.name),
  )
  const named = [
    manifest.features,
    ...manifest.detectors,
    manifest.golden,
    ...(manifest.failure ? [manifest.failure] : []),
  ]
  t.equal(named.length + 1, files.size, 'nothing is in it that is not named')
  for (const { file, sha256 } of named) {
    const bytes = files.get(file) as Uint8Array
    t.equal(createHash('sha256').update(bytes).digest('hex'), sha256, file)
    if (file.endsWith('.onnx')) t.equal(vetModel(bytes), null, `${file} would be loaded`)
  }
  const width = KINDS * manifest.signals.length
  for (const list of [manifest.features.mean, manifest.features.scale, manifest.explain.base]) {
    t.equal(list.length, width)
  }
  t.notMatch(new TextDecoder().decode(files.get('manifest.json')), /"trained_at"|"seconds":/, 'no volatile fact')
  const golden = goldenSchema.parse(json('golden.json'))
  t.ok(golden.failure.length > 0)
  t.ok(
    golden.cases.some((c) => c.mask.includes(0)),
    'a case with an absent signal',
  )
})

t.test('golden vectors are what the reference computes, and onnxruntime agrees with them', async (t) => {
  const golden = goldenSchema.parse(json('golden.json'))
  const { manifest, model } = parts
  const d = manifest.signals.length
  const n = golden.cases.length
  const all = (of: (c: (typeof golden.cases)[number]) => readonly number[]) =>
    Float64Array.from(golden.cases.flatMap(of))
  const inputs = {
    n,
    window: all((c) => c.window.flat()),
    mask: all((c) => c.mask),
    center: all((c) => c.center),
    ewma: new Map(
      manifest.detectors
        .filter((x) => x.inputs.includes('ewma'))
        .map(({ name }) => [name, all((c) => c.ewma[name] as number[])]),
    ),
  }
  const reference = referenceOutputs(model, inputs)
  const features = all((c) => c.features)
  const rows = all((c) => c.rows.flat())
  t.same(reference.features, features)
  t.same(reference.rows, rows)
  t.same(
    reference.contributions,
    all((c) => c.contributions),
  )
  const open = (file: string) =>
    InferenceSession.create(files.get(file) as Uint8Array, { graphOptimizationLevel: 'basic' })
  const tensors: Record<string, [Float64Array, number[]]> = {
    window: [inputs.window, [n, WINDOW_ROWS, d]],
    mask: [inputs.mask, [n, d]],
    center: [inputs.center, [n, KINDS * d]],
    features: [features, [n, KINDS * d]],
    rows: [rows, [n, WINDOW_ROWS, d]],
  }
  const graph = await open(manifest.features.file)
  const feeds = Object.fromEntries(
    graph.inputNames.map((name) => [name, new Tensor('float64', ...(tensors[name] as [Float64Array, number[]]))]),
  )
  const found = (await graph.run(feeds)).features?.data as Float64Array
  t.ok(features.every((x, i) => near(found[i] as number, x)))
  await graph.release()
  for (const { name, file, float32 = false } of manifest.detectors) {
    const session = await open(file)
    tensors.ewma = [inputs.ewma.get(name) ?? numbers(), [n, d]]
    const given = session.inputNames.map((input) => {
      const [values, dims] = tensors[input] as [Float64Array, number[]]
      return [
        input,
        float32 ? new Tensor('float32', Float32Array.from(values), dims) : new Tensor('float64', values, dims),
      ]
    })
    const score = (await session.run(Object.fromEntries(given) as Record<string, Tensor>)).score?.data as Float64Array
    const tolerance = golden.tolerance[name] as number
    golden.cases.forEach((c, i) => {
      t.equal(reference.scores.get(name)?.[i], c.scores[name], `${name}: ${c.about}`)
      t.ok(near(score[i] as number, c.scores[name] as number, tolerance), `${name} in onnxruntime: ${c.about}`)
    })
    await session.release()
  }
})

t.test('quantiles are those of NumPy', async (t) => {
  const four = numbers(1, 2, 3, 4)
  for (const [p, wanted] of [
    [0, 1],
    [0.25, 1.75],
    [0.5, 2.5],
    [0.95, 3.85],
    [1, 4],
  ] as const) {
    t.ok(near(sortedQuantile(four, p), wanted), `${p}`)
  }
  t.equal(sortedQuantile(numbers(7), 0.3), 7)
  const grid = quantilesOf(Float64Array.from({ length: 1001 }, (_, i) => 1000 - i))
  t.same(grid[0], [0, 0])
  t.same(grid.at(-1), [1, 1000])
  t.same(
    grid.find(([p]) => p === 0.995),
    [0.995, 995],
  )
  t.equal(rounded(1.234567891234), 1.2345679)
})

t.test('average precision is that of scikit-learn, ties sharing a threshold', async (t) => {
  const cases: readonly [number[], number[], number][] = [
    [[0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 5 / 6],
    [[3, 2, 1], [1, 1, 0], 1],
    [[0, 1, 2, 3], [1, 0, 0, 0], 1 / 4],
    [[5, 5, 5, 5], [1, 0, 0, 1], 1 / 2],
    [[0.5, 0.5, 0.2], [1, 0, 1], 7 / 12],
  ]
  for (const [scores, labels, wanted] of cases) t.ok(near(averagePrecision(scores, labels), wanted), `${scores}`)
  t.ok(Number.isNaN(averagePrecision([1, 2], [0, 0])), 'without a single hit there is none')
})

t.test('pooled features take the spread within hosts, and weigh their mean by the spread between', async (t) => {
  const linear = { kind: 'linear', scale: 1 } as const
  const scaler = new PooledScaler([linear, linear])
  const { NaN: no } = Number
  scaler.add(numbers(0, 1, 10, 2, 0, 1, 10, 2))
  scaler.add(numbers(100, no, 120, no, 100, no, 120, no))
  const { model, priorRows } = scaler.finish()
  // Of `last`: means 5 and 110, spreads 5 and 10.
  t.ok(near(model.mean[0] as number, 57.5))
  t.ok(near(model.scale[0] as number, Math.sqrt((25 + 100) / 2)))
  t.ok(near(priorRows[0] as number, 62.5 / 52.5 ** 2))
  t.ok(near(model.mean[1] as number, 1.5), 'a host without the signal does not count')
  t.ok(near(model.scale[1] as number, 0.5))
  t.equal(priorRows[1], 360, 'a single host says nothing of the spread between')
  const none = new PooledScaler([linear])
  none.add(numbers(no, no))
  t.throws(() => none.finish(), /signal 0 is present in no host/)
  t.throws(() => joinSets([]), /no rows/)
  const [whole] = piecesOf(numbers(0, 1, 10, 2, 0, 1, 10, 2), model, { pieces: 3, rows: 10 }, undefined as never)
  t.equal(whole?.mask.length, 8, 'a short host is one piece')
  const joined = joinSets([whole as never, whole as never])
  t.same(
    joined.segments.map(({ start, end }) => [start, end]),
    [
      [0, 4],
      [4, 8],
    ],
  )
})

t.test('calibration takes median and 95 % quantile of the smoothed log scores', async (t) => {
  const [first] = parts.manifest.detectors
  if (first === undefined) return void t.fail('no detector')
  const manifest = { ...parts.manifest, detectors: [first] }
  const raw = Array.from({ length: 21 }, (_, k) => [Float64Array.from({ length: 5 }, () => Math.exp(k))])
  const [calibrated] = calibrateDetectors(raw, manifest)
  t.same(calibrated?.calibration, { median: 10, q95: 19 })
  const tuned = { ...manifest, detectors: [{ ...first, calibration: { median: 10, q95: 20 } }] }
  t.same(
    [...new Set(combine(raw, tuned).ensemble)].map(rounded),
    Array.from({ length: 21 }, (_, k) => rounded((k - 10) / 10)),
  )
  const { ensemble, detectors } = withDistributions(raw, tuned)
  t.same(ensemble.distribution[0], [0, -1])
  t.same(detectors[0]?.distribution.at(-1), [1, 1])
})

t.test('a detector without which faults are found better gets no weight, but never all of them', async (t) => {
  const [first, second] = parts.manifest.detectors.map((x) => ({ ...x, calibration: { median: 0, q95: 1 } }))
  if (first === undefined || second === undefined) return void t.fail('no detectors')
  const manifest = {
    ...parts.manifest,
    detectors: [first, second],
    ensemble: { ...parts.manifest.ensemble, smoothing: 1 },
  }
  const labels = [Uint8Array.from({ length: 10 }, (_, i) => Number(i > 7))]
  const good = Float64Array.from({ length: 10 }, (_, i) => (i > 7 ? 100 : 1))
  const against = Float64Array.from({ length: 10 }, (_, i) => (i > 7 ? 1 : 1e6))
  const { manifest: weighed, evidence } = weigh([[good, against]], labels, manifest)
  t.same(
    weighed.detectors.map((x) => x.weight),
    [1, 0],
  )
  t.equal(evidence.average_precision[first.name], 1)
  t.equal(evidence.average_precision_without[second.name], 1)
  t.equal(evidence.ensemble, 1, 'as it is shipped')
  const same = weigh([[good, good]], labels, manifest)
  t.same(
    same.manifest.detectors.map((x) => x.weight),
    [1, 1],
  )
})

/** Every file of a generation says which one it is. */
const generation = (n: number) =>
  new Map(['a.onnx', 'b.onnx', 'manifest.json'].map((name) => [name, new TextEncoder().encode(`${n}`)]))
const read = (folder: string) =>
  [...generation(0).keys()]
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .filter((x, i, all) => all.indexOf(x) === i)

t.test('an interrupted write leaves the old bundle or the new one, and nothing beside it', async (t) => {
  const parent = tempFolder(t)
  writeFileSync(join(parent, 'other'), 'stays')
  const folder = join(parent, 'bundle')
  await writeBundle(folder, generation(1), { seconds: 1.5 })
  t.same(JSON.parse(readFileSync(join(folder, 'training.json'), 'utf8')), { seconds: 1.5 })
  // The second file cannot be written.
  const broken = new Map(
    [...generation(2)].map(([name, bytes]) => [name === 'b.onnx' ? 'no/such/folder' : name, bytes]),
  )
  await t.rejects(writeBundle(folder, broken, {}), /bundle .*bundle was not written: ENOENT/)
  t.same(read(folder), ['1'])
  t.same(readdirSync(parent), ['bundle', 'other'])
  await writeBundle(folder, generation(3), {})
  t.same(read(folder), ['3'])
  for (const left of ['.bundle.tmp-1', '.bundle.tmp-old-1']) {
    mkdirSync(join(parent, left))
    writeFileSync(join(parent, left, 'manifest.json'), 'left')
  }
  mkdirSync(join(parent, '.bundles'))
  await writeBundle(folder, generation(4), {})
  t.same(read(folder), ['4'])
  t.same(readdirSync(parent), ['.bundles', 'bundle', 'other'], 'swept, but for what is not its own')
})

t.test('an old bundle that a crash left beside its place is put back', async (t) => {
  const parent = tempFolder(t)
  await writeBundle(join(parent, '.bundle.tmp-old-9'), generation(1), {})
  const broken = new Map([['no/such/folder', new Uint8Array()]])
  await t.rejects(writeBundle(join(parent, 'bundle'), broken, {}))
  t.same(read(join(parent, 'bundle')), ['1'])
  t.same(readdirSync(parent), ['bundle'])
})

t.test('a process that is killed while it writes bundles leaves a whole one', async (t) => {
  const parent = tempFolder(t)
  const folder = join(parent, 'bundle')
  const writer = new URL('./write.js', import.meta.url).href
  const program = `
    import { writeBundle } from '${writer}'
    for (let n = 1; ; n++) {
      const bytes = new TextEncoder().encode(String(n))
      await writeBundle(process.argv[1], new Map(['a.onnx', 'b.onnx', 'manifest.json'].map((x) => [x, bytes])), {})
      process.stdout.write('.')
    }`
  for (const writes of [1, 4, 9]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    })
    let seen = 0
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      seen += chunk.length
      if (seen >= writes) break
    }
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    const place = readdirSync(parent).includes('bundle')
      ? folder
      : join(parent, readdirSync(parent).find((x) => x.startsWith('.bundle.tmp-old-')) as string)
    t.equal(read(place).length, 1, 'all of one generation')
  }
})

t.test('a recording that cannot be read is told by file and line', async (t) => {
  const folder = tempFolder(t)
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), gzipSync(text))
    return join(folder, name)
  }
  const good = write('rest-1.csv.gz', 'timestamp,cpu_busy,memory_used\n10,0.5,\n20,,0.25\n')
  const recording = readRecording(good, 'rest')
  t.same([...recording.at], [10_000, 20_000])
  t.same(recording.signals, ['cpu_busy', 'memory_used'])
  t.same(rowValues(recording, 0), { cpu_busy: 0.5 })
  t.same(rowValues(recording, 1), { memory_used: 0.25 })
  t.same([...alignColumns(recording, ['memory_used', 'swap_used'])], [Number.NaN, Number.NaN, 0.25, Number.NaN])
  write('rest-2.csv.gz', 'timestamp,cpu_busy\r\n10,0.5\r\n')
  write('load-1.csv.gz', 'timestamp,cpu_busy\n10,1\n')
  t.same(
    readRecordings(folder, 'rest').map((r) => [r.name, ...r.signals]),
    [
      ['rest-1', 'cpu_busy', 'memory_used'],
      ['rest-2', 'cpu_busy'],
    ],
  )
  const bad: readonly [string, string, RegExp][] = [
    ['header', 'time,cpu_busy\n10,1\n', /:1: the header starts with time$/],
    ['cells', 'timestamp,cpu_busy\n10,1\n20,1,1\n', /:3: 3 cells under 2 headings$/],
    ['words', 'timestamp,cpu_busy\n10,1\n20,much\n', /:3: much is not a number$/],
    ['infinity', 'timestamp,cpu_busy\n10,Infinity\n', /:2: Infinity is not a number$/],
    ['timeless', 'timestamp,cpu_busy\n,1\n', /:2: the timestamp .*is not/],
    ['backwards', 'timestamp,cpu_busy\n10,1\n10,1\n', /:3: the timestamp 10 is not after the one before$/],
  ]
  for (const [name, text, message] of bad) {
    const file = write(`${name}.csv.gz`, text)
    t.throws(() => readRecording(file, name), { message }, name)
    t.throws(() => readRecording(file, name), { message: new RegExp(`^${file}:`) }, `${name}: the file is named`)
  }
  writeFileSync(join(folder, 'plain.csv.gz'), 'timestamp,cpu_busy\n')
  t.throws(() => readRecording(join(folder, 'plain.csv.gz'), 'plain'), { message: /plain\.csv\.gz: cannot be read: / })
  t.throws(() => readRecording(join(folder, 'none.csv.gz'), 'none'), {
    message: /none\.csv\.gz: cannot be read: ENOENT/,
  })
})
