import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { emptyInputs, type Golden, type ModelInputs, type ModelOutputs, WINDOW_ROWS } from '@portent/core'
import { averagePathLength, decodeForest, decodeModel, encodeModel, GraphBuilder } from '@portent/core/onnx'
import t, { type Test } from 'tap'
import { BundleError, type BundleReason, readBundle } from '../bundle/files.ts'
import { copyBundle, editManifest, readGolden, readManifest, SHIPPED, sign, tempFolder } from '../bundle/testing.ts'
import { primaryShap } from '../explain/primary.ts'
import { ScorerKeeper } from './keeper.ts'
import { OnnxModel } from './model.ts'
import type { LoadedBundle } from './protocol.ts'
import { type Scorer, WorkerScorer } from './scorer.ts'

const KINDS = 6
const DEADLINE = { deadlineMs: 20_000 }
const near = (found: number, wanted: number, tolerance: number) =>
  Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted))

/** A batch that repeats the golden cases until it has n rows. */
function inputsOf({ manifest }: Pick<LoadedBundle, 'manifest'>, cases: Golden['cases'], n = cases.length): ModelInputs {
  const d = manifest.signals.length
  const inputs = emptyInputs(manifest, n)
  for (let i = 0; i < n; i++) {
    const c = cases[i % cases.length] as Golden['cases'][number]
    inputs.window.set(c.window.flat(), i * WINDOW_ROWS * d)
    inputs.mask.set(c.mask, i * d)
    inputs.center.set(c.center, i * KINDS * d)
    for (const [name, state] of inputs.ewma) state.set(c.ewma[name] ?? [], i * d)
  }
  return inputs
}

t.test('the shipped bundle in the scoring thread', async (t) => {
  const seconds: number[] = []
  const scorer = await WorkerScorer.start({ folder: SHIPPED, ...DEADLINE, onScored: (s) => seconds.push(s) })
  t.teardown(() => scorer.close())
  const golden = readGolden(SHIPPED)
  const { manifest } = scorer.bundle
  const d = manifest.signals.length
  const width = KINDS * d
  const inputs = inputsOf(scorer.bundle, golden.cases)
  const outputs = await scorer.score(inputs)
  const scoreOf = (from: ModelOutputs, name: string, i: number) => from.scores.get(name)?.[i] as number

  await t.test('says what it loaded', async (t) => {
    t.match(scorer.bundle, { folder: SHIPPED, sha256: /^[0-9a-f]{64}$/, golden: { cases: golden.cases.length } })
    t.ok(scorer.bundle.golden.worst <= 1, 'every golden vector is within its tolerance')
    t.ok(scorer.bundle.loadSeconds > 0)
    t.ok(scorer.alive)
  })

  await t.test('a batch gives the golden vectors, and its time in the models is told', async (t) => {
    golden.cases.forEach((c, i) => {
      for (const [name, wanted] of Object.entries(c.scores)) {
        t.ok(near(scoreOf(outputs, name, i), wanted, golden.tolerance[name] as number), `${c.about}: ${name}`)
      }
      t.ok(
        c.features.every((x, f) => near(outputs.features[i * width + f] as number, x, 1e-9)),
        `${c.about}: features`,
      )
      const newest = c.rows[WINDOW_ROWS - 1] as number[]
      t.ok(
        newest.every((x, j) => near(outputs.newest[i * d + j] as number, x, 1e-9)),
        `${c.about}: newest row`,
      )
    })
    t.ok(seconds.length === 1 && (seconds[0] as number) > 0)
  })

  await t.test('a row alone scores as it does among 64', async (t) => {
    const many = await scorer.score(inputsOf(scorer.bundle, golden.cases, 64))
    for (const i of [0, 63]) {
      const alone = await scorer.score(inputsOf(scorer.bundle, [golden.cases[i % golden.cases.length] as never]))
      for (const { name } of manifest.detectors) {
        t.ok(near(scoreOf(many, name, i), scoreOf(alone, name, 0), 1e-9), `row ${i}: ${name}`)
      }
    }
  })

  await t.test('primary SHAP values and their base add up to the window score, absent signals or not', async (t) => {
    let partial = 0
    golden.cases.forEach((c, i) => {
      const present = c.mask.filter((m) => m === 1).length
      partial += Number(present < d)
      const shap = primaryShap(manifest, outputs.contributions, i, (j) => c.mask[j] === 1)
      const values = Object.values(shap.signals)
      t.equal(Object.keys(shap.signals).length, d, 'every signal is named')
      const sum = values.reduce((total, x) => total + x, 0)
      t.ok(near(shap.base + sum, shap.output, 1e-12), `${c.about}: base + sum is the output`)
      t.ok(near(shap.output, scoreOf(outputs, manifest.explain.primary, i), 1e-12), `${c.about}: output is the score`)
      t.ok(
        manifest.signals.every(({ name }, j) => c.mask[j] === 1 || shap.signals[name] === 0),
        'an absent signal explains nothing',
      )
      const ofFeatures = shap.features.reduce((total, x) => total + x, shap.base)
      t.ok(near(ofFeatures, shap.output, 1e-12), 'the features add up too')
    })
    t.ok(partial > 0, 'a golden case has absent signals')
  })

  await t.test('the explanation of the forest is additive, and higher is more anomalous', async (t) => {
    const { forest: name } = manifest.explain
    if (name === undefined) return void t.fail('the shipped bundle has no forest')
    const { file } = manifest.detectors.find((x) => x.name === name) as (typeof manifest.detectors)[number]
    const forest = decodeForest(readFileSync(join(SHIPPED, file)))
    for (const [i, c] of golden.cases.entries()) {
      const explained = await scorer.explainForest(outputs.features.slice(i * width, (i + 1) * width))
      if (explained === null) return void t.fail('there is no explanation')
      const sum = explained.values.reduce((total, x) => total + x, explained.base)
      t.ok(near(sum, explained.output, 1e-9), c.about)
      // Minus the mean path length: the score of the forest is 2 to the power of it over c(psi).
      const score = 2 ** (explained.output / averagePathLength(forest.subsample))
      t.ok(explained.output < 0 && near(score, scoreOf(outputs, name, i), 1e-5), `${c.about}: the score it explains`)
    }
  })

  await t.test('what is not finite is refused before any model runs', async (t) => {
    const before = seconds.length
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const part of ['window', 'mask', 'center', 'ewma'] as const) {
        const poisoned = inputsOf(scorer.bundle, golden.cases)
        const [ewma] = poisoned.ewma.values()
        const array = part === 'ewma' ? ewma : poisoned[part]
        if (array === undefined) continue
        array[array.length - 1] = bad
        await t.rejects(scorer.score(poisoned), { message: new RegExp(`^${part}.* is ${bad}$`) }, `${part} ${bad}`)
      }
      const history = new Float64Array(golden.failure[0]?.history.length ?? 0).fill(bad)
      if (manifest.failure) await t.rejects(scorer.failure(history, 1), { message: /^history\[0\] is/ })
    }
    t.equal(seconds.length, before)
    t.same(await scorer.score(inputs), outputs, 'and the next batch scores as before')
  })

  await t.test('probabilities are those of the golden vectors', async (t) => {
    if (!manifest.failure) return void t.fail('the shipped bundle has no failure model')
    const histories = Float64Array.from(golden.failure.flatMap((c) => c.history))
    const found = await scorer.failure(histories, golden.failure.length)
    const expected = golden.failure.flatMap((c) => c.probability)
    t.equal(found.length, expected.length)
    expected.forEach((p, i) => {
      t.ok(near(found[i] as number, p, golden.tolerance.failure ?? 1e-6))
    })
  })
})

const refusal = async (folder: string): Promise<BundleError | null> => {
  try {
    const model = await OnnxModel.load(await readBundle(folder))
    await model.release()
    return null
  } catch (error) {
    if (error instanceof BundleError) return error
    throw error
  }
}

interface BadBundle {
  readonly about: string
  readonly reason: BundleReason
  readonly message: RegExp
  readonly edit: (folder: string) => void
}

const file = (folder: string, name: string) => join(folder, name)
const rewrite = (folder: string, name: string, edit: (bytes: Buffer) => Uint8Array) =>
  writeFileSync(file(folder, name), edit(readFileSync(file(folder, name))))
/** Puts another graph in the place of win_z, and signs the bundle as a trainer would. */
const replaceWinZ = (
  folder: string,
  build: (g: GraphBuilder, d: number) => void,
  encode = (g: GraphBuilder) => g.encode(),
) => {
  const d = readManifest(folder).signals.length
  const g = new GraphBuilder('test')
  build(g, d)
  writeFileSync(file(folder, 'win_z.onnx'), encode(g))
  sign(folder)
}
const sumOf = (g: GraphBuilder, width: number, d: number, op = 'Mul') => {
  const features = g.input('features', 'double', ['N', width])
  g.input('mask', 'double', ['N', d])
  const squares = g.node(op, [features, features])
  g.output('contributions', 'double', ['N', width], squares)
  g.output('score', 'double', ['N'], g.node('ReduceSum', [squares, g.int64([1])], { keepdims: { int: 0 } }))
}
/** Flips the second highest bit of the exponent of the first large enough number that a model holds. */
const changeOneByte = (bytes: Buffer): Buffer => {
  const raw = (decodeModel(bytes).graph?.initializer ?? [])
    .filter((x) => x.dataType === 11)
    .map((x) => Buffer.from(x.rawData))
    .sort((a, b) => b.length - a.length)[0] as Buffer
  const at = Array.from({ length: raw.length / 8 }, (_, k) => 8 * k).find((o) => Math.abs(raw.readDoubleLE(o)) > 1e-3)
  const where = bytes.indexOf(raw) + (at as number) + 7
  bytes[where] = (bytes[where] as number) ^ 0x20
  return bytes
}

const BAD: readonly BadBundle[] = [
  {
    about: 'a folder that is not there',
    reason: 'missing',
    message: /manifest\.json is not there/,
    edit: (folder) => rmSync(folder, { recursive: true }),
  },
  {
    about: 'a missing file',
    reason: 'missing',
    message: /var\.onnx is not there/,
    edit: (folder) => rmSync(file(folder, 'var.onnx')),
  },
  {
    about: 'a folder in the place of a file',
    reason: 'missing',
    message: /golden\.json is not a file/,
    edit: (folder) => {
      rmSync(file(folder, 'golden.json'))
      mkdirSync(file(folder, 'golden.json'))
    },
  },
  {
    about: 'a manifest that is not JSON',
    reason: 'manifest',
    message: /^manifest\.json is not JSON/,
    edit: (folder) => rewrite(folder, 'manifest.json', (bytes) => bytes.subarray(0, bytes.length / 2)),
  },
  {
    about: 'an unknown key',
    reason: 'manifest',
    message: /^manifest\.json: .*colour/,
    edit: (folder) => {
      editManifest(folder, (m) => Object.assign(m, { colour: 'blue' }))
      sign(folder)
    },
  },
  {
    about: 'a version that was edited',
    reason: 'hash',
    message: /^manifest\.json was changed/,
    edit: (folder) =>
      editManifest(folder, (m) => {
        m.version = '0123456789ab'
      }),
  },
  {
    about: 'a weight that was edited',
    reason: 'hash',
    message: /^manifest\.json was changed/,
    edit: (folder) =>
      editManifest(folder, (m) => {
        for (const x of m.detectors) x.weight = 2
      }),
  },
  {
    about: 'a model with one byte changed',
    reason: 'hash',
    message: /^pca_win\.onnx was changed/,
    edit: (folder) => rewrite(folder, 'pca_win.onnx', changeOneByte),
  },
  {
    about: 'the same, with hash and version made to fit',
    reason: 'golden',
    message: /^golden\.json: .* pca_win\[0\] is .*, the golden vector says/,
    edit: (folder) => {
      rewrite(folder, 'pca_win.onnx', changeOneByte)
      sign(folder)
    },
  },
  {
    about: 'a model that loops',
    reason: 'operators',
    message: /^win_z\.onnx: uses the control flow operator Loop/,
    edit: (folder) =>
      replaceWinZ(folder, (g, d) => {
        const x = g.input('features', 'double', ['N', KINDS * d])
        g.output('score', 'double', ['N'], g.node('Loop', [x]))
      }),
  },
  {
    about: 'a model with operators of its own',
    reason: 'operators',
    message: /^win_z\.onnx: .*com\.example/,
    edit: (folder) =>
      replaceWinZ(
        folder,
        (g, d) => sumOf(g, KINDS * d, d),
        (g) => {
          const model = g.build()
          for (const node of model.graph?.node ?? []) node.domain = 'com.example'
          return encodeModel(model)
        },
      ),
  },
  {
    about: 'a model for fewer features',
    reason: 'shape',
    message: /cannot be run: win_z\.onnx: .*features/,
    edit: (folder) => replaceWinZ(folder, (g, d) => sumOf(g, KINDS * d - 6, d)),
  },
  {
    about: 'a model without the output that explains it',
    reason: 'shape',
    message: /^win_z\.onnx takes features and gives score, not features, mask and score, contributions/,
    edit: (folder) =>
      replaceWinZ(folder, (g, d) => {
        const x = g.input('features', 'double', ['N', KINDS * d])
        g.output('score', 'double', ['N'], g.node('ReduceSum', [x, g.int64([1])], { keepdims: { int: 0 } }))
      }),
  },
  {
    about: 'a model of an operator that does not exist',
    reason: 'model',
    message: /^win_z\.onnx cannot be loaded: /,
    edit: (folder) => replaceWinZ(folder, (g, d) => sumOf(g, KINDS * d, d, 'NoSuchOperator')),
  },
  {
    about: 'another model under the same name',
    reason: 'golden',
    message: /^golden\.json: case 0 /,
    edit: (folder) => replaceWinZ(folder, (g, d) => sumOf(g, KINDS * d, d)),
  },
  {
    about: 'golden vectors that were edited, with hash and version made to fit',
    reason: 'golden',
    message: /^golden\.json: case 1 .* win_z\[0\] is/,
    edit: (folder) => {
      const golden = readGolden(folder)
      const [, second] = golden.cases
      if (second) second.scores.win_z = (second.scores.win_z as number) + 0.001
      writeFileSync(file(folder, 'golden.json'), JSON.stringify(golden))
      sign(folder)
    },
  },
  {
    about: 'golden vectors of another width',
    reason: 'shape',
    message: /^golden\.json: case 0: center holds/,
    edit: (folder) => {
      const golden = readGolden(folder)
      golden.cases[0]?.center.push(0)
      writeFileSync(file(folder, 'golden.json'), JSON.stringify(golden))
      sign(folder)
    },
  },
  {
    about: 'means for fewer signals',
    reason: 'manifest',
    message: /^manifest\.json: features\.mean holds/,
    edit: (folder) => {
      editManifest(folder, (m) => m.features.mean.pop())
      sign(folder)
    },
  },
  {
    about: 'no detector that counts',
    reason: 'manifest',
    message: /^manifest\.json: detectors: every weight is 0/,
    edit: (folder) => {
      editManifest(folder, (m) => {
        for (const x of m.detectors) x.weight = 0
      })
      sign(folder)
    },
  },
  {
    about: 'a primary detector that is none',
    reason: 'manifest',
    message: /^manifest\.json: explain names nobody/,
    edit: (folder) => {
      editManifest(folder, (m) => {
        m.explain.primary = 'nobody'
      })
      sign(folder)
    },
  },
  {
    about: 'a file outside of the folder',
    reason: 'manifest',
    message: /^manifest\.json: features\.file: /,
    edit: (folder) => {
      editManifest(folder, (m) => {
        m.features.file = '../features.onnx'
      })
      sign(folder)
    },
  },
]

t.test('a bad bundle is refused with its reason, in words that name the file', async (t) => {
  for (const { about, reason, message, edit } of BAD) {
    const folder = copyBundle(tempFolder(t))
    edit(folder)
    const found = await refusal(folder)
    t.equal(found?.reason, reason, about)
    t.match(found?.message, message, about)
  }
  t.equal(await refusal(copyBundle(tempFolder(t))), null, 'a plain copy is accepted')
})

const noFifo = process.platform === 'win32' ? 'there are no pipes with a name on Windows' : false

t.test('a pipe in the place of a file is refused instead of read', { skip: noFifo }, async (t) => {
  const folder = copyBundle(tempFolder(t))
  rmSync(file(folder, 'manifest.json'))
  execFileSync('mkfifo', [file(folder, 'manifest.json')])
  t.match(await refusal(folder), { reason: 'missing', message: /manifest\.json is not a file/ })
})

t.test('garbage in any file never costs more than the bundle', async (t) => {
  const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) & 255))
  const garbage: readonly [string, (bytes: Buffer) => Uint8Array][] = [
    ['nothing', () => Buffer.alloc(0)],
    ['noise', () => noise],
    ['half of it', (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ['deep brackets', () => Buffer.from('['.repeat(100_000))],
    [
      'noise in the middle',
      (bytes) => Buffer.concat([bytes.subarray(0, bytes.length >> 1), noise, bytes.subarray(bytes.length >> 1)]),
    ],
  ]
  for (const name of ['isolation_forest.onnx', 'features.onnx', 'golden.json', 'manifest.json']) {
    for (const [about, edit] of garbage) {
      const folder = copyBundle(tempFolder(t))
      rewrite(folder, name, edit)
      if (name !== 'manifest.json') sign(folder)
      const wanted = { name: 'BundleError', message: new RegExp(name.replace('.', '\\.')) }
      t.match(await refusal(folder), wanted, `${about} as ${name}`)
      // In the thread too, of which few are begun: each costs half a second here.
      if (about === 'noise') await t.rejects(WorkerScorer.start({ folder, ...DEADLINE }), wanted)
    }
  }
})

/** A scoring thread that does with a batch what the size of the batch says. */
const ODD_WORKER = `
import { parentPort } from 'node:worker_threads'
import { execSync } from 'node:child_process'
const answer = (id, value) => parentPort.postMessage({ id, ok: true, value, seconds: 0 })
parentPort.on('message', ({ id, call, payload }) => {
  if (call === 'load' && payload.folder.startsWith('native ')) execSync('sleep 3; touch ' + payload.folder.slice(7))
  else if (call === 'load' && payload.folder !== 'silent') answer(id, { folder: payload.folder })
  else if (call === 'score' && payload.n === 1) process.exit(3)
  else if (call === 'score' && payload.n === 2) for (;;);
  else if (call === 'score' && payload.n === 3) setImmediate(() => { throw new Error('nobody catches this') })
  else if (call === 'score' && payload.n === 4) for (const all = []; ; ) all.push(new Array(1e5).fill(id))
  else if (call === 'score' && payload.n === 5) parentPort.postMessage({ id, ok: false, message: 'no such luck' })
  else if (call === 'failure') answer(id + 1000, null)
})
`
const oddWorker = (t: Test) => {
  const path = join(tempFolder(t), 'worker.mjs')
  writeFileSync(path, ODD_WORKER)
  return pathToFileURL(path)
}
const batchOf = (n: number) => ({ ...emptyInputs(readManifest(SHIPPED) as never, 1), n })

t.test('a scoring thread that dies or hangs fails its calls, and every later one at once', async (t) => {
  const worker = oddWorker(t)
  const start = (deadlineMs: number) => WorkerScorer.start({ folder: 'x', worker, deadlineMs })
  const deaths: readonly [string, number, number, RegExp][] = [
    ['exits', 1, 20_000, /the scoring thread ended with code 3/],
    ['spins', 2, 50, /did not answer within 50 ms \(score\)/],
    ['throws', 3, 20_000, /nobody catches this/],
    ['runs out of memory', 4, 20_000, /memory/],
  ]
  for (const [about, n, deadlineMs, message] of deaths) {
    const scorer = await start(deadlineMs)
    const both = [scorer.score(batchOf(n)), scorer.score(batchOf(6))]
    for (const call of both) await t.rejects(call, { message }, `${about}: the call and the one behind it`)
    t.notOk(scorer.alive)
    await t.rejects(scorer.failure(new Float64Array(8), 1), { message }, about)
    await scorer.close()
  }
  const scorer = await start(50)
  t.teardown(() => scorer.close())
  await t.rejects(scorer.score(batchOf(5)), { message: 'no such luck' })
  t.ok(scorer.alive, 'an error that is answered is no death')
  await t.rejects(scorer.failure(new Float64Array(8), 1), /did not answer/, 'an answer to another question is none')
})

t.test('a bundle that takes too long to load is refused, also where its thread cannot be ended', async (t) => {
  const worker = oddWorker(t)
  const refused = async (folder: string, loadDeadlineMs: number) => {
    const start = WorkerScorer.start({ folder, worker, deadlineMs: 50, loadDeadlineMs })
    return await start.catch((error: unknown) => error)
  }
  t.match(await refused('silent', 50), { reason: 'timeout', message: /within 50 ms \(load\)/ })
  const marker = fileURLToPath(new URL('ended', worker))
  t.match(await refused(`native ${marker}`, 700), { reason: 'timeout' })
  t.notOk(existsSync(marker), 'nobody waited for the thread')
})

class FakeScorer implements Scorer {
  alive = true
  closed = false
  readonly bundle: LoadedBundle
  constructor(folder: string, interval = 10) {
    this.bundle = { folder, manifest: { interval_seconds: interval } } as unknown as LoadedBundle
  }
  async score(): Promise<ModelOutputs> {
    throw new Error('not asked for')
  }
  async failure(): Promise<Float64Array> {
    return new Float64Array(0)
  }
  async explainForest() {
    return null
  }
  async close() {
    this.closed = true
  }
}

/** A keeper over fake threads, with a clock that is set by hand. */
function keeperOf() {
  const state = { now: 0, started: [] as FakeScorer[], next: null as Error | null, interval: 10, told: [] as string[] }
  const gates: Promise<void>[] = []
  const keeper = new ScorerKeeper({
    intervalSeconds: 10,
    monotonic: () => state.now,
    start: async (folder) => {
      await gates.shift()
      if (state.next) throw state.next
      const scorer = new FakeScorer(folder, state.interval)
      state.started.push(scorer)
      return scorer
    },
    onLoaded: ({ bundle }) => state.told.push(`loaded ${bundle.folder}`),
    onRefused: (reason, message) => state.told.push(`${reason}: ${message}`),
  })
  const kill = () => {
    const last = state.started.at(-1)
    if (last) last.alive = false
  }
  return { keeper, state, kill, gates }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

t.test('the keeper begins a dead thread afresh, later and later while it keeps dying', async (t) => {
  const { keeper, state, kill } = keeperOf()
  t.equal(keeper.reason, 'no bundle is loaded yet')
  t.equal(keeper.current(), null)
  await keeper.load('a')
  t.equal(keeper.current(), state.started[0])
  const waits: number[] = []
  for (let death = 0; death < 12; death++) {
    const from = state.now
    const count = state.started.length
    kill()
    while (state.started.length === count) {
      t.equal(keeper.current(), null, 'rules alone until then')
      t.equal(keeper.reason, 'the scoring thread ended')
      state.now += 500
      keeper.current()
      await settled()
    }
    waits.push(state.now - from)
    t.equal(keeper.reason, null)
  }
  t.same(waits.slice(0, 4), [1000, 2000, 4000, 8000])
  t.ok(Math.max(...waits) <= 300_000, 'never later than five minutes')
  t.equal(waits.at(-1), 300_000)
  state.now += 400_000
  kill()
  keeper.current()
  await settled()
  t.ok(keeper.current(), 'a thread that lived long is replaced at once')
  kill()
  state.now += 1000
  keeper.current()
  await settled()
  t.ok(keeper.current(), 'and the wait begins small again')
})

t.test('the keeper leaves what is in force when a bundle is refused, and says why there is none', async (t) => {
  const { keeper, state } = keeperOf()
  state.next = new BundleError('hash', 'x.onnx was changed')
  await t.rejects(keeper.load('bad'), { message: 'x.onnx was changed' })
  t.equal(keeper.reason, 'x.onnx was changed')
  t.equal(keeper.current(), null)
  state.next = null
  state.interval = 60
  await t.rejects(keeper.load('slow'), {
    message: /slow scores rows of 60 s, score_interval is 10 s/,
  })
  t.ok(state.started[0]?.closed, 'the one of another interval is closed')
  state.interval = 10
  await keeper.load('good')
  state.next = new Error('cannot begin a thread')
  await t.rejects(keeper.load('worse'))
  t.equal(keeper.current()?.bundle.folder, 'good')
  t.equal(keeper.reason, null)
  state.next = null
  await keeper.load('better')
  t.ok(state.started[1]?.closed, 'the one before is closed')
  t.same(state.told, [
    'hash: x.onnx was changed',
    'interval: slow scores rows of 60 s, score_interval is 10 s',
    'loaded good',
    'other: cannot begin a thread',
    'loaded better',
  ])
})

t.test('of two loads at once the later one stays, and none outlives the close', async (t) => {
  const { keeper, state, gates } = keeperOf()
  const open: (() => void)[] = []
  const gate = () => gates.push(new Promise((resolve) => open.push(resolve)))
  gate()
  const first = keeper.load('first')
  const second = keeper.load('second')
  open[0]?.()
  await Promise.all([first, second])
  t.equal(keeper.current()?.bundle.folder, 'second')
  gate()
  const late = keeper.load('late')
  await settled()
  await keeper.close()
  open[1]?.()
  await t.rejects(late, /stops/)
  t.ok(
    state.started.every((x) => x.closed),
    'every thread was closed',
  )
  t.equal(keeper.current(), null)
})
