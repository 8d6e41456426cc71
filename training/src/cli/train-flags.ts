/** The flags of `portent train`. */
import { parseArgs } from 'node:util'

export const HELP = `Usage: portent train --data FILE.csv --out DIR [FLAGS]
       portent train --from history --store FILE [--target T] --out DIR [FLAGS]
       portent train --from prometheus --url URL [--instance I] --out DIR [FLAGS]
       portent train --from simulator [--hosts N] --out DIR [FLAGS]

Fits a bundle on one host's own past: a week is good, a day the least that knows a daily pattern. From the simulator it
makes one for any Linux host. Prints progress on standard error and a table of what was made; writes all of the bundle or
nothing, with a report for people (report.html). The same rows, flags and Node give the same bundle.

A CSV file has a header that names the columns; a column timestamp (seconds, milliseconds or ISO 8601) is optional. Empty
cells and NaN are missing values. The columns fault, failed and label are never signals.

Flags:
  --data=FILE
        CSV file of one host, oldest row first
  --from=csv|history|prometheus|simulator
        Where the rows come from. Default: csv
  --out=DIR
        Folder of the bundle; an older bundle there is replaced
  --interval=SECONDS
        Seconds a row stands for. Default: the median step of the timestamps; 60 without them and for prometheus; 10 for
        simulator
  --detectors=default|all|LIST
        default: isolation_forest, win_z, pca_win, var with the weights of validation; all: local_outlier_factor,
        autoencoder and convolution too; LIST: names with commas between, each of weight 1
  --seed=S
        A number or a word. Default: 1
  --name=NAME
        Name in the manifest. Default: the name of the folder
  --ignore=COLUMN
        Column of the CSV file to leave out; may be given several times
  --report=FILE
        Where the report goes instead of DIR/report.html
  --store=FILE
        Database of the service, which may be running (history)
  --target=NAME
        Target in the database, if there are several (history)
  --url=URL
        Address of the server, as http://localhost:9090 (prometheus)
  --instance=HOST:PORT
        Instance of node_exporter, if there are several (prometheus)
  --days=D
        The last days that are read (history, prometheus), or days of each simulated host. Default: 7; simulator 1
  --hosts=N
        Simulated hosts to fit on; half as many calibrate, a quarter weigh, three quarters teach failures. Default: 64
  --help
        Print this

Exit codes: 0 written, 1 the input is at fault, 2 called wrongly.
`

const OPTIONS = {
  data: { type: 'string' },
  from: { type: 'string', default: 'csv' },
  out: { type: 'string' },
  interval: { type: 'string' },
  detectors: { type: 'string', default: 'default' },
  seed: { type: 'string', default: '1' },
  name: { type: 'string' },
  ignore: { type: 'string', multiple: true },
  report: { type: 'string' },
  store: { type: 'string' },
  target: { type: 'string' },
  url: { type: 'string' },
  instance: { type: 'string' },
  days: { type: 'string' },
  hosts: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

export const SOURCES = ['csv', 'history', 'prometheus', 'simulator'] as const
export type Source = (typeof SOURCES)[number]

/** Flags that only some sources know. */
const ONLY_FOR: Readonly<Record<string, readonly Source[]>> = {
  data: ['csv'],
  ignore: ['csv'],
  store: ['history'],
  target: ['history'],
  url: ['prometheus'],
  instance: ['prometheus'],
  days: ['history', 'prometheus', 'simulator'],
  hosts: ['simulator'],
}
const NEEDED: Readonly<Record<Source, string | null>> = {
  csv: 'data',
  history: 'store',
  prometheus: 'url',
  simulator: null,
}

export class UsageError extends Error {}

export interface TrainFlags {
  readonly from: Source
  /** The flag that its source needs: file or address. */
  readonly input: string
  readonly out: string
  readonly intervalSeconds: number | null
  readonly detectors: string
  readonly seed: string
  readonly name: string | null
  readonly ignore: readonly string[]
  readonly report: string | null
  readonly target: string | null
  readonly instance: string | null
  readonly days: number | null
  readonly hosts: number
}

/** @returns null when help was asked for; @throws UsageError */
export function readTrainFlags(args: readonly string[]): TrainFlags | null {
  const { values } = parse(args)
  if (values.help) return null
  const from = SOURCES.find((x) => x === values.from)
  if (from === undefined) throw new UsageError(`--from is one of ${SOURCES.join(', ')}, not ${values.from}`)
  for (const [flag, sources] of Object.entries(ONLY_FOR)) {
    if (values[flag as keyof typeof values] === undefined || sources.includes(from)) continue
    throw new UsageError(`--${flag} is for --from ${sources.join(' or ')}, not for ${from}`)
  }
  const needed = NEEDED[from]
  const input = needed === null ? '' : values[needed as 'data' | 'store' | 'url']
  if (input === undefined || (needed !== null && input === '')) throw new UsageError(`--${needed} is needed`)
  if (values.out === undefined || values.out === '') throw new UsageError('--out is needed')
  return {
    from,
    input,
    out: values.out,
    intervalSeconds: numberIn('interval', values.interval, 0.001, 86_400),
    detectors: values.detectors,
    seed: values.seed,
    name: values.name ?? null,
    ignore: values.ignore ?? [],
    report: values.report ?? null,
    target: values.target ?? null,
    instance: values.instance ?? null,
    days: numberIn('days', values.days, 0.01, 366),
    hosts: numberIn('hosts', values.hosts, 1, 10_000, true) ?? 64,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true })
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}

function numberIn(flag: string, text: string | undefined, low: number, high: number, whole = false): number | null {
  if (text === undefined) return null
  const value = Number(text)
  if (text.trim() !== '' && value >= low && value <= high && (!whole || Number.isInteger(value))) return value
  throw new UsageError(`--${flag} is a ${whole ? 'whole ' : ''}number of ${low} to ${high}, not ${text}`)
}
