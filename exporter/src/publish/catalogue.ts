/**
 * Every metric of the service as data: what the renderer prints as HELP, TYPE and UNIT, and what tests hold the running
 * text against. Counters carry `_total` here; OpenMetrics' family name is the name without it.
 *
 * A gauge must not end in `_count` for `promtool check metrics` (hence `portent_signal_items`), and only summaries may carry
 * a label `quantile`: the quantiles of a forecast are therefore of that type, without a count and a sum.
 */

import { BUNDLE_REASONS } from '../bundle/reasons.ts'
import { DRIFT_SIGNS, RISKS, SEVERITIES } from '../types.ts'

export type MetricType = 'gauge' | 'counter' | 'histogram' | 'summary'

/** When a family has series; a test asserts both sides for `scores`, `failure window` and `drift window`. */
export type When =
  | 'always'
  | 'assessed'
  | 'scores'
  | 'failure window'
  | 'outlook'
  | 'drift window'
  | 'known model'
  | 'explained features'
  | 'observed'
  | 'Linux'

export interface MetricSpec {
  readonly name: string
  readonly type: MetricType
  readonly help: string
  /** Ends the name. Printed as UNIT in OpenMetrics. */
  readonly unit?: string
  readonly labels: readonly string[]
  /** Closed label sets: label -> every value it can have. */
  readonly values?: Readonly<Record<string, readonly string[]>>
  /** A value may be +Inf, which means never. */
  readonly infinite?: true
  /** Upper bounds of a histogram's buckets, without +Inf. */
  readonly buckets?: readonly number[]
  readonly when: When
}

const STATES = ['active', 'fallback'] as const
export const WINDOWS = ['window', 'failure', 'drift'] as const
export const ALERT_SEVERITIES = ['warning', 'critical'] as const
export const CYCLE_STEPS = [
  'collect',
  'window',
  'score',
  'outlook',
  'explain',
  'assess',
  'alert',
  'store',
  'publish',
  'other',
] as const
export const ROW_REASONS = ['late', 'duplicate', 'empty', 'invalid', 'gap', 'overload', 'other'] as const
const REFUSALS = [...BUNDLE_REASONS, 'other'] as const
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'] as const

type More = Partial<Omit<MetricSpec, 'name' | 'type' | 'help' | 'labels'>>
const of =
  (type: MetricType) =>
  (name: string, labels: readonly string[], help: string, more: More = {}): MetricSpec => ({
    name,
    type,
    help,
    labels,
    when: 'always',
    ...more,
  })
const gauge = of('gauge')
const counter = of('counter')
const histogram = of('histogram')
const summary = of('summary')

const ratio = { unit: 'ratio' } as const
const seconds = { unit: 'seconds' } as const
const bytes = { unit: 'bytes' } as const
const assessed = { when: 'assessed' } as const
const scores = { when: 'scores' } as const
const T = ['target'] as const
export const QUANTILES = ['0.1', '0.5', '0.9'] as const

/** Families of a scored target, in the order in which they are printed. All carry `target`. */
export const TARGET_METRICS = [
  gauge('portent_health_ratio', T, 'Health of the target: 0 is worst, 1 is best.', { ...ratio, ...assessed }),
  gauge('portent_risk_state', ['target', 'state'], 'Risk of the target: exactly one state is 1.', {
    ...assessed,
    values: { state: RISKS },
  }),
  gauge('portent_severity_state', ['target', 'severity'], 'Severity of the target: exactly one is 1.', {
    ...assessed,
    values: { severity: SEVERITIES },
  }),
  gauge('portent_alarm_active', T, 'Whether the anomaly score is in alarm by the alarm policy.', scores),
  gauge(
    'portent_anomaly_score',
    ['target', 'detector'],
    'Anomaly score: 0 is usual, 1 is the threshold of alarm, without an upper bound.',
    scores,
  ),
  gauge(
    'portent_confidence_ratio',
    T,
    "Rank of the last score among the target's own recent ones: a share p of normal rows lies above 1 - p.",
    { ...ratio, ...scores },
  ),
  gauge('portent_trust_ratio', T, 'How far to believe the model now: coverage, history, drift and model state.', {
    ...ratio,
    ...assessed,
  }),
  gauge('portent_failure_probability_ratio', ['target', 'horizon'], 'Probability of a failure within the horizon.', {
    ...ratio,
    when: 'failure window',
  }),
  summary(
    'portent_resource_exhaustion_timestamp_seconds',
    ['target', 'resource', 'quantile'],
    'When the resource runs out: 10 %, 50 % and 90 % of the first-passage distribution; +Inf where it is not foreseen.',
    { ...seconds, infinite: true, when: 'outlook', values: { quantile: QUANTILES } },
  ),
  summary(
    'portent_forecast_ratio',
    ['target', 'signal', 'horizon', 'quantile'],
    'Forecast of a signal, or of health (0 is worst, 1 is best): 10 %, 50 % and 90 % quantiles.',
    { ...ratio, when: 'outlook', values: { quantile: QUANTILES } },
  ),
  gauge('portent_drift_ratio', T, 'Share of the last 200 rows over the threshold.', {
    ...ratio,
    when: 'drift window',
  }),
  gauge('portent_drift_detected', T, 'Whether a drift of the target is confirmed, and neither re-based nor passed.', {
    when: 'drift window',
  }),
  gauge('portent_drift_score', ['target', 'sign'], 'How far each sign of drift is: 1 is its limit.', {
    when: 'drift window',
    values: { sign: DRIFT_SIGNS },
  }),
  counter('portent_drifts_total', T, 'Drifts confirmed.', { when: 'drift window' }),
  gauge('portent_false_alarm_budget_ratio', ['target', 'kind'], 'Share of rows in alarm, as asked for and as seen.', {
    ...ratio,
    ...scores,
    values: { kind: ['requested', 'realised'] },
  }),
  gauge(
    'portent_shap_value',
    ['target', 'signal'],
    "The signal's part in the window score: base + sum = output.",
    scores,
  ),
  gauge('portent_shap_base', T, 'Window score of a usual row, from which the SHAP values count.', scores),
  gauge('portent_shap_output', T, 'Window score that the SHAP values explain.', scores),
  gauge('portent_shap_feature_value', ['target', 'signal', 'feature'], "The feature's part in the window score.", {
    when: 'explained features',
  }),
  gauge('portent_signal_ratio', ['target', 'signal'], 'Signals that are shares.', { ...ratio, ...assessed }),
  gauge('portent_signal_seconds', ['target', 'signal'], 'Signals that are times.', { ...seconds, ...assessed }),
  gauge('portent_signal_bytes_per_second', ['target', 'signal'], 'Signals that are rates of bytes.', {
    unit: 'bytes_per_second',
    ...assessed,
  }),
  gauge('portent_signal_per_second', ['target', 'signal'], 'Signals that are rates of events.', {
    unit: 'per_second',
    ...assessed,
  }),
  gauge('portent_signal_items', ['target', 'signal'], 'Signals that count things.', { unit: 'items', ...assessed }),
  gauge('portent_signal_celsius', ['target', 'signal'], 'Signals that are temperatures.', {
    unit: 'celsius',
    ...assessed,
  }),
  gauge('portent_resource_used_ratio', ['target', 'resource'], 'Used share of something that can run out.', {
    ...ratio,
    ...assessed,
  }),
  gauge('portent_signal_coverage_ratio', T, "Present share of the model's signals.", { ...ratio, ...assessed }),
  gauge('portent_warmup_progress_ratio', ['target', 'window'], 'How far each window is filled.', {
    ...ratio,
    ...assessed,
    values: { window: WINDOWS },
  }),
  gauge('portent_model_state', ['target', 'state'], 'Whether the model scores the target or rules alone do.', {
    values: { state: STATES },
  }),
  gauge('portent_model_ready', T, 'Whether the model scores the target from a full window of its rows.'),
  gauge('portent_model_info', ['target', 'version', 'sha256'], 'The bundle that scored the target.', {
    when: 'known model',
  }),
  gauge('portent_model_trained_timestamp_seconds', T, 'When the bundle that scored the target was trained.', {
    ...seconds,
    when: 'known model',
  }),
  counter('portent_alerts_total', ['target', 'severity'], 'Alerts raised, by the severity they escalated to.', {
    ...assessed,
    values: { severity: ALERT_SEVERITIES },
  }),
  gauge('portent_last_score_timestamp_seconds', T, 'Time of the row that was assessed last.', seconds),
] as const satisfies readonly MetricSpec[]

const CYCLE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const HTTP_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5]

/** Counters and histograms that the service observes itself. */
export const SELF_METRICS = [
  counter('portent_cycles_total', [], 'Cycles run.'),
  counter('portent_cycle_errors_total', ['step'], 'Errors of a cycle, by step; the other steps went on.', {
    values: { step: CYCLE_STEPS },
  }),
  histogram('portent_cycle_duration_seconds', [], 'Time a cycle took.', { ...seconds, buckets: CYCLE_BUCKETS }),
  histogram('portent_inference_duration_seconds', [], 'Time the models took for one batch of targets.', {
    ...seconds,
    buckets: CYCLE_BUCKETS,
  }),
  counter('portent_rows_dropped_total', ['reason'], 'Rows that were not assessed.', {
    values: { reason: ROW_REASONS },
  }),
  counter('portent_non_finite_total', [], 'NaN and infinite values that were kept out of models and series.'),
  counter('portent_bundle_load_failures_total', ['reason'], 'Bundles that were refused.', {
    values: { reason: REFUSALS },
  }),
  counter('portent_series_dropped_total', [], 'Series left out of a publication because a target had too many.'),
  counter('portent_http_requests_total', ['route', 'method', 'code'], 'HTTP requests answered.', { when: 'observed' }),
  histogram('portent_http_request_duration_seconds', ['route'], 'Time to answer a request.', {
    ...seconds,
    buckets: HTTP_BUCKETS,
    when: 'observed',
  }),
] as const satisfies readonly MetricSpec[]

/** Values set from outside or read when the text is rendered. */
export const SERVICE_METRICS = [
  gauge('portent_build_info', ['version', 'node_version'], 'The build that runs.'),
  gauge('portent_last_cycle_timestamp_seconds', [], 'When the last cycle ended.', { ...seconds, when: 'observed' }),
  gauge('portent_collector_duration_seconds', ['collector'], 'Time the collector took.', {
    ...seconds,
    when: 'observed',
  }),
  gauge('portent_collector_success', ['collector'], 'Whether the collector succeeded.', { when: 'observed' }),
  gauge('portent_store_size_bytes', [], 'Size of the database and its log.', { ...bytes, when: 'observed' }),
  gauge('portent_store_ballast_bytes', [], 'Size of the file kept to be given up when the disk is full.', {
    ...bytes,
    when: 'observed',
  }),
  counter('portent_store_write_errors_total', [], 'Batches that could not be written.', { when: 'observed' }),
  counter('portent_store_rows_dropped_total', [], 'Rows given up because the store could not take them.', {
    when: 'observed',
  }),
  counter('portent_store_corrupt_files_total', [], 'Database files put aside because they were corrupt.', {
    when: 'observed',
  }),
  gauge('portent_forecast_series', [], 'Signals and resources, of all targets, that are forecast.', {
    when: 'observed',
  }),
  counter('portent_forecast_series_refused_total', [], 'Signals and resources for which there was no room.', {
    when: 'observed',
  }),
  gauge('process_start_time_seconds', [], 'When the process started.', seconds),
  counter('process_cpu_seconds_total', [], 'CPU time of the process.', seconds),
  gauge('process_resident_memory_bytes', [], 'Resident memory of the process.', bytes),
  gauge('process_open_fds', [], 'Open file descriptors of the process.', { when: 'Linux' }),
  gauge('portent_process_heap_used_bytes', [], 'Used heap of the JavaScript engine.', bytes),
  gauge('portent_process_heap_size_bytes', [], 'Heap held by the JavaScript engine.', bytes),
  gauge(
    'portent_process_event_loop_delay_mean_seconds',
    [],
    'Mean delay of the event loop since the last text.',
    seconds,
  ),
  gauge(
    'portent_process_event_loop_delay_max_seconds',
    [],
    'Longest delay of the event loop since the last text.',
    seconds,
  ),
] as const satisfies readonly MetricSpec[]

export const METRICS: readonly MetricSpec[] = [...TARGET_METRICS, ...SELF_METRICS, ...SERVICE_METRICS]

export type TargetMetric = (typeof TARGET_METRICS)[number]['name']
export type SelfMetric = (typeof SELF_METRICS)[number]['name']
export type ServiceMetric = (typeof SERVICE_METRICS)[number]['name']
