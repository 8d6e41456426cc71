/**
 * What each detector is worth: fitted once with all of them, scored once by the code of the service, and combined anew for
 * every choice of detectors by its arithmetic.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ensemble, parseCsv, votersOf } from '../../core/dist/index.js'
import { readBundle } from '../../exporter/dist/bundle/files.js'
import { OnnxModel } from '../../exporter/dist/detect/model.js'
import { replay, rowsOf } from '../../exporter/dist/replay/index.js'
import { volumeUnderSurface } from '../../training/dist/measures/index.js'
import { labelsOf } from './data.mjs'
import { bufferOf } from './machine.mjs'

/** Quantile of the scores that the peak hold falls back to. */
const FLOOR = 0.01

/**
 * @param {{ machine: import('./data.mjs').Machine }} job
 * @param {import('./portent.mjs').Fit} fit with all detectors
 */
export async function ablated({ machine }, fit) {
  const { folder, interval } = machine
  const test = join(folder, 'test.csv')
  const labels = labelsOf(machine)
  const buffer = bufferOf(test)
  const { manifest, raw } = await rawScores(fit.bundle, test, interval)
  const subsets = subsetsOf(votersOf(manifest), manifest.detectors.length)
  return {
    set: machine.set,
    machine: machine.name,
    fitSeconds: fit.seconds,
    fitCpuSeconds: fit.cpuSeconds,
    fitReused: fit.reused,
    subsets: subsets.map(({ weights, ...subset }) => ({
      ...subset,
      vusPr: volumeUnderSurface(ranking(raw, manifest, weights), labels, buffer).pr,
    })),
  }
}

/**
 * The mix itself, its frozen and its daily members, each voter alone, the mix without each of its voters and with each
 * that is not in it, and all alike.
 * @param {readonly { name: string, weight: number }[]} voters
 * @param {number} frozen how many of them are detectors; the others are daily members
 */
function subsetsOf(voters, frozen) {
  const weightsOf = (weight) => Object.fromEntries(voters.map((x, k) => [x.name, weight(x, k)]))
  const inMix = voters.filter(({ weight }) => weight > 0)
  const usual = inMix.reduce((sum, { weight }) => sum + weight, 0) / inMix.length
  const each = (kind, some, weight) =>
    some.map(({ name }) => ({
      kind,
      detector: name,
      weights: weightsOf((x) => (x.name === name ? weight : kind === 'alone' ? 0 : x.weight)),
    }))
  const groups = [
    { kind: 'only', detector: 'frozen members', weights: weightsOf((x, k) => (k < frozen ? x.weight : 0)) },
    { kind: 'only', detector: 'daily members', weights: weightsOf((x, k) => (k < frozen ? 0 : x.weight)) },
  ]
  return [
    { kind: 'mix', detector: null, weights: weightsOf((x) => x.weight) },
    ...(inMix.some((x) => voters.indexOf(x) >= frozen) ? groups : []),
    ...each('alone', voters, 1),
    ...each('without', inMix.length < 2 ? [] : inMix, 0),
    ...each(
      'with',
      voters.filter(({ weight }) => weight === 0),
      usual,
    ),
    { kind: 'equal', detector: null, weights: weightsOf(() => 1) },
  ]
}

/**
 * Every voter's score of every row, in the order of the voters: what the service hands to its ensemble.
 * @returns {Promise<{ manifest: import('../../core/dist/index.js').Manifest, raw: Float64Array[] }>}
 */
async function rawScores(bundle, file, interval) {
  const model = await OnnxModel.load(await readBundle(bundle))
  const { manifest } = model
  const table = parseCsv(readFileSync(file, 'utf8'))
  const raw = votersOf(manifest).map(() => new Float64Array(table.rows))
  const heard = []
  const { step } = Ensemble.prototype
  Ensemble.prototype.step = function (of) {
    heard.push(raw.map((_, k) => of(k)))
    return step.call(this, of)
  }
  let at = 0
  try {
    for await (const block of replay(model, rowsOf(table, interval), { explain: false })) {
      for (const { unscored } of block) {
        // A row that the models cannot take is not scored: it keeps the scores of the one before.
        const row = unscored ? raw.map((scores) => scores[at - 1] ?? 0) : heard.shift()
        row.forEach((score, k) => {
          raw[k][at] = score
        })
        at++
      }
    }
  } finally {
    Ensemble.prototype.step = step
    await model.release()
  }
  if (heard.length > 0) throw new Error(`${heard.length} rows were scored, but have no score`)
  return { manifest, raw }
}

/**
 * The peak-held score of the voters under these weights. The service holds peaks above what normal rows of the past had;
 * here that is the low quantile of the recording's own scores, alike for every choice. Rows of which no voter can speak,
 * as the first days of a daily member alone, have that as well.
 */
function ranking(raw, manifest, weights) {
  const reweighed = (voters) => voters.map((x) => ({ ...x, weight: weights[x.name] }))
  const ensemble = new Ensemble({
    ...manifest,
    detectors: reweighed(manifest.detectors),
    ...(manifest.daily ? { daily: { ...manifest.daily, members: reweighed(manifest.daily.members) } } : {}),
  })
  const scores = raw[0].map((_, t) => ensemble.step((k) => raw[k][t]))
  const known = scores.filter(Number.isFinite).sort()
  const floor = known[Math.floor(FLOOR * known.length)]
  let held = floor
  return scores.map((score) => {
    held = Math.max(Number.isFinite(score) ? score : floor, floor + (held - floor) * manifest.ensemble.peak_decay)
    return held
  })
}
