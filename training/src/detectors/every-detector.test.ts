/** What holds of every detector, whatever it does inside. The list is that of the folder: a new file is checked too. */
import { readdirSync } from 'node:fs'
import type { Transform } from '@portent/core'
import t from 'tap'
import type { FeatureModel } from '../features/index.ts'
import { seriesOf } from '../features/series.ts'
import { fitFeatureModel, type TrainingSet, trainingSetOf } from '../features/training-set.ts'
import { Random } from '../random.ts'
import { DETECTORS, scoreSet } from './index.ts'

const LINEAR: Transform = { kind: 'linear', scale: 1 }
const FACTORS = [1, 10, 100, 1000]
const OFFSETS = [0, 5e4, -7e5, 1e6]
const NOT_DETECTORS = ['index', 'types']

/** Rows that carry over, half of the signals with a common load; spread about 1 each. */
function rowsOf(d: number, n: number, seed = 'rows'): Float64Array {
  const random = new Random(seed)
  const values = new Float64Array(n * d)
  for (let i = 0; i < n; i++) {
    const load = random.normal()
    for (let j = 0; j < d; j++) {
      const before = i > 0 ? (values[(i - 1) * d + j] as number) : 0
      values[i * d + j] = 0.7 * before + 0.7 * (j % 2 ? load : random.normal())
    }
  }
  return values
}

function prepared(train: Float64Array, d: number): { set: TrainingSet; model: FeatureModel } {
  const series = seriesOf(train, d)
  const model = fitFeatureModel(series, new Array<Transform>(d).fill(LINEAR))
  return { set: trainingSetOf(series, model), model }
}

const setOf = (values: Float64Array, d: number, model: FeatureModel) => trainingSetOf(seriesOf(values, d), model)

t.test('every file of this folder is a detector that is listed, and so checked here', async (t) => {
  const files = readdirSync(new URL('../../src/detectors/', import.meta.url))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.replace(/\.ts$/, ''))
  t.same(DETECTORS.map((x) => x.name).sort(), files.filter((file) => !NOT_DETECTORS.includes(file)).sort())
})

for (const detector of DETECTORS) {
  const fit = (set: TrainingSet) => detector.fit(set, new Random('every'))

  t.test(`${detector.name}: constant signals are fitted and scored, and a change of one is seen`, async (t) => {
    const d = 3
    const { set, model } = prepared(new Float64Array(300 * d).fill(0.4), d)
    const fitted = fit(set)
    const still = scoreSet(fitted, set)
    t.ok(still.every(Number.isFinite))
    const moved = scoreSet(fitted, setOf(new Float64Array(60 * d).fill(0.4).fill(0.9, 50 * d, 51 * d), d, model))
    t.ok(moved.every(Number.isFinite))
    t.ok((moved[50] as number) >= (moved[49] as number), `${moved[49]} to ${moved[50]}`)
  })

  t.test(`${detector.name}: one signal is enough`, async (t) => {
    const { set } = prepared(rowsOf(1, 400), 1)
    const scores = scoreSet(fit(set), set)
    t.ok(scores.every(Number.isFinite))
    t.ok(new Set(scores).size > 10)
  })

  t.test(
    `${detector.name}: missing and infinite values leave scores finite, and an absent signal its place`,
    async (t) => {
      const d = 4
      const values = rowsOf(d, 500)
      for (let i = 0; i < 500; i += 7) values[i * d + (i % d)] = [Number.NaN, Infinity, -Infinity][i % 3] as number
      for (let i = 100; i < 200; i++) values[i * d + 3] = Number.NaN
      const { set } = prepared(values, d)
      t.ok(scoreSet(fit(set), set).every(Number.isFinite))
    },
  )

  t.test(`${detector.name}: units do not matter where the spread is beyond its floor`, async (t) => {
    const d = 4
    const base = rowsOf(d, 500).map((x) => 1e3 * x)
    const other = base.map((x, i) => x * (FACTORS[i % d] as number) + (OFFSETS[i % d] as number))
    const [a, b] = [base, other].map((values) => {
      const { set } = prepared(values, d)
      return scoreSet(fit(set), set)
    }) as [Float64Array, Float64Array]
    // The feature `spike` has a small constant in its denominator, and a split falls between rounded numbers.
    const worst = Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number)) / Math.max(0.1, Math.abs(x))))
    t.ok(worst < 0.05, `${worst}`)
  })

  t.test(`${detector.name}: what is further off scores higher`, async (t) => {
    const d = 6
    const { set, model } = prepared(rowsOf(d, 1500), d)
    const fitted = fit(set)
    const scores = [0, 3, 6, 9].map((spreads) => {
      const values = rowsOf(d, 60, 'later')
      for (const j of [0, 1, 4]) values[50 * d + j] = (values[50 * d + j] as number) + spreads * 1.4
      return scoreSet(fitted, setOf(values, d, model))[50] as number
    })
    for (let k = 1; k < scores.length; k++) t.ok((scores[k] as number) > (scores[k - 1] as number), scores.join(' '))
  })

  t.test(`${detector.name}: no score depends on a later row`, async (t) => {
    const d = 4
    const { set, model } = prepared(rowsOf(d, 400), d)
    const fitted = fit(set)
    const later = rowsOf(d, 300, 'later')
    const whole = scoreSet(fitted, setOf(later, d, model))
    t.same(scoreSet(fitted, setOf(later.slice(0, 170 * d), d, model)), whole.slice(0, 170))
  })
}
