/** What the API needs from the other rooms. Whatever can fail may reject: the request then fails alone. */
import type { DriftStatus, HorizonForecast, Unit } from '@portent/core'
import type { Context } from 'hono'
import type { Access } from '../access/index.ts'
import type { AlertEvent, Assessment, Hint, ModelState, Resource, Sample, Shap, SignalValues } from '../types.ts'

/** pino's calling convention. */
export interface ApiLogger {
  isLevelEnabled?(level: string): boolean
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

type Maybe<T> = T | Promise<T>

export interface TargetState {
  readonly target: string
  /** Null before the first row was assessed. */
  readonly assessment: Assessment | null
}

/** What can be asked of history besides signals. Health is 0-100. */
export const HISTORY_FIELDS = ['health', 'anomaly', 'confidence', 'trust', 'failure'] as const

export interface HistoryQuery {
  /** Unix ms, inclusive. */
  readonly from: number
  /** Unix ms, exclusive. */
  readonly to: number
  /** ms. */
  readonly step: number
  /** Names of HISTORY_FIELDS or of signals. */
  readonly fields: readonly string[]
}

export interface HistoryPoint {
  /** Unix ms: the start of the step. */
  readonly at: number
  /** Field -> mean over the step. A field without data in the step is absent. */
  readonly values: SignalValues
}

export interface AlertQuery {
  readonly target?: string
  /** Only alerts with a smaller id. */
  readonly before?: number
  readonly limit: number
}

export interface SignalFacts {
  readonly signal: string
  readonly unit: Unit | 'none'
  readonly help?: string
}

export interface ShapFeatureValue {
  readonly signal: string
  readonly feature: string
  readonly value: number
}

/** The mean explanation of the rows of a range. */
export interface RangeExplanation {
  /** Unix ms; wider than what was asked for where only whole minutes are kept. */
  readonly from: number
  readonly to: number
  /** Null where no row has one. */
  readonly shap: Shap | null
  readonly rows: {
    readonly explained: number
    readonly rulesAlone: number
    readonly unassessed: number
    readonly notKept: number
  }
}

export interface ForestExplanation {
  readonly base: number
  readonly output: number
  readonly signals: SignalValues
}

export interface InventoryFacts {
  /** Unix ms. */
  readonly at: number
  readonly os?: { readonly platform: string; readonly distribution: string; readonly release: string }
  readonly kernel?: { readonly version: string; readonly architecture: string }
  readonly cpu?: { readonly model: string; readonly cores: number; readonly physicalCores: number }
  readonly memory?: { readonly totalBytes: number; readonly swapBytes: number }
  readonly mounts?: readonly { readonly path: string; readonly type: string; readonly bytes: number }[]
  readonly disks?: readonly { readonly name: string; readonly type: string; readonly bytes: number }[]
  readonly interfaces?: readonly {
    readonly name: string
    readonly type: string
    readonly virtual: boolean
    readonly state: string
    readonly megabitsPerSecond: number | null
  }[]
}

export interface ModelFacts {
  readonly state: ModelState
  /** Why rules alone score; null while the model is active. */
  readonly reason: string | null
  /** Null where no bundle is loaded. */
  readonly bundle: {
    readonly name: string
    readonly version: string
    /** Of manifest.json. */
    readonly sha256: string
    /** Unix ms, where known. */
    readonly trainedAt: number | null
    readonly intervalSeconds: number
    readonly detectors: readonly { readonly name: string; readonly weight: number; readonly sha256: string }[]
    readonly features: number
    readonly signals: readonly string[]
    readonly golden: { readonly cases: number; readonly worst: number | null }
    readonly failure: { readonly horizonsSeconds: readonly number[] } | null
    /** Unix ms. */
    readonly loadedAt: number
    readonly loadSeconds: number
  } | null
}

export interface LatencyFacts {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** The publisher's `performance()` and the store's latency. */
export interface PerformanceFacts {
  readonly cycle: LatencyFacts | null
  readonly inference: LatencyFacts | null
  readonly store: LatencyFacts | null
  readonly requestsPerMinute: number
  readonly cpuShare: number | null
  readonly process: {
    readonly startTimeSeconds?: number
    readonly cpuSeconds?: number
    readonly residentBytes?: number
    readonly heapUsedBytes?: number
    readonly heapSizeBytes?: number
    readonly eventLoopDelay?: { readonly meanSeconds: number; readonly maxSeconds: number }
  }
}

/** A row that somebody pushes. */
export interface PushedRow {
  readonly target: string
  readonly kind?: 'host' | 'service'
  /** Unix ms, whole. */
  readonly at: number
  readonly values: SignalValues
  readonly resources: readonly Resource[]
  /** Its position in the request. */
  readonly index: number
}

/** Why a row was not taken. */
export interface Rejection {
  readonly row: number
  readonly field: string
  readonly message: string
  /** A bound on targets or signals was reached: the row itself is sound. */
  readonly limit?: string
}

export interface IngestOutcome {
  /** Rows that are durable now and were not before, late ones included. */
  readonly accepted: number
  readonly duplicates: number
  /** Of those accepted: older than the newest row of their target. */
  readonly late: number
  readonly rejected: readonly Rejection[]
}

/** A table to be scored. */
export interface ScoreTable {
  readonly signals: readonly string[]
  /** One value a signal; null where it is missing. */
  readonly rows: readonly (readonly (number | null)[])[]
  readonly intervalSeconds: number | null
  /** Unix ms, increasing; null: a row every interval. */
  readonly times: readonly number[] | null
  /** Share of rows in alarm; null: that of the configured sensitivity. */
  readonly budget: number | null
  readonly attributions: boolean
}

export interface ScoredRow {
  /** Peak hold of raw. Null where no model gave a score. */
  readonly score: number | null
  readonly raw: number | null
  readonly anomaly: number | null
  readonly threshold: number | null
  readonly alarm: boolean | null
  readonly confidence: number | null
  readonly health: number
  readonly attribution: { readonly base: number; readonly output: number; readonly signals: SignalValues } | null
}

export type ScoreOutcome =
  | {
      readonly ok: true
      readonly version: string
      readonly intervalSeconds: number
      readonly ignored: readonly string[]
      readonly rows: readonly ScoredRow[]
    }
  | { readonly ok: false; readonly reason: 'no_model' | 'busy' | 'interval'; readonly message: string }

export type ReloadOutcome =
  | { readonly ok: true; readonly applied?: readonly string[]; readonly needRestart?: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[] }

export interface ApiDeps {
  readonly version: string
  readonly log: ApiLogger
  readonly scoreIntervalSeconds: number
  /** Largest body of the routes that take a lot. */
  readonly maxBodyBytes: () => number
  /** Path of the metrics. Default `/metrics`. */
  readonly telemetryPath?: string
  /** Who may do what, and what the configuration says about pages of elsewhere. */
  readonly access: Pick<Access, 'gate' | 'headers' | 'corsOrigins'>

  readonly metricsText: (
    format: 'text' | 'openmetrics',
    gzip: boolean,
  ) => Promise<{ readonly body: Buffer; readonly contentType: string; readonly encoding: 'gzip' | null }>
  /** Called once a request, with the pattern of its route. */
  readonly observeRequest: (route: string, method: string, code: number, seconds: number) => void

  readonly targets: () => readonly TargetState[]
  readonly target: (name: string) => TargetState | undefined
  readonly history: (target: string, query: HistoryQuery) => Maybe<readonly HistoryPoint[]>
  /** Newest first. */
  readonly alerts: (query: AlertQuery) => Maybe<readonly AlertEvent[]>
  /** Every signal the service knows, in the order they are shown. */
  readonly signals: () => readonly SignalFacts[]
  /** Usual range in the signal's unit, null where it is not known. */
  readonly usualRange?: (target: string, signal: string) => { readonly low: number; readonly high: number } | null
  readonly hintSentence: (hint: Hint) => string
  /** Factors whose product is the trust. */
  readonly trustFactors?: (target: string) => Readonly<Record<string, number>> | null
  /** From the newest row, a point for each of `ahead` (seconds); null points with a reason where there are none. */
  readonly forecast?: (
    target: string,
    signal: string,
    ahead: readonly number[],
  ) => { readonly points: readonly HorizonForecast[] | null; readonly reason: string | null }
  /** Null where no model scores the target. */
  readonly drift?: (target: string) => DriftStatus | null
  /** Of [from, to), Unix ms. */
  readonly explainRange: (target: string, from: number, to: number) => Maybe<RangeExplanation>
  readonly shapFeatures?: (target: string) => readonly ShapFeatureValue[] | null
  /** Exact TreeSHAP of the forest for the target's latest window; null where there is none. */
  readonly explainForest?: (target: string) => Promise<ForestExplanation | null>

  readonly sensitivity: (target: string) => number
  readonly setSensitivity: (target: string, sensitivity: number) => Maybe<void>

  /** Resolves once the rows are durable. Rejects where the store takes none: what it took before stays. */
  readonly ingest: (rows: readonly PushedRow[]) => Promise<IngestOutcome>
  /** What the collectors see now; null while they do not run. */
  readonly collect: () => Promise<Sample | null>
  /** Scores a table by the bundle in force; nothing of it is kept. */
  readonly score: (table: ScoreTable) => Promise<ScoreOutcome>

  /** What a target is made of; undefined where nothing is known. */
  readonly inventory?: (target: string) => Promise<InventoryFacts | undefined>
  readonly model: () => ModelFacts
  readonly performance: () => PerformanceFacts
  /** Null when ready, else the reason why not. */
  readonly notReady: () => string | null
  readonly reload: () => Promise<ReloadOutcome>

  /** Unix ms. */
  readonly now: () => number
  /** ms. Default performance.now. */
  readonly monotonic?: () => number
  /** Address of the socket's other end. Default: asks the connection. */
  readonly remoteAddress?: (c: Context) => string | undefined
  /** Whom a verified client certificate names. Default: asks the connection. */
  readonly clientCertificate?: (c: Context) => string | null
  /** Tests hold every answer against its schema. Default false. */
  readonly validateResponses?: boolean
}
