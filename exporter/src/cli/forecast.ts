import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type CsvTable, parseCsv, type TimedRow } from '@portent/core'
import type { OnnxModel } from '../detect/model.ts'
import type { RowScores } from '../replay/outlook.ts'
import type { RecordedSignals } from '../replay/signals-file.ts'
import { readInput } from './input-file.ts'
import type { Io } from './io.ts'

const HELP = `Usage: portent forecast --data FILE.csv --signals FILE.json [--exhaustion OUT] [--failure OUT] [--forecasts OUT] [FLAGS]

Predicts over a recording with the very code of the service, strictly causal: what stands at a time rests on the rows up to
it and nothing else. One block of predictions every five minutes of data.

  --exhaustion  timestamp,signal,lower,median,upper     when each signal with a capacity runs out: the 10 %, 50 % and 90 %
                                                        points of the first passage, Unix seconds; inf = not foreseen
  --failure     timestamp,horizon,probability           that the host fails within so many seconds
  --forecasts   timestamp,signal,horizon_seconds,q10,q50,q90

The file of signals says what the columns are:
  {"interval_seconds": 60, "signals": {"disk": {"kind": "disk_used_ratio", "unit": "ratio", "capacity": 1, "direction": "up"}}}
Kinds: cpu_busy_ratio, cpu_iowait_ratio, load_per_core, memory_used_ratio, swap_used_ratio, disk_used_ratio,
inodes_used_ratio, file_descriptors_used_ratio, disk_busy_ratio, network_rate, network_error_ratio, response_time,
error_ratio; any other is a plain signal. A row that is missing is a missing interval, an empty cell a missing value.

Flags:
  --data=FILE
        The recording: CSV with a header; a column timestamp (seconds, or ISO 8601) is optional
  --signals=FILE
        What its columns are
  --bundle=DIR
        Model bundle whose failure model is asked; its detectors are, too, where its interval and signals are those of
        the recording. Default: the bundle shipped with the package
  --horizons=LIST
        Seconds ahead that are forecast, separated by commas. Default: 900,3600,21600,86400
  --exhaustion=FILE, --failure=FILE, --forecasts=FILE
        Where the predictions go; nothing is written unless all is
  --help
        Print this
`

const OPTIONS = {
  data: { type: 'string' },
  signals: { type: 'string' },
  bundle: { type: 'string' },
  horizons: { type: 'string', default: '900,3600,21600,86400' },
  exhaustion: { type: 'string' },
  failure: { type: 'string' },
  forecasts: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const OUTPUTS = ['exhaustion', 'failure', 'forecasts'] as const
type Output = (typeof OUTPUTS)[number]

interface Job {
  readonly data: string
  readonly signals: string
  readonly bundle: string | null
  readonly horizons: readonly number[]
  readonly out: Partial<Record<Output, string>>
}

const LEAST_HORIZON = 1
const MOST_HORIZON = 86_400

export async function forecast(argv: readonly string[], io: Io): Promise<number> {
  let job: Job | null
  try {
    job = readFlags(argv, io.cwd)
  } catch (error) {
    io.err(`portent forecast: ${(error as Error).message}\nSee portent forecast --help\n`)
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
    io.err(`portent forecast: ${(error as Error).message}\n`)
    return 1
  }
}

function readFlags(argv: readonly string[], cwd: string): Job | null {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS, strict: true })
  if (values.help) return null
  const path = (name: 'data' | 'signals'): string => {
    if (!values[name]) throw new Error(`--${name} is needed`)
    return resolve(cwd, values[name])
  }
  const horizons = values.horizons.split(',').map((text) => {
    const seconds = Number(text)
    if (text.trim() !== '' && seconds >= LEAST_HORIZON && seconds <= MOST_HORIZON) return seconds
    throw new Error(
      `--horizons: expected seconds from ${LEAST_HORIZON} to ${MOST_HORIZON}, found ${JSON.stringify(text)}`,
    )
  })
  const out: Partial<Record<Output, string>> = {}
  for (const name of OUTPUTS) if (values[name]) out[name] = resolve(cwd, values[name])
  const files = Object.values(out)
  if (files.length === 0) throw new Error(`at least one of ${OUTPUTS.map((o) => `--${o}`).join(', ')} is needed`)
  if (new Set(files).size < files.length) throw new Error('two outputs name the same file')
  const bundle = values.bundle ? resolve(cwd, values.bundle) : null
  for (const input of [path('data'), path('signals')]) {
    if (files.includes(input)) throw new Error(`${input} would be overwritten by what is predicted from it`)
  }
  return { data: path('data'), signals: path('signals'), bundle, horizons: [...new Set(horizons)], out }
}

async function run({ data, signals: signalsPath, bundle, horizons, out }: Job, io: Io): Promise<void> {
  const { readSignals } = await import('../replay/index.ts')
  const say = (path: string, message: string) => io.err(`portent forecast: ${path}: ${message}\n`)
  const signals = readInput(signalsPath, (text) => readSignals(text))
  for (const warning of signals.warnings) say(signalsPath, warning)
  const table = readTable(data, signals)
  const missing = signals.signals.map((s) => s.name).filter((name) => !table.columns.includes(name))
  if (missing.length > 0) say(data, `no column for ${missing.join(', ')}: never seen`)
  if (table.columns.length === 0) throw new Error(`${data}: no column is a signal of ${signalsPath}`)
  const counters = signals.signals.filter(({ name, limit }) => limit !== null && isCounter(table, name, limit.capacity))
  for (const { name, limit } of counters) {
    say(
      data,
      `${name} only ever grows, far beyond its capacity of ${limit?.capacity}: a counter, or another unit (percent?)`,
    )
  }

  const model = out.failure === undefined && bundle === null ? null : await loadModel(bundle)
  try {
    const started = performance.now()
    const counts = await write({ model, table, signals, horizons, out, warn: (text) => say(bundle ?? 'bundle', text) })
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    io.out(`${table.rows} rows in ${seconds} s: ${counts.blocks} blocks of predictions\n`)
    if (out.failure !== undefined && counts.probabilities === 0) {
      io.err('portent forecast: too little is known of the recording for a failure probability\n')
    }
  } finally {
    await model?.release()
  }
}

function readTable(path: string, { signals }: RecordedSignals): CsvTable {
  const known = new Set(signals.map((s) => s.name))
  return readInput(path, (text) => parseCsv(text, { isSignal: (column) => known.has(column) }))
}

/** Never falls, and ends far beyond what could be full. */
function isCounter({ columns, values, rows }: CsvTable, name: string, capacity: number): boolean {
  const c = columns.indexOf(name)
  if (c < 0 || !(capacity > 0)) return false
  let last = Number.NEGATIVE_INFINITY
  for (let i = 0; i < rows; i++) {
    const value = values[i * columns.length + c] as number
    if (Number.isNaN(value)) continue
    if (value < last) return false
    last = value
  }
  return last > 10 * capacity
}

async function loadModel(folder: string | null): Promise<OnnxModel> {
  const { shippedBundle } = await import('../config/index.ts')
  const { readBundle } = await import('../bundle/files.ts')
  const { OnnxModel } = await import('../detect/model.ts')
  return OnnxModel.load(await readBundle(folder ?? shippedBundle()))
}

interface Writing {
  readonly model: OnnxModel | null
  readonly table: CsvTable
  readonly signals: RecordedSignals
  readonly horizons: readonly number[]
  readonly out: Partial<Record<Output, string>>
  readonly warn: (text: string) => void
}

async function write({ model, table, signals, horizons, out, warn }: Writing) {
  const { replayOutlook, rowsOf, writeWhole } = await import('../replay/index.ts')
  const { withExhaustion } = await import('../outlook/index.ts')
  const scores = model && (await scoresOf(model, table, signals, warn))
  const wanted = OUTPUTS.filter((name) => out[name] !== undefined)
  return writeWhole(
    wanted.map((name) => out[name] as string),
    async (open) => {
      const files = Object.fromEntries(wanted.map((name, i) => [name, open[i]])) as Partial<
        Record<Output, (typeof open)[0]>
      >
      files.exhaustion?.write('timestamp,signal,lower,median,upper\n')
      files.failure?.write('timestamp,horizon,probability\n')
      files.forecasts?.write('timestamp,signal,horizon_seconds,q10,q50,q90\n')
      const counts = { blocks: 0, probabilities: 0 }
      const rows = withScores(rowsOf(table, signals.intervalSeconds), scores)
      for (const block of replayOutlook(rows, { signals, horizons: files.forecasts ? horizons : [] })) {
        counts.blocks++
        for (const { signal, lower, median, upper } of block.exhaustions) {
          files.exhaustion?.write(
            `${block.at},${quoted(signal)},${instant(lower)},${instant(median)},${instant(upper)}\n`,
          )
        }
        for (const { signal, horizon, quantiles } of block.forecasts) {
          files.forecasts?.write(
            `${block.at},${quoted(signal)},${horizon},${quantiles[1]},${quantiles[2]},${quantiles[3]}\n`,
          )
        }
        const failure = model?.manifest.failure
        if (files.failure === undefined || block.failure === null || !failure) continue
        // One block a call: the kernels of another batch size may round differently.
        const modelled = await model.failure(block.failure, 1)
        const probabilities = withExhaustion(failure, block.failure, modelled, block.usedUp)
        failure.horizons_seconds.forEach((horizon, h) => {
          files.failure?.write(`${block.at},${horizon},${probabilities[h]}\n`)
          counts.probabilities++
        })
      }
      return counts
    },
  )
}

const instant = (at: number): string => (Number.isFinite(at) ? String(Math.round(at)) : 'inf')
const quoted = (name: string): string => (/[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)

/** Anomaly and health of every row, where the bundle is one for such rows; null where it is not. */
async function scoresOf(
  model: OnnxModel,
  table: CsvTable,
  { intervalSeconds }: RecordedSignals,
  warn: (text: string) => void,
): Promise<RowScores[] | null> {
  const { interval_seconds, signals } = model.manifest
  const known = signals.filter(({ name }) => table.columns.includes(name)).length
  if (interval_seconds !== intervalSeconds || known < signals.length / 2) {
    if (interval_seconds !== intervalSeconds && known > 0) {
      warn(`scores rows of ${interval_seconds} s: only its failure model is used for rows of ${intervalSeconds} s`)
    }
    return null
  }
  const { replay, rowsOf } = await import('../replay/index.ts')
  const scores: RowScores[] = []
  for await (const block of replay(model, rowsOf(table, intervalSeconds), { explain: false })) {
    for (const { scoreRaw, threshold, health } of block) {
      scores.push({ anomaly: Math.max(0, scoreRaw / threshold), health })
    }
  }
  return scores
}

function* withScores(
  rows: Iterable<TimedRow>,
  scores: readonly RowScores[] | null,
): Generator<TimedRow & { scores?: RowScores }> {
  let i = 0
  for (const row of rows) {
    const found = scores?.[i++]
    yield found === undefined ? row : { ...row, scores: found }
  }
}
