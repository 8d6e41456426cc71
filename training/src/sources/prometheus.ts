/** A host's past from a Prometheus server (or one that answers its API): range queries of node_exporter's metrics. */
import { HOST_SIGNALS } from '@portent/core'
import { InputError, type TrainingInput } from '../input.ts'
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

/** Prometheus refuses more than 11,000 points in one answer. */
const MAX_POINTS = 10_000
const MAX_BYTES = 32 << 20
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
  const host = `instance="${escapeLabel(source.instance ?? (await onlyInstance(api)))}"`
  const scrapes = numberOf((await api.query(SCRAPES_QUERY.replaceAll('$host', host)))[0]?.value?.[1])
  const window = Math.ceil(Math.max(interval, SCRAPES_IN_RATE * (scrapes > 0 ? 600 / scrapes : interval)))

  const last = Math.floor(source.now / 1000 / interval)
  const first = last - rows + 1
  const names = HOST_SIGNALS.map((s) => s.name).filter((name) => name in PROMETHEUS_QUERIES)
  const columns = new Map<string, Float64Array>()
  for (const [k, name] of names.entries()) {
    progress?.(k, names.length, `asking for ${name}`)
    const query = (PROMETHEUS_QUERIES[name] as string).replaceAll('$host', host).replaceAll('$window', `${window}s`)
    const column = new Float64Array(rows).fill(Number.NaN)
    for (let from = first; from <= last; from += MAX_POINTS) {
      const to = Math.min(last, from + MAX_POINTS - 1)
      const found = await api.queryRange(query, from * interval, to * interval, interval)
      if (found.length > 1) throw new InputError(`${api.shown}: ${name} has ${found.length} series instead of one`)
      for (const [at, text] of found[0]?.values ?? []) {
        const t = Math.round(at / interval) - first
        if (t >= 0 && t < rows) column[t] = numberOf(text)
      }
    }
    if (column.some(Number.isFinite)) columns.set(name, column)
  }
  return assemble(source, api.shown, columns, first, rows, names)
}

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

async function onlyInstance(api: Api): Promise<string> {
  const instances = (await api.query(INSTANCES_QUERY)).map((x) => x.metric.instance ?? '').sort()
  const [first] = instances
  if (first === undefined) throw new InputError(`${api.shown}: no instance of node_exporter is known there now`)
  if (instances.length === 1) return first
  const some = instances.slice(0, 10).join(', ')
  const more = instances.length > 10 ? ` and ${instances.length - 10} more` : ''
  throw new InputError(`${api.shown}: knows ${instances.length} hosts, name one by --instance: ${some}${more}`)
}

interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

class Api {
  /** The address without user and password. */
  readonly shown: string
  readonly #base: URL
  readonly #headers: Record<string, string> = { accept: 'application/json' }
  readonly #timeoutMs: number

  constructor({ url, timeoutMs = 30_000 }: PrometheusSource) {
    let base: URL
    try {
      base = new URL(url)
    } catch {
      throw new InputError('--url is no address, as http://localhost:9090 would be')
    }
    if (base.protocol !== 'http:' && base.protocol !== 'https:') throw new InputError('--url is neither http nor https')
    if (base.username !== '') {
      const plain = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`
      this.#headers.authorization = `Basic ${Buffer.from(plain).toString('base64')}`
    }
    base.username = ''
    base.password = ''
    base.search = ''
    base.hash = ''
    this.#base = base
    this.#timeoutMs = timeoutMs
    this.shown = base.href.replace(/\/$/, '')
  }

  query(query: string): Promise<Series[]> {
    return this.#ask('query', { query })
  }

  queryRange(query: string, start: number, end: number, step: number): Promise<Series[]> {
    return this.#ask('query_range', { query, start: String(start), end: String(end), step: String(step) })
  }

  async #ask(route: string, parameters: Record<string, string>): Promise<Series[]> {
    const url = new URL(`${this.#base.pathname.replace(/\/$/, '')}/api/v1/${route}`, this.#base)
    try {
      const response = await fetch(url, {
        method: 'POST',
        body: new URLSearchParams(parameters),
        headers: this.#headers,
        redirect: 'error',
        signal: AbortSignal.timeout(this.#timeoutMs),
      })
      const text = await readBounded(response)
      const answer = parse(text)
      if (answer === null) throw new InputError(`answered ${response.status} and not as Prometheus does`)
      if (!response.ok || answer.status !== 'success') {
        throw new InputError(`answered ${response.status}: ${String(answer.error ?? 'no reason given').slice(0, 300)}`)
      }
      if (!Array.isArray(answer.data?.result)) throw new InputError('answered without a result')
      return answer.data.result
    } catch (error) {
      throw new InputError(`${this.shown}/api/v1/${route}: ${reasonOf(error)}`, { cause: error })
    }
  }
}

interface Answer {
  readonly status?: string
  readonly error?: unknown
  readonly data?: { readonly result?: Series[] }
}

function parse(text: string): Answer | null {
  try {
    const answer: unknown = JSON.parse(text)
    return typeof answer === 'object' ? (answer as Answer | null) : null
  } catch {
    return null
  }
}

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.length
    if (bytes > MAX_BYTES) throw new InputError(`the answer is longer than ${MAX_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return 'no answer in time'
  const { cause } = error
  return cause instanceof Error && !(error instanceof InputError) ? `${error.message}: ${cause.message}` : error.message
}

/** Prometheus writes numbers as text, `NaN` and `+Inf` too: those are missing. */
function numberOf(text: string | undefined): number {
  const value = Number(text)
  return text !== undefined && Number.isFinite(value) ? value : Number.NaN
}

function escapeLabel(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
