/**
 * Forecasts, exhaustion and failure probability over a recording, as the service would have made them row by row: strictly
 * causal, asked every five minutes of data.
 */
import { KIND_SPECS, type TimedRow } from '@portent/core'
import type { Depleting, OutlookPlan } from '../outlook/plan.ts'
import { TargetOutlook } from '../outlook/target.ts'
import type { RecordedSignals } from './signals-file.ts'

/** Seconds of data between two blocks of predictions, on a grid of Unix time. */
export const BLOCK_SECONDS = 300

const MOST_OF_A_SHARE = 1.2

export interface OutlookBlock {
  /** Of the newest row, Unix seconds. */
  readonly at: number
  readonly exhaustions: readonly {
    readonly signal: string
    readonly lower: number
    readonly median: number
    readonly upper: number
  }[]
  readonly forecasts: readonly {
    readonly signal: string
    readonly horizon: number
    /** q05, q10, q50, q90, q95. */
    readonly quantiles: ArrayLike<number>
  }[]
  /** Inputs of the failure model [H,K], null until enough is known. */
  readonly failure: Float64Array | null
  readonly failureTrust: number
  /** Probability that something whose end is a failure is used up within so many seconds. */
  readonly usedUp: (seconds: number) => number
}

/** Scores of a row by a bundle of its own, where there is one. */
export interface RowScores {
  /** 1 = threshold. */
  readonly anomaly: number
  /** 0-100. */
  readonly health: number
}

/** The meaning of a recording's columns. */
export function planOf({ signals }: RecordedSignals): OutlookPlan {
  const known = new Map(signals.map((s) => [s.name, s]))
  return {
    boundsOf: (signal) => known.get(signal) ?? { floor: Number.NEGATIVE_INFINITY, ceiling: Number.POSITIVE_INFINITY },
    depleting: (values) => {
      const found: Depleting[] = []
      for (const { name, kind, limit } of signals) {
        const level = values[name]
        if (limit !== null && level !== undefined) found.push({ resource: name, kind, limit, level })
      }
      return found
    },
    byKind: (values) => {
      const found: ReturnType<OutlookPlan['byKind']> = {}
      for (const { name, kind, scale } of signals) {
        const value = values[name]
        if (kind === 'other' || value === undefined) continue
        const scaled = value * scale
        // A share far beyond 1 is none: whatever it is, it says nothing of a failure.
        if (scaled > MOST_OF_A_SHARE * KIND_SPECS[kind].ceiling) continue
        const before = found[kind]
        found[kind] =
          before === undefined ? scaled : kind === 'network_rate' ? before + scaled : Math.max(before, scaled)
      }
      return found
    },
  }
}

export interface OutlookReplayOptions {
  readonly signals: RecordedSignals
  /** Of the forecasts, seconds; none = no forecasts. */
  readonly horizons: readonly number[]
}

/** @param rows in order of time, with the scores of those that a bundle scored */
export function* replayOutlook(
  rows: Iterable<TimedRow & { readonly scores?: RowScores }>,
  { signals, horizons }: OutlookReplayOptions,
): Generator<OutlookBlock, void, undefined> {
  const plan = planOf(signals)
  const names = signals.signals.map((s) => s.name)
  const forecast = horizons.length > 0
  const outlook = new TargetOutlook({
    intervalSeconds: signals.intervalSeconds,
    plan,
    ...(forecast ? {} : { admit: (series: string) => series.startsWith('resource ') }),
  })
  let block = Number.NEGATIVE_INFINITY
  for (const { at, values, scores } of rows) {
    const seconds = at / 1000
    outlook.push({
      at: seconds,
      values,
      resources: [],
      anomaly: scores?.anomaly ?? null,
      health: scores?.health ?? null,
    })
    const current = Math.floor(seconds / BLOCK_SECONDS)
    if (current === block) continue
    block = current
    while (outlook.refitOne());
    const tracked = outlook.exhaustions()
    yield {
      at: seconds,
      exhaustions: tracked.map(({ resource, exhaustion: { lower, median, upper } }) => ({
        signal: resource,
        lower,
        median,
        upper,
      })),
      forecasts: forecast ? names.flatMap((signal) => forecastsOf(outlook, signal, horizons)) : [],
      failure: outlook.failureFeatures(tracked),
      failureTrust: outlook.failureTrust,
      usedUp: (within) => outlook.usedUp(tracked, within),
    }
  }
}

function forecastsOf(outlook: TargetOutlook, signal: string, horizons: readonly number[]): OutlookBlock['forecasts'] {
  return (outlook.forecast(signal, horizons) ?? []).map(({ seconds, quantiles }) => ({
    signal,
    horizon: seconds,
    quantiles,
  }))
}
