/**
 * One assessment -> its series, in the order of importance by which a target's limit of series is spent. Forecasts,
 * the signs of drift and the levels of resources are left out where they do not fit; what is cut off of the rest is counted.
 */
import { HOST_SIGNALS, type Unit } from '@portent/core'
import {
  type Assessment,
  DRIFT_SIGNS,
  MODEL_STATES,
  type ResourceOutlook,
  RISKS,
  SEVERITIES,
  type SeriesForecast,
} from '../types.ts'
import { ALERT_SEVERITIES, QUANTILES, TARGET_METRICS, type TargetMetric } from './catalogue.ts'
import { type SeriesWriter, wellFormed } from './exposition.ts'

/** How a signal is printed. */
export interface SignalInfo {
  readonly unit: Unit
  /** Headline and capacity signals are always printed, the others only with `raw: all`. */
  readonly always: boolean
}

/** The bundle an assessment names by its version. */
export interface ModelInfo {
  readonly version: string
  readonly sha256: string
  /** Unix seconds, where known. */
  readonly trainedSeconds?: number
}

export interface ShapFeature {
  readonly signal: string
  /** last, mean, std, slope, spike or rate. */
  readonly feature: string
  readonly value: number
}

export interface SeriesInput {
  readonly assessment: Assessment
  readonly raw: 'headline' | 'all'
  readonly signals: ReadonlyMap<string, SignalInfo> | undefined
  readonly model: ModelInfo | undefined
  /** Severity -> alerts so far. */
  readonly alerts: ReadonlyMap<string, number> | undefined
  readonly features: readonly ShapFeature[] | null
}

export const HOST_SIGNAL_INFO: ReadonlyMap<string, SignalInfo> = new Map(
  HOST_SIGNALS.map((s) => [
    s.name,
    { unit: s.unit, always: s.headline === true || s.capacity !== undefined || s.name === 'probe_failed' },
  ]),
)

const INDEX = new Map<string, number>(TARGET_METRICS.map(({ name }, i) => [name, i]))
const id = (name: TargetMetric): number => INDEX.get(name) ?? -1

const F = {
  lastScore: id('portent_last_score_timestamp_seconds'),
  modelState: id('portent_model_state'),
  modelReady: id('portent_model_ready'),
  modelInfo: id('portent_model_info'),
  modelTrained: id('portent_model_trained_timestamp_seconds'),
  health: id('portent_health_ratio'),
  risk: id('portent_risk_state'),
  severity: id('portent_severity_state'),
  alarm: id('portent_alarm_active'),
  anomaly: id('portent_anomaly_score'),
  confidence: id('portent_confidence_ratio'),
  trust: id('portent_trust_ratio'),
  failure: id('portent_failure_probability_ratio'),
  exhaustion: id('portent_resource_exhaustion_timestamp_seconds'),
  forecast: id('portent_forecast_ratio'),
  drift: id('portent_drift_ratio'),
  drifted: id('portent_drift_detected'),
  driftScore: id('portent_drift_score'),
  drifts: id('portent_drifts_total'),
  budget: id('portent_false_alarm_budget_ratio'),
  alerts: id('portent_alerts_total'),
  coverage: id('portent_signal_coverage_ratio'),
  warmup: id('portent_warmup_progress_ratio'),
  resource: id('portent_resource_used_ratio'),
  shap: id('portent_shap_value'),
  shapBase: id('portent_shap_base'),
  shapOutput: id('portent_shap_output'),
  shapFeature: id('portent_shap_feature_value'),
}

const SIGNAL_FAMILY: Readonly<Record<Unit, number>> = {
  ratio: id('portent_signal_ratio'),
  seconds: id('portent_signal_seconds'),
  bytes_per_second: id('portent_signal_bytes_per_second'),
  per_second: id('portent_signal_per_second'),
  count: id('portent_signal_items'),
  celsius: id('portent_signal_celsius'),
}

/** What remains of a target whose scores are too old to be shown. It is not ready: nothing scores it now. */
export function writeStale(w: SeriesWriter, a: Assessment): void {
  w.put(F.lastScore, '', a.at / 1000)
  states(w, F.modelState, MODEL_STATES, a.model)
  w.put(F.modelReady, '', 0)
}

export function writeSeries(
  w: SeriesWriter,
  { assessment: a, raw, signals, model, alerts, features }: SeriesInput,
): void {
  const { scores, shap } = a.model === 'active' ? a : { scores: null, shap: null }
  const info = signals ?? HOST_SIGNAL_INFO

  w.put(F.lastScore, '', a.at / 1000)
  states(w, F.modelState, MODEL_STATES, a.model)
  w.put(F.modelReady, '', Number(a.model === 'active' && a.warmup.window >= 1))
  w.put(F.health, '', a.health / 100)
  states(w, F.risk, RISKS, a.risk)
  states(w, F.severity, SEVERITIES, a.severity)
  if (scores !== null) {
    w.put(F.alarm, '', Number(scores.alarm))
    const ensemble = scores.anomaly.ensemble
    if (ensemble !== undefined) w.put(F.anomaly, 'ensemble', ensemble)
    w.put(F.confidence, '', scores.confidence)
  }
  w.put(F.trust, '', a.trust)
  if (a.outlook?.failure) {
    for (const { seconds, probability } of a.outlook.failure.horizons) w.put(F.failure, horizon(seconds), probability)
  }
  if (a.drift !== null) {
    w.put(F.drift, '', a.drift.ratio)
    w.put(F.drifted, '', Number(a.drift.detected))
    w.put(F.drifts, '', a.drift.confirmed)
  }
  for (const severity of ALERT_SEVERITIES) w.put(F.alerts, severity, alerts?.get(severity) ?? 0)
  w.put(F.coverage, '', a.coverage)
  w.put(F.warmup, 'window', a.warmup.window)
  w.put(F.warmup, 'failure', a.warmup.failure)
  w.put(F.warmup, 'drift', a.warmup.drift)
  if (scores !== null) {
    w.put(F.budget, 'requested', scores.budget.requested)
    w.put(F.budget, 'realised', scores.budget.realised)
  }
  if (model !== undefined) {
    w.put(F.modelInfo, `${model.version}\u0000${model.sha256}`, 1)
    if (model.trainedSeconds !== undefined) w.put(F.modelTrained, '', model.trainedSeconds)
  }
  putSignals(w, a, info, (s) => s.always)
  if (shap !== null) {
    w.put(F.shapBase, '', shap.base)
    w.put(F.shapOutput, '', shap.output)
    // A signal that the target lacks has no part in the sum.
    for (const signal in shap.signals) {
      const value = shap.signals[signal] ?? 0
      if (value !== 0 || signal in a.values) w.put(F.shap, signal, value)
    }
  }
  if (scores !== null) {
    for (const detector in scores.anomaly) {
      const score = scores.anomaly[detector]
      if (detector !== 'ensemble' && score !== undefined) w.put(F.anomaly, detector, score)
    }
  }
  putExhaustion(w, a)
  for (const forecast of a.outlook?.forecasts ?? []) putForecast(w, forecast)
  if (a.drift !== null && w.room >= DRIFT_SIGNS.length) {
    for (const sign of DRIFT_SIGNS) {
      const score = a.drift.scores[sign]
      if (score !== null) w.put(F.driftScore, sign, score)
    }
  }
  putResources(w, a)
  if (raw === 'all') putSignals(w, a, info, (s) => !s.always)
  if (shap !== null && features !== null) {
    for (const { signal, feature, value } of features) w.put(F.shapFeature, `${signal}\u0000${feature}`, value)
  }
}

/** Exactly one of the states is 1. */
function states(w: SeriesWriter, family: number, all: readonly string[], current: string): void {
  for (const state of all) w.put(family, state, Number(state === current))
}

function putSignals(
  w: SeriesWriter,
  a: Assessment,
  info: ReadonlyMap<string, SignalInfo>,
  wanted: (info: SignalInfo) => boolean,
): void {
  for (const signal in a.values) {
    const known = info.get(signal)
    const value = a.values[signal]
    if (known !== undefined && value !== undefined && wanted(known)) w.put(SIGNAL_FAMILY[known.unit], signal, value)
  }
}

/** Resources of which something is said although nothing is foreseen: the fullest. */
const QUIET_RESOURCES = 5

/** States in which nothing can be foreseen. */
const UNKNOWN = new Set(['too_short', 'no_limit', 'beyond_limit', 'counter'])

/** Share used, where the limit is above; what runs down comes last. */
const fullness = ({ level, capacity }: ResourceOutlook): number => (capacity > 0 ? level / capacity : 0)

/** What is foreseen, soonest first, then the fullest of the rest. */
function putExhaustion(w: SeriesWriter, { outlook }: Assessment): void {
  if (outlook === null) return
  const foreseen = outlook.resources.filter((r) => r.lower < Number.POSITIVE_INFINITY)
  // Of what cannot be told, nothing is said: +Inf would be a promise.
  const known = outlook.resources.filter((r) => !UNKNOWN.has(r.state))
  const quiet = known.filter((r) => !foreseen.includes(r)).sort((a, b) => fullness(b) - fullness(a))
  const seen = new Set<string>()
  for (const r of [...foreseen, ...quiet.slice(0, Math.max(0, QUIET_RESOURCES - foreseen.length))]) {
    const name = labelOf(r.resource)
    if (seen.has(name) || w.room < QUANTILES.length) continue
    seen.add(name)
    const instants = [r.lower, r.median, r.upper]
    QUANTILES.forEach((quantile, q) => {
      w.put(F.exhaustion, `${name}\u0000${quantile}`, Math.round(instants[q] as number))
    })
  }
}

/** All of a signal's forecast or nothing: where there is no room for it, REST has it. */
function putForecast(w: SeriesWriter, { signal, horizons }: SeriesForecast): void {
  if (w.room < QUANTILES.length * horizons.length) return
  const unit = signal === 'health' ? 100 : 1
  for (const { seconds, quantiles } of horizons) {
    QUANTILES.forEach((quantile, q) => {
      w.put(F.forecast, `${signal}\u0000${horizon(seconds)}\u0000${quantile}`, (quantiles[q] as number) / unit)
    })
  }
}

/** A NUL would split the label values; no file system can have one in a name. */
const labelOf = (resource: string): string => wellFormed(resource).replaceAll('\u0000', '\ufffd')

/** The fullest first, as many as there is room for. A name counts once. */
function putResources(w: SeriesWriter, a: Assessment): void {
  const seen = new Set<string>()
  const order = a.resources.length > 32 ? [...a.resources].sort((x, y) => y.used - x.used) : a.resources
  for (const { resource, used } of order) {
    const name = labelOf(resource)
    if (seen.has(name) || w.room < 1) continue
    seen.add(name)
    w.put(F.resource, name, used)
  }
}

/** 3600 -> `1h`, 900 -> `15m`, 90 -> `90s`. */
export function horizon(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600}h`
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
}
