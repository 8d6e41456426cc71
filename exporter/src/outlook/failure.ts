/** A failure probability with what is likely to fail and why, in words. */
import {
  type FailureSubject,
  failureProbabilities,
  failureReasons,
  failureTermsOf,
  type Manifest,
  type RiskFeature,
  TRUST_COLUMN,
} from '@portent/core'
import type { FailureOutlook, HorizonProbability } from '../types.ts'

export type FailureModel = NonNullable<Manifest['failure']>
export const failureModelOf = (manifest: Manifest): FailureModel | null => manifest.failure ?? null

/** The horizon whose reasons are told, seconds: the one that leaves time to act. */
const TOLD_SECONDS = 3600
const MOST_REASONS = 3

const EVENTS: Readonly<Record<FailureSubject, string | null>> = {
  memory: 'memory exhausted',
  storage: 'file system full',
  handles: 'file descriptors used up',
  cpu: 'CPU saturated',
  io: 'I/O saturated',
  network: 'network lost',
  service: 'service failing',
  host: null,
}

const percent = (x: number): string => `${Math.round(100 * x)} %`
const points = (x: number): string => `${Number((100 * x).toPrecision(2))} percentage points`
const plain = (x: number): string => String(Number(x.toPrecision(2)))
const level = (what: string) => (x: number) => `${what} at ${percent(x)}`
const reach = (what: string) => (x: number) =>
  `on a straight line ${what} ${x >= 0.5 ? 'is reached within the horizon' : 'comes nearer'}`
const used = (what: string) => (x: number) => `${what} used up within the horizon with a probability of ${percent(x)}`

const SENTENCES: Readonly<Record<RiskFeature, (value: number) => string>> = {
  anomaly: (x) => `the anomaly score is at ${plain(x)} of its threshold`,
  anomaly_frequency: (x) => `${percent(x)} of the last hour was anomalous`,
  health_deficit: (x) => `health is ${plain(x)} points below full`,
  health_worst: (x) => `health was ${plain(x)} points below full within the hour`,
  health_fall: (x) => `health fell by ${plain(x)} points within the hour`,
  cpu_level: level('CPU'),
  load_level: (x) => `${plain(x)} tasks a core are ready to run`,
  memory_level: level('memory'),
  swap_level: level('swap'),
  storage_level: level('storage'),
  handles_level: level('file descriptors'),
  iowait_level: level('waiting for I/O'),
  disk_busy_level: level('the busiest disk'),
  swapping_ahead: used('memory without swap'),
  network_errors_lasting: (x) => `network errors have been ${points(x)} above usual for ten minutes`,
  errors_lasting: (x) => `errors have been ${points(x)} above usual for ten minutes`,
  response_growth_lasting: (x) => `the response time has been ${plain(2 ** x)} times the usual for ten minutes`,
  response_reach: reach('a response time beyond use'),
  network_errors: (x) => `network errors are ${points(x)} above usual`,
  errors: (x) => `errors are ${points(x)} above usual`,
  response_growth: (x) => `the response time is ${plain(2 ** x)} times the usual`,
  cpu_and_response: () => 'CPU is high and the response time with it',
  io_and_response: () => 'waiting for I/O is high and the response time with it',
  network_errors_and_silence: () => 'network errors are high and traffic is low',
  errors_and_response: () => 'errors are high and the response time with them',
  memory_reach: reach('a full memory'),
  storage_reach: reach('a full file system'),
  handles_reach: reach('the limit of file descriptors'),
  cpu_reach: reach('a saturated CPU'),
  io_reach: reach('saturated I/O'),
  network_reach: reach('a lost network'),
  errors_reach: reach('a failing service'),
  memory_exhaustion: used('memory'),
  storage_exhaustion: used('storage'),
  handles_exhaustion: used('file descriptors'),
  trust: (x) => `trust ${percent(x)}`,
}

/**
 * The model's probabilities, but for little trust in what is used up: that rests on the resource's own past, and is not taken
 * back because other symptoms are not seen.
 * @param features [H,K]; @param probabilities [H], scaled by trust
 * @param usedUp probability that a resource is used up within so many seconds
 */
export function withExhaustion(
  model: FailureModel,
  features: Float64Array,
  probabilities: ArrayLike<number>,
  usedUp: (seconds: number) => number,
): number[] {
  const trusted = features.slice()
  const width = features.length / model.horizons_seconds.length
  for (let at = TRUST_COLUMN; at < trusted.length; at += width) trusted[at] = 1
  const raw = failureProbabilities(failureTermsOf(model), trusted)
  let before = 0
  return model.horizons_seconds.map((seconds, h) => {
    before = Math.max(before, probabilities[h] as number, Math.min(raw[h] as number, usedUp(seconds)))
    return before
  })
}

/** @param features [H,K] of one target; @param probabilities [H] */
export function failureOutlook(
  model: FailureModel,
  features: Float64Array,
  probabilities: ArrayLike<number>,
  confidence: number,
): FailureOutlook {
  const horizons = model.horizons_seconds.map((seconds, h) => ({ seconds, probability: probabilities[h] as number }))
  const told = Math.max(0, model.horizons_seconds.indexOf(TOLD_SECONDS))
  const { subject, reasons } = failureReasons(failureTermsOf(model), features, told, MOST_REASONS)
  return {
    horizons,
    headline: horizons[told] as HorizonProbability,
    confidence,
    event: subject === null ? null : EVENTS[subject],
    reasons: reasons.map(({ feature, value, logit }) => ({
      feature,
      value,
      weight: logit,
      sentence: SENTENCES[feature](value),
    })),
  }
}
