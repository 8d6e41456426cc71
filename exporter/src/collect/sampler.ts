import type { Resource, Sample, SignalValues } from '../types.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Collector, Reading } from './collector.ts'

/**
 * Why a collector's outcome is what it is.
 * ok: read now. no_data: read, and the host has none of it. reused: not due yet, the last reading stands.
 * in_flight: the last call has not come back. deadline: this call did not come back in time. error: it threw.
 */
export const OUTCOME_REASONS = ['ok', 'no_data', 'reused', 'in_flight', 'deadline', 'error'] as const
export type OutcomeReason = (typeof OUTCOME_REASONS)[number]

/** What became of one collector at one tick. Every collector has one at every tick. */
export interface Outcome {
  readonly collector: string
  /** Of the call; of the last call where it was reused; since it began where it is in flight. */
  readonly durationSeconds: number
  /** Whether the last call that was due succeeded. */
  readonly success: boolean
  readonly reason: OutcomeReason
  /** Non-finite values that were thrown away; counted at the tick of the call. */
  readonly dropped: number
  /** Counters that ran backwards; counted at the tick of the call. */
  readonly resets: number
  /** For the log, never for a label. */
  readonly error?: unknown
}

export interface SamplerOptions {
  readonly target: string
  readonly collectors: readonly Collector[]
  /** Milliseconds between ticks (default 2000). */
  readonly intervalMs?: number
  /** Milliseconds that a tick waits for its collectors (default 1500); below the interval. */
  readonly deadlineMs?: number
  readonly clock?: Clock
  readonly onSample?: (sample: Sample) => void
  readonly onOutcomes?: (outcomes: readonly Outcome[]) => void
  /** An exception of one of the two above; the ticks go on. */
  readonly onError?: (error: unknown) => void
}

/** How many times its `everySeconds` a reading is reused before it is too old to be true. */
const EXPIRY = 3

/**
 * Runs all collectors at every tick and merges what came back in time.
 *
 * One call in flight for each collector, one deadline for all, and nothing that a collector does reaches the others or the
 * caller. Ticks lie on a grid of monotonic time; those that were missed (a blocked event loop, a stopped process) are left
 * out, never caught up. Collectors share the thread: one that blocks it delays all, which nothing here can prevent.
 */
export class Sampler {
  readonly #target: string
  readonly #slots: readonly Slot[]
  readonly #intervalMs: number
  readonly #deadlineMs: number
  readonly #clock: Clock
  readonly #onSample: ((sample: Sample) => void) | undefined
  readonly #onOutcomes: ((outcomes: readonly Outcome[]) => void) | undefined
  readonly #onError: ((error: unknown) => void) | undefined
  #ticking: Promise<Sample> | undefined
  #abort: (() => void) | undefined
  #cancelTimer: (() => void) | undefined
  #state: 'idle' | 'running' | 'stopped' = 'idle'
  /** Tells the ticks of this start from those of an earlier one. */
  #generation = 0

  /** Throws RangeError for intervals that make no sense and for collectors of the same name. */
  constructor(options: SamplerOptions) {
    const { target, collectors, intervalMs = 2000, deadlineMs = 1500, clock = systemClock } = options
    if (!(intervalMs > 0)) throw new RangeError(`intervalMs must be above 0, is ${intervalMs}`)
    if (!(deadlineMs > 0 && deadlineMs < intervalMs)) {
      throw new RangeError(`deadlineMs must be above 0 and below intervalMs (${intervalMs}), is ${deadlineMs}`)
    }
    if (new Set(collectors.map((c) => c.name)).size < collectors.length) {
      throw new RangeError(`two collectors have the same name: ${collectors.map((c) => c.name).join(', ')}`)
    }
    this.#target = target
    this.#slots = collectors.map((collector) => new Slot(collector, clock, intervalMs))
    this.#intervalMs = intervalMs
    this.#deadlineMs = deadlineMs
    this.#clock = clock
    this.#onSample = options.onSample
    this.#onOutcomes = options.onOutcomes
    this.#onError = options.onError
  }

  /** The first tick begins at once. Does nothing where it runs already. */
  start(): void {
    if (this.#state === 'running') return
    this.#state = 'running'
    this.#run(this.#clock.monotonic(), 0, ++this.#generation)
  }

  /** Aborts the tick in progress and waits for it; nothing is reported afterwards. May be started again. */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#cancelTimer?.()
    this.#abort?.()
    await this.#ticking?.catch(() => undefined)
    for (const { collector } of this.#slots) {
      try {
        collector.close?.()
      } catch (error) {
        this.#report(error)
      }
    }
  }

  /**
   * Collects now; a tick in progress is shared. Reports to `onOutcomes` and `onSample` as any other tick.
   * Rejects only where the sampler was stopped.
   */
  tick(): Promise<Sample> {
    if (this.#state === 'stopped') return Promise.reject(new Error('the sampler is stopped'))
    this.#ticking ??= this.#tick().finally(() => {
      this.#ticking = undefined
    })
    return this.#ticking
  }

  /** Tick `n` of the grid that began at `origin`, then waits for the next one that is not past. */
  #run(origin: number, n: number, generation: number): void {
    void this.tick()
      .catch((error: unknown) => this.#report(error))
      .then(() => {
        if (this.#state !== 'running' || generation !== this.#generation) return
        const now = this.#clock.monotonic()
        // A timer may fire a little early: never the same tick twice.
        const next = Math.max(n + 1, Math.floor((now - origin) / this.#intervalMs) + 1)
        this.#cancelTimer = this.#clock.after(origin + next * this.#intervalMs - now, () =>
          this.#run(origin, next, generation),
        )
      })
  }

  async #tick(): Promise<Sample> {
    const at = this.#clock.wall()
    const controller = new AbortController()
    const pending: Promise<void>[] = []
    for (const slot of this.#slots) {
      const call = slot.begin(controller.signal)
      if (call !== undefined) pending.push(call)
    }
    if (pending.length > 0) await this.#settled(pending, controller)
    const outcomes = this.#slots.map((slot) => slot.end())
    const values: Record<string, number> = {}
    const resources: Resource[] = []
    for (const slot of this.#slots) {
      const reading = slot.current()
      if (reading === undefined) continue
      Object.assign(values, reading.values)
      if (reading.resources !== undefined) resources.push(...reading.resources)
    }
    const sample: Sample = { target: this.#target, at, values, resources }
    if (this.#state !== 'stopped') {
      this.#tell(this.#onOutcomes, outcomes)
      this.#tell(this.#onSample, sample)
    }
    return sample
  }

  /** Resolves when all calls have settled, or the deadline has passed, or the sampler stops. */
  async #settled(pending: readonly Promise<void>[], controller: AbortController): Promise<void> {
    await new Promise<void>((resolve) => {
      const giveUp = () => {
        cancel()
        controller.abort(new Error('deadline'))
        resolve()
      }
      const cancel = this.#clock.after(this.#deadlineMs, giveUp)
      this.#abort = giveUp
      void Promise.all(pending).then(() => {
        cancel()
        resolve()
      })
    })
    this.#abort = undefined
  }

  #tell<T>(listener: ((news: T) => void) | undefined, news: T): void {
    try {
      listener?.(news)
    } catch (error) {
      this.#report(error)
    }
  }

  #report(error: unknown): void {
    try {
      this.#onError?.(error)
    } catch {
      // Nobody is left to be told.
    }
  }
}

/** One collector between ticks: its call in flight, and its last reading. */
class Slot {
  readonly collector: Collector
  readonly #clock: Clock
  readonly #everyMs: number
  /** Ticks jitter: a collector is due this much early rather than a whole tick late. */
  readonly #slackMs: number
  #calledAt = Number.NEGATIVE_INFINITY
  #inFlight = false
  #outcome: Outcome | undefined
  #last: Outcome | undefined
  #reading: Reading | undefined
  #readingAt = Number.NEGATIVE_INFINITY
  #fresh = false
  /** The call that may still deliver; a later number makes it late. */
  #call = 0

  constructor(collector: Collector, clock: Clock, intervalMs: number) {
    this.collector = collector
    this.#clock = clock
    this.#everyMs = (collector.everySeconds ?? 0) * 1000
    this.#slackMs = Math.min(intervalMs / 2, this.#everyMs / 10)
  }

  /** Calls the collector where it is due and free. A promise (never rejected) where it answers later. */
  begin(signal: AbortSignal): Promise<void> | undefined {
    const now = this.#clock.monotonic()
    this.#outcome = undefined
    this.#fresh = false
    if (this.#inFlight) {
      this.#outcome = this.#made('in_flight', now - this.#calledAt)
      return undefined
    }
    if (this.#last !== undefined && now - this.#calledAt < this.#everyMs - this.#slackMs) {
      const { durationSeconds, success } = this.#last
      this.#outcome = { ...this.#made('reused', durationSeconds * 1000), success }
      return undefined
    }
    this.#calledAt = now
    const call = ++this.#call
    try {
      const answer = this.collector.collect(signal)
      if (!(answer instanceof Promise)) {
        this.#take(answer)
        return undefined
      }
      this.#inFlight = true
      return answer.then(
        (reading) => this.#settle(call, () => this.#take(reading)),
        (error: unknown) => this.#settle(call, () => this.#fail(error)),
      )
    } catch (error) {
      this.#fail(error)
      return undefined
    }
  }

  /** The tick is over: what has not come back is late, and will be discarded. */
  end(): Outcome {
    if (this.#outcome === undefined) {
      this.#call++
      this.#outcome = this.#made('deadline', this.#clock.monotonic() - this.#calledAt)
    }
    if (this.#outcome.reason !== 'reused' && this.#outcome.reason !== 'in_flight') this.#last = this.#outcome
    return this.#outcome
  }

  /** The reading that is true now, if there is one. */
  current(): Reading | undefined {
    if (this.#fresh) return this.#reading
    const age = this.#clock.monotonic() - this.#readingAt
    return age < EXPIRY * this.#everyMs ? this.#reading : undefined
  }

  #settle(call: number, deliver: () => void): void {
    this.#inFlight = false
    if (call !== this.#call) return
    try {
      deliver()
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(answer: Reading): void {
    const { reading, dropped } = finite(answer)
    const empty = Object.keys(reading.values).length === 0 && (reading.resources?.length ?? 0) === 0
    const elapsed = this.#clock.monotonic() - this.#calledAt
    this.#outcome = {
      ...this.#made(empty ? 'no_data' : 'ok', elapsed),
      success: true,
      dropped,
      resets: reading.resets ?? 0,
    }
    this.#reading = reading
    this.#readingAt = this.#calledAt
    this.#fresh = true
  }

  #fail(error: unknown): void {
    this.#outcome = { ...this.#made('error', this.#clock.monotonic() - this.#calledAt), error }
  }

  #made(reason: OutcomeReason, ms: number): Outcome {
    const durationSeconds = ms / 1000
    return { collector: this.collector.name, durationSeconds, success: false, reason, dropped: 0, resets: 0 }
  }
}

/** The reading without its non-finite values, and how many there were. */
function finite(reading: Reading): { reading: Reading; dropped: number } {
  const { values, resources = [] } = reading
  let dropped = 0
  for (const name in values) if (!Number.isFinite(values[name])) dropped++
  for (const { used } of resources) if (!Number.isFinite(used)) dropped++
  if (dropped === 0) return { reading, dropped }
  const kept: SignalValues = Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)))
  const usable = resources.filter(({ used }) => Number.isFinite(used))
  return { reading: { ...reading, values: kept, resources: usable }, dropped }
}
