/**
 * What the failure model reads, a closed list. Every feature grows with risk, is 0 where nothing is wrong or nothing is
 * known, and is in a unit that can be said: so that no weight is negative, and a missing kind invents nothing.
 */

/** Seconds ahead. */
export const FAILURE_HORIZONS = [900, 3600, 21_600] as const

/** What fails, for a sentence. */
export const FAILURE_SUBJECTS = ['memory', 'storage', 'handles', 'cpu', 'io', 'network', 'service', 'host'] as const
export type FailureSubject = (typeof FAILURE_SUBJECTS)[number]

export const RISK_FEATURES = [
  /** Score, 1 = threshold, mean of five minutes; share of the last hour above it. */
  'anomaly',
  'anomaly_frequency',
  /** 100 less the health of the last 15 minutes, less the worst of the last hour; points lost within the hour. */
  'health_deficit',
  'health_worst',
  'health_fall',
  /** Levels are shares 0-1 (load: tasks a core), medians of five minutes. */
  'cpu_level',
  'load_level',
  'memory_level',
  'swap_level',
  'storage_level',
  'handles_level',
  'iowait_level',
  'disk_busy_level',
  /** Shares above the usual one, medians of three minutes. */
  'network_errors',
  'errors',
  /** The same, medians of ten minutes: what a release brings is gone by then. */
  'network_errors_lasting',
  'errors_lasting',
  /** Doublings of the response time over its usual one, medians of three and of ten minutes. */
  'response_growth',
  'response_growth_lasting',
  /** Both of two symptoms, geometric mean of their shares of the way to bad. */
  'cpu_and_response',
  'io_and_response',
  'network_errors_and_silence',
  'errors_and_response',
  /** Horizon / (horizon + seconds along a straight line to a bad level): 0.5 where it is reached at the horizon. */
  'memory_reach',
  'storage_reach',
  'handles_reach',
  'cpu_reach',
  'io_reach',
  'network_reach',
  'errors_reach',
  'response_reach',
  /** Probability that the resource is used up within the horizon. */
  'memory_exhaustion',
  'swapping_ahead',
  'storage_exhaustion',
  'handles_exhaustion',
  /** 0-1, how far all of it is to be believed: scales what is above the base rate. Last. */
  'trust',
] as const
export type RiskFeature = (typeof RISK_FEATURES)[number]

export const RISK_COLUMN: Readonly<Record<RiskFeature, number>> = Object.fromEntries(
  RISK_FEATURES.map((name, k) => [name, k]),
) as Record<RiskFeature, number>

/** Position of `trust`: not a term of the logit. */
export const TRUST_COLUMN = RISK_FEATURES.length - 1

const SUBJECTS: Readonly<Record<string, FailureSubject>> = {
  cpu: 'cpu',
  load: 'cpu',
  memory: 'memory',
  swap: 'memory',
  swapping: 'memory',
  storage: 'storage',
  handles: 'handles',
  iowait: 'io',
  io: 'io',
  disk: 'io',
  network: 'network',
  errors: 'service',
  response: 'service',
}

/** What a feature speaks of; `host` where it is no single part. */
export function subjectOf(feature: RiskFeature): FailureSubject {
  return SUBJECTS[feature.slice(0, feature.indexOf('_') < 0 ? undefined : feature.indexOf('_'))] ?? 'host'
}
