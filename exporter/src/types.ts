/**
 * The nouns. Data flows one way: collectors -> Sample -> Row -> window -> Scores -> Assessment -> publishers.
 * This file imports nothing.
 */

/** Signal name -> value in the signal's unit. Only present signals; every value is finite. */
export type SignalValues = Readonly<Record<string, number>>

/** Something with a capacity that can run out: a mount's space or inodes, memory, swap, file handles. */
export interface Resource {
  /** `memory`, `swap`, `file_descriptors`, `filesystem:/var`, `inodes:/var`: unique within a target. */
  readonly resource: string
  /** Used share, 0-1. */
  readonly used: number
  /** Capacity in `unit`, where known. */
  readonly capacity?: number
  readonly unit?: 'bytes' | 'inodes' | 'handles'
}

/** What the collectors saw at one tick (`sample_interval`). */
export interface Sample {
  readonly target: string
  /** Wall clock, Unix ms. */
  readonly at: number
  readonly values: SignalValues
  readonly resources: readonly Resource[]
}

/** The mean of the samples of one `score_interval`; everything statistical counts rows. */
export interface Row {
  readonly target: string
  /** End of the interval, Unix ms. */
  readonly at: number
  /** The same instant in monotonic ms, where the source has it: steps of the wall clock then neither drop nor gap rows. */
  readonly monotonic?: number
  readonly values: SignalValues
  readonly resources: readonly Resource[]
}

export const RISKS = ['green', 'yellow', 'red'] as const
export type Risk = (typeof RISKS)[number]

/** `none` is the absence of an alert; the other three are the only severities anywhere. */
export const SEVERITIES = ['none', 'info', 'warning', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

/** active: the bundle scores. fallback: rules only, `reason` says why. */
export const MODEL_STATES = ['active', 'fallback'] as const
export type ModelState = (typeof MODEL_STATES)[number]

/** Root-cause hint: which signal, its value, what is usual, in which direction it left. */
export interface Hint {
  readonly signal: string
  /** In the signal's unit. */
  readonly value: number
  /** Usual range, in the signal's unit. */
  readonly usual: { readonly low: number; readonly high: number } | null
  /** stopped: exactly 0, and never so before. */
  readonly direction: 'above' | 'below' | 'unsteady' | 'stopped'
  /** SHAP value of the signal, or the penalty in health points where rules alone speak. */
  readonly contribution: number
}

/** Additive explanation of the primary score: base + sum of values = output. */
export interface Shap {
  readonly base: number
  readonly output: number
  /** Signal -> value. Every signal of the bundle is a key; absent ones are 0. */
  readonly signals: SignalValues
}

/** Points taken from health by an extreme raw value. */
export interface Penalty {
  readonly signal: string
  readonly value: number
  readonly limit: number
  readonly points: number
}

export interface Assessment {
  readonly target: string
  /** Time of the row that was assessed, Unix ms. */
  readonly at: number
  readonly model: ModelState
  /** Version of the bundle that scored, null in fallback. */
  readonly version: string | null
  /** 0-100. */
  readonly health: number
  readonly risk: Risk
  /** Why the risk is what it is (a sentence for a log or a page). */
  readonly riskReason: string
  readonly severity: Severity
  readonly severityReason: string
  readonly penalties: readonly Penalty[]
  /** Named symptoms: what a user of the host would notice. */
  readonly symptoms: readonly string[]
  /** Null in fallback mode. */
  readonly scores: Scores | null
  readonly shap: Shap | null
  readonly hints: readonly Hint[]
  /** What is to come; null until something can be said. */
  readonly outlook: Outlook | null
  /** Null until the window of the ratio is filled. */
  readonly drift: Drift | null
  /** 0-1: how far each window is filled. */
  readonly warmup: { readonly window: number; readonly failure: number; readonly drift: number }
  /** Present share of the bundle's signals, 0-1. */
  readonly coverage: number
  readonly trust: number
  readonly sensitivity: number
  readonly values: SignalValues
  readonly resources: readonly Resource[]
}

export interface Scores {
  /** 0 = usual (median), 1 = threshold, floored at 0; `ensemble` and one key a detector. */
  readonly anomaly: Readonly<Record<string, number>>
  /** The ensemble in calibrated units. */
  readonly raw: number
  /** Peak hold of raw. */
  readonly ranking: number
  readonly threshold: number
  readonly alarm: boolean
  /** Calibrated rank of raw among the target's recent rows, 0-1. */
  readonly confidence: number
  /** Share of rows in alarm that is asked for, and that the last days showed. */
  readonly budget: { readonly requested: number; readonly realised: number }
  /** The threshold of this row is what a recurring job reached at this hour before. */
  readonly recurring?: boolean
  /** Signals that were never 0 and stand at 0. */
  readonly stopped?: readonly string[]
}

/** What is to come, as it was predicted at one row. */
export interface Outlook {
  /** Time of that row, Unix ms. */
  readonly at: number
  /** Everything that can run out; soonest first. */
  readonly resources: readonly ResourceOutlook[]
  /** Null until enough is known, and where no bundle with a failure model is loaded. */
  readonly failure: FailureOutlook | null
  /** 0-1: how much is known of what that needs. */
  readonly failureProgress: number
  /** Those that are series; all others are made when asked for. */
  readonly forecasts: readonly SeriesForecast[]
}

export interface ResourceOutlook {
  readonly resource: string
  /** In the unit of the limit. */
  readonly level: number
  readonly capacity: number
  /** Unix seconds at which 10 %, 50 % and 90 % of the first-passage distribution have passed; Infinity = not foreseen. */
  readonly lower: number
  readonly median: number
  readonly upper: number
  /** Probability that it goes on to the limit at all, unless someone steps in, 0-1. */
  readonly confidence: number
  /** Probability that it runs out within a day, 0-1. */
  readonly withinDay: number
  /** Growth per second in the unit of the limit, and since when (Unix seconds). */
  readonly trend: { readonly perSecond: number; readonly since: number } | null
  /** Why it is foreseen, or not: `growing`, `flat`, `seasonal`, `too_short` ... */
  readonly state: string
  /** Null where nothing is foreseen. */
  readonly sentence: string | null
  readonly action: string
}

export interface HorizonProbability {
  readonly seconds: number
  readonly probability: number
}

export interface FailureOutlook {
  /** By horizon, shortest first. */
  readonly horizons: readonly HorizonProbability[]
  /** The one of an hour, or of the shortest horizon of a model without one: what the history keeps. */
  readonly headline: HorizonProbability
  /** 0-1: how far to believe it. */
  readonly confidence: number
  /** What is likely to fail, null where nothing stands out. */
  readonly event: string | null
  /** What weighs most, heaviest first. */
  readonly reasons: readonly FailureReason[]
}

export interface FailureReason {
  readonly feature: string
  readonly value: number
  /** Part of the logit. */
  readonly weight: number
  readonly sentence: string
}

export interface SeriesForecast {
  /** A signal's name, or `health`. */
  readonly signal: string
  readonly horizons: readonly { readonly seconds: number /** .1, .5, .9 */; readonly quantiles: readonly number[] }[]
}

export const DRIFT_SIGNS = ['anomaly_rate', 'page_hinkley', 'distribution'] as const

export interface Drift {
  /** Share of the last 200 rows over the threshold. */
  readonly ratio: number
  /** A drift is confirmed, and neither re-based nor passed. */
  readonly detected: boolean
  /** Each sign with 1 = its limit; null while it is not known. */
  readonly scores: Readonly<Record<(typeof DRIFT_SIGNS)[number], number | null>>
  /** Drifts confirmed so far. */
  readonly confirmed: number
}

/** Raised on escalation only; nothing repeats while a state lasts. */
export interface AlertEvent {
  readonly id: number
  readonly target: string
  /** Unix ms. */
  readonly at: number
  readonly from: Severity
  readonly severity: Severity
  readonly health: number
  readonly confidence: number | null
  readonly trust: number
  readonly message: string
  readonly hints: readonly Hint[]
}
