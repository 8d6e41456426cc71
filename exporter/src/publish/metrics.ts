/**
 * Assessments -> /metrics. The text is rendered when a cycle publishes, at most once a second, and served from memory: a
 * scrape causes no work beyond a buffer, except to drop what has grown old since.
 *
 * A target whose last score is older than three score intervals keeps only the time of that score and its model state: an
 * old truth is never shown as new.
 */
import type { AlertEvent, Assessment } from '../types.ts'
import { SERVICE_METRICS, type ServiceMetric, TARGET_METRICS } from './catalogue.ts'
import { type FamilyBody, type Format, familyBody, formatValue, prefix, printable, TargetTable } from './exposition.ts'
import { breather, within } from './pace.ts'
import type { ProcessFacts } from './process.ts'
import type { Percentiles } from './ring.ts'
import type { SelfMetrics } from './self.ts'
import { type ModelInfo, type ShapFeature, type SignalInfo, writeSeries, writeStale } from './series.ts'
import { type MetricsText, Texts } from './texts.ts'

/** How long a scrape waits for a new text before it gets the last one. */
const PATIENCE_MS = 400
const RENDER_GAP_MS = 1000
const STALE_INTERVALS = 3

export interface CollectorOutcome {
  readonly collector: string
  readonly durationSeconds: number
  readonly success: boolean
}

export interface StoreFacts {
  readonly sizeBytes?: number
  readonly ballastBytes?: number
  readonly writeErrors?: number
  readonly rowsDropped?: number
  readonly corruptFiles?: number
}

export interface PublisherOptions {
  readonly version: string
  readonly self: SelfMetrics
  readonly scoreIntervalSeconds: number
  /** Series a target at most. Default 150. */
  readonly seriesPerTarget?: number
  /** `all` also prints the signals that other exporters give already. Default `headline`. */
  readonly raw?: 'headline' | 'all'
  /** Unit of each signal; signals without one here are not printed. Default: the host signals. */
  readonly signals?: ReadonlyMap<string, SignalInfo>
  /** The features behind the SHAP values of a target, where they are wanted as series. */
  readonly shapFeatures?: (target: string) => readonly ShapFeature[] | null
  readonly process?: () => ProcessFacts
  readonly nodeVersion?: string
  /** ms. */
  readonly monotonic?: () => number
  readonly onError?: (error: unknown) => void
}

export interface Performance {
  readonly cycle: Percentiles | null
  readonly inference: Percentiles | null
  readonly requestsPerMinute: number
  readonly process: ProcessFacts
  /** Share of one core between the last two texts; null before the second. */
  readonly cpuShare: number | null
}

/** Label values and the value, if there is one now. */
type Sample = readonly [labels: readonly string[], value: number | null | undefined]

interface Latest {
  assessment: Assessment
  /** Monotonic ms at which the scores are too old to be shown. */
  expires: number
  stale: boolean
}

export class MetricsPublisher {
  readonly #options: PublisherOptions
  readonly #self: SelfMetrics
  readonly #monotonic: () => number
  readonly #table: TargetTable
  readonly #latest = new Map<string, Latest>()
  readonly #alerts = new Map<string, Map<string, number>>()
  readonly #models = new Map<string, ModelInfo>()
  /** Targets whose series are to be written anew for the next text. */
  readonly #changed = new Set<string>()
  #collectors: readonly CollectorOutcome[] = []
  #store: StoreFacts = {}
  #forecasts: { readonly series: number; readonly refused: number } | null = null
  #lastCycle: number | null = null
  #process: ProcessFacts = {}
  #cpuShare: number | null = null
  #texts: Texts | null = null
  #renderedAt = Number.NEGATIVE_INFINITY
  #dirty = true
  #rendering: Promise<void> | null = null

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#self = options.self
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#table = new TargetTable(TARGET_METRICS, options.seriesPerTarget ?? 150)
  }

  /** Takes over what a cycle found; `now` is Unix ms. The text follows with `render` or the next scrape. */
  publish(assessments: readonly Assessment[], now: number): void {
    const lifetime = STALE_INTERVALS * this.#options.scoreIntervalSeconds * 1000
    const monotonic = this.#monotonic()
    for (const assessment of assessments) {
      const age = Math.max(0, now - assessment.at)
      const latest = { assessment, expires: monotonic + lifetime - age, stale: age > lifetime }
      this.#latest.set(assessment.target, latest)
      this.#changed.add(assessment.target)
    }
    this.#dirty = true
  }

  /** An alert counts for its target and severity; the other severities of the target start at 0. */
  alert(event: AlertEvent): void {
    const counts = this.#alerts.get(event.target) ?? new Map<string, number>()
    counts.set(event.severity, (counts.get(event.severity) ?? 0) + 1)
    this.#alerts.set(event.target, counts)
    this.#changed.add(event.target)
    this.#dirty = true
  }

  removeTarget(target: string): void {
    this.#latest.delete(target)
    this.#alerts.delete(target)
    this.#table.remove(target)
    this.#dirty = true
  }

  /** The bundles in use, found by the version an assessment names. */
  setModels(models: readonly ModelInfo[]): void {
    this.#models.clear()
    for (const model of models) this.#models.set(model.version, model)
    for (const target of this.#latest.keys()) this.#changed.add(target)
    this.#dirty = true
  }

  /** Replaces the outcomes of all collectors: one that is missing here vanishes. */
  setCollectorOutcomes(outcomes: readonly CollectorOutcome[]): void {
    this.#collectors = outcomes
    this.#dirty = true
  }

  setStore(facts: StoreFacts): void {
    this.#store = facts
    this.#dirty = true
  }

  /** What is forecast, and what there was no room for so far. */
  setForecasts(counts: { readonly series: number; readonly refused: number }): void {
    this.#forecasts = counts
    this.#dirty = true
  }

  /** A cycle ended at `now`, Unix ms, after `seconds`. */
  cycleEnded(now: number, seconds: number): void {
    this.#lastCycle = now / 1000
    this.#self.cycle(seconds)
    this.#dirty = true
  }

  /** Latencies and cost of the service for people; process facts are those of the latest text. */
  performance(): Performance {
    return { ...this.#self.latencies(), process: this.#process, cpuShare: this.#cpuShare }
  }

  /** Renders if something changed and the last text is at least a second old. Never rejects. Call it after a cycle. */
  async render(): Promise<void> {
    const rendering = this.#beginRender()
    if (rendering !== null) await rendering
  }

  /** The text as it is now, compressed if asked for. */
  async text(format: Format, gzip: boolean): Promise<MetricsText> {
    const rendering = this.#beginRender()
    if (rendering !== null) await (this.#texts === null ? rendering : within(PATIENCE_MS, rendering))
    return (this.#texts ?? new Texts([])).get(format, gzip)
  }

  /** The rendering that is due or in progress; null where the text is new enough. */
  #beginRender(): Promise<void> | null {
    this.#expire()
    const age = this.#monotonic() - this.#renderedAt
    // Without cycles the process's own figures still move on.
    if (age >= (this.#dirty ? RENDER_GAP_MS : this.#options.scoreIntervalSeconds * 1000)) {
      this.#rendering ??= this.#renderNow().finally(() => {
        this.#rendering = null
      })
    }
    return this.#rendering
  }

  #expire(): void {
    const monotonic = this.#monotonic()
    for (const latest of this.#latest.values()) {
      if (latest.stale || monotonic <= latest.expires) continue
      latest.stale = true
      this.#changed.add(latest.assessment.target)
      this.#dirty = true
    }
  }

  /** An assessment that cannot be written costs its target only. */
  #tryWrite(latest: Latest): void {
    try {
      this.#write(latest)
    } catch (error) {
      this.#table.remove(latest.assessment.target)
      this.#self.cycleError('publish')
      this.#options.onError?.(error)
    }
  }

  #write(latest: Latest): void {
    const { assessment, stale } = latest
    const { target } = assessment
    if (stale) {
      this.#table.write(target, (writer) => writeStale(writer, assessment))
      return
    }
    this.#table.write(target, (writer) =>
      writeSeries(writer, {
        assessment,
        raw: this.#options.raw ?? 'headline',
        signals: this.#options.signals,
        model: assessment.version === null ? undefined : this.#models.get(assessment.version),
        alerts: this.#alerts.get(target),
        features: this.#options.shapFeatures?.(target) ?? null,
      }),
    )
  }

  #countTable(): void {
    const { dropped, nonFinite } = this.#table.takeCounts()
    this.#self.count('portent_series_dropped_total', {}, dropped)
    this.#self.nonFinite(nonFinite)
  }

  /** On an error the last good text stays; it says by its own timestamps how old it is. */
  async #renderNow(): Promise<void> {
    this.#dirty = false
    const previous = this.#renderedAt
    this.#renderedAt = this.#monotonic()
    try {
      try {
        const facts = this.#options.process?.() ?? {}
        this.#cpuShare = cpuShare(this.#process, facts, this.#renderedAt - previous)
        this.#process = facts
      } catch (error) {
        this.#process = {}
        this.#options.onError?.(error)
      }
      const breathe = breather(this.#monotonic)
      for (const target of this.#changed) {
        this.#changed.delete(target)
        const latest = this.#latest.get(target)
        if (latest !== undefined) this.#tryWrite(latest)
        const pause = breathe()
        if (pause !== undefined) await pause
      }
      this.#countTable()
      const targets = await this.#table.render(breathe)
      const service = this.#service()
      this.#texts = new Texts([...targets, ...(await this.#self.render()), ...service])
    } catch (error) {
      this.#dirty = true
      this.#self.cycleError('publish')
      this.#options.onError?.(error)
    }
  }

  #service(): FamilyBody[] {
    const p = this.#process
    const values: Record<ServiceMetric, readonly Sample[]> = {
      portent_build_info: [[[this.#options.version, this.#options.nodeVersion ?? process.versions.node], 1]],
      portent_last_cycle_timestamp_seconds: [[[], this.#lastCycle]],
      portent_collector_duration_seconds: this.#collectors.map((c) => [[c.collector], c.durationSeconds]),
      portent_collector_success: this.#collectors.map((c) => [[c.collector], Number(c.success)]),
      portent_store_size_bytes: [[[], this.#store.sizeBytes]],
      portent_store_ballast_bytes: [[[], this.#store.ballastBytes]],
      portent_store_write_errors_total: [[[], this.#store.writeErrors]],
      portent_store_rows_dropped_total: [[[], this.#store.rowsDropped]],
      portent_store_corrupt_files_total: [[[], this.#store.corruptFiles]],
      portent_forecast_series: [[[], this.#forecasts?.series]],
      portent_forecast_series_refused_total: [[[], this.#forecasts?.refused]],
      process_start_time_seconds: [[[], p.startTimeSeconds]],
      process_cpu_seconds_total: [[[], p.cpuSeconds]],
      process_resident_memory_bytes: [[[], p.residentBytes]],
      process_open_fds: [[[], p.openFds]],
      portent_process_heap_used_bytes: [[[], p.heapUsedBytes]],
      portent_process_heap_size_bytes: [[[], p.heapSizeBytes]],
      portent_process_event_loop_delay_mean_seconds: [[[], p.eventLoopDelay?.meanSeconds]],
      portent_process_event_loop_delay_max_seconds: [[[], p.eventLoopDelay?.maxSeconds]],
    }
    return SERVICE_METRICS.map((spec) => {
      let body = ''
      const samples: readonly Sample[] = values[spec.name] ?? []
      for (const [labels, value] of samples) {
        if (value === null || value === undefined) continue
        if (printable(value)) body += `${prefix(spec.name, spec.labels, labels)}${formatValue(value)}\n`
        else this.#self.nonFinite(1)
      }
      return familyBody(spec, body)
    })
  }
}

/** `elapsed` in ms. */
function cpuShare(before: ProcessFacts, after: ProcessFacts, elapsed: number): number | null {
  if (before.cpuSeconds === undefined || after.cpuSeconds === undefined) return null
  const share = (after.cpuSeconds - before.cpuSeconds) / (elapsed / 1000)
  return Number.isFinite(share) ? Math.max(0, share) : null
}
