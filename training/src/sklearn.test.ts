/** The same rows given to an installed scikit-learn and to our own fits; the fixtures hold what other versions said. */
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { averagePathLength, type Forest, floorToFloat32 } from '@portent/core/onnx'
import t from 'tap'
import { FittedIsolationForest, FittedLocalOutlierFactor } from './detectors/index.ts'
import { fitNonNegative } from './logistic.ts'
import { Random } from './random.ts'

const WIDTH = 6
const NEIGHBOURS = 20

interface Answer {
  readonly lof: number[]
  readonly weights: number[]
  readonly intercept: number
  readonly forest: number[]
  readonly trees: { left: number[]; right: number[]; feature: number[]; threshold: number[]; count: number[] }[]
}

/** Debian's scikit-learn belongs to its own Python, which need not be the first one. */
function pythonWithSklearn(): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import sklearn'], { stdio: 'ignore' }).status === 0,
  )
}

const python = pythonWithSklearn()
const random = new Random('sklearn')
const matrix = (n: number, spread: number) =>
  Array.from({ length: n }, () => Array.from({ length: WIDTH }, () => spread * random.normal()))
const train = matrix(300, 1)
const rows = matrix(60, 2)
const labels = train.map((x) => Number((x[0] as number) - 0.5 * (x[1] as number) + random.normal() > 0))

t.test(
  'fits agree with the scikit-learn that is installed',
  { skip: python === undefined && 'scikit-learn is not installed' },
  async (t) => {
    const script = fileURLToPath(new URL('../fixtures/sklearn_reference.py', import.meta.url))
    const input = JSON.stringify({ train, rows, labels, neighbours: NEIGHBOURS })
    const answer = JSON.parse(execFileSync(python as string, [script], { input, encoding: 'utf8' })) as Answer
    const features = Float64Array.from(rows.flat())
    const none = new Float64Array(0)
    const batch = { n: rows.length, signals: 1, features, rows: none, mask: none, ewma: none }
    const worst = (found: ArrayLike<number>, expected: readonly number[]) =>
      Math.max(...expected.map((x, i) => Math.abs((found[i] as number) - x)))

    const lof = new FittedLocalOutlierFactor(Float64Array.from(train.flat()), WIDTH, NEIGHBOURS, 100)
    t.ok(worst(lof.score(batch), answer.lof) < 1e-6, 'local outlier factor')

    // A weight of any sign is the difference of two that are not negative, of which the penalty leaves one.
    const both = Float64Array.from(train.flatMap((row) => [...row, ...row.map((x) => -x)]))
    const { weights, intercept } = fitNonNegative(both, 2 * WIDTH, labels, new Float64Array(labels.length).fill(1))
    const signed = answer.weights.map((_, j) => (weights[j] as number) - (weights[WIDTH + j] as number))
    t.ok(worst([...signed, intercept], [...answer.weights, answer.intercept]) < 1e-4, 'logistic')

    const forest = new FittedIsolationForest(forestOf(answer))
    t.ok(worst(forest.score(batch), answer.forest) < 1e-5, 'isolation forest')
  },
)

function forestOf({ trees }: Answer): Forest {
  return {
    features: WIDTH,
    subsample: 64,
    clip: null,
    trees: trees.map(({ left, right, feature, threshold, count }) => {
      const depth = new Array<number>(left.length).fill(0)
      left.forEach((child, i) => {
        if (child >= 0) depth[child] = depth[right[i] as number] = (depth[i] as number) + 1
      })
      return {
        left: Int32Array.from(left),
        right: Int32Array.from(right),
        feature: Int32Array.from(feature),
        threshold: Float64Array.from(threshold, floorToFloat32),
        count: Float64Array.from(count),
        value: Float64Array.from(left, (child, i) =>
          child < 0 ? (depth[i] as number) + averagePathLength(count[i] as number) : 0,
        ),
      }
    }),
  }
}
