import { DAY_BINS, type DailyProfile } from './profile.ts'

/** Five-minute bins that are looked ahead one by one; beyond that, by the hour. */
const NEAR = 2 * DAY_BINS
/** As far as anything is said, in bins. */
export const FARTHEST = 14 * DAY_BINS

/**
 * Bins from now until a line with the daily profile on it first reaches `room` above where it starts.
 *
 * @param slope a bin
 * @param now number of the bin that is now
 */
export function passageOf(room: number, slope: number, profile: DailyProfile, now: number): number {
  if (room <= 0) return 0
  if (!profile.inUse) return slope > 0 ? room / slope : Number.POSITIVE_INFINITY
  const from = profile.at(now)
  if (slope * FARTHEST + profile.top - from < room) return Number.POSITIVE_INFINITY
  const sure = Math.max(0, Math.floor((room - (profile.top - from)) / Math.max(slope, 1e-12)) - 1)
  let before = 0
  for (let h = sure; h < sure + NEAR; h++) {
    const rise = slope * h + profile.at(now + h) - from
    if (rise >= room) return h === sure ? Math.max(h, 0.1) : h - 1 + (room - before) / (rise - before)
    before = rise
  }
  return slope > 0 ? room / slope : Number.POSITIVE_INFINITY
}
