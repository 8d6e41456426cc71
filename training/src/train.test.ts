import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { emptyInputs, type Golden, HOST_SIGNALS } from '@portent/core'
import t, { type Test } from 'tap'
import { crossFitBeside, startFoldWorker, worthThread } from './bundle/cross-fit.ts'
import { readFailurePart } from './bundle/failure.ts'
import type { FoldWord } from './bundle/fold-worker.ts'
import { BLOCKS, type Fold, type FoldInput, foldInput, foldMaker } from './bundle/folds.ts'
import { makeOwnBundle } from './bundle/own.ts'
import { runRecordings } from './bundle/run.ts'
import { bundleFiles, writeBundle } from './bundle/write.ts'
import { readTrainingCsv } from './csv.ts'
import { DEFAULT_DETECTORS, DETECTORS, type Detector, scoreSet } from './detectors/index.ts'
import { featureRowsOf, seriesOf, trainingSetOf } from './features/index.ts'
import { disagreement, runGraph } from './graph/run-in-tests.ts'
import { InputError, intervalOf, type TrainingInput } from './input.ts'
import { Random } from './random.ts'
import { calibrationOf, reportHtml } from './report/index.ts'
import { chooseDetectors, MIN_ROWS, segmentsOf, signalOf, type Trained, type TrainOptions, train } from './train.ts'

const NAMES = ['a', 'b', 'c', 'd']

/** Levels that one load drives in part, a row a minute. */
function rowsOf(rows: number, { names = NAMES, seed = 'rows', interval = 60 } = {}): TrainingInput {
  const random = new Random(seed)
  const d = names.length
  const values = new Float64Array(rows * d)
  let load = 0
  for (let i = 0; i < rows; i++) {
    load = 0.9 * load + 0.1 * random.normal()
    for (let j = 0; j < d; j++) values[i * d + j] = 0.5 + 0.2 * load * (1 + j / d) + 0.03 * random.normal()
  }
  const at = Float64Array.from({ length: rows }, (_, i) => 1e12 + i * interval * 1000)
  return {
    source: 'test',
    recording: { name: 'rows', signals: names, at, values },
    intervalSeconds: interval,
    notes: [],
  }
}

const OPTIONS: TrainOptions = {
  name: 'own',
  seed: '1',
  detectors: 'default',
  failure: null,
  progress: () => undefined,
}

const withColumn = (input: TrainingInput, j: number, value: (t: number) => number): TrainingInput => {
  const d = input.recording.signals.length
  const values = input.recording.values.map((x, i) => (i % d === j ? value(Math.floor(i / d)) : x))
  return { ...input, recording: { ...input.recording, values } }
}

function hashOf(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256')
  for (const [name, bytes] of files) hash.update(name).update(bytes)
  return hash.digest('hex')
}

/** Every ONNX file of a bundle against its golden vectors. */
async function expectProven(t: Test, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const text = (file: string) => new TextDecoder().decode(files.get(file))
  const manifest = JSON.parse(text('manifest.json')) as Trained['parts']['manifest']
  const golden = JSON.parse(text('golden.json')) as Golden
  const d = manifest.signals.length
  for (const one of golden.cases) {
    const features = await runGraph(files.get('features.onnx') as Uint8Array, {
      window: [Float64Array.from(one.window.flat()), [1, 10, d]],
      mask: [Float64Array.from(one.mask), [1, d]],
      center: [Float64Array.from(one.center), [1, 6 * d]],
    })
    t.ok(disagreement(features.features as Float64Array, one.features) < 1e-9, `${one.about}: features`)
    for (const { name, file, inputs, float32 } of manifest.detectors) {
      const all = {
        features: [Float64Array.from(one.features), [1, 6 * d]],
        rows: [Float64Array.from(one.rows.flat()), [1, 10, d]],
        mask: [Float64Array.from(one.mask), [1, d]],
        ewma: [Float64Array.from(one.ewma[name] ?? []), [1, d]],
      } as const
      const feeds = Object.fromEntries(
        inputs.map((x) => [x, float32 ? ([Float32Array.from(all[x][0]), all[x][1]] as const) : all[x]]),
      )
      const { score } = await runGraph(files.get(file) as Uint8Array, feeds)
      const tolerated = golden.tolerance[name] as number
      t.ok(disagreement(score as Float64Array, [one.scores[name] as number]) < tolerated, `${one.about}: ${name}`)
    }
  }
}

t.test('a bundle of one host is proven, complete and the same twice', async (t) => {
  const input = rowsOf(480)
  const [one, two] = [await train(input, OPTIONS), await train(input, OPTIONS)]
  const files = bundleFiles(one.parts)
  t.equal(hashOf(files), hashOf(bundleFiles(two.parts)))
  t.not(hashOf(files), hashOf(bundleFiles((await train(input, { ...OPTIONS, seed: '2' })).parts)))
  await expectProven(t, files)

  const { manifest } = one.parts
  t.equal(manifest.center.mode, 'frozen')
  t.same(
    manifest.detectors.map((x) => [x.name, x.weight]),
    [
      ['isolation_forest', 0],
      ['win_z', 1],
      ['pca_win', 1],
      ['var', 1],
    ],
  )
  t.match(manifest.ensemble, { smoothing: 0.3, peak_decay: 0.98, seed_hours: 8 })
  t.equal(manifest.explain.primary, 'win_z')
  t.equal(manifest.explain.forest, 'isolation_forest')
  t.equal(manifest.failure, undefined)
  t.equal(manifest.interval_seconds, 60)
  t.match(manifest.evidence, { source: 'test', rows: 480, gaps: 0, weights: { mix: [0.589, 0.625] } })
  t.equal(one.heldOut.ensemble.length, 480)
  const median = manifest.ensemble.distribution.find(([p]) => p === 0.5)?.[1] as number
  t.ok(Math.abs(median) < 0.3, `half of the held-out rows score below ${median}`)

  const html = reportHtml({ ...one, manifest, version: manifest.version })
  t.equal(html, reportHtml({ ...two, manifest, version: manifest.version }))
  t.notMatch(html, /(src|href)=|https?:|@import|url\(/, 'needs no network')
  t.equal(html.match(/<svg/g)?.length, 6)
  for (const { name } of manifest.detectors) t.ok(html.includes(name))
  t.notMatch(html, /NaN|undefined|Infinity/)
  const { all, blocks } = calibrationOf(one.heldOut)
  t.equal(blocks.length, 4)
  t.ok(all.every((share, k) => k === 0 || share >= (all[k - 1] as number)))
})

t.test('what a model is calibrated with it has not seen, nor a window that reaches into it', async (t) => {
  const input = rowsOf(480)
  const options = {
    name: 'own',
    intervalSeconds: 60,
    signals: NAMES.map((name) => signalOf(name, new Float64Array(1))),
    segments: [{ start: 0, end: 480 }],
    detectors: DETECTORS,
    weights: {},
    failure: null,
    evidence: {},
    random: new Random(1),
    progress: () => undefined,
  }
  const weights = { win_z: 1 }
  const folds = async (from: TrainingInput): Promise<Fold[]> => {
    const list: Fold[] = []
    await makeOwnBundle(from.recording, { ...options, weights }, (fold) => list.push(fold))
    return list
  }
  const usual = await folds(input)
  // All of the third block is another host's.
  const odd = await folds({
    ...input,
    recording: {
      ...input.recording,
      values: input.recording.values.map((x, i) => (i >= 960 && i < 1440 ? 40 - 9 * x : x)),
    },
  })
  t.same(
    usual.map((x) => x.block),
    [0, 1, 2, 3],
  )
  const files = (fold: Fold | undefined) => hashOf(new Map(fold?.fitted.map((x) => [x.name, x.toOnnx()])))
  t.same(odd[2]?.features.mean, usual[2]?.features.mean)
  t.equal(files(odd[2]), files(usual[2]))
  t.not(files(odd[1]), files(usual[1]))
})

t.test('a thread of its own for held-out blocks changes no byte', async (t) => {
  const input = rowsOf(480)
  const at = input.recording.at.map((x, i) => x + (i >= 123 ? 3_600_000 : 0))
  const values = input.recording.values.map((x, i) =>
    (i % 4 === 1 && i > 470 && i < 560) || i % 97 === 0 ? Number.NaN : x,
  )
  const gapped = { ...input, recording: { ...input.recording, at, values } }
  const seen: string[] = []
  const [here, beside] = [false, true].map((thread) =>
    train(gapped, { ...OPTIONS, thread, progress: (done, steps) => seen.push(`${done}/${steps}`) }),
  ) as [Promise<Trained>, Promise<Trained>]
  const [one, two] = [await here, await beside]
  t.same(bundleFiles(two.parts), bundleFiles(one.parts))
  t.same(two.heldOut, one.heldOut)
  t.same(two.validation, one.validation)
  for (let done = 0; done <= BLOCKS; done++) t.equal(seen.filter((x) => x === `${done}/${BLOCKS + 1}`).length, 2)
})

/** All that folds need, of a column that only the first block has: the others have nothing to fit it on. */
function unfitInput(): FoldInput {
  const values = rowsOf(480).recording.values.map((x, i) => (i % 4 === 2 && i >= 440 ? Number.NaN : x))
  const transforms = NAMES.map(() => ({ kind: 'linear', scale: 1 }) as const)
  const series = seriesOf(values, 4)
  return foldInput(series, featureRowsOf(series, transforms), transforms, { random: new Random(1), shared: true })
}

t.test('what fails in the thread fails here, with the same words, and ends the thread', async (t) => {
  const input = unfitInput()
  const message = 'signal 2 is present in no row of the training data'
  t.throws(() => foldMaker(input, DEFAULT_DETECTORS)(0), new RangeError(message))

  const next = new Int32Array(new SharedArrayBuffer(4))
  const words: FoldWord[] = []
  const worker = startFoldWorker({ input, names: ['win_z'], next }, (word) => words.push(word))
  await t.rejects(worker.done, new RangeError(message))
  t.ok(worker.failed())
  t.same(words, [{ begun: 0 }])
  await worker.stop()

  const begun = () => undefined
  await t.rejects(
    crossFitBeside(input, DEFAULT_DETECTORS, () => 1, { begun }),
    new RangeError(message),
  )
  const rest = () => {
    throw new RangeError('nothing to fit')
  }
  await t.rejects(crossFitBeside(input, DEFAULT_DETECTORS, rest, { begun }), new RangeError('nothing to fit'))
  const foreign = startFoldWorker({ input, names: ['foreign'], next }, () => undefined)
  await t.rejects(foreign.done, new RangeError('there is no detector foreign'))
})

t.test('only many rows and detectors known by name get a thread', (t) => {
  const [first, ...others] = DEFAULT_DETECTORS
  t.equal(worthThread(480, DEFAULT_DETECTORS), false)
  t.equal(worthThread(20_000, DEFAULT_DETECTORS), availableParallelism() > 1)
  t.equal(worthThread(20_000, [{ ...(first as Detector) }, ...others]), false)
  t.end()
})

t.test('scores of whole series are those of the service row by row, over gaps and missing values too', async (t) => {
  const input = rowsOf(300)
  const at = input.recording.at.map((x, i) => x + (i >= 100 ? 3_600_000 : 0) + (i >= 200 ? 120_000 : 0))
  const values = input.recording.values.map((x, i) => {
    const [row, j] = [Math.floor(i / 4), i % 4]
    return (j === 1 && row % 50 === 7) || (j === 2 && row > 120 && row < 140) || (j === 3 && row < 30) ? Number.NaN : x
  })
  const gapped = { ...input, recording: { ...input.recording, at, values } }
  const { parts, gaps, notes } = await train(gapped, { ...OPTIONS, detectors: 'all' })
  t.equal(gaps, 1, 'two rows that lack are carried over, an hour is not')
  t.match(notes.join('\n'), /1 gap in time: windows start afresh after each/)
  const { manifest, model } = parts
  const ends = segmentsOf(at, 60).map((s) => s.end)
  t.same(ends, [100, 300])
  const set = trainingSetOf(seriesOf(values, 4, ends), model.features)
  const whole = model.detectors.map((x) => scoreSet(x, set))
  const single = model.detectors.map(() => new Float64Array(300))
  runRecordings([gapped.recording], manifest, model, ({ t: row, outputs, i }) => {
    for (const [k, { name }] of model.detectors.entries()) {
      ;(single[k] as Float64Array)[row] = outputs.scores.get(name)?.[i] as number
    }
  })
  for (const [k, { name }] of model.detectors.entries()) {
    t.ok(disagreement(whole[k] as Float64Array, single[k] as Float64Array) < 1e-9, name)
  }
})

t.test('one signal, a constant one, and nothing but constants are trained on', async (t) => {
  for (const [about, input] of [
    ['one signal', rowsOf(300, { names: ['only'] })],
    ['a constant', withColumn(rowsOf(300), 1, () => 7)],
    ['a constant that is zero', withColumn(rowsOf(300), 2, () => 0)],
    ['nothing but a constant', withColumn(rowsOf(300, { names: ['still'] }), 0, () => 3)],
  ] as const) {
    const { parts, heldOut } = await train(input, { ...OPTIONS, detectors: 'all' })
    await expectProven(t, bundleFiles(parts))
    t.ok(heldOut.ensemble.every(Number.isFinite), about)
    // A change of what was constant must be scored, and be no usual row.
    const { manifest, model } = parts
    t.equal(manifest.ensemble.smoothing, manifest.signals.length === 1 ? 0.5 : 0.3, `${about}: smoothing`)
    const odd = input.recording.values.slice(0, 40 * input.recording.signals.length).fill(9)
    const changed = { ...input.recording, at: input.recording.at.slice(0, 40), values: odd }
    let over = 0
    runRecordings([changed], manifest, model, ({ outcome }) => {
      over += Number(outcome.scores?.over ?? 0)
    })
    t.ok(over > 20, `${about}: ${over} rows over the threshold`)
  }
})

t.test('columns that cannot be fitted are left out with a note, and too few rows are refused', async (t) => {
  const late = withColumn(
    withColumn(rowsOf(400), 1, (i) => (i < 310 ? Number.NaN : 1)),
    2,
    () => Number.NaN,
  )
  const { parts, notes } = await train(late, OPTIONS)
  t.same(
    parts.manifest.signals.map((s) => s.name),
    ['a', 'd'],
  )
  t.same(notes, [
    'column b has values in one quarter of the rows only and was left out',
    'column c has no value and was left out',
    'less than a day of rows: scores know no daily pattern, three to seven days are far better',
  ])
  const refused = (input: TrainingInput, message: string) => t.rejects(train(input, OPTIONS), new InputError(message))
  const blocks = '4 blocks are held out in turn to calibrate'
  await refused(rowsOf(1), `rows: at least 120 rows are needed, found 1: ${blocks}`)
  await refused(rowsOf(119), `rows: at least 120 rows are needed, found 119: ${blocks}`)
  t.ok(await train(rowsOf(MIN_ROWS), OPTIONS))
  await refused(rowsOf(300, { names: ['cpu %'] }), "rows: column cpu %: a signal's name is of letters, digits and _")
  const none = withColumn(rowsOf(300, { names: ['a'] }), 0, () => Number.NaN)
  await refused(none, 'rows: no column has values in more than one quarter of the rows')
  const most = rowsOf(120, { names: Array.from({ length: 513 }, (_, j) => `s${j}`) })
  await refused(most, 'rows: 513 signals, at most 512 are taken')
})

t.test('a host signal takes its unit, any other column a scale by its range', async (t) => {
  const column = (...values: number[]) => Float64Array.from(values)
  t.same(signalOf('disk_read', column(1, 2)), {
    name: 'disk_read',
    unit: 'bytes_per_second',
    transform: { kind: 'log1p', scale: 1 },
  })
  t.same(signalOf('response_time', column(1)).transform, { kind: 'log1p', scale: 1000 })
  const kind = (...values: number[]) => signalOf('other', column(...values)).transform.kind
  t.equal(signalOf('other', column(1)).unit, 'none')
  t.same([kind(0, 1), kind(0, 100), kind(0, 101), kind(-1, 5000)], ['linear', 'linear', 'log1p', 'linear'])
})

t.test('detectors are chosen by default, all, or name, and win_z is there to explain', async (t) => {
  const chosen = (asked: string) => {
    const { detectors, weights } = chooseDetectors(asked)
    return detectors.map(({ name }) => `${name} ${weights[name]}`)
  }
  t.equal(chosen('default').length, DEFAULT_DETECTORS.length)
  t.same(chosen('all').length, DETECTORS.length)
  t.same(chosen('var, local_outlier_factor'), ['win_z 0', 'var 1', 'local_outlier_factor 1'])
  t.same(chosen('win_z'), ['win_z 1'])
  t.throws(() => chosen('vra'), {
    message:
      'there is no detector vra: default, all, or of isolation_forest, win_z, pca_win, var, local_outlier_factor, ' +
      'autoencoder, convolution',
  })
  t.throws(() => chosen(''), /no detector without a name/)
  const { manifest } = (await train(rowsOf(300), { ...OPTIONS, detectors: 'isolation_forest' })).parts
  t.same(
    manifest.detectors.map((x) => x.weight),
    [1, 0],
  )
  t.equal((await train(rowsOf(300), { ...OPTIONS, detectors: 'var' })).parts.manifest.explain.forest, undefined)
})

t.test('the failure model of the shipped bundle goes with host signals, whatever the interval', async (t) => {
  const shipped = new URL('../../exporter/bundle/', import.meta.url).pathname
  const failure = readFailurePart(shipped)
  if (failure === null) throw new Error('the shipped bundle has a failure model')
  t.equal(readFailurePart(t.testdir()), null)
  const host = rowsOf(300, { names: ['cpu_busy', 'memory_used'], interval: 10 })
  const { parts } = await train(host, { ...OPTIONS, failure })
  const files = bundleFiles(parts)
  t.ok(Buffer.from(files.get('failure.onnx') ?? []).equals(readFileSync(join(shipped, 'failure.onnx'))))
  t.ok(parts.golden.failure.length > 0)
  const foreign = await train(rowsOf(300, { interval: 10 }), { ...OPTIONS, failure })
  t.equal(foreign.parts.manifest.failure, undefined)
  const slow = await train({ ...host, intervalSeconds: 60 }, { ...OPTIONS, failure })
  t.same(slow.parts.manifest.failure?.terms, failure.entry.terms)
  t.ok(HOST_SIGNALS.some((s) => s.name === 'cpu_busy') && emptyInputs(parts.manifest, 1))
})

t.test('a bundle replaces the older one as a whole', async (t) => {
  const folder = join(t.testdir(), 'bundle')
  const files = bundleFiles((await train(rowsOf(260), OPTIONS)).parts)
  await writeBundle(folder, new Map([...files, ['report.html', new Uint8Array(3)]]), {})
  await writeBundle(folder, files, {})
  t.same(readdirSync(folder).sort(), [...files.keys(), 'training.json'].sort())
  t.notOk(existsSync(join(folder, 'report.html')))
})

t.test('every bad CSV file is refused with file, line and column', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'rows.csv')
  const read = (text: string | Uint8Array, intervalSeconds: number | null = null, ignore: string[] = []) => {
    writeFileSync(file, text)
    return readTrainingCsv({ file, intervalSeconds, ignore })
  }
  const refused = (text: string | Uint8Array, message: string, intervalSeconds: number | null = null) =>
    t.throws(() => read(text, intervalSeconds), new InputError(`${file}: ${message}`))

  refused('', 'the file is empty')
  refused('a,b\n', 'no rows after the header')
  refused('a,b\n1,2\n1\n', 'line 3: 1 cell, the header names 2')
  refused('a,b\n1,2,3\n', 'line 2: 3 cells, the header names 2')
  refused('a,b\n1,2\n\n3,4\n', 'line 3: an empty line, the header names 2')
  refused('a,b\n1,abc\n', 'line 2, column b: expected a number, found "abc"')
  refused('a,b\n1,2\n1,Infinity\n', 'line 3, column b: expected a number, found "Infinity"')
  refused('a,b\n1,2\n1,-inf\n', 'line 3, column b: expected a number, found "-inf"')
  refused('a,b\n1,1e999\n', 'line 2, column b: "1e999" is too large for a number')
  refused('a,b,a\n1,2,3\n', 'line 1, column a: named twice in the header')
  refused('a,,c\n1,2,3\n', 'line 1: column 2 has no name')
  refused('1,2\n3,4\n', 'line 1: the first line must name the columns, found numbers')
  refused('timestamp\n1\n', 'line 1: no column of numbers beside timestamp')
  refused(
    'timestamp,a\n60,1\n60,1\n',
    'line 3, column timestamp: 60 repeats the row before: times must increase from row to row',
  )
  refused('timestamp,a\n60,1\n0,1\n', 'line 3, column timestamp: 0 comes after 60: times must increase from row to row')
  refused('timestamp,a\nnoon,1\n', 'line 2, column timestamp: expected seconds or a date and time, found "noon"')
  refused('timestamp,a\n,1\n', 'line 2, column timestamp: expected seconds or a date and time, found nothing')
  refused('a,b\n1,"2\n', 'line 2: cell 2: a quote that is not closed, or not doubled')
  refused(Uint8Array.of(0x61, 0x0a, 0xff, 0xfe), 'is not UTF-8 text')
  refused('timestamp,a\n0,1\n300,1\n600,1\n', 'rows are 300 s apart, not 60 s: give --interval 300', 60)
  t.throws(() => read('a,b\n1,2\n', null, ['c']), new InputError(`${file}: line 1: there is no column c to leave out`))
  const gone = join(folder, 'gone.csv')
  t.throws(() => readTrainingCsv({ file: gone, intervalSeconds: null }), {
    message: new RegExp(`^${gone}: cannot be read: ENOENT`),
  })

  const odd = read(
    '\uFEFFtimestamp,"a",b,fault\r\n2024-05-01T00:00:00Z,1, 2 ,none\r\n2024-05-01T00:01:00Z,,NaN,none\r\n',
  )
  t.same(odd.recording.signals, ['a', 'b'])
  t.same(odd.recording.values, Float64Array.of(1, 2, Number.NaN, Number.NaN))
  t.same(odd.recording.at, Float64Array.of(1714521600000, 1714521660000))
  t.same(odd.notes, ['timestamp was read as ISO 8601, rows are 60 s apart', 'column fault was left out'])
  t.match(read('timestamp,a\n1714521600,1\n1714521900,1\n').notes, [
    'timestamp was read as seconds, rows are 300 s apart',
  ])
  t.match(read('timestamp,a\n1714521600000,1\n1714521610010,1\n').notes, [
    'timestamp was read as milliseconds, rows are 10 s apart',
  ])
  t.same(read('a\n1\n2\n', 30).recording.at, Float64Array.of(0, 30_000))
  t.same(read('a,b\n1,x\n', null, ['b']).notes, [
    'no column timestamp: rows are taken as 60 s apart',
    'column b was left out',
  ])
  t.equal(intervalOf(Float64Array.of(0, 500, 1000), null, ''), 0.5)
})

t.test('three days and more say what a usual day is, for drift to be held against', async (t) => {
  const input = rowsOf(4 * 96, { names: ['a', 'b'], interval: 900 })
  const { manifest } = (await train(input, OPTIONS)).parts
  const { drift, features } = manifest
  t.match(drift, { days: 4, score: { sigma: Number }, quantiles: { length: 2 }, worst: { length: 2 } })
  const hours = Array.from({ length: 96 }, (_, h) => {
    const mean = [0, 1, 2, 3].reduce((sum, i) => sum + (input.recording.values[(4 * h + i) * 2] as number) / 4, 0)
    return Math.round((100 * (mean - (features.mean[0] as number))) / (features.scale[0] as number))
  }).sort((x, y) => x - y)
  t.same(
    drift?.quantiles[0],
    Array.from({ length: 24 }, (_, k) => hours[4 * k + 1]),
    'of the hourly means',
  )
  t.ok(drift?.worst.every((x) => x > 0.05 && x < 1))
  t.ok(Math.abs(drift?.score.mean ?? 9) < 0.5 && (drift?.score.sigma ?? 0) > 0)
  t.equal((await train(rowsOf(2 * 96, { names: ['a', 'b'], interval: 900 }), OPTIONS)).parts.manifest.drift, undefined)
})

t.test('a file of 23,040 rows and 38 columns is read within a second', async (t) => {
  const random = new Random('file')
  const line = () => Array.from({ length: 38 }, () => random.uniform().toFixed(6)).join(',')
  const file = join(t.testdir(), 'long.csv')
  const names = Array.from({ length: 38 }, (_, j) => `m${j}`).join(',')
  writeFileSync(file, `${names}\n${Array.from({ length: 23_040 }, line).join('\n')}\n`)
  const started = performance.now()
  t.equal(readTrainingCsv({ file, intervalSeconds: 60 }).recording.values.length, 23_040 * 38)
  const took = performance.now() - started
  t.ok(took < 1000, `${Math.round(took)} ms`)
})
