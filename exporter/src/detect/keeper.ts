/**
 * Keeps a scorer at hand: loads the bundle at the start and on request, says why there is none, and begins a new scoring
 * thread when one has died, later and later while it keeps dying.
 */
import { BundleError, type BundleReason } from '../bundle/reasons.ts'
import type { Scorer } from './scorer.ts'

export interface KeeperOptions {
  readonly start: (folder: string) => Promise<Scorer>
  readonly intervalSeconds: number
  readonly onLoaded: (scorer: Scorer) => void
  readonly onRefused: (reason: BundleReason | 'other', message: string) => void
  /** ms. */
  readonly monotonic?: () => number
}

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 300_000

export class ScorerKeeper {
  /** Why rules alone score, null while a bundle does. */
  reason: string | null = 'no bundle is loaded yet'
  readonly #options: KeeperOptions
  readonly #monotonic: () => number
  #scorer: Scorer | null = null
  #folder: string | null = null
  #restarting = false
  #loading: Promise<unknown> = Promise.resolve()
  #wait = FIRST_WAIT_MS
  #startedAt = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  /** The scorer in force, or null: rules alone. A dead one is replaced in the background. */
  current(): Scorer | null {
    if (this.#scorer !== null && !this.#scorer.alive) {
      this.reason = 'the scoring thread ended'
      this.#scorer = null
    }
    if (this.#scorer === null && this.#folder !== null) void this.#restart(this.#folder)
    return this.#scorer
  }

  /**
   * Loads a bundle and swaps it in; a bundle that is refused leaves the one in force.
   * @throws BundleError
   */
  load(folder: string): Promise<Scorer> {
    this.#wait = FIRST_WAIT_MS
    return this.#inTurn(() => this.#load(folder))
  }

  /** One load after the other: the bundle asked for last is the one that stays. */
  #inTurn<T>(load: () => Promise<T>): Promise<T> {
    const mine = this.#loading.then(load)
    this.#loading = mine.catch(() => undefined)
    return mine
  }

  async #load(folder: string): Promise<Scorer> {
    let next: Scorer
    try {
      next = await this.#options.start(folder)
      const { interval_seconds } = next.bundle.manifest
      if (interval_seconds !== this.#options.intervalSeconds) {
        await next.close()
        throw new BundleError(
          'interval',
          `${folder} scores rows of ${interval_seconds} s, score_interval is ${this.#options.intervalSeconds} s`,
        )
      }
    } catch (error) {
      const { message } = error as Error
      if (this.#scorer === null) this.reason = message
      this.#options.onRefused(error instanceof BundleError ? error.reason : 'other', message)
      throw error
    }
    if (this.#closed) {
      await next.close()
      throw new Error('the service stops')
    }
    const before = this.#scorer
    this.#scorer = next
    this.#folder = folder
    this.reason = null
    this.#startedAt = this.#monotonic()
    this.#options.onLoaded(next)
    await before?.close()
    return next
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#scorer?.close()
    this.#scorer = null
    this.#folder = null
  }

  async #restart(folder: string): Promise<void> {
    const now = this.#monotonic()
    if (this.#restarting || this.#closed || now < this.#startedAt + this.#wait) return
    this.#restarting = true
    // A thread that lived long was not the bundle's fault.
    const lived = now - this.#startedAt
    this.#wait = lived > LONGEST_WAIT_MS ? FIRST_WAIT_MS : Math.min(LONGEST_WAIT_MS, this.#wait * 2)
    this.#startedAt = now
    try {
      await this.#inTurn(async () => {
        // Another bundle may have been asked for in the meantime.
        if (this.#folder === folder && this.#scorer === null && !this.#closed) await this.#load(folder)
      })
    } catch {
      // Told by onRefused; the next cycle tries again once the wait is over.
    } finally {
      this.#restarting = false
    }
  }
}
