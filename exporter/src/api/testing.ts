/** For tests: everything the API needs, in memory. */
import { type DriftStatus, HOST_SIGNALS } from '@portent/core'
import { scriptedAccess } from '../access/testing.ts'
import { NOW, scriptedAlert, scriptedHost, scriptedPublisher } from '../publish/testing.ts'
import type { Assessment } from '../types.ts'
import type { ApiDeps, HistoryQuery, ModelFacts, PushedRow, ReloadOutcome, ScoreTable } from './deps.ts'
import { createApi } from './index.ts'

export { NOW, scriptedAlert, scriptedHost }

export const ODD_NAME = 'a/b c?%#"\\ü'

export const LOADED: ModelFacts = {
  state: 'active',
  reason: null,
  bundle: {
    name: 'host',
    version: '0123456789ab',
    sha256: 'ab'.repeat(32),
    trainedAt: NOW - 86_400_000,
    intervalSeconds: 10,
    detectors: [{ name: 'isolation_forest', weight: 1, sha256: 'cd'.repeat(32) }],
    features: 216,
    signals: HOST_SIGNALS.map((s) => s.name),
    golden: { cases: 12, worst: 3e-7 },
    failure: { horizonsSeconds: [900, 3600, 21_600] },
    loadedAt: NOW - 60_000,
    loadSeconds: 0.4,
  },
}

const SCORE = { statistic: 31.5, limit: 30, direction: 'up', shift: 3.1, hours: 12 } as const
const FAR = { signals: 5, limit: 4, of: 36 }

export const DRIFTED: DriftStatus = {
  state: 'drifted',
  progress: 1,
  reference: { origin: 'training', days: 16 },
  anomalyRate: { ratio: 0.04, limit: 0.015, detected: true },
  pageHinkley: { ...SCORE, detected: true, usual: { mean: 0.1, sigma: 0.3, hours: 288 } },
  distribution: { ...FAR, detected: true },
  signals: [
    { signal: 'cpu_busy', distance: 0.75, limit: 0.5, shift: 2 },
    { signal: 'memory_used', distance: 0.25, limit: 0.5, shift: -0.25 },
  ],
  events: [
    { kind: 'confirmed', by: 'score_and_signals', at: NOW, score: SCORE, distribution: FAR, signals: ['cpu_busy'] },
  ],
}

/** `remote` is where requests come from; change the other fields to script what the rooms behind answer. */
export function scriptedApi(over: Partial<ApiDeps> = {}, loopback = true) {
  const { publisher, self } = scriptedPublisher()
  const assessments = new Map<string, Assessment | null>([
    ['host', scriptedHost()],
    [ODD_NAME, scriptedHost({ target: ODD_NAME })],
    ['new', null],
  ])
  publisher.publish(
    [...assessments.values()].filter((a) => a !== null),
    NOW,
  )
  const state = {
    remote: '127.0.0.1' as string | undefined,
    /** Settings, keys, users and tokens: see access/testing.ts. */
    access: scriptedAccess(loopback, NOW),
    notReady: null as string | null,
    reload: { ok: true, applied: ['log.level'] } as ReloadOutcome,
    alerts: Array.from({ length: 5 }, (_, i) => scriptedAlert({ id: 5 - i })),
    sensitivity: new Map<string, number>(),
    asked: null as HistoryQuery | null,
    explained: null as { from: number; to: number } | null,
    ingested: [] as PushedRow[],
    collecting: true,
    scored: null as ScoreTable | null,
    observed: [] as string[],
    logged: [] as { level: string; fields: Record<string, unknown>; message: string }[],
  }
  const log = (level: string) => (fields: object, message: string) => {
    state.logged.push({ level, fields: { ...fields }, message })
  }
  const deps: ApiDeps = {
    version: '0.1.0',
    log: { debug: log('debug'), warn: log('warn'), error: log('error') },
    scoreIntervalSeconds: 10,
    access: state.access,
    maxBodyBytes: () => 1 << 20,
    metricsText: (format, gzip) => publisher.text(format, gzip),
    observeRequest: (route, method, code, seconds) => {
      state.observed.push(`${method} ${route} ${code}`)
      self.httpRequest(route, method, code, seconds)
    },
    targets: () => [...assessments].map(([target, assessment]) => ({ target, assessment })),
    target: (target) => {
      const assessment = assessments.get(target)
      return assessment === undefined ? undefined : { target, assessment }
    },
    history: (_target, query) => {
      state.asked = query
      return [{ at: query.from, values: { health: 90.5 } }]
    },
    alerts: async ({ target, before = Number.POSITIVE_INFINITY, limit }) =>
      state.alerts.filter((a) => a.id < before && (target === undefined || a.target === target)).slice(0, limit),
    signals: () => HOST_SIGNALS.map(({ name, unit, help }) => ({ signal: name, unit, help })),
    usualRange: (_target, signal) => (signal === 'memory_used' ? { low: 0.3, high: 0.6 } : null),
    hintSentence: ({ signal, value }) => `${signal} is ${value}`,
    trustFactors: () => ({ coverage: 1, history: 0.8, drift: 1, model: 1 }),
    forecast: (_target, signal, ahead) =>
      signal === 'response_time'
        ? { points: null, reason: 'too little is known of it yet' }
        : {
            points: ahead.map((seconds) => ({
              seconds,
              quantiles: Float64Array.of(0.1, 0.2, 0.5, 0.8, 0.9),
              model: 'naive',
              skill: Number.NaN,
            })),
            reason: null,
          },
    drift: () => DRIFTED,
    explainRange: (_target, from, to) => {
      state.explained = { from, to }
      const shap = { base: 1, output: 3.5, signals: { memory_used: -0.5, cpu_busy: 3 } }
      return { from, to, shap, rows: { explained: 5, rulesAlone: 1, unassessed: 0, notKept: 0 } }
    },
    shapFeatures: () => [{ signal: 'cpu_busy', feature: 'last', value: 2.5 }],
    explainForest: async () => ({ base: 8, output: 11, signals: { cpu_busy: 4, memory_used: -1 } }),
    sensitivity: (target) => state.sensitivity.get(target) ?? 5,
    setSensitivity: (target, sensitivity) => {
      state.sensitivity.set(target, sensitivity)
    },
    ingest: async (rows) => {
      state.ingested.push(...rows)
      return { accepted: rows.length, duplicates: 0, late: 0, rejected: [] }
    },
    collect: async () =>
      state.collecting
        ? { target: 'host', at: NOW, values: { cpu_busy: 0.5 }, resources: [{ resource: 'memory', used: 0.25 }] }
        : null,
    score: async (table) => {
      state.scored = table
      const row = { score: 1, raw: 0.5, anomaly: 0.4, threshold: 1.25, alarm: false, confidence: 0.5, health: 95 }
      const attribution = table.attributions ? { base: 1, output: 3, signals: { cpu_busy: 2 } } : null
      return {
        ok: true,
        version: '0123456789ab',
        intervalSeconds: 10,
        ignored: table.signals.filter((s) => s !== 'cpu_busy'),
        rows: table.rows.map(() => ({ ...row, attribution })),
      }
    },
    inventory: async () => ({ at: NOW, cpu: { model: 'Z80', cores: 1, physicalCores: 1 } }),
    model: () => LOADED,
    performance: () => ({ ...publisher.performance(), store: { count: 3, p50: 0.001, p95: 0.002, p99: 0.002 } }),
    notReady: () => state.notReady,
    reload: async () => state.reload,
    now: () => NOW,
    remoteAddress: () => state.remote,
    validateResponses: true,
    ...over,
  }
  const app = createApi(deps)
  const send = async (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
    await app.request(`http://localhost${path}`, { ...init, headers: { Host: 'localhost:1', ...init.headers } })
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await send(path, { headers })
    // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
    return { status: response.status, headers: response.headers, body: (await response.json()) as any }
  }
  return { app, deps, state, publisher, assessments, send, get }
}
