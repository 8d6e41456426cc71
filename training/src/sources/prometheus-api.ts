/** The queries of a Prometheus server, or of one that answers its API. */
import { InputError } from '../input.ts'

/** Prometheus refuses more than 11,000 points in one answer. */
const MAX_POINTS = 10_000
const MAX_BYTES = 32 << 20

export interface ApiOptions {
  /** May hold user and password; they are never shown. */
  readonly url: string
  /** Milliseconds for one answer. */
  readonly timeoutMs?: number
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

export class Api {
  /** The address without user and password. */
  readonly shown: string
  readonly #base: URL
  readonly #headers: Record<string, string> = { accept: 'application/json' }
  readonly #timeoutMs: number

  constructor({ url, timeoutMs = 30_000 }: ApiOptions) {
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

  /** @param at Unix ms */
  query(query: string, at: number): Promise<Series[]> {
    return this.#ask('query', { query, time: String(at / 1000) })
  }

  queryRange(query: string, start: number, end: number, step: number): Promise<Series[]> {
    return this.#ask('query_range', { query, start: String(start), end: String(end), step: String(step) })
  }

  /** A long range as several answers; times are rows of `interval` seconds, `last` included. */
  async *pages(query: string, first: number, last: number, interval: number): AsyncGenerator<Series[]> {
    for (let from = first; from <= last; from += MAX_POINTS) {
      const to = Math.min(last, from + MAX_POINTS - 1)
      yield await this.queryRange(query, from * interval, to * interval, interval)
    }
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
export function numberOf(text: string | undefined): number {
  const value = Number(text)
  return text !== undefined && Number.isFinite(value) ? value : Number.NaN
}

export function escapeLabel(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
