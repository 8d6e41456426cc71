/**
 * What is to come of one target: the forecasters of its signals and of its health, the trackers of what can run out, and
 * the history behind its failure probability. Fed row by row; the service and a replay run this very code.
 */
import {
  type Exhaustion,
  ExhaustionTracker,
  FailureTracker,
  type HorizonForecast,
  type KindOrOther,
  type Limit,
  SIGNAL_KINDS,
  SignalForecaster,
} from '@portent/core'
import type { Resource, SignalValues } from '../types.ts'
import type { Depleting, OutlookPlan } from './plan.ts'

export const HEALTH = 'health'

export interface OutlookOptions {
  readonly intervalSeconds: number
  readonly plan: OutlookPlan
  /** Asked when a signal or resource is seen first: whether there is room for one more. Default: always. */
  readonly admit?: (series: string) => boolean
  /** Told when one is given up. */
  readonly release?: () => void
}

export interface OutlookRow {
  /** Unix seconds. */
  readonly at: number
  readonly values: SignalValues
  readonly resources: readonly Resource[]
  /** Ensemble score, 1 = threshold, and health 0-100; null where no bundle scored the row. */
  readonly anomaly: number | null
  readonly health: number | null
  /** 0-1: how far those two are to be believed. Default 1. */
  readonly trust?: number
  /** False where forecasts can do without the row: of a past in short rows. Default true. */
  readonly forecast?: boolean
}

/** A resource that is being tracked, and what is predicted of it. */
export interface TrackedResource {
  readonly resource: string
  readonly kind: KindOrOther
  readonly limit: Limit
  readonly level: number
  readonly whole?: Depleting['whole']
  readonly exhaustion: Exhaustion
}

interface Tracked {
  readonly tracker: ExhaustionTracker
  newest: Depleting
  /** Of its newest value, Unix seconds. */
  at: number
  /** Longest time between two values lately, seconds. */
  step: number
}

const NOTHING: SignalValues = {}
/** A signal whose value is older than this is not forecast, seconds. */
const SILENT_SECONDS = 300
/** A resource that has not been seen for so long, and for three times as long as it usually takes, is gone, seconds. */
const GONE_SECONDS = 900
/** Names of mounts may come and go for ever. */
const MOST_REFUSED = 1000

export class TargetOutlook {
  readonly #options: OutlookOptions
  readonly #forecasters = new Map<string, SignalForecaster>()
  /** Time of the newest value of each, Unix seconds. */
  readonly #seen = new Map<string, number>()
  readonly #resources = new Map<string, Tracked>()
  /** Refused by `admit`: asked for once. */
  readonly #refused = new Set<string>()
  readonly #failure: FailureTracker
  #at = Number.NEGATIVE_INFINITY

  constructor(options: OutlookOptions) {
    this.#options = options
    // A kind that is never seen stays masked.
    this.#failure = new FailureTracker({ intervalSeconds: options.intervalSeconds, kinds: SIGNAL_KINDS })
  }

  /** Of the newest row, Unix seconds; -Infinity before the first. */
  get at(): number {
    return this.#at
  }

  /** Signals and resources that are followed. */
  get series(): number {
    return this.#forecasters.size + this.#resources.size
  }

  get signals(): Iterable<string> {
    return this.#forecasters.keys()
  }

  /** Rows that are not newer than the newest are left out. */
  push({ at, values, resources, anomaly, health, trust = 1, forecast = true }: OutlookRow): void {
    if (!(at > this.#at)) return
    this.#at = at
    for (const signal in forecast ? values : NOTHING) {
      const value = values[signal] as number
      if (Number.isFinite(value)) this.#forecast(signal, at, value)
    }
    if (forecast && health !== null) this.#forecast(HEALTH, at, health)
    for (const one of this.#options.plan.depleting(values, resources)) this.#track(one, at)
    for (const [resource, tracked] of this.#resources) {
      if (at - tracked.at > Math.max(GONE_SECONDS, 3 * tracked.step)) this.#giveUp(resource)
    }
    const byKind = this.#options.plan.byKind(values)
    this.#failure.push(at, byKind, { anomaly, health, trust })
  }

  #forecast(signal: string, at: number, value: number): void {
    const forecaster = this.#forecaster(signal)
    if (forecaster === undefined) return
    forecaster.push(at, value)
    this.#seen.set(signal, at)
  }

  #forecaster(signal: string): SignalForecaster | undefined {
    const known = this.#forecasters.get(signal)
    if (known !== undefined || !this.#admitted(signal)) return known
    const bounds = signal === HEALTH ? { floor: 0, ceiling: 100 } : this.#options.plan.boundsOf(signal)
    const made = new SignalForecaster({ intervalSeconds: this.#options.intervalSeconds, ...bounds })
    this.#forecasters.set(signal, made)
    return made
  }

  #track(one: Depleting, at: number): void {
    let tracked = this.#resources.get(one.resource)
    if (tracked === undefined) {
      if (!this.#admitted(`resource ${one.resource}`)) return
      const { kind, limit } = one
      const tracker = new ExhaustionTracker({ intervalSeconds: this.#options.intervalSeconds, kind, limit })
      tracked = { tracker, newest: one, at, step: 0 }
      this.#resources.set(one.resource, tracked)
    }
    tracked.newest = one
    tracked.step = Math.max(0.99 * tracked.step, at - tracked.at)
    tracked.at = at
    tracked.tracker.push(at, one.level)
  }

  #giveUp(resource: string): void {
    this.#resources.delete(resource)
    this.#options.release?.()
    // There is room again for one that was refused.
    this.#refused.clear()
  }

  #admitted(series: string): boolean {
    const { admit } = this.#options
    if (admit === undefined) return true
    if (this.#refused.has(series)) return false
    if (admit(series)) return true
    if (this.#refused.size >= MOST_REFUSED) this.#refused.clear()
    this.#refused.add(series)
    return false
  }

  /** What is predicted now of everything that can run out. */
  exhaustions(): TrackedResource[] {
    return Array.from(this.#resources.values(), ({ tracker, newest }) => ({
      ...newest,
      exhaustion: tracker.predict(),
    }))
  }

  /** Probability that something whose end is a failure is used up within so many seconds. */
  usedUp(exhaustions: readonly TrackedResource[], seconds: number): number {
    let most = 0
    for (const { kind, exhaustion } of exhaustions) {
      if (kind !== 'other') most = Math.max(most, exhaustion.within(seconds))
    }
    return most
  }

  /** Inputs of the failure model [H,K], null until enough is known. */
  failureFeatures(exhaustions: readonly TrackedResource[]): Float64Array | null {
    return this.#failure.features(exhaustions)
  }

  /** 0-1: how much is known of what a failure probability needs. */
  get failureProgress(): number {
    return this.#failure.progress
  }

  /** 0-1: how far a failure probability is to be believed. */
  get failureTrust(): number {
    return this.#failure.trust
  }

  /** From the newest row; null where the signal is not followed, has not been seen of late, or too little is known of it. */
  forecast(signal: string, horizons: readonly number[]): HorizonForecast[] | null {
    if (this.isSilent(signal)) return null
    return this.#forecasters.get(signal)?.forecast(horizons) ?? null
  }

  /** Whether other signals have gone on without this one. */
  isSilent(signal: string): boolean {
    const longest = Math.max(SILENT_SECONDS, 3 * this.#options.intervalSeconds)
    return this.#at - (this.#seen.get(signal) ?? this.#at) > longest
  }

  /** Whether there was no room for it. */
  isRefused(signal: string): boolean {
    return this.#refused.has(signal)
  }

  /** Fits one signal's forecaster anew, if any is due. False when there is nothing to do. */
  refitOne(): boolean {
    for (const forecaster of this.#forecasters.values()) {
      if (!forecaster.due) continue
      forecaster.refit()
      return true
    }
    return false
  }
}
