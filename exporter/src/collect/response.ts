import http from 'node:http'
import net from 'node:net'
import type { Clock } from './clock.ts'
import { type Collector, RATE_SECONDS, type Reading } from './collector.ts'

interface ProbeTiming {
  /** Unique; for messages. */
  readonly name: string
  /** Default 1. */
  readonly timeout_seconds?: number
  /** Default 0: every tick. */
  readonly interval_seconds?: number
}

export interface HttpProbe extends ProbeTiming {
  readonly type: 'http'
  readonly url: string
  /** Default: any of 200 to 299. Redirects are not followed. */
  readonly expected_status?: number
}

export interface TcpProbe extends ProbeTiming {
  readonly type: 'tcp'
  readonly host: string
  readonly port: number
}

export type Probe = HttpProbe | TcpProbe

export interface ResponseOptions {
  readonly clock: Clock
  readonly probes?: readonly Probe[]
  /** Where there are no probes: an address of the service itself, undefined until it is known. */
  readonly selfUrl?: () => string | undefined
}

/** A longer body is not read to its end: the answer is there. */
const MOST_BYTES = 64 * 1024
const DEFAULT_TIMEOUT_SECONDS = 1
/** A result is shown for this many intervals (of at least two seconds, the usual tick), and the time the next may take. */
const EXPIRY = 3
const SHORTEST_INTERVAL_MS = 2000

interface ProbeState {
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Seconds, or undefined where the probe failed; undefined instead of a promise while there is nobody to ask. */
  readonly ask: () => Promise<number | undefined> | undefined
  startedAt: number
  inFlight: boolean
  /** Seconds, or undefined where the probe failed. */
  result?: { readonly seconds: number | undefined; readonly at: number }
}

/**
 * response_time: mean seconds of the probes that succeeded, absent where none did. probe_failed: share that failed.
 *
 * Probes run in the background, one call in flight each: a tick starts those that are due and takes the results that are
 * there, which are those of the tick before. The time of HTTP runs from connecting to the end of the body (64 KiB of it at
 * most), of TCP to the established connection; name look-up included, every time a new connection.
 * Throws TypeError for a probe whose URL or port is none.
 */
export function response({ clock, probes = [], selfUrl }: ResponseOptions): Collector {
  const states = probes.map((probe) => probeState(probe, clock))
  if (states.length === 0 && selfUrl !== undefined) states.push(selfProbe(selfUrl, clock))
  let collectedAt = Number.NEGATIVE_INFINITY
  return {
    name: 'response',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const now = clock.monotonic()
      for (const state of states) start(state, clock)
      let sum = 0
      let succeeded = 0
      let failed = 0
      for (const { result, intervalMs, timeoutMs } of states) {
        const expiry = EXPIRY * Math.max(intervalMs, SHORTEST_INTERVAL_MS) + timeoutMs
        // What came since the last tick is new however long a tick is.
        if (result === undefined || (result.at < collectedAt && now - result.at > expiry)) continue
        if (result.seconds === undefined) failed++
        else {
          succeeded++
          sum += result.seconds
        }
      }
      collectedAt = now
      const values: Record<string, number> = {}
      if (succeeded > 0) values.response_time = sum / succeeded
      if (succeeded + failed > 0) values.probe_failed = failed / (succeeded + failed)
      return { values }
    },
  }
}

function start(state: ProbeState, clock: Clock): void {
  const now = clock.monotonic()
  if (state.inFlight || now - state.startedAt < state.intervalMs * 0.9) return
  const asked = state.ask()
  if (asked === undefined) return
  state.inFlight = true
  state.startedAt = now
  void asked
    .catch(() => undefined)
    .then((seconds) => {
      state.inFlight = false
      state.result = { seconds, at: clock.monotonic() }
    })
}

function probeState(probe: Probe, clock: Clock): ProbeState {
  const timeoutMs = (probe.timeout_seconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000
  const timing = { intervalMs: (probe.interval_seconds ?? 0) * 1000, timeoutMs, startedAt: Number.NEGATIVE_INFINITY }
  if (probe.type === 'tcp') {
    const { host, port } = probe
    if (!(Number.isInteger(port) && port > 0 && port < 65536)) {
      throw new TypeError(`probe ${probe.name}: port ${port} is not one of 1 to 65535`)
    }
    return { ...timing, inFlight: false, ask: () => askTcp(host, port, timeoutMs, clock) }
  }
  const url = URL.canParse(probe.url) ? new URL(probe.url) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError(`probe ${probe.name}: url is not an http or https URL`)
  }
  return { ...timing, inFlight: false, ask: () => askHttp(url, probe.expected_status, timeoutMs, clock) }
}

function selfProbe(selfUrl: () => string | undefined, clock: Clock): ProbeState {
  const timeoutMs = DEFAULT_TIMEOUT_SECONDS * 1000
  return {
    intervalMs: 0,
    timeoutMs,
    startedAt: Number.NEGATIVE_INFINITY,
    inFlight: false,
    ask: () => {
      const address = selfUrl()
      return address === undefined ? undefined : askHttp(new URL(address), undefined, timeoutMs, clock)
    },
  }
}

/** Seconds that a GET took, undefined where it failed. */
async function askHttp(
  url: URL,
  expected: number | undefined,
  timeoutMs: number,
  clock: Clock,
): Promise<number | undefined> {
  // Loaded only where it is used: TLS takes a few megabytes.
  const { get } = url.protocol === 'https:' ? await import('node:https') : http
  return await timed(timeoutMs, clock, (done) => {
    const request = get(url, { agent: false, headers: { 'user-agent': 'portent-probe' } }, (answer) => {
      const status = answer.statusCode ?? 0
      if (expected === undefined ? status < 200 || status > 299 : status !== expected) return done(false)
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MOST_BYTES) done(true)
      })
      answer.on('end', () => done(true))
      answer.on('error', () => done(false))
      answer.on('close', () => done(false))
    })
    request.on('error', () => done(false))
    return () => request.destroy()
  })
}

/** Seconds until the connection stood, undefined where it failed. */
async function askTcp(host: string, port: number, timeoutMs: number, clock: Clock): Promise<number | undefined> {
  return await timed(timeoutMs, clock, (done) => {
    const socket = net.connect({ host, port })
    socket.on('connect', () => done(true))
    socket.on('error', () => done(false))
    return () => socket.destroy()
  })
}

/** Times `begin` until it says whether it succeeded, or the timeout passes; then whatever it returned ends it. */
function timed(
  timeoutMs: number,
  clock: Clock,
  begin: (done: (success: boolean) => void) => () => void,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const startedAt = clock.monotonic()
    let end: (() => void) | undefined
    let over = false
    const done = (success: boolean) => {
      if (over) return
      over = true
      cancel()
      end?.()
      resolve(success ? (clock.monotonic() - startedAt) / 1000 : undefined)
    }
    const cancel = clock.after(timeoutMs, () => done(false), true)
    end = begin(done)
    if (over) end()
  })
}
