import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type CsvTable, LABEL_COLUMNS, type Manifest, parseCsv } from '@portent/core'
import type { OnnxModel } from '../detect/model.ts'
import { readInput } from './input-file.ts'
import type { Io } from './io.ts'

const HELP = `Usage: portent score --bundle DIR --data FILE.csv --out FILE.csv [FLAGS]

Scores a recording with the very code of the service, row by row in the order of the file, each from itself and the rows
before it. One row in gives one row out:
timestamp,score,score_raw,threshold,alarm,confidence,health,drift

  score       score_raw with its peaks held: ranks rows
  score_raw   ensemble of the detectors, 0 = usual, 1 = the 95 % quantile of normal rows
  threshold   what score_raw is held against: a rolling quantile
  alarm       1 from a row over the threshold until ten rows below it
  confidence  share of recent rows that lie below score_raw
  health      0-100
  drift       1 = the host is not what it was: the level of the score and the signals have both moved, and the last day is
              not taken as usual yet; empty until 200 rows are known

The file has a header that names the columns; a column timestamp (seconds, or ISO 8601) is optional. Empty cells and NaN
are missing values. Signals of the bundle that the file lacks are absent; columns that the bundle does not know are left
out, with a warning.

Flags:
  --bundle=DIR
        Folder of the model bundle
  --data=FILE
        The recording
  --out=FILE
        Where the scores go; nothing is written unless all is
  --interval=SECONDS
        Length of a row, which must be the bundle's. Default: 60
  --budget=SHARE
        Share of normal rows that may be in alarm, above 0 and at most 0.5. Default: 0.005
  --attributions=FILE
        Primary SHAP values as well: timestamp and one column a signal
  --help
        Print this
`

const OPTIONS = {
  bundle: { type: 'string' },
  data: { type: 'string' },
  out: { type: 'string' },
  interval: { type: 'string', default: '60' },
  budget: { type: 'string' },
  attributions: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

interface Job {
  readonly bundle: string
  readonly data: string
  readonly out: string
  readonly interval: number
  readonly budget: number | undefined
  readonly attributions: string | undefined
}

export async function score(argv: readonly string[], io: Io): Promise<number> {
  let job: Job | null
  try {
    job = readFlags(argv, io.cwd)
  } catch (error) {
    io.err(`portent score: ${(error as Error).message}\nSee portent score --help\n`)
    return 2
  }
  if (job === null) {
    io.out(HELP)
    return 0
  }
  try {
    await run(job, io)
    return 0
  } catch (error) {
    io.err(`portent score: ${(error as Error).message}\n`)
    return 1
  }
}

function readFlags(argv: readonly string[], cwd: string): Job | null {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS, strict: true })
  if (values.help) return null
  const path = (name: 'bundle' | 'data' | 'out' | 'attributions'): string => {
    if (!values[name]) throw new Error(`--${name} is needed`)
    return resolve(cwd, values[name])
  }
  const interval = Number(values.interval)
  if (!(interval > 0 && interval <= 86_400)) throw new Error(`--interval: expected seconds, found ${values.interval}`)
  const budget = values.budget === undefined ? undefined : Number(values.budget)
  if (budget !== undefined && !(budget > 0 && budget <= 0.5)) {
    throw new Error(`--budget: expected a share above 0 and at most 0.5, found ${values.budget}`)
  }
  const attributions = values.attributions === undefined ? undefined : path('attributions')
  const job = { bundle: path('bundle'), data: path('data'), out: path('out'), interval, budget, attributions }
  if (job.out === attributions) throw new Error('--out and --attributions name the same file')
  return job
}

async function run({ bundle, data, out, interval, budget, attributions }: Job, io: Io): Promise<void> {
  const { readBundle } = await import('../bundle/files.ts')
  const { OnnxModel } = await import('../detect/model.ts')
  const files = await readBundle(bundle)
  const { manifest } = files
  if (manifest.interval_seconds !== interval) {
    const given = `rows of ${manifest.interval_seconds} s, --interval is ${interval} s`
    throw new Error(`${bundle} scores ${given}: a bundle is used only at its own interval`)
  }
  const table = readTable(data, manifest, io)
  const model = await OnnxModel.load(files)
  try {
    const started = performance.now()
    const counts = await write({ model, table, out, budget, attributions })
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    io.out(`${out}: ${table.rows} rows scored in ${seconds} s, ${counts.alarm} of them in alarm\n`)
    if (counts.unscored > 0) {
      io.err(
        `portent score: ${counts.unscored} rows hold values that the models cannot take: they repeat the last scores\n`,
      )
    }
  } finally {
    await model.release()
  }
}

function readTable(path: string, manifest: Manifest, io: Io): CsvTable {
  const known = new Set(manifest.signals.map((s) => s.name))
  const table = readInput(path, (text) => parseCsv(text, { isSignal: (column) => known.has(column) }))
  if (table.columns.length === 0) {
    throw new Error(`${path}: no column is a signal of the bundle, which knows ${listed([...known])}`)
  }
  warn(table, manifest, path, io)
  return table
}

function warn(table: CsvTable, manifest: Manifest, path: string, io: Io): void {
  const say = (message: string) => io.err(`portent score: ${path}: ${message}\n`)
  const unknown = table.ignored.filter((name) => !LABEL_COLUMNS.includes(name))
  if (unknown.length > 0) say(`the bundle does not know ${listed(unknown)}: left out`)
  const absent = manifest.signals.map((s) => s.name).filter((name) => !table.columns.includes(name))
  if (absent.length > 0) say(`no column for ${listed(absent)}: absent`)
  const spacing = medianSpacing(table.at)
  const interval = manifest.interval_seconds
  if (spacing !== null && Math.abs(spacing - interval) > 0.1 * interval) {
    say(`rows lie ${Number(spacing.toPrecision(6))} s apart (median), the bundle is for rows of ${interval} s`)
  }
}

/** Seconds; null where the file does not tell the time. */
function medianSpacing(at: Float64Array | null): number | null {
  if (at === null || at.length < 2) return null
  const steps = at.slice(1).map((x, i) => x - (at[i] as number))
  return (steps.sort()[Math.floor(steps.length / 2)] as number) / 1000
}

interface Writing {
  readonly model: OnnxModel
  readonly table: CsvTable
  readonly out: string
  readonly budget: number | undefined
  readonly attributions: string | undefined
}

async function write({ model, table, out, budget, attributions }: Writing) {
  const { attributionLine, replay, rowsOf, SCORE_COLUMNS, scoreLine, writeWhole } = await import('../replay/index.ts')
  const { interval_seconds, signals } = model.manifest
  const names = signals.map((s) => s.name)
  const paths = attributions === undefined ? [out] : [out, attributions]
  return writeWhole(paths, async ([scores, shap]) => {
    scores?.write(`${SCORE_COLUMNS.join(',')}\n`)
    shap?.write(`${['timestamp', ...names].join(',')}\n`)
    const counts = { alarm: 0, unscored: 0 }
    let i = 0
    const options = { explain: attributions !== undefined, ...(budget === undefined ? {} : { budget }) }
    for await (const block of replay(model, rowsOf(table, interval_seconds), options)) {
      for (const row of block) {
        const stamp = table.stamps?.[i] ?? String(i * interval_seconds)
        scores?.write(scoreLine(stamp, row))
        shap?.write(attributionLine(stamp, names, row.shap))
        if (row.alarm) counts.alarm++
        if (row.unscored) counts.unscored++
        i++
      }
    }
    return counts
  })
}

function listed(names: readonly string[]): string {
  return names.length <= 8 ? names.join(', ') : `${names.slice(0, 7).join(', ')} and ${names.length - 7} more`
}
