/** The horizons that models are chosen for; others lie between two of them. */

export const HOUR = 3600
export const DAY = 86_400
/** Seconds a bin of the long past. */
export const COARSE_SECONDS = 300
/** Days of it. */
export const COARSE_DAYS = 12
/** Newest rows kept as they came, where rows are shorter than those bins. */
export const FINE_ROWS = 1440

/** From rows as they came. */
const NEAR = [60, 300]
/** From bins. */
const FAR = [1 / 6, 1 / 2, 1, 2, 3, 4, 5, 6, 9, 12, 18, 24].map((hours) => hours * HOUR)

export interface Ladder {
  readonly near: readonly number[]
  readonly far: readonly number[]
}

/** Horizons in seconds of the fine and of the coarse bins. */
export function ladderOf(intervalSeconds: number): Ladder {
  if (intervalSeconds < COARSE_SECONDS) return { near: NEAR.map((h) => Math.max(h, intervalSeconds)), far: FAR }
  return { near: [], far: [...NEAR, ...FAR].filter((h) => h >= intervalSeconds) }
}

/** Seconds between two forecasts of a horizon whose outcome is followed up. */
export function followUpSeconds(horizon: number): number {
  if (horizon <= 900) return 300
  return horizon <= 2 * HOUR ? 900 : 1800
}
