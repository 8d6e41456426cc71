/** What the API asks of the other rooms. */
import { budgetOf, FEATURE_KINDS, HOST_SIGNALS, type Manifest } from '@portent/core'
import type { Access } from '../access/index.ts'
import type { ApiDeps, ForestExplanation, ModelFacts, ShapFeatureValue } from '../api/index.ts'
import { hintSentence } from '../assess/words.ts'
import type { InventoryReader } from '../collect/index.ts'
import type { Config, ReloadResult } from '../config/index.ts'
import type { Cycle } from '../cycle.ts'
import type { ScorerKeeper } from '../detect/keeper.ts'
import type { LoadedBundle } from '../detect/protocol.ts'
import type { Logger } from '../log/index.ts'
import type { OutlookKeeper } from '../outlook/index.ts'
import type { MetricsPublisher, SelfMetrics } from '../publish/index.ts'
import { ASSESSMENT_FIELDS, type AssessmentField, type Store } from '../store/index.ts'
import type { HostSource } from './host.ts'
import type { PushedSource } from './pushed.ts'
import { TableScorer } from './score-table.ts'

export interface Rooms {
  readonly version: string
  readonly config: () => Config
  readonly log: Logger
  readonly access: Access
  readonly cycle: Cycle
  readonly keeper: ScorerKeeper
  readonly outlook: OutlookKeeper
  readonly store: Store
  readonly publisher: MetricsPublisher
  readonly self: SelfMetrics
  readonly inventory: InventoryReader
  readonly host: HostSource
  readonly pushed: PushedSource
  readonly reload: () => Promise<ReloadResult>
  readonly notReady: () => string | null
  /** Unix ms. */
  readonly loadedAt: () => number
}

export const SENSITIVITY = 'sensitivity'

export function sensitivityOf(store: Store, target: string, byDefault: number): number {
  const { [SENSITIVITY]: value } = store.settings.get(target)
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 10 ? value : byDefault
}

export function apiDeps(rooms: Rooms): ApiDeps {
  const { config, cycle, keeper, store, publisher, self, host, pushed } = rooms
  const tables = new TableScorer({
    scorer: () => keeper.current(),
    reason: () => keeper.reason,
    sensitivity: () => config().sensitivity,
  })
  const tracked = (target: string) => cycle.targets.get(target)
  const own = () => config().target.name
  const known = (target: string) => cycle.targets.has(target) || target === own() || pushed.has(target)
  return {
    version: rooms.version,
    log: rooms.log,
    scoreIntervalSeconds: config().score_interval / 1000,
    telemetryPath: config().web.telemetry_path,
    access: rooms.access,
    maxBodyBytes: () => config().web.max_body,

    metricsText: (format, gzip) => publisher.text(format, gzip),
    observeRequest: (route, method, code, seconds) => self.httpRequest(route, method, code, seconds),

    targets: () => {
      const names = new Set([own(), ...cycle.targets.keys(), ...pushed.names()])
      return [...names].sort().map((target) => ({ target, assessment: tracked(target)?.assessment ?? null }))
    },
    target: (target) => (known(target) ? { target, assessment: tracked(target)?.assessment ?? null } : undefined),
    history: async (target, { from, to, step, fields }) => {
      const isAssessment = (x: string): x is AssessmentField => (ASSESSMENT_FIELDS as readonly string[]).includes(x)
      const range = await store.history.range(target, from, to, step, {
        assessment: fields.filter(isAssessment),
        signals: fields.filter((x) => !isAssessment(x)),
      })
      return range.points.map(({ at, assessment, signals }) => ({ at, values: { ...assessment, ...signals } }))
    },
    alerts: (query) => store.alerts.list(query),
    signals: () => HOST_SIGNALS.map(({ name, unit, help }) => ({ signal: name, unit, help })),
    usualRange: (target, signal) => tracked(target)?.state.usual.range(signal) ?? null,
    hintSentence,
    trustFactors: (target) => {
      const trust = tracked(target)?.trust
      if (!trust) return null
      const { value: _, ...factors } = trust
      return factors
    },
    explainRange: (target, from, to) => store.history.explained(target, from, to),
    forecast: (target, signal, ahead) => forecastOf(rooms.outlook, target, signal, ahead),
    drift: (target) => tracked(target)?.state.drift?.status() ?? null,
    shapFeatures: (target) => shapFeaturesOf(cycle, target),
    explainForest: (target) => explainForest(rooms, target),

    sensitivity: (target) => tracked(target)?.sensitivity ?? sensitivityOf(store, target, config().sensitivity),
    setSensitivity: (target, sensitivity) => {
      store.settings.put(target, SENSITIVITY, sensitivity)
      cycle.setSensitivity(target, sensitivity, budgetOf(sensitivity))
    },

    ingest: (rows) => pushed.ingest(rows),
    collect: () => host.collect(),
    score: (table) => tables.score(table),

    model: () => modelFacts(keeper, rooms.loadedAt()),
    performance: () => ({ ...publisher.performance(), store: null }),
    inventory: async (target) => (target === own() ? rooms.inventory.get() : undefined),
    notReady: rooms.notReady,
    reload: rooms.reload,
    now: Date.now,
  }
}

/** The features behind the primary SHAP values of a target's last row. */
export function shapFeaturesOf(cycle: Cycle, target: string): ShapFeatureValue[] | null {
  const tracked = cycle.targets.get(target)
  if (!tracked?.shap || !tracked.manifest) return null
  const { signals } = tracked.manifest
  return Array.from(tracked.shap.features, (value, f) => ({
    signal: (signals[f % signals.length] as Manifest['signals'][number]).name,
    feature: FEATURE_KINDS[Math.floor(f / signals.length)] as string,
    value,
  }))
}

async function explainForest({ cycle, keeper }: Rooms, target: string): Promise<ForestExplanation | null> {
  const tracked = cycle.targets.get(target)
  const scorer = keeper.current()
  if (!tracked?.features || !scorer || tracked.manifest !== scorer.bundle.manifest) return null
  const explained = tracked.forest ?? (await scorer.explainForest(tracked.features))
  if (explained === null) return null
  const { signals } = scorer.bundle.manifest
  const values: Record<string, number> = {}
  explained.values.forEach((value, f) => {
    const { name } = signals[f % signals.length] as Manifest['signals'][number]
    values[name] = (values[name] ?? 0) + value
  })
  return { base: explained.base, output: explained.output, signals: values }
}

function forecastOf(outlook: OutlookKeeper, target: string, signal: string, ahead: readonly number[]) {
  const points = outlook.target(target)?.forecast(signal, ahead) ?? null
  if (points !== null) return { points, reason: null }
  const known = outlook.target(target)
  const reason = outlook.reading(target)
    ? 'the history is being read'
    : known?.isRefused(signal)
      ? 'more signals than limits.forecasts allows are forecast already'
      : known?.isSilent(signal)
        ? 'no value has come for some minutes'
        : 'too little is known of it yet'
  return { points, reason }
}

function modelFacts(keeper: ScorerKeeper, loadedAt: number): ModelFacts {
  const scorer = keeper.current()
  return {
    state: scorer === null ? 'fallback' : 'active',
    reason: keeper.reason,
    bundle: scorer && bundleFacts(scorer.bundle, loadedAt),
  }
}

function bundleFacts(bundle: LoadedBundle, loadedAt: number): NonNullable<ModelFacts['bundle']> {
  const { manifest, sha256, trainedAt, golden, loadSeconds } = bundle
  const failure = manifest.failure
  return {
    name: manifest.name,
    version: manifest.version,
    sha256,
    trainedAt,
    intervalSeconds: manifest.interval_seconds,
    detectors: manifest.detectors.map(({ name, weight, sha256 }) => ({ name, weight, sha256 })),
    features: manifest.features.mean.length,
    signals: manifest.signals.map((s) => s.name),
    golden,
    failure: failure ? { horizonsSeconds: failure.horizons_seconds } : null,
    loadedAt,
    loadSeconds,
  }
}
