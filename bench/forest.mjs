/** The same isolation forest, fitted by scikit-learn, scored by onnxruntime and by scikit-learn itself. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import ort from 'onnxruntime-node'
import { averagePathLength, encodeForest, floorToFloat32 } from '../core/dist/onnx/index.js'
import { SESSION_OPTIONS } from '../exporter/dist/detect/model.js'
import { median, seeded } from './support/measure.mjs'
import { ms, row, unmet } from './support/row.mjs'

const TREES = 200
const FEATURES = 210
const ROWS = 10_000
/** Rows a batch, goal, times it is scored a round by either side. */
const SIZES = [
  [1, 1 / 100, 50, 1],
  [64, 1 / 8, 10, 1],
  [1024, 1 / 1.7, 2, 1],
  [10_000, 1.1, 1, 1],
]
const ROUNDS = 7

export default async function forest() {
  const python = pythonWithSklearn()
  const folder = mkdtempSync(join(tmpdir(), 'portent-bench-'))
  const rows = normalRows()
  const file = join(folder, 'rows.f32')
  writeFileSync(file, Buffer.from(rows.buffer))
  if (python === null) {
    rmSync(folder, { recursive: true })
    return SIZES.map(([n, goal]) => unmet(what(n), { why: 'scikit-learn is not installed', goal: String(goal) }))
  }
  const sklearn = startSklearn(python)
  try {
    const { trees } = await sklearn.ask({ file, features: FEATURES, trees: TREES })
    const bytes = encodeForest({ trees: trees.map(treeOf), features: FEATURES, subsample: 256, clip: null })
    const session = await ort.InferenceSession.create(bytes, SESSION_OPTIONS)
    const score = async (n) => {
      const features = new ort.Tensor('float32', rows.subarray(0, n * FEATURES), [n, FEATURES])
      return (await session.run({ features })).score.data
    }
    const equal = await agreement(sklearn, score)
    const table = []
    for (const [n, goal, ownRepeat, repeat] of SIZES) {
      const own = []
      const theirs = []
      for (let round = -1; round < ROUNDS; round++) {
        const started = performance.now()
        for (let i = 0; i < ownRepeat; i++) await score(n)
        const took = (performance.now() - started) / ownRepeat
        const answer = await sklearn.ask({ rows: n, repeat })
        if (round < 0) continue
        own.push(took)
        theirs.push(answer.ms)
      }
      table.push(
        row(what(n), {
          measured: `${ms(median(own))} against ${ms(median(theirs))}, ${equal}`,
          value: median(own) / median(theirs),
          goal,
        }),
      )
    }
    await session.release()
    return table
  } finally {
    sklearn.end()
    rmSync(folder, { recursive: true })
  }
}

const what = (n) => `forest in onnxruntime against scikit-learn, ${n.toLocaleString('en')} rows`

/** Of those there may be, the first that has scikit-learn. */
function pythonWithSklearn() {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      execFileSync(python, ['-c', 'import sklearn'], { stdio: 'ignore' })
      return python
    } catch {
      // The next one may.
    }
  }
  return null
}

function startSklearn(python) {
  const script = fileURLToPath(new URL('./sklearn_forest.py', import.meta.url))
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('scikit-learn ended')
      return JSON.parse(value)
    },
    end: () => child.kill(),
  }
}

/** scikit-learn's tree as ours: nodes in depth-first order, path lengths at the leaves. */
function treeOf({ left, right, feature, threshold, count }) {
  const n = left.length
  const depth = new Int32Array(n)
  const value = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    if (left[i] < 0) value[i] = depth[i] + averagePathLength(count[i])
    else for (const child of [left[i], right[i]]) depth[child] = depth[i] + 1
  }
  return {
    left: Int32Array.from(left),
    right: Int32Array.from(right),
    feature: Int32Array.from(feature),
    threshold: Float64Array.from(threshold, floorToFloat32),
    count: Float64Array.from(count),
    value,
  }
}

async function agreement(sklearn, score) {
  const { scores } = await sklearn.ask({ rows: ROWS, repeat: 1, scores: true })
  const own = await score(ROWS)
  const worst = scores.reduce((most, x, i) => Math.max(most, Math.abs(x - own[i])), 0)
  if (!(worst <= 1e-5)) throw new Error(`scores differ by ${worst}`)
  return `scores equal to ${worst.toExponential(0)}`
}

/** Standard normal features [ROWS, FEATURES] by Box and Muller. */
function normalRows() {
  const random = seeded(7)
  return Float32Array.from({ length: ROWS * FEATURES }, () => {
    return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  })
}
