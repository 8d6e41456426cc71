/**
 * How good the probability of failure is, on simulated hosts that the model has not seen and on recordings with known
 * failures. Prints a table, draws the reliability diagram, and always succeeds: a benchmark is not a test.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { FAILURE_HORIZONS, failureTermsOf, manifestSchema } from '../../core/dist/index.js'
import { FAULTS_PER_DAY, judgeFailure, makeDataset } from '../../training/dist/failure/index.js'
import { Random } from '../../training/dist/random.js'
import { fixed, share, table } from '../detection/table.mjs'
import { generatedHosts, recordedHosts } from './data.mjs'
import { measure, predict } from './measure.mjs'
import { reliabilityDiagram } from './plot.mjs'

const HELP = `Usage: npm run bench:failure -- [FLAGS]

Brier score, skill over the base rate, calibration error (of all, and of probabilities of .1 or more), the same of a rule
of one flag (a level above .9, I/O wait above .4, errors above .05), and failures found at one false alarm a host-week.

  --drawn N         hosts drawn as those that the model was fitted on (default 132; 0 = none), from another seed
  --hosts N         generated hosts (default 60; 0 = none): the generator's own faults, with or without warning
  --seed TEXT       of the hosts (default bench)
  --data DIR        recordings of hosts with meta.json and truth.json
  --bundle DIR      whose failure model (default the one that ships)
  --threshold P     alarms of the 1 h horizon from P on, instead of the least P with one false alarm a host-week
  --svg FILE        the reliability diagram (default portent-reliability.svg in the folder for temporary files)
  --json FILE       every figure
`

const shipped = fileURLToPath(new URL('../../exporter/bundle', import.meta.url))
const { values: flags } = parseArgs({
  options: {
    drawn: { type: 'string', default: '132' },
    hosts: { type: 'string', default: '60' },
    seed: { type: 'string', default: 'bench' },
    data: { type: 'string' },
    bundle: { type: 'string', default: shipped },
    threshold: { type: 'string' },
    svg: { type: 'string', default: join(tmpdir(), 'portent-reliability.svg') },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

if (flags.help) process.stdout.write(HELP)
else main()

function main() {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(flags.bundle, 'manifest.json'), 'utf8')))
  if (manifest.failure === undefined) throw new Error(`${flags.bundle} has no failure model`)
  const model = failureTermsOf(manifest.failure)
  const sources = [
    ...(Number(flags.hosts) > 0 ? [['generated hosts', generatedHosts(Number(flags.hosts), flags.seed)]] : []),
    ...(flags.data ? [[basename(flags.data), recordedHosts(flags.data)]] : []),
  ]
  const sets = sources.map(([name, hosts]) => {
    const started = performance.now()
    const predicted = []
    let rows = 0
    for (const host of hosts) {
      predicted.push(predict(host, model))
      rows += host.life.at.length
    }
    const seconds = (performance.now() - started) / 1000
    const threshold = (h) => (h === 1 && flags.threshold !== undefined ? Number(flags.threshold) : null)
    return {
      name,
      hosts: predicted.length,
      rows,
      seconds,
      horizons: FAILURE_HORIZONS.map((_, h) => measure(predicted, h, threshold(h))),
    }
  })
  if (Number(flags.drawn) > 0) sets.unshift(drawnHosts(Number(flags.drawn), model))
  for (const set of sets) process.stdout.write(textOf(set))
  writeFileSync(flags.svg, reliabilityDiagram(sets))
  process.stdout.write(`\nreliability diagram: ${flags.svg}\n`)
  if (flags.json) writeFileSync(flags.json, `${JSON.stringify(sets, null, 1)}\n`)
}

/** Samples are weighted, so that no alarm can be counted. */
function drawnHosts(hosts, model) {
  const started = performance.now()
  const samples = makeDataset({ hosts, faultsPerDay: FAULTS_PER_DAY, random: new Random(flags.seed) })
  const seconds = (performance.now() - started) / 1000
  const horizons = judgeFailure(model, samples).map((judged, h) => ({
    horizon: FAILURE_HORIZONS[h],
    samples: samples.length,
    ...judged,
  }))
  return { name: 'hosts drawn as in training', hosts, rows: null, seconds, horizons }
}

function textOf({ name, hosts, rows, seconds, horizons }) {
  const header = [
    'within',
    'samples',
    'base rate',
    'Brier',
    'skill',
    'flag',
    'error',
    'error >= .1',
    'alarm at',
    'a week',
    'found',
    'lead',
  ]
  const body = horizons.map((x) => [
    `${x.horizon / 60} min`,
    String(x.samples),
    x.baseRate.toFixed(4),
    x.brier.toFixed(5),
    share(x.skill),
    share(x.flag?.skill),
    share(x.calibrationError),
    share(x.calibrationErrorTold),
    share(x.threshold),
    fixed(2)(x.falseAlarmsPerWeek),
    x.failures === undefined ? '-' : `${x.found} of ${x.failures}`,
    x.failures === undefined || x.medianLeadMinutes === null ? '-' : `${x.medianLeadMinutes.toFixed(0)} min`,
  ])
  const speed = rows === null ? '' : `, ${rows} rows (${((seconds / rows) * 1e6).toFixed(0)} us a row)`
  return `\n${name}: ${hosts} hosts${speed}\n${table(header, body)}\n`
}
