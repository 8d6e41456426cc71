import { type Episode, usualRiseIn } from './episode.ts'
import { expanded } from './features.ts'
import type { LevelHistory } from './history.ts'
import { passageOf } from './passage.ts'
import { PROFILE_SECONDS } from './profile.ts'

/** Seconds that a time left is blurred by: below that, errors are absolute rather than relative. */
export const SLACK_SECONDS = 300
const FARTHEST_SECONDS = 30 * 86_400

/** What an episode of growth shows at one instant. */
export interface Evidence {
  /** Seconds to the limit, were the growth of the younger half of the episode to last; at most 30 days. */
  readonly left: number
  /** Growth, a second. */
  readonly slope: number
  readonly rise: number
  /** How much slower it gets: share of the rise to come, by the bend of all and of half the episode, that the limit asks for (1 and
   *  more: it is never reached), and ln of the growth of the younger half against that of all. */
  readonly slowing: readonly [number, number, number]
  /** Largest rise within ten minutes as a share of the rise. */
  readonly step: number
  /** What the growth of now would have made of the time since the onset, as a share of the rise. */
  readonly steady: number
  readonly features: Float64Array
}

/** Growth in the newest part of the episode: all of it, a half, a quarter, an eighth. */
interface Part {
  readonly slope: number
  /** Rise against what was usual of such a window. */
  readonly novelty: number
  /** Growth of the younger part of it against the older one. */
  readonly bend: number
  /** Seconds of a third. */
  readonly span: number
}

/**
 * @param at Unix s
 * @returns null where it does not grow, or too little is known
 */
export function evidenceOf(history: LevelHistory, episode: Episode, at: number): Evidence | null {
  const { fine } = history
  const age = Math.max(at - episode.onset, 300)
  const parts = partsOf(history, episode, age)
  const [all, half, quarter, eighth] = parts as [Part, Part, Part, Part]
  const slope = Math.max(half.slope, 0.1 * all.slope)
  if (!(slope > 0)) return null
  const rough = history.roughness(Math.min(200, Math.round(age / 2.5 / fine.seconds)))
  const n = Math.max(2, Math.min(60, Math.round(age / 12 / fine.seconds)))
  const level = history.recent(n) + (slope * n * fine.seconds) / 2
  const rise = level - episode.base
  // A saw of collections or of blocks first touches the limit with its peaks.
  const room = 1 - level - history.usualAt(at) - 1.5 * rough
  const now = Math.floor(at / PROFILE_SECONDS)
  const left = clamp(
    passageOf(room, slope * PROFILE_SECONDS, history.profile, now) * PROFILE_SECONDS,
    1,
    FARTHEST_SECONDS,
  )
  if (!Number.isFinite(rise)) return null
  const asked = (part: Part) =>
    clamp((Math.max(room, 0) * (1 - part.bend)) / (Math.max(1e-9, part.slope * part.span) * part.bend), -2, 2)
  const slowing = [trust(all) * asked(all), trust(half) * asked(half), ratio(half.slope, all.slope)] as const
  const step = clamp(history.largestStep(age) / Math.max(rise, 1e-3), 0, 1)
  const features = expanded(
    [
      clamp(Math.log(left / age), -5, 4),
      slowing[2],
      trust(quarter) * ratio(quarter.slope, slope),
      trust(eighth) * ratio(eighth.slope, Math.max(quarter.slope, 0.1 * slope)),
      slowing[0],
      slowing[1],
      clamp(-Math.log(Math.max(1e-6, half.novelty)), -4, 1),
      clamp(rise / Math.max(1e-6, rise + room), 0, 1),
      clamp(Math.log(age / 14_400), -4, 3),
      clamp(rough / slope / (left + SLACK_SECONDS), 0, 1),
      step,
      history.profile.inUse ? 1 : 0,
      clamp((level - episode.usualTop) / Math.max(rise, 1e-3), -1.5, 1),
      clamp(Math.log((at - episode.openedAt + 300) / 3600), -3, 4),
      clamp(-Math.log(Math.max(1e-6, all.novelty)), -4, 1),
    ],
    clamp(Math.log((left + SLACK_SECONDS) / 3600), -2.5, 4),
    episode.slowing,
  )
  const steady = (Math.max(all.slope, half.slope) * age) / Math.max(rise, 1e-3)
  return { left, slope, rise, slowing, step, steady, features }
}

const UNKNOWN: Part = { slope: 0, novelty: 0, bend: 1, span: 1 }

function partsOf(history: LevelHistory, episode: Episode, age: number): Part[] {
  const parts: Part[] = []
  for (let j = 0; j < 4; j++) {
    const seconds = age / 2 ** j
    const span = history.growth(seconds)
    if (Number.isNaN(span)) {
      parts.push({ ...UNKNOWN, slope: parts[j - 1]?.slope ?? 0 })
      continue
    }
    const { first, middle, last } = history.thirds
    const [older, younger] = [middle - first, last - middle]
    parts.push({
      slope: (last - first) / span,
      novelty: Math.max(0, last - first) / usualRiseIn(episode, seconds),
      bend: older > 0 ? clamp(younger / older, 0.05, 2) : 2,
      span: span / 2,
    })
  }
  // What is not known of all of it, its younger half tells.
  const [all, half] = parts
  if (all?.span === UNKNOWN.span && half !== undefined) parts[0] = half
  return parts
}

/** How far a part is believed: its rise against what was usual without any growth. */
function trust({ novelty }: Part): number {
  return novelty ** 2 / (novelty ** 2 + 1)
}

/** ln of a ratio of growths, within 1.5 either way. */
function ratio(a: number, b: number): number {
  if (!(a > 0)) return -1.5
  return b > 0 ? clamp(Math.log(a / b), -1.5, 1.5) : 1.5
}

function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x
}
