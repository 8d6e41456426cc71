/** What is said of a target's drift: by every row, by an event, and on request. */
import type { SavedLevels } from './levels.ts'
import type { SavedPageHinkley, UsualScore } from './page-hinkley.ts'
import type { ReferenceOrigin, SavedReference } from './reference.ts'

export const DRIFT_SIGNS = ['anomaly_rate', 'page_hinkley', 'distribution'] as const
export type DriftSign = (typeof DRIFT_SIGNS)[number]

/** What every row says of drift. */
export interface DriftFigures {
  /** Share of the last 200 rows over the threshold. */
  readonly ratio: number
  /** A drift is confirmed, and neither re-based nor passed. */
  readonly detected: boolean
  /** Each sign with 1 = its limit; null while it is not known. */
  readonly scores: Readonly<Record<DriftSign, number | null>>
  /** Drifts confirmed so far. */
  readonly confirmed: number
}

export const DRIFT_EVIDENCE = ['score_and_signals', 'signals'] as const
export type DriftEvidence = (typeof DRIFT_EVIDENCE)[number]

export interface DriftEvent {
  readonly kind: 'confirmed' | 'rebased' | 'passed'
  /** What confirmed the drift: both hourly signs, or many signals for long. */
  readonly by: DriftEvidence
  /** End of the hour, Unix ms. */
  readonly at: number
  /** Sum of the Page-Hinkley test and its limit; which way the score went, by how many spreads, for how many hours. */
  readonly score: {
    readonly statistic: number
    readonly limit: number
    readonly direction: 'up' | 'down'
    readonly shift: number
    readonly hours: number
  }
  /** Signals beyond their limits, and how many make a sign. */
  readonly distribution: { readonly signals: number; readonly limit: number; readonly of: number }
  /** Those furthest beyond, furthest first. */
  readonly signals: readonly string[]
}

export interface DriftedSignal {
  readonly signal: string
  /** Kolmogorov-Smirnov distance of the last day from usual days, 0-1, and the limit of this signal. */
  readonly distance: number
  readonly limit: number
  /** How far the median has moved, in training spreads. */
  readonly shift: number
}

export interface DriftStatus {
  readonly state: 'learning' | 'watching' | 'drifted'
  /** How much is known of what the hourly signs need, 0-1. */
  readonly progress: number
  readonly reference: { readonly origin: ReferenceOrigin; readonly days: number }
  readonly anomalyRate: { readonly ratio: number; readonly limit: number; readonly detected: boolean } | null
  readonly pageHinkley: (DriftEvent['score'] & { readonly detected: boolean; readonly usual: UsualScore }) | null
  readonly distribution: (DriftEvent['distribution'] & { readonly detected: boolean }) | null
  /** Furthest beyond its limit first. */
  readonly signals: readonly DriftedSignal[]
  /** Newest first. */
  readonly events: readonly DriftEvent[]
}

export interface DriftRow {
  /** End of the row, Unix ms. */
  readonly at: number
  readonly values: Readonly<Record<string, number>>
  /** Calibrated score of the detectors that stay as they are, see {@link frozenScore}. */
  readonly score: number
  readonly over: boolean
  readonly budget: number
}

export interface SavedDrift {
  readonly levels: SavedLevels
  readonly reference: SavedReference
  readonly score: SavedPageHinkley | null
  readonly learnt: readonly number[]
  readonly counters: {
    readonly dayHours: number
    readonly scoreAge: number
    readonly signalsAge: number
    readonly manyHours: number
    readonly confirmed: number
  }
  readonly drifted: { readonly by: DriftEvidence; readonly hours: number } | null
  readonly events: readonly DriftEvent[]
}
