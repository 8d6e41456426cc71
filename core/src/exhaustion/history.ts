import { Precedents, spanOf, type Thirds, thirdsOf } from './growth.ts'
import { BinRing } from './levels.ts'
import { DAY_BINS, DailyProfile, PROFILE_SECONDS } from './profile.ts'

/** Five hours of minutes, nine days of five minutes. */
const FINE_BINS = 300
const COARSE_BINS = 9 * DAY_BINS
/** Lengths of the windows that growth is looked for in, seconds: on minutes up to an hour, then on five minutes. */
const FINE_SECONDS = [360, 600, 960, 1500, 2400, 3600]
const COARSE_SECONDS = [5400, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 57_600, 86_400, 129_600, 172_800]
/** How often the daily profile is learned anew, five-minute bins. */
const FIT_BINS = DAY_BINS / 2
/** What no level is measured more finely than, as a share of the capacity. */
export const FLOOR = 0.003
const HOURS = 170

/** A length of window, with what is needed to hold growth in it against its precedents. */
export interface Window {
  readonly seconds: number
  readonly bins: number
  readonly ring: BinRing
  readonly profile: DailyProfile | null
  readonly past: Precedents
  readonly index: number
  /** How many window lengths before now precedents must have ended, so that growth is not its own precedent. */
  readonly apart: number
}

/**
 * Levels of one resource in two resolutions (used share: 1 is the limit), what is usual of them by time of day, and what they
 * rose and fell within an hour to two days. About 47 kB.
 */
export class LevelHistory {
  readonly fine: BinRing
  readonly coarse = new BinRing(PROFILE_SECONDS, COARSE_BINS)
  readonly profile = new DailyProfile()
  readonly fineWindows: readonly Window[]
  readonly coarseWindows: readonly Window[]
  readonly thirds: Thirds = { first: 0, middle: 0, last: 0 }
  readonly #finePast: Precedents
  readonly #coarsePast: Precedents
  /** Largest fall within half an hour, of each hour of the past week. */
  readonly #falls = new Float32Array(HOURS)
  #hour = -1
  #fitted = -1
  #first = Number.NaN

  constructor(intervalSeconds: number) {
    const seconds = Math.min(PROFILE_SECONDS, Math.max(60, intervalSeconds))
    this.fine = new BinRing(seconds, FINE_BINS)
    const bins = FINE_SECONDS.map((x) => Math.round(x / seconds)).filter((x) => x >= 4)
    const wide = COARSE_SECONDS.map((x) => x / PROFILE_SECONDS)
    this.#finePast = new Precedents(this.fine, bins, Math.round(3600 / seconds), HOURS)
    this.#coarsePast = new Precedents(this.coarse, wide, 36, 64)
    const windows = (ring: BinRing, lengths: number[], past: Precedents, profile: DailyProfile | null, apart: number) =>
      lengths.map((n, index) => ({ seconds: n * ring.seconds, bins: n, ring, profile, past, index, apart }))
    this.fineWindows = windows(this.fine, bins, this.#finePast, null, 2)
    this.coarseWindows = windows(this.coarse, wide, this.#coarsePast, this.profile, 1.5)
  }

  appendFine(bin: number, mean: number): void {
    if (Number.isNaN(this.#first)) this.#first = bin * this.fine.seconds
    this.fine.append(bin, mean)
    this.#finePast.add(bin, null)
  }

  /** @param learn whether the profile and the precedents may be learned anew */
  appendCoarse(bin: number, mean: number, learn: boolean): void {
    this.coarse.append(bin, mean)
    if (this.#fitted < 0) this.#fitted = bin
    if (!learn || bin - this.#fitted < FIT_BINS) {
      this.#coarsePast.add(bin, this.profile)
      return
    }
    this.#fitted = bin
    const was = this.profile.inUse
    this.profile.fit(this.coarse, bin)
    if (was || this.profile.inUse) {
      // Another profile makes other rises of the same levels.
      this.#coarsePast.clear()
      for (let b = this.coarse.oldest + 18; b <= bin; b += 3) this.#coarsePast.add(b, this.profile)
    } else this.#coarsePast.add(bin, this.profile)
  }

  /** The daily deviation at this instant. */
  usualAt(at: number): number {
    return this.profile.at(Math.floor(at / PROFILE_SECONDS))
  }

  usualNow(): number {
    return this.usualAt(this.fine.newest * this.fine.seconds)
  }

  /** Mean level of the newest so many fine bins, without the daily profile. */
  recent(bins: number): number {
    const { newest, seconds } = this.fine
    const to = Math.floor((newest * seconds) / PROFILE_SECONDS)
    const from = Math.floor(((newest - bins + 1) * seconds) / PROFILE_SECONDS)
    return this.fine.mean(newest - bins + 1, newest) - this.profile.mean(from, to)
  }

  /** Whether one of the past days was as high at this time of day, give or take an hour: then growth only catches up with it. */
  seenBefore(): boolean {
    const { coarse, profile } = this
    if (!profile.inUse) return false
    const level = coarse.mean(coarse.newest - 2, coarse.newest)
    for (let b = coarse.newest - DAY_BINS; b - 12 >= coarse.oldest; b -= DAY_BINS)
      for (let k = -12; k <= 12; k += 6) if (coarse.mean(b + k - 2, b + k) >= level) return true
    return false
  }

  /** Mean level of five-minute bins, without the daily profile. */
  levelOf(from: number, to: number): number {
    return this.coarse.mean(from, to) - this.profile.mean(from, to)
  }

  /**
   * How far the newest level lies below the highest of the half hour before it, without the daily profile, and that highest.
   * Where rows are frequent, the higher of the newest two: one reading is no fall.
   */
  fall(): { fall: number; high: number } {
    const { fine } = this
    const end = fine.newest
    const at = (bin: number) => fine.mean(bin, bin) - this.usualAt(bin * fine.seconds)
    const before = at(end - 1)
    const level = fine.seconds < PROFILE_SECONDS && before > at(end) ? before : at(end)
    let high = level
    for (let k = 1; k <= 1500 / fine.seconds; k += 2) {
      const mean = fine.mean(end - k - 1, end - k) - this.usualAt((end - k) * fine.seconds)
      if (mean > high) high = mean
    }
    return { fall: high - level, high }
  }

  rememberFall(at: number, fall: number): void {
    const hour = Math.floor(at / 3600)
    const k = hour % HOURS
    if (hour !== this.#hour) this.#falls[k] = 0
    this.#hour = hour
    if (fall > (this.#falls[k] as number)) this.#falls[k] = fall
  }

  usualFall(): number {
    return this.#falls.reduce((a, b) => Math.max(a, b), 0)
  }

  /** The most that a window of this length rose before; of a resource that is not known for two days, something is taken for granted. */
  usualRise(window: Window): number {
    const { seconds, bins, ring, past, index, apart } = window
    const days = (ring.newest * ring.seconds - this.#first) / 86_400
    const prior = 0.12 * Math.min(1, seconds / 28_800) * Math.max(0, 1 - days / 2)
    return FLOOR + prior + past.largest(index, ring.newest - Math.ceil(apart * bins))
  }

  /** Fills {@link thirds} with the window that ends now. Returns the seconds between its outer thirds, NaN = too little known. */
  growth(seconds: number): number {
    const { fine, coarse, profile, thirds } = this
    const n = Math.max(4, Math.round(seconds / fine.seconds))
    if (n < FINE_BINS - 40 && thirdsOf(fine, profile, fine.newest, n, thirds)) return spanOf(n) * fine.seconds
    const bins = Math.max(4, Math.round(seconds / PROFILE_SECONDS))
    return thirdsOf(coarse, profile, coarse.newest, bins, thirds) ? spanOf(bins) * PROFILE_SECONDS : Number.NaN
  }

  /** The largest rise within ten minutes, of the last so many seconds. */
  largestStep(seconds: number): number {
    const { coarse } = this
    let largest = 0
    for (let b = coarse.newest - Math.min(700, Math.ceil(seconds / PROFILE_SECONDS)); b <= coarse.newest; b++) {
      const step = coarse.mean(b, b) - coarse.mean(b - 2, b - 2)
      if (step > largest) largest = step
    }
    return largest
  }

  /** How far the newest so many fine bins stray from two lines, one for each half; noise from minute to minute averaged out. */
  roughness(bins: number): number {
    const { fine } = this
    const half = Math.min(bins, fine.newest - fine.oldest) >> 1
    const step = Math.max(1, Math.round(240 / fine.seconds))
    if (half < 4 * step) return 0
    return Math.sqrt((strays(fine, fine.newest, half, step) + strays(fine, fine.newest - half, half, step)) / 2)
  }
}

/** Variance about a line of the means of `step` bins, of the `bins` up to `end`. */
function strays(ring: BinRing, end: number, bins: number, step: number): number {
  let [n, t, tt, y, ty, yy] = [0, 0, 0, 0, 0, 0]
  for (let k = 0; k + step <= bins; k += step) {
    const mean = ring.mean(end - k - step + 1, end - k)
    if (Number.isNaN(mean)) continue
    n++
    t += k
    tt += k * k
    y += mean
    ty += k * mean
    yy += mean * mean
  }
  if (n < 4) return 0
  const spread = tt - (t * t) / n
  const slope = (ty - (t * y) / n) / spread
  return Math.max(0, (yy - (y * y) / n - slope * slope * spread) / (n - 2))
}
