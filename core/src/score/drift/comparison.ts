/** The last day of a target against its usual days, over all the signals. */
import type { HourlyLevels } from './levels.ts'
import type { LevelReference } from './reference.ts'

/** Share of the signals that must be far from usual; two at least, where there are two. */
export const SIGNALS_SHARE = 0.1
/** This many times as many are a drift without the score, if it stays so. */
const MANY = 2

export interface Comparison {
  /** By signal; NaN where either is not known. */
  readonly distances: readonly number[]
  /** Signals beyond their limits, furthest first. */
  readonly far: readonly number[]
  /** Signals that can be compared, and how many of them make a sign. */
  readonly of: number
  readonly needed: number
}

/** @param levels of a whole day */
export function compare(signals: number, reference: LevelReference, levels: HourlyLevels): Comparison {
  const distances = Array.from({ length: signals }, (_, j) => reference.distance(j, levels))
  const excess = distances.map((distance, j) => distance / reference.limit(j))
  const of = distances.filter(Number.isFinite).length
  const far = [...excess.keys()].filter((j) => (excess[j] as number) > 1)
  far.sort((a, b) => (excess[b] as number) - (excess[a] as number))
  return { distances, far, of, needed: Math.max(Math.min(2, of), 1, Math.ceil(SIGNALS_SHARE * of)) }
}

/** So many signals are beyond their limits that it is a sign. */
export function isFar(compared: Comparison | null): boolean {
  return compared !== null && compared.far.length >= compared.needed
}

/** So many that it is a drift if it stays so, whatever the score says. */
export function isFarByMany(compared: Comparison | null): boolean {
  const { far = [], needed = 0, of = 0 } = compared ?? {}
  return far.length > 0 && far.length >= Math.min(of, MANY * needed)
}
