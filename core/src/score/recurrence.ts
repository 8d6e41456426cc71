/**
 * Recurring jobs: a backup at the same hour is over the threshold every night and is no news. The rows of one target that
 * were over it are kept as episodes (when, how high, which signals led). An episode that begins when its like began on
 * each of the last five days, or on the same weekday of each of the last three weeks, is held against their usual height
 * instead, for as long as one and a half times the longest of them. More than that, other signals in the lead, or another
 * hour, alarms as ever.
 *
 * Works for jobs that a clock starts, within two minutes or two rows, and that last six rows or more: shorter bursts leave too
 * little to tell two of them apart by. Is not meant for incidents: an episode of more than six hours is no job and excuses
 * nothing. Hours are those of UTC, so a job that follows a summer time is news for five days, twice a year.
 */
const DAY_MS = 86_400_000
const DAILY = [1, 2, 3, 4, 5]
const WEEKLY = [7, 14, 21]
const KEPT_MS = 22 * DAY_MS
const MOST_EPISODES = 512
const LONGEST_MS = 6 * 3_600_000
/** Rows that a job lasts at least. */
const JOB_ROWS = 6
const TOLERANCE_MS = 120_000
/** How much longer than the longest before a repetition may last. */
const LONGER = 1.5
/** Rows from this share of the threshold on belong to an episode: a job's shoulders are part of it. */
const SHOULDER = 0.6
/** Rows below that before an episode has ended. */
const QUIET_ROWS = 6
/** What a repetition may be above those before it, in calibrated score. */
const MARGIN = 0.25
/** Signals that are remembered of an episode, and how many of a row's first three must be among them. */
const KEPT_SIGNALS = 5
const COMPARED = 3
const ALIKE = 2

interface Episode {
  readonly from: number
  to: number
  peak: number
  /** Signals by contribution, largest first. */
  readonly leading: readonly number[]
}

interface OpenEpisode {
  readonly from: number
  to: number
  peak: number
  quiet: number
  /** Sum of contributions [d]. */
  readonly sums: Float64Array
}

export class Recurrence {
  readonly #tolerance: number
  /** ms from an episode's first row to its last. */
  readonly #shortest: number
  #episodes: Episode[] = []
  #open: OpenEpisode | null = null

  constructor(intervalSeconds: number) {
    this.#shortest = (JOB_ROWS - 1) * 1000 * intervalSeconds
    this.#tolerance = Math.max(TOLERANCE_MS, 2000 * intervalSeconds)
  }

  /** Whether a score is high enough that {@link expected} and {@link step} want to know what led. */
  isOf(score: number, threshold: number): boolean {
    return score > SHOULDER * threshold
  }

  /**
   * What a score at this time may be without being news; null where nothing recurs.
   * @param at wall clock, ms
   * @param contributions of each signal to what is unusual in this row [d]
   */
  expected(at: number, contributions: Float64Array): number | null {
    const from = this.#open?.from ?? at
    const first = leadingOf(contributions, COMPARED)
    const peak = this.#peakOf(from, at, DAILY, first) ?? this.#peakOf(from, at, WEEKLY, first)
    return peak === null ? null : peak + MARGIN
  }

  /**
   * Takes a row in, after {@link expected}.
   * @param threshold the statistical one
   * @param contributions [d]; read only where {@link isOf} says so
   */
  step(at: number, score: number, threshold: number, contributions: Float64Array): void {
    const open = this.#open
    if (!this.isOf(score, threshold)) {
      if (open !== null && ++open.quiet >= QUIET_ROWS) this.#close(open)
      return
    }
    if (open === null || at < open.to) {
      this.#open = { from: at, to: at, peak: score, quiet: 0, sums: contributions.slice() }
      return
    }
    open.to = at
    open.quiet = 0
    open.peak = Math.max(open.peak, score)
    for (let j = 0; j < contributions.length; j++)
      open.sums[j] = (open.sums[j] as number) + (contributions[j] as number)
  }

  save(): SavedEpisodes {
    return this.#episodes.map(({ from, to, peak, leading }) => [from, to, peak, leading])
  }

  restore(saved: SavedEpisodes): void {
    this.#episodes = saved
      .filter(([from, to, peak]) => [from, to, peak].every(Number.isFinite))
      .slice(-MOST_EPISODES)
      .map(([from, to, peak, leading]) => ({ from, to, peak, leading }))
  }

  #close({ from, to, peak, sums }: OpenEpisode): void {
    this.#open = null
    if (to - from > LONGEST_MS || to - from < this.#shortest) return
    this.#episodes.push({ from, to, peak, leading: leadingOf(sums, KEPT_SIGNALS) })
    this.#episodes = this.#episodes.filter((x) => to - x.to <= KEPT_MS).slice(-MOST_EPISODES)
  }

  /** The median of the highest of its like so many days ago; null unless there is one for each, or they were over by now. */
  #peakOf(from: number, at: number, days: readonly number[], first: readonly number[]): number | null {
    const peaks: number[] = []
    let longest = 0
    for (const day of days) {
      const then = from - day * DAY_MS
      let peak = Number.NEGATIVE_INFINITY
      for (const x of this.#episodes) {
        if (Math.abs(x.from - then) > this.#tolerance) continue
        const alike = first.filter((j) => x.leading.includes(j)).length
        if (alike < Math.min(ALIKE, first.length)) continue
        peak = Math.max(peak, x.peak)
        longest = Math.max(longest, x.to - x.from)
      }
      if (peak === Number.NEGATIVE_INFINITY) return null
      peaks.push(peak)
    }
    if (at - from > LONGER * longest) return null
    return peaks.sort((a, b) => a - b)[peaks.length >> 1] as number
  }
}

/** From, to (ms), peak, leading signals. */
export type SavedEpisodes = readonly (readonly [number, number, number, readonly number[]])[]

function leadingOf(contributions: Float64Array, most: number): number[] {
  return Array.from(contributions, (_, j) => j)
    .filter((j) => (contributions[j] as number) > 0)
    .sort((a, b) => (contributions[b] as number) - (contributions[a] as number))
    .slice(0, most)
}
