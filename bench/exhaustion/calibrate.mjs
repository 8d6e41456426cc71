/**
 * Fits what an episode of growth shows to how it ended, on simulated series, and writes core/src/exhaustion/calibration.ts.
 *
 *   node bench/exhaustion/calibrate.mjs [--each N] [--seed TEXT] [--check]
 *
 * --check writes nothing: it leaves out families in turn, and prints how the intervals cover those.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { TIME_LEFT } from '../../training/dist/measures/exhaustion.js'
import { FAILING_FAMILIES, HEALTHY_FAMILIES } from '../../training/dist/simulate/capacity/index.js'
import { seriesOfSimulator } from './data.mjs'
import { logisticFit, quantileFit } from './fit.mjs'
import { replay } from './replay.mjs'

const SLACK = 300
const DAY = 86_400
const FOLDS = 4
/** Left to the benchmark, so that one thing there was never fitted on. */
const ASIDE = ['weekend_job']
/** Most of what fills up fills up evenly: one of many families here, and half of what operators meet. */
const COMMON = { linear: 3 }
const { values: options } = parseArgs({
  options: {
    each: { type: 'string', default: '20' },
    seed: { type: 'string', default: 'calibration' },
    check: { type: 'boolean', default: false },
  },
})

const rows = gather()
console.log(`${rows.length} instants of ${new Set(rows.map((x) => x.id)).size} series`)
if (options.check) check()
else write(fitted(rows))

function gather() {
  const families = [...HEALTHY_FAMILIES, ...FAILING_FAMILIES].filter((x) => !ASIDE.includes(x))
  const gathered = []
  for (const series of seriesOfSimulator(Number(options.each), options.seed, families)) {
    const { truth } = series
    const { healthy, onset, exhaustion, cure } = truth
    let k = 0
    replay(series, (tracker, at) => {
      const evidence = tracker.evidence()
      if (evidence === null || k++ % 2 === 1) return
      const before = !healthy && at < onset
      // The first saw of the first day is what nobody can tell from a leak.
      if ((healthy || before) && at < truth.start + 2 * DAY) return
      // A day before the onset is neither: the end does come.
      if (before && exhaustion !== null && at > onset - DAY) return
      if (!healthy && !before && exhaustion === null && cure === null) return
      if (exhaustion !== null && at >= exhaustion) return
      const goesOn = !healthy && !before && (cure === null || at < cure)
      const left = goesOn && exhaustion !== null ? exhaustion - at : Number.NaN
      gathered.push({ id: truth.id, family: truth.family, goesOn, left, evidence })
    })
  }
  return gathered
}

/** Each series counts the same but for those of common families, and within it each of `keyOf`. */
function weightsOf(some, keyOf) {
  const counts = new Map()
  for (const x of some) counts.set(keyOf(x), (counts.get(keyOf(x)) ?? 0) + 1)
  return some.map((x) => (COMMON[x.family] ?? 1) / counts.get(keyOf(x)))
}

function bucketOf(left) {
  return TIME_LEFT.findIndex(({ to }) => left <= to)
}

function matrixOf(some) {
  const width = some[0].evidence.features.length
  const matrix = new Float64Array(some.length * width)
  some.forEach(({ evidence }, i) => {
    matrix.set(evidence.features, i * width)
  })
  return [matrix, width]
}

function target({ left, evidence }) {
  return Math.max(-4, Math.min(4, Math.log((left + SLACK) / (evidence.left + SLACK))))
}

function fitted(some) {
  const goesOn = logisticFit(
    ...matrixOf(some),
    some.map((x) => Number(x.goesOn)),
    weightsOf(some, (x) => x.id),
  )
  const ended = some.filter((x) => !Number.isNaN(x.left))
  const [matrix, width] = matrixOf(ended)
  const weights = weightsOf(ended, (x) => `${x.id} ${bucketOf(x.left)}`)
  const quantiles = [0.1, 0.5, 0.9].map((q) => quantileFit(matrix, width, ended.map(target), weights, q))
  return { goesOn, quantiles }
}

function check() {
  const families = [...new Set(rows.map((x) => x.family))]
  const cells = TIME_LEFT.map(() => ({ weight: 0, below: 0, above: 0 }))
  for (let fold = 0; fold < FOLDS; fold++) {
    const out = (x) => families.indexOf(x.family) % FOLDS === fold
    const { quantiles } = fitted(rows.filter((x) => !out(x)))
    const ended = rows.filter((x) => out(x) && !Number.isNaN(x.left))
    const weights = weightsOf(ended, (x) => `${x.id} ${bucketOf(x.left)}`)
    ended.forEach((x, i) => {
      const [lower, , upper] = quantiles.map((b) => b.reduce((sum, v, j) => sum + v * x.evidence.features[j], 0))
      const cell = cells[bucketOf(x.left)]
      cell.weight += weights[i]
      if (target(x) < lower) cell.below += weights[i]
      if (target(x) > upper) cell.above += weights[i]
    })
  }
  TIME_LEFT.forEach(({ name }, k) => {
    const { weight, below, above } = cells[k]
    const share = (x) => (x / weight).toFixed(2)
    console.log(
      `${name.padEnd(8)} covered ${share(weight - below - above)}, earlier ${share(below)}, later ${share(above)}`,
    )
  })
}

function write({ goesOn, quantiles }) {
  const list = (b) => `[\n${b.map((x) => `  ${x.toFixed(4)},`).join('\n')}\n]`
  writeFileSync(
    new URL('../../core/src/exhaustion/calibration.ts', import.meta.url),
    `/**
 * What an episode of growth shows, weighed: fitted on ${new Set(rows.map((x) => x.id)).size} simulated series by bench/exhaustion/calibrate.mjs. In the order of
 * the features of features.ts.
 */

/** Logit that the growth goes on to the limit. */
export const GOES_ON: readonly number[] = ${list(goesOn)}

/** ln of the time left, with slack, against a straight line's: its 10 %, 50 % and 90 % quantile. */
export const QUANTILES: readonly (readonly number[])[] = [${quantiles.map(list).join(', ')}]
`,
  )
}
