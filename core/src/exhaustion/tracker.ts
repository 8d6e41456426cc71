import type { KindOrOther, Limit } from '../outlook/kinds.ts'
import { type Episode, fellBack, lookIn } from './episode.ts'
import { type Evidence, evidenceOf } from './evidence.ts'
import { LevelHistory } from './history.ts'
import { goesOn, passage, passed } from './model.ts'
import { PROFILE_SECONDS } from './profile.ts'
import type { Exhaustion, ExhaustionState } from './types.ts'

/** A prediction appears above the one probability that the growth goes on, and stays down to the other. */
const SHOW = 0.7
const HIDE = 0.55
/** Growth that would take longer than this, for a good while, is over. */
const STALLED_SECONDS = 4 * 86_400
/** A hole in the rows that ends what was known of an episode. */
const HOLE_SECONDS = 6 * 3600
/** A share used beyond which the limit is not the limit of this signal. */
const BEYOND = 1.02
const DAY = 86_400

/**
 * When one resource runs out. Rows are pushed as they come; a prediction at any time rests on them alone.
 *
 * Growth is what exceeds every rise of the past week within a window of the same length, between six minutes and two days, with the
 * daily profile taken off where there is one. It opens an episode; what the episode shows (how steady, how far beyond what was usual,
 * slowing or not, one step or many) gives the probability that it goes on to the limit, and the quantiles of when.
 */
export class ExhaustionTracker {
  readonly #limit: Limit
  readonly #sign: number
  readonly #interval: number
  readonly #history: LevelHistory
  /** Of a share of 1, in the signal's unit. */
  #scale = Number.NaN
  #at = Number.NEGATIVE_INFINITY
  #first = Number.NaN
  #value = Number.NaN
  /** Whether it was ever below the limit: then the limit is one of this signal. */
  #below = false
  /** Rows in a row beyond the limit, and whether they fell. */
  #beyond = 0
  #fell = false
  #fine = { bin: -1, sum: 0, count: 0 }
  #coarse = { bin: -1, sum: 0, count: 0 }
  #episode: Episode | null = null
  #shown = false
  #ended: { readonly at: number; readonly why: ExhaustionState } | null = null

  /** @param options.intervalSeconds between two rows, usually; any from a second to five minutes and above */
  constructor(options: { intervalSeconds: number; kind: KindOrOther; limit: Limit }) {
    this.#limit = options.limit
    this.#interval = options.intervalSeconds
    this.#sign = options.limit.direction === 'up' ? 1 : -1
    this.#history = new LevelHistory(options.intervalSeconds)
  }

  /** @param at Unix s; a row that is not newer than the one before is left out, and so is a value that is not finite */
  push(at: number, value: number): void {
    const { capacity } = this.#limit
    if (
      !Number.isFinite(value) ||
      !(at > this.#at) ||
      !(at >= 0 && at < Number.MAX_SAFE_INTEGER) ||
      !hasLimit(this.#limit)
    )
      return
    if (Number.isNaN(this.#scale)) {
      const scale = this.#sign > 0 ? capacity : Math.max(Math.abs(value - capacity), Math.abs(capacity))
      if (!(scale > 0)) return
      this.#scale = scale
      this.#first = at
    }
    if (at - this.#at > HOLE_SECONDS) this.#end('too_short', at)
    const used = 1 + (this.#sign * (value - capacity)) / this.#scale
    this.#fell = used > BEYOND && (this.#fell || used < this.#value) && this.#beyond > 0
    this.#beyond = used > BEYOND ? this.#beyond + 1 : 0
    if (used < 1) this.#below = true
    this.#at = at
    this.#value = used
    const { seconds } = this.#history.fine
    const bin = Math.floor(at / seconds)
    if (bin > this.#fine.bin) {
      this.#closeFine()
      this.#fine.bin = bin
    } else if (this.#fine.count === 0) return
    this.#fine.sum += used
    this.#fine.count++
    // The next row will be in another one.
    if (at + this.#interval >= (bin + 1) * seconds) this.#closeFine()
  }

  predict(): Exhaustion {
    const [now, used] = [this.#at, this.#value]
    if (!hasLimit(this.#limit)) return nothing('no_limit')
    if (Number.isNaN(used)) return nothing('too_short')
    if (this.#beyond >= 60 && !this.#fell && used > 2) return nothing('counter')
    if (used > BEYOND && !this.#below) return nothing('beyond_limit')
    if (used >= 1)
      return { lower: now, median: now, upper: now, within: () => 1, confidence: 1, trend: null, state: 'exhausted' }
    if (now - this.#first < 1800) return nothing('too_short')
    const [episode, evidence] = [this.#episode, this.evidence()]
    if (episode === null) return nothing(this.#ended !== null && now - this.#ended.at < DAY ? this.#ended.why : 'flat')
    if (evidence === null) return nothing('plateau')
    const confidence = goesOn(evidence)
    if (!believed(evidence, this.#shown)) return nothing(doubtOf(evidence), confidence)
    const first = passage(evidence)
    return {
      lower: now + first.lower,
      median: now + first.median,
      upper: now + first.upper,
      within: (seconds) => confidence * passed(first, seconds),
      confidence,
      trend: { perSecond: evidence.slope * this.#scale * this.#sign, since: episode.onset },
      state: 'growing',
    }
  }

  /** What the open episode shows now, null without one: what {@link predict} is calibrated on. */
  evidence(): Evidence | null {
    return this.#episode === null ? null : evidenceOf(this.#history, this.#episode, this.#at)
  }

  #closeFine(): void {
    const { bin, sum, count } = this.#fine
    if (count === 0) return
    const history = this.#history
    const mean = sum / count
    history.appendFine(bin, mean)
    this.#fine.sum = 0
    this.#fine.count = 0
    const coarse = this.#coarse
    const wide = Math.floor((bin * history.fine.seconds) / PROFILE_SECONDS)
    if (wide > coarse.bin) {
      this.#closeCoarse()
      coarse.bin = wide
    }
    coarse.sum += mean
    coarse.count++
    const ends = (bin + 1) * history.fine.seconds >= (wide + 1) * PROFILE_SECONDS
    if (ends) this.#closeCoarse()
    const fall = history.fall()
    if (this.#episode === null) history.rememberFall(this.#at, fall.fall)
    else if (fellBack(this.#episode, fall)) this.#end('recovered', this.#at)
    this.#look(history.fineWindows)
    const evidence = this.evidence()
    this.#shown = evidence !== null && believed(evidence, this.#shown)
  }

  #closeCoarse(): void {
    const { bin, sum, count } = this.#coarse
    if (count === 0) return
    this.#history.appendCoarse(bin, sum / count, this.#episode === null)
    this.#coarse.sum = 0
    this.#coarse.count = 0
    this.#review()
    this.#look(this.#history.coarseWindows)
  }

  #look(windows: LevelHistory['fineWindows']): void {
    if (this.#value >= 1) return
    const room = 1 - this.#history.fine.mean(this.#history.fine.newest - 2, this.#history.fine.newest)
    this.#episode = lookIn(windows, this.#history, this.#episode, this.#at, room)
  }

  /** Every five minutes: how the episode goes on, and whether it still leads anywhere. */
  #review(): void {
    const episode = this.#episode
    if (episode === null) return
    const evidence = this.evidence()
    const age = this.#at - episode.onset
    if (evidence !== null) {
      const share = PROFILE_SECONDS / Math.max(1800, age / 6)
      for (const k of [0, 1, 2] as const) episode.slowing[k] += share * (evidence.slowing[k] - episode.slowing[k])
    }
    if (evidence !== null && evidence.left < STALLED_SECONDS && evidence.rise > 0.005) episode.stalledAt = Number.NaN
    else if (Number.isNaN(episode.stalledAt)) episode.stalledAt = this.#at
    // Rests are no end: the longer it has grown, the longer they may be.
    if (this.#at - episode.stalledAt > Math.max(3600, Math.min(6 * 3600, 0.3 * age))) this.#end('plateau', this.#at)
  }

  #end(why: ExhaustionState, at: number): void {
    if (this.#episode === null) return
    this.#episode = null
    this.#shown = false
    this.#ended = { at, why }
  }
}

function hasLimit({ capacity, direction }: Limit): boolean {
  return Number.isFinite(capacity) && (direction === 'down' || capacity > 0)
}

/** A step with next to nothing after it is no growth, whatever else it looks like. */
function believed(evidence: Evidence, shown: boolean): boolean {
  const { step, steady } = evidence
  return goesOn(evidence) > (shown ? HIDE : SHOW) && !(step > 0.8 && steady < 0.2)
}

/** Why growth is not believed to go on. */
function doubtOf({ step, slowing }: Evidence): ExhaustionState {
  if (step > 0.6) return 'step'
  return slowing[2] < -0.3 || slowing[0] > 0.8 ? 'plateau' : 'unclear'
}

function nothing(state: ExhaustionState, confidence = 0): Exhaustion {
  const none = Number.POSITIVE_INFINITY
  return { lower: none, median: none, upper: none, within: () => 0, confidence, trend: null, state }
}
