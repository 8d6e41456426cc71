/** This host as a source of rows: the collectors' samples, a row every score interval on a grid of monotonic time. */
import { collectorsFor, type Outcome, Sampler } from '../collect/index.ts'
import type { Config } from '../config/index.ts'
import type { Row, Sample } from '../types.ts'
import { RowBuilder } from '../window/row-builder.ts'

/** What the start of the service itself costs is not what the host is usually like. */
const SETTLE_MS = 3000

export interface HostSourceOptions {
  readonly config: Config
  /** URL that is probed where no probes are configured; undefined until the service listens. */
  readonly selfUrl: () => string | undefined
  readonly onRow: (row: Row) => void
  /** An interval ended in which no sample came. */
  readonly onEmpty: () => void
  readonly onOutcomes: (outcomes: readonly Outcome[]) => void
  readonly onError: (error: unknown) => void
}

export class HostSource {
  readonly #options: HostSourceOptions
  #sampler: Sampler
  #builder: RowBuilder
  #timer: NodeJS.Timeout | null = null
  #origin = 0

  constructor(options: HostSourceOptions) {
    this.#options = options
    this.#builder = new RowBuilder(options.config.target.name)
    this.#sampler = this.#samplerOf(options.config)
  }

  start(): void {
    this.#origin = performance.now()
    this.#sampler.start()
    this.#schedule(1)
  }

  /** Collects as the new configuration says; the row in progress goes on. */
  async reconfigure(config: Config): Promise<void> {
    const next = this.#samplerOf(config)
    await this.#sampler.stop()
    this.#sampler = next
    if (this.#timer !== null) next.start()
  }

  /** One tick besides the schedule; null while the collectors do not run. */
  async collect(): Promise<Sample | null> {
    return this.#timer === null ? null : await this.#sampler.tick().catch(() => null)
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.#sampler.stop()
  }

  #samplerOf({ target, collectors, sample_interval }: Config): Sampler {
    const { response, disabled, deadline, filesystem } = collectors
    return new Sampler({
      target: target.name,
      collectors: collectorsFor(process.platform, {
        probes: response.probes.map(({ timeout, ...probe }) => ({ ...probe, timeout_seconds: timeout / 1000 })),
        selfUrl: this.#options.selfUrl,
        collectors: Object.fromEntries(disabled.map((name) => [name, false])),
        filesystem: { excludeMounts: filesystem.exclude_mounts, excludeTypes: filesystem.exclude_types },
      }),
      intervalMs: sample_interval,
      deadlineMs: deadline,
      onSample: (sample) => {
        if (performance.now() - this.#origin >= SETTLE_MS) this.#builder.add(sample)
      },
      onOutcomes: this.#options.onOutcomes,
      onError: this.#options.onError,
    })
  }

  /** Instant `n` of the grid. Those missed (a stopped process, a blocked loop) are left out, never caught up. */
  #schedule(n: number): void {
    const interval = this.#options.config.score_interval
    this.#timer = setTimeout(
      () => {
        const now = performance.now()
        const row = this.#builder.take(Date.now(), now)
        if (row === null) this.#options.onEmpty()
        else this.#options.onRow(row)
        // A timer may fire a little early: never the same instant twice.
        this.#schedule(Math.max(n, Math.floor((now - this.#origin) / interval)) + 1)
      },
      this.#origin + n * interval - performance.now(),
    )
  }
}
