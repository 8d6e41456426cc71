/**
 * How well Portent detects on public recordings of real servers, through the commands that users type. Prints tables,
 * the goals of the project and what others have published, and always succeeds: a benchmark is not a test.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { machinesOf, nabOf } from './data.mjs'
import { goalsOf, goalsText } from './goals.mjs'
import { machinesText } from './machine-text.mjs'
import { nabScores } from './nab-score.mjs'
import { plot } from './plot.mjs'
import { inProcesses } from './pool.mjs'
import { ablationText, driftText, nabText, publishedText } from './text.mjs'

const HELP = `Usage: npm run bench:detection -- --data DIR [FLAGS]

DIR holds SMD/machine-*/, ASD/omi-*/ (train.csv, test.csv, test_label.csv, interpretation_label.txt) and NAB/ (folders of
series, combined_windows.json), as their publishers lay them out; what is not there is left out.

What is measured; all of it unless some are named:
  --machines        ranking, alarms, explanation and cost on SMD and ASD
  --ablation        each detector alone, left out of the mix, and added to it
  --nab             the Numenta Anomaly Benchmark
  --drift           shifts put into recordings
Flags:
  --only NAME       a set, a machine, or a folder or series of NAB; repeat it for more
  --budgets LIST    budgets of false positives (default .003,.01,.02)
  --margin ROWS     rows around an event that are no false positives (default 30)
  --seeds N         drifts a machine (default 5)
  --processes N     machines at a time (default 2)
  --out DIR         detection.txt, detection.svg and detection.json go there, and the bundles with --reuse
  --reuse           keep bundles in --out, and use those that are there: the code that made them may be an older one
  --json FILE       every figure
`

const FLAGS = {
  data: { type: 'string' },
  machines: { type: 'boolean', default: false },
  ablation: { type: 'boolean', default: false },
  nab: { type: 'boolean', default: false },
  drift: { type: 'boolean', default: false },
  only: { type: 'string', multiple: true, default: [] },
  budgets: { type: 'string', default: '.003,.01,.02' },
  margin: { type: 'string', default: '30' },
  seeds: { type: 'string', default: '5' },
  processes: { type: 'string', default: '2' },
  out: { type: 'string' },
  reuse: { type: 'boolean', default: false },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
}

const options = readFlags()
const folder = options.out ?? mkdtempSync(join(tmpdir(), 'portent-detection-'))
mkdirSync(folder, { recursive: true })
const work = join(folder, 'work')
try {
  await main()
} catch (error) {
  console.error(`bench:detection: ${error.message}`)
  process.exitCode = 1
} finally {
  if (options.out === undefined) rmSync(folder, { recursive: true, force: true })
  else if (!options.reuse) rmSync(work, { recursive: true, force: true })
}

async function main() {
  const started = performance.now()
  const machines = machinesOf(options.data, options.only)
  const { series, windows } = nabOf(options.data, options.only)
  const { reuse, budgets, margin, seeds } = options
  const parts = { machines: options.machines, ablation: options.ablation, drift: options.drift }
  const ofMachines = machines.map((machine) => ({
    kind: 'machine',
    what: `${machine.set} ${machine.name}`,
    job: { machine, work: join(work, machine.set, machine.name), reuse, budgets, margin, seeds, parts },
  }))
  const ofSeries = series.map((one) => ({
    kind: 'nab',
    what: `NAB ${one.name}`,
    job: { series: one, windows: windows[one.name], work: join(work, 'NAB', one.name.replace('/', '-')), reuse },
  }))
  const jobs = [...(Object.values(parts).includes(true) ? ofMachines : []), ...(options.nab ? ofSeries : [])]
  if (jobs.length === 0) throw new Error(`nothing to measure in ${options.data}`)
  const results = await inProcesses(jobs, {
    processes: options.processes,
    onDone: (what, done) => {
      const at = ((performance.now() - started) / 1000).toFixed(0)
      process.stderr.write(`${at.padStart(5)} s  ${done}/${jobs.length}  ${what}\n`)
    },
  })
  const of = (kind) => results.filter((_, k) => jobs[k].kind === kind)
  const part = (name) => {
    const found = of('machine').flatMap((x) => x[name] ?? [])
    return found.length > 0 ? found : undefined
  }
  const nab = of('nab')
  const measured = {
    machines: part('machines'),
    ablation: part('ablation'),
    nab: nab.length > 0 ? nabScores(nab) : undefined,
    drift: part('drift'),
  }
  const goals = goalsOf(measured)
  const text = [
    `Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model}, ${((performance.now() - started) / 1000).toFixed(0)} s`,
    ...(measured.machines ? [machinesText(measured.machines, { margin })] : []),
    ...(measured.ablation ? [ablationText(measured.ablation)] : []),
    ...(measured.machines || measured.ablation ? [publishedText()] : []),
    ...(measured.nab ? [nabText(measured.nab)] : []),
    ...(measured.drift ? [driftText(measured.drift)] : []),
    goalsText(goals),
    '',
  ].join('\n')
  console.log(text)
  const json = `${JSON.stringify({ ...measured, goals }, null, 2)}\n`
  if (options.json) writeFileSync(options.json, json)
  if (options.out === undefined) return
  writeFileSync(join(folder, 'detection.txt'), text)
  writeFileSync(join(folder, 'detection.json'), json)
  if (measured.machines || measured.ablation) writeFileSync(join(folder, 'detection.svg'), plot(measured))
}

function readFlags() {
  try {
    const { values } = parseArgs({ options: FLAGS })
    if (values.help) {
      console.log(HELP)
      process.exit(0)
    }
    if (!values.data) throw new Error('--data is needed')
    if (values.reuse && !values.out) throw new Error('--reuse needs --out')
    const number = (name) => {
      const x = Number(values[name])
      if (!Number.isInteger(x) || x < (name === 'margin' ? 0 : 1)) throw new Error(`--${name}: ${values[name]}`)
      return x
    }
    const budgets = values.budgets.split(',').map(Number)
    if (!budgets.every((b) => b > 0 && b <= 0.5)) throw new Error(`--budgets: ${values.budgets}`)
    const parts = ['machines', 'ablation', 'nab', 'drift']
    const isNamed = parts.some((part) => values[part])
    return {
      ...values,
      ...Object.fromEntries(parts.map((part) => [part, !isNamed || values[part]])),
      data: resolve(values.data),
      ...(values.out ? { out: resolve(values.out) } : {}),
      budgets,
      margin: number('margin'),
      seeds: number('seeds'),
      processes: number('processes'),
    }
  } catch (error) {
    console.error(`bench:detection: ${error.message}\n\n${HELP}`)
    process.exit(2)
  }
}
