/** A host's past from a Prometheus server (or one that answers its API): range queries of node_exporter's metrics. */
import { HOST_SIGNALS } from '@portent/core'
import { InputError, type TrainingInput } from '../input.ts'
import { Api, escapeLabel, numberOf } from './prometheus-api.ts'
import { INSTANCES_QUERY, PROMETHEUS_QUERIES, SCRAPES_QUERY } from './prometheus-queries.ts'

export interface PrometheusSource {
  /** May hold user and password; they are never shown. */
  readonly url: string
  readonly days: number
  readonly intervalSeconds: number
  /** Value of the label `instance`; null = the only one there is. */
  readonly instance: string | null
  /** Unix ms. */
  readonly now: number
  /** Milliseconds for one answer. */
  readonly timeoutMs?: number
  readonly progress?: (done: number, steps: number, what: string) => void
}

const MAX_ROWS = 500_000
/** Scrapes that a rate reaches over, so that one that is missing leaves no hole. */
const SCRAPES_IN_RATE = 4

/** @throws InputError */
export async function readPrometheus(source: PrometheusSource): Promise<TrainingInput> {
  const { days, intervalSeconds: interval, progress } = source
  const rows = Math.floor((days * 86_400) / interval)
  if (rows > MAX_ROWS)
    throw new InputError(`${days} days of rows of ${interval} s are ${rows} rows: at most ${MAX_ROWS}`)
  const api = new Api(source)
  const host = await hostMatcher(api, source)
  const scrapes = numberOf((await api.query(SCRAPES_QUERY.replaceAll('$host', host), source.now))[0]?.value?.[1])
  const window = Math.ceil(Math.max(interval, SCRAPES_IN_RATE * (scrapes > 0 ? 600 / scrapes : interval)))

  const last = Math.floor(source.now / 1000 / interval)
  const first = last - rows + 1
  const names = HOST_SIGNALS.map((s) => s.name).filter((name) => name in PROMETHEUS_QUERIES)
  const columns = new Map<string, Float64Array>()
  for (const [k, name] of names.entries()) {
    progress?.(k, names.length, `asking for ${name}`)
    const query = (PROMETHEUS_QUERIES[name] as string).replaceAll('$host', host).replaceAll('$window', `${window}s`)
    const column = new Float64Array(rows).fill(Number.NaN)
    for await (const found of api.pages(query, first, last, interval)) {
      if (found.length > 1) throw new InputError(`${api.shown}: ${name} has ${found.length} series instead of one`)
      fill(column, found[0]?.values ?? [], first, interval)
    }
    if (column.some(Number.isFinite)) columns.set(name, column)
  }
  return assemble(source, api.shown, columns, first, rows, names)
}

/** Values at their place on the grid that begins at row `first`. */
export function fill(
  column: Float64Array,
  values: readonly (readonly [number, string])[],
  first: number,
  interval: number,
): void {
  for (const [at, text] of values) {
    const t = Math.round(at / interval) - first
    if (t >= 0 && t < column.length) column[t] = numberOf(text)
  }
}

/** The label matcher of the host that is asked for. @throws InputError if there are several */
export async function hostMatcher(api: Api, source: PrometheusSource): Promise<string> {
  return `instance="${escapeLabel(source.instance ?? (await onlyInstance(api, source.now)))}"`
}

/** The instance that is asked for, or the only one. @throws InputError if there are several */
export const instanceOf = async (source: PrometheusSource): Promise<string> =>
  source.instance ?? onlyInstance(new Api(source), source.now)

/** Rows in which anything was measured; the others are gaps. */
function assemble(
  { intervalSeconds: interval }: PrometheusSource,
  shown: string,
  columns: ReadonlyMap<string, Float64Array>,
  first: number,
  rows: number,
  names: readonly string[],
): TrainingInput {
  const signals = [...columns.keys()]
  if (signals.length === 0) throw new InputError(`${shown}: no metric of node_exporter has a value in that time`)
  const filled: number[] = []
  const list = [...columns.values()]
  for (let t = 0; t < rows; t++) if (list.some((column) => Number.isFinite(column[t]))) filled.push(t)
  const values = new Float64Array(filled.length * signals.length)
  filled.forEach((t, i) => {
    list.forEach((column, j) => {
      values[i * signals.length + j] = column[t] as number
    })
  })
  const at = Float64Array.from(filled, (t) => (first + t) * interval * 1000)
  const absent = names.filter((name) => !columns.has(name))
  return {
    source: 'Prometheus',
    recording: { name: shown, signals, at, values },
    intervalSeconds: interval,
    notes: absent.length > 0 ? [`not known to the server: ${absent.join(', ')}`] : [],
  }
}

async function onlyInstance(api: Api, now: number): Promise<string> {
  const instances = (await api.query(INSTANCES_QUERY, now)).map((x) => x.metric.instance ?? '').sort()
  const [first] = instances
  if (first === undefined) throw new InputError(`${api.shown}: no instance of node_exporter is known there now`)
  if (instances.length === 1) return first
  const some = instances.slice(0, 10).join(', ')
  const more = instances.length > 10 ? ` and ${instances.length - 10} more` : ''
  throw new InputError(`${api.shown}: knows ${instances.length} hosts, name one by --instance: ${some}${more}`)
}
