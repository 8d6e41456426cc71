import { spanOf, thirdsOf } from './growth.ts'
import { FLOOR, type LevelHistory, type Window } from './history.ts'
import { DAY_BINS, PROFILE_SECONDS } from './profile.ts'

/** Growth counts when it is this many times the most that a window of its length has risen before. */
const NOVEL_FINE = 1.8
const NOVEL_COARSE = 1.35
/** Growth that reaches the limit later than this, or after so many lengths of its window, is none of our business yet. */
const FARTHEST_SECONDS = 84 * 3600
const FARTHEST_FINE = 12
const FARTHEST_COARSE = 16
/** How many times as fast as the episode that is open a younger growth must be to take its place. */
const FASTER = 2

/** Unusual growth, from the moment it is seen until it falls back, stalls, or the limit is reached. */
export interface Episode {
  /** Unix s. */
  readonly openedAt: number
  /** When the growth began, Unix s. */
  readonly onset: number
  /** Level at the onset, without the daily profile. */
  readonly base: number
  /** Highest level of the day before it, likewise. */
  readonly usualTop: number
  /** What had been usual: the largest rise by length of window (ln s, ascending), and the largest fall within half an hour. */
  readonly lengths: readonly number[]
  readonly usualRises: readonly number[]
  readonly usualFall: number
  /** Running means of how much slower it gets: see {@link Evidence}. */
  readonly slowing: [number, number, number]
  /** Since when it leads nowhere, Unix s; NaN while it does not. */
  stalledAt: number
}

/**
 * The episode that the windows show, or the one that is open.
 *
 * @param room from the level now to the limit
 */
export function lookIn(
  windows: readonly Window[],
  history: LevelHistory,
  open: Episode | null,
  at: number,
  room: number,
): Episode | null {
  let episode = open
  for (const window of windows) {
    const slope = novelGrowth(window, history)
    if (Number.isNaN(slope)) continue
    const left = room / slope
    const farthest = (window.profile === null ? FARTHEST_FINE : FARTHEST_COARSE) * window.seconds
    if (!(left < FARTHEST_SECONDS) || left > farthest) continue
    if (window.profile !== null && history.seenBefore()) continue
    if (episode !== null && !overtakes(slope, window, history, episode, at)) continue
    episode = begun(window.seconds, history, episode, at)
  }
  return episode
}

/** Growth a second, NaN where there is none, where it slackens within the window, or where there are precedents. */
function novelGrowth(window: Window, history: LevelHistory): number {
  const x = history.thirds
  if (!thirdsOf(window.ring, window.profile, window.ring.newest, window.bins, x)) return Number.NaN
  const rise = x.last - x.first
  if (rise < FLOOR || x.last - x.middle < 0.2 * rise || x.middle - x.first < 0.15 * rise) return Number.NaN
  // Fallen back already, or one jump.
  if (history.recent(2) + (window.profile === null ? history.usualNow() : 0) < x.middle) return Number.NaN
  if (window.profile === null && largestJump(window) > 0.5 * rise) return Number.NaN
  const novel = window.profile === null ? NOVEL_FINE : NOVEL_COARSE
  if (rise < novel * history.usualRise(window)) return Number.NaN
  return rise / (spanOf(window.bins) * window.ring.seconds)
}

/** The largest rise from one bin of a short window to the next. */
function largestJump({ ring, bins }: Window): number {
  let [largest, before] = [0, Number.NaN]
  for (let k = bins - 1; k >= 0; k--) {
    const mean = ring.mean(ring.newest - k, ring.newest - k)
    if (Number.isNaN(mean)) continue
    if (mean - before > largest) largest = mean - before
    before = mean
  }
  return largest
}

function overtakes(slope: number, window: Window, history: LevelHistory, episode: Episode, at: number): boolean {
  const age = at - episode.onset
  if (window.seconds > age / 2) return false
  const span = history.growth(age / 2)
  return Number.isNaN(span) || slope >= (FASTER * (history.thirds.last - history.thirds.first)) / span
}

function begun(seconds: number, history: LevelHistory, before: Episode | null, at: number): Episode {
  // It began where the level was lowest, a little before the window or in its first two thirds.
  const now = Math.floor(at / PROFILE_SECONDS)
  let [base, onset] = [Number.POSITIVE_INFINITY, at - seconds]
  for (let b = now - Math.ceil((1.3 * seconds) / PROFILE_SECONDS); b <= now - seconds / 3 / PROFILE_SECONDS; b++) {
    const level = history.levelOf(b - 1, b + 1)
    if (level <= base) [base, onset] = [level, b * PROFILE_SECONDS]
  }
  if (!Number.isFinite(base)) {
    const { fine } = history
    const bins = seconds / fine.seconds
    base = fine.mean(fine.newest - Math.ceil(bins), fine.newest - Math.ceil(0.8 * bins))
  }
  // Nobody was watching before the first row.
  const { fine, coarse } = history
  onset = Math.max(onset, Math.min(fine.oldest * fine.seconds, coarse.oldest * PROFILE_SECONDS))
  const from = Math.floor(onset / PROFILE_SECONDS)
  let usualTop = base
  for (let b = from - DAY_BINS; b < from; b += 3) {
    const level = history.levelOf(b, b + 2)
    if (level > usualTop) usualTop = level
  }
  const windows = [...history.fineWindows, ...history.coarseWindows]
  return {
    openedAt: before?.openedAt ?? at,
    onset,
    base,
    usualTop,
    lengths: windows.map((x) => Math.log(x.seconds)),
    usualRises: windows.map((x) => history.usualRise(x)),
    usualFall: before?.usualFall ?? history.usualFall(),
    slowing: [0, 0, 0],
    stalledAt: Number.NaN,
  }
}

/** What a window of so many seconds rose at most before the episode. */
export function usualRiseIn(episode: Episode, seconds: number): number {
  const { lengths, usualRises } = episode
  const x = Math.log(seconds)
  let k = 0
  while (k + 2 < lengths.length && (lengths[k + 1] as number) < x) k++
  const [a, b] = [lengths[k] as number, lengths[k + 1] as number]
  const f = Math.min(1, Math.max(0, (x - a) / (b - a)))
  return (1 - f) * (usualRises[k] as number) + f * (usualRises[k + 1] as number)
}

/** Whether it fell back: by much of what it had grown, and by more than it used to fall. */
export function fellBack(episode: Episode, { fall, high }: { fall: number; high: number }): boolean {
  const rise = high - episode.base
  if (fall > Math.max(0.2 * rise, 1.25 * episode.usualFall, 0.01)) return true
  return rise > 0.02 && rise - fall < 0.25 * rise && fall > 1.05 * episode.usualFall
}
