/**
 * The outlook of every target: fed each cycle, predicted anew once a minute, fitted anew in between, one signal at a time,
 * and filled from the history when a target is seen first.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Manifest } from '@portent/core'
import type { FailureOutlook, Outlook, Row, SeriesForecast } from '../types.ts'
import { failureOutlook, withExhaustion } from './failure.ts'
import type { OutlookPlan } from './plan.ts'
import { resourceOutlooks } from './resources.ts'
import { HEALTH, type OutlookRow, TargetOutlook } from './target.ts'

/** Horizons that are series, seconds. */
export const SERIES_HORIZONS = [900, 3600, 10_800, 21_600, 86_400] as const
/** Signals whose forecasts are series. */
export const SERIES_SIGNALS: readonly string[] = [HEALTH, 'memory_used', 'filesystem_used', 'cpu_busy']
/** Rows between two predictions of a target, seconds. */
const PREDICT_SECONDS = 60
/** A prediction that is older than this is not shown, seconds. */
const FRESH_SECONDS = 300
/** Rows kept while the history of a target is being read. */
const MOST_WAITING = 360
/** A wall clock this far behind where it should be was stepped; less is slewed, and followed. */
const STEP_SECONDS = 30
/** Work that is done before the event loop gets its turn, ms. */
const SLICE_MS = 4
/** Quantiles .1, .5 and .9 among those of a forecast. */
const SERIES_QUANTILES = [1, 2, 3] as const

export interface OutlookInput {
  readonly row: Row
  /** Null where rules alone assess the row. */
  readonly anomaly: number | null
  readonly health: number | null
  /** 0-1: how far those are to be believed. */
  readonly trust: number
}

export interface FailureScorer {
  readonly bundle: { readonly manifest: Manifest }
  /** [N,H,K] -> [N,H]. */
  failure(history: Float64Array, n: number): Promise<Float64Array>
}

export interface OutlookKeeperOptions {
  readonly intervalSeconds: number
  readonly plan: () => OutlookPlan
  /** Most signals and resources that are followed, of all targets. */
  readonly mostSeries: () => number
  /** A target's past before `at` (Unix seconds), oldest first. */
  readonly history: (target: string, like: Row) => AsyncIterable<OutlookRow>
  readonly onError: (error: unknown) => void
}

interface Kept {
  readonly outlook: TargetOutlook
  /** Rows that came while the history was being read; null once it is. */
  waiting: OutlookRow[] | null
  predicted: Outlook | null
  /** Of the prediction, in the time of the outlook. */
  predictedAt: number
  /** Of the newest row, in the time of the outlook. */
  time: number
  /** Monotonic ms of the newest row, where its source has it. */
  monotonic: number | undefined
  /** Seconds by which the wall clock is ahead of the time of the outlook: 0 until the clock is stepped. */
  offset: number
}

interface Predicting {
  readonly kept: Kept
  readonly resources: Outlook['resources']
  readonly features: Float64Array | null
  readonly trust: number
  readonly usedUp: (seconds: number) => number
}

export class OutlookKeeper {
  readonly #options: OutlookKeeperOptions
  readonly #targets = new Map<string, Kept>()
  #series = 0
  #refused = 0
  #loading: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: OutlookKeeperOptions) {
    this.#options = options
  }

  /** Signals and resources that are followed, and that were refused because there are too many. */
  get counts(): { series: number; refused: number } {
    return { series: this.#series, refused: this.#refused }
  }

  target(name: string): TargetOutlook | undefined {
    const kept = this.#targets.get(name)
    return kept === undefined || kept.waiting !== null ? undefined : kept.outlook
  }

  /** Whether the target's history is still being read. */
  reading(name: string): boolean {
    return this.#targets.get(name)?.waiting !== undefined && this.#targets.get(name)?.waiting !== null
  }

  removeTarget(name: string): void {
    const kept = this.#targets.get(name)
    if (kept === undefined) return
    this.#series -= kept.outlook.series
    this.#targets.delete(name)
  }

  /** Resolves when every history that was asked for has been read. */
  async settled(): Promise<void> {
    await this.#loading
  }

  close(): void {
    this.#closed = true
  }

  /**
   * Takes in the rows of a cycle and predicts for the targets that are due; the newest outlook of each target, where it has
   * one that is fresh.
   */
  async step(inputs: readonly OutlookInput[], scorer: FailureScorer | null): Promise<Map<string, Outlook>> {
    const due: { name: string; kept: Kept }[] = []
    const found = new Map<string, Outlook>()
    let since = performance.now()
    for (const input of inputs) {
      if (performance.now() - since > SLICE_MS) {
        await nextTurn()
        since = performance.now()
      }
      try {
        const kept = this.#push(input)
        if (kept.waiting !== null) continue
        if (kept.outlook.at - kept.predictedAt >= PREDICT_SECONDS) due.push({ name: input.row.target, kept })
      } catch (error) {
        this.#options.onError(error)
      }
    }
    await this.#predict(due, scorer)
    for (const { row } of inputs) {
      const kept = this.#targets.get(row.target)
      if (kept?.predicted && kept.outlook.at - kept.predictedAt <= FRESH_SECONDS) found.set(row.target, kept.predicted)
    }
    return found
  }

  /** Fits one signal of one target anew, if any is due: false when there is nothing to do. */
  refitOne(): boolean {
    for (const { outlook, waiting } of this.#targets.values()) {
      if (waiting === null && outlook.refitOne()) return true
    }
    return false
  }

  #push({ row, anomaly, health, trust }: OutlookInput): Kept {
    const { target, values, resources } = row
    let kept = this.#targets.get(target)
    const taken: OutlookRow = { at: timeOf(row, kept), values, resources, anomaly, health, trust }
    if (kept === undefined) {
      kept = this.#made()
      kept.monotonic = row.monotonic
      this.#targets.set(target, kept)
      kept.time = taken.at
      kept.waiting = [taken]
      this.#loading = this.#loading.then(() => this.#fill(row, kept as Kept))
      return kept
    }
    kept.time = taken.at
    if (kept.waiting !== null) {
      kept.waiting.push(taken)
      if (kept.waiting.length > MOST_WAITING) kept.waiting.shift()
    } else kept.outlook.push(taken)
    return kept
  }

  #made(): Kept {
    const { intervalSeconds, plan, mostSeries } = this.#options
    const outlook = new TargetOutlook({
      intervalSeconds,
      plan: plan(),
      admit: (series) => {
        // What every target needs has room when what is nice to have no longer does.
        const most = SERIES_SIGNALS.includes(series) || series.startsWith('resource ') ? mostSeries() : mostSeries() / 2
        if (this.#series >= most) {
          this.#refused++
          return false
        }
        this.#series++
        return true
      },
      release: () => {
        this.#series--
      },
    })
    return {
      outlook,
      waiting: null,
      predicted: null,
      predictedAt: Number.NEGATIVE_INFINITY,
      time: 0,
      monotonic: undefined,
      offset: 0,
    }
  }

  /** One target after the other, so that a start with many of them does not hold up the present. */
  async #fill(row: Row, kept: Kept): Promise<void> {
    try {
      let since = performance.now()
      for await (const past of this.#options.history(row.target, row)) {
        if (this.#closed || this.#targets.get(row.target) !== kept) return
        kept.outlook.push(past)
        if (performance.now() - since > SLICE_MS) {
          await nextTurn()
          since = performance.now()
        }
      }
    } catch (error) {
      this.#options.onError(error)
    } finally {
      const waiting = this.#targets.get(row.target) === kept ? (kept.waiting ?? []) : []
      kept.waiting = null
      for (const one of waiting) kept.outlook.push(one)
    }
  }

  async #predict(due: readonly { name: string; kept: Kept }[], scorer: FailureScorer | null): Promise<void> {
    if (due.length === 0) return
    const made: Predicting[] = []
    let since = performance.now()
    for (const { kept } of due) {
      if (performance.now() - since > SLICE_MS) {
        await nextTurn()
        since = performance.now()
      }
      try {
        const tracked = kept.outlook.exhaustions()
        const features = kept.outlook.failureFeatures(tracked)
        const resources = resourceOutlooks(tracked, kept.outlook.at + kept.offset, kept.offset)
        const usedUp = (seconds: number) => kept.outlook.usedUp(tracked, seconds)
        made.push({ kept, resources, features, trust: kept.outlook.failureTrust, usedUp })
      } catch (error) {
        this.#options.onError(error)
      }
    }
    const failures = await this.#failures(made, scorer)
    made.forEach(({ kept, resources }, i) => {
      try {
        const { outlook, offset } = kept
        kept.predicted = {
          at: (outlook.at + offset) * 1000,
          resources,
          failure: failures[i] ?? null,
          failureProgress: outlook.failureProgress,
          forecasts: seriesForecasts(outlook),
        }
        kept.predictedAt = outlook.at
      } catch (error) {
        this.#options.onError(error)
      }
    })
  }

  async #failures(made: readonly Predicting[], scorer: FailureScorer | null): Promise<(FailureOutlook | null)[]> {
    const none = made.map(() => null)
    const model = scorer?.bundle.manifest.failure
    if (scorer === null || model === undefined) return none
    const ready = made.flatMap((x) => (x.features === null ? [] : [x.features]))
    if (ready.length === 0) return none
    const history = Float64Array.from(ready.flatMap((features) => [...features]))
    try {
      const probabilities = await scorer.failure(history, ready.length)
      const h = model.horizons_seconds.length
      let i = 0
      return made.map(({ features, trust, usedUp }) => {
        if (features === null) return null
        const own = probabilities.subarray(i * h, (i + 1) * h)
        i++
        return failureOutlook(model, features, withExhaustion(model, features, own, usedUp), trust)
      })
    } catch (error) {
      this.#options.onError(error)
      return none
    }
  }
}

function seriesForecasts(outlook: TargetOutlook): SeriesForecast[] {
  return SERIES_SIGNALS.flatMap((signal) => {
    const found = outlook.forecast(signal, SERIES_HORIZONS)
    if (found === null) return []
    const horizons = found.map(({ seconds, quantiles }) => ({
      seconds,
      quantiles: SERIES_QUANTILES.map((q) => quantiles[q] as number),
    }))
    return [{ signal, horizons }]
  })
}

/**
 * The time of a row in the outlook of its target, Unix seconds. It follows the wall clock, also over a jump ahead (a machine
 * that slept): a hole. Where the wall clock is stepped back, the monotonic clock goes on, so that no row counts as old, and
 * what is predicted is told by the wall clock as it is now.
 */
function timeOf({ at, monotonic }: Row, kept: Kept | undefined): number {
  const wall = at / 1000
  if (kept === undefined || monotonic === undefined || kept.monotonic === undefined) return wall
  const time = kept.time + (monotonic - kept.monotonic) / 1000
  kept.monotonic = monotonic
  const steppedBack = time - wall > STEP_SECONDS
  kept.offset = steppedBack ? wall - time : 0
  return steppedBack ? time : wall
}
