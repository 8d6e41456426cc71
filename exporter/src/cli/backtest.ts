/**
 * `portent backtest`: reads a past (by a program of the package training, or from files), trains a model on its first
 * part, and replays the whole with the code of the service.
 */
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { parseCsv } from '@portent/core'
import type { Recording } from '../backtest/index.ts'
import type { OnnxModel } from '../detect/model.ts'
import { readInput } from './input-file.ts'
import type { Io } from './io.ts'
import { runTraining } from './training.ts'

const HELP = `Usage: portent backtest --prometheus URL [--instance I] --out DIR [FLAGS]
       portent backtest --store FILE [--target T] --out DIR [FLAGS]
       portent backtest --data FILE.csv --signals FILE.json --out DIR [FLAGS]

Replays a host's past as the service would have seen it, row by row, and says which alarms and predictions would have fired,
when, for how long and why, beside the usual rules on the same past: node-mixin's and awesome-prometheus-alerts' on file
systems that fill up, and a level above 90 %. Prints a table; writes DIR/report.html (one file, no network) and
DIR/report.json.

Nothing peeks: a prediction rests on the rows up to its time, and the detectors are trained on the first part of the past
and score the rest. The first day, of a short past its first quarter, is warm-up and not counted. Where the past is too
short for a model (under a day and a quarter), or none can be made, exhaustion and rules are told alone.

Flags:
  --prometheus=URL
        Address of the server, as http://localhost:9090; reads node_exporter's metrics
  --instance=HOST:PORT
        Instance of node_exporter, if there are several
  --store=FILE
        Database of the service, which may be running; its means of a minute are read
  --target=NAME
        Target in the database, if there are several
  --data=FILE, --signals=FILE
        A recording and what its columns are, as for portent forecast
  --days=D
        The last days that are replayed, 0.05 to 366. Default: 14
  --until=TIME
        End of the past: seconds since 1970 or ISO 8601 (prometheus). Default: now
  --interval=SECONDS
        Seconds between two rows (prometheus). Default: 60
  --train-days=D
        Days from the first row that the detectors learn from; 0 = no detectors. Default: half of the past, at least one
  --out=DIR
        Where the report goes; made if it is not there
  --help
        Print this

Exit codes: 0 written, 1 the past is at fault, 2 called wrongly.
`

const OPTIONS = {
  prometheus: { type: 'string' },
  instance: { type: 'string' },
  store: { type: 'string' },
  target: { type: 'string' },
  data: { type: 'string' },
  signals: { type: 'string' },
  days: { type: 'string' },
  until: { type: 'string' },
  interval: { type: 'string' },
  'train-days': { type: 'string' },
  out: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const SOURCES = ['prometheus', 'store', 'data'] as const
type Source = (typeof SOURCES)[number]
type Flag = 'instance' | 'target' | 'signals' | 'until' | 'interval'
const ONLY_FOR: Readonly<Record<Flag, Source>> = {
  instance: 'prometheus',
  until: 'prometheus',
  interval: 'prometheus',
  target: 'store',
  signals: 'data',
}

interface Job {
  readonly source: Source
  /** Address or file. */
  readonly input: string
  readonly more: Readonly<Partial<Record<Flag, string>>>
  readonly days: number
  readonly trainDays: number | null
  readonly out: string
}

const DAY = 86_400_000
/** Days that have to be left to score, and the least to train on. */
const LEAST_SCORED = 0.25
const LEAST_TRAINED = 1
/** Of an error of another program. */
const MOST_SAID = 300

export async function backtest(argv: readonly string[], io: Io): Promise<number> {
  let job: Job | null
  try {
    job = readFlags(argv, io.cwd)
  } catch (error) {
    io.err(`portent backtest: ${(error as Error).message}\nSee portent backtest --help\n`)
    return 2
  }
  if (job === null) {
    io.out(HELP)
    return 0
  }
  const folder = mkdtempSync(join(tmpdir(), 'portent-backtest-'))
  try {
    await run(job, folder, io)
    return 0
  } catch (error) {
    io.err(`portent backtest: ${(error as Error).message}\n`)
    return 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readFlags(argv: readonly string[], cwd: string): Job | null {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS, strict: true })
  if (values.help) return null
  const given = SOURCES.filter((name) => values[name])
  const [source] = given
  if (source === undefined) throw new Error('--prometheus, --store or --data is needed')
  if (given.length > 1) throw new Error(`--${given.join(' and --')}: one past at a time`)
  const more: Partial<Record<Flag, string>> = {}
  for (const flag of Object.keys(ONLY_FOR) as Flag[]) {
    const value = values[flag]
    if (value === undefined) continue
    if (ONLY_FOR[flag] !== source) throw new Error(`--${flag} is for --${ONLY_FOR[flag]}, not for --${source}`)
    more[flag] = value
  }
  if (source === 'data' && !more.signals) throw new Error('--signals is needed')
  if (!values.out) throw new Error('--out is needed')
  if (more.interval !== undefined) numberIn('interval', more.interval, 1, 3600)
  if (more.until !== undefined) more.until = String(secondsOf(more.until))
  const trained = values['train-days']
  const input = values[source] as string
  return {
    source,
    input: source === 'prometheus' ? input : resolve(cwd, input),
    more,
    days: numberIn('days', values.days ?? '14', 0.05, 366),
    trainDays: trained === undefined ? null : numberIn('train-days', trained, 0, 366),
    out: resolve(cwd, values.out),
  }
}

function numberIn(flag: string, text: string, low: number, high: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= low && value <= high) return value
  throw new Error(`--${flag} is a number of ${low} to ${high}, not ${text}`)
}

function secondsOf(text: string): number {
  const seconds = text.trim() === '' ? Number.NaN : Number(text)
  const value = Number.isFinite(seconds) ? seconds : Date.parse(text) / 1000
  if (Number.isFinite(value) && value > 0) return value
  throw new Error(`--until is seconds since 1970 or a date and time of ISO 8601, not ${text}`)
}

async function run(job: Job, folder: string, io: Io): Promise<void> {
  if (existsSync(job.out) && !statSync(job.out).isDirectory()) throw new Error(`--out ${job.out} is a file`)
  const { backtest: replayed, cut, firstRowAt, htmlOf, jsonOf, textOf } = await import('../backtest/index.ts')
  const { writeWhole } = await import('../replay/index.ts')
  const notes: string[] = []
  if (job.source !== 'data') io.err(`portent backtest: reading ${job.days} days\n`)
  const whole = await read(job, folder, notes, io)
  const end = whole.at[whole.at.length - 1] as number
  const recording = cut(whole, firstRowAt(whole.at, end - job.days * DAY), whole.at.length)
  const trained = await train(recording, job, { folder, notes, io })
  const failure = trained?.model ?? (await shippedModel(notes))
  try {
    io.err(`portent backtest: replaying ${recording.table.rows} rows\n`)
    const result = await replayed({ recording, trained, failure, notes })
    const [html, json] = ['report.html', 'report.json'].map((name) => join(job.out, name)) as [string, string]
    // Where only the last folder is missing, not recursively: that never ends in a file system that makes no folders.
    if (!existsSync(job.out)) mkdirSync(job.out, { recursive: !existsSync(dirname(job.out)) })
    await writeWhole([html, json], ([page, numbers]) => {
      page?.write(htmlOf(result))
      numbers?.write(jsonOf(result))
      return Promise.resolve()
    })
    io.out(`${textOf(result)}\nwrote ${html} and ${json}\n`)
  } finally {
    await failure?.release()
  }
}

async function load(bundle: string): Promise<OnnxModel> {
  const { readBundle } = await import('../bundle/files.ts')
  const { OnnxModel } = await import('../detect/model.ts')
  return OnnxModel.load(await readBundle(bundle))
}

/** Its failure model is that of any host. */
async function shippedModel(notes: string[]): Promise<OnnxModel | null> {
  try {
    return await load((await import('../config/index.ts')).shippedBundle())
  } catch (error) {
    notes.push(`the bundle shipped with the package cannot be used: ${(error as Error).message}`)
    return null
  }
}

/** The past as a recording; what a source says goes to `notes`. */
async function read({ source, input, more, days }: Job, folder: string, notes: string[], io: Io): Promise<Recording> {
  const { readSignals } = await import('../replay/index.ts')
  const { timesOf } = await import('../backtest/index.ts')
  let files = { data: input, signals: resolve(io.cwd, more.signals ?? '') }
  let about: { name: string; wholes: Recording['wholes'] } = { name: input, wholes: {} }
  if (source !== 'data') {
    const flags = Object.entries(more).map(([name, value]) => `--${name}=${value}`)
    const from = source === 'store' ? `--store=${input}` : `--url=${input}`
    const said: string[] = []
    const err = (text: string) => {
      // Progress comes as lines with a time in front; anything else says why it failed.
      for (const line of text.split('\n')) if (!/^ +[\d.]+ s /.test(line)) said.push(line)
    }
    const code = await runTraining('fetch', [from, `--days=${days}`, ...flags, `--out=${folder}`], { ...io, err })
    if (code !== 0)
      throw new Error(said.join(' ').trim().replaceAll('--url', '--prometheus') || `fetch ended with ${code}`)
    files = { data: join(folder, 'data.csv'), signals: join(folder, 'signals.json') }
    const told = JSON.parse(readFileSync(join(folder, 'about.json'), 'utf8')) as typeof about & { notes: string[] }
    about = told
    notes.push(...told.notes)
  }
  const signals = readInput(files.signals, (text) => readSignals(text))
  if (source === 'data') notes.push(...signals.warnings)
  const known = new Set(signals.signals.map((s) => s.name))
  const table = readInput(files.data, (text) => parseCsv(text, { isSignal: (column) => known.has(column) }))
  if (table.columns.length === 0) throw new Error(`${files.data}: no column is a signal of ${files.signals}`)
  if (table.rows < 2) throw new Error(`${about.name}: a single row is no past`)
  return { ...about, table, at: timesOf(table, signals.intervalSeconds), signals }
}

interface Training {
  readonly folder: string
  readonly notes: string[]
  readonly io: Io
}

/** A model of the first part of the past; null, with a note that says why, where there can be none. */
async function train(recording: Recording, { trainDays }: Job, { folder, notes, io }: Training) {
  const { cut, firstRowAt, learnable, trainingCsv } = await import('../backtest/index.ts')
  const { at, signals } = recording
  const first = at[0] as number
  const days = ((at[at.length - 1] as number) - first) / DAY
  const learn = trainDays ?? Math.max(LEAST_TRAINED, days / 2)
  const without = (why: string): null => {
    notes.push(`no model of this host: ${why}; exhaustion and rules only`)
    return null
  }
  if (learn === 0) return without('--train-days is 0')
  if (days < learn + LEAST_SCORED) {
    return without(`${days.toFixed(1)} days are too short to train on ${Number(learn.toFixed(2))} and score the rest`)
  }
  const rows = firstRowAt(at, first + learn * DAY)
  const [data, bundle] = [join(folder, 'training.csv'), join(folder, 'bundle')]
  await pipeline(Readable.from(trainingCsv(cut(recording, 0, rows))), createWriteStream(data))
  const said: string[] = []
  const quiet = { ...io, out: () => undefined, err: (text: string) => void said.push(text) }
  io.err(`portent backtest: training on the first ${Number(learn.toFixed(2))} days\n`)
  const flags = [`--data=${data}`, `--out=${bundle}`, `--interval=${signals.intervalSeconds}`, '--name=backtest']
  const code = await runTraining('train', flags, quiet)
  if (code !== 0) {
    const why = /portent train: ([\s\S]*)/.exec(said.join(''))?.[1] ?? `training ended with ${code}`
    return without(why.replaceAll(data, 'the first part').replace(/\s+/g, ' ').trim().slice(0, MOST_SAID))
  }
  const left = recording.table.columns.filter((name) => !learnable(name) && !name.includes(':'))
  if (left.length > 0) notes.push(`not learnt, a signal's name is of letters, digits and _: ${left.join(', ')}`)
  return { rows, model: await load(bundle) }
}
