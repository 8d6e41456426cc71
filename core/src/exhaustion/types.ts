/** What is said about one resource that can run out. */
export interface Exhaustion {
  /** Unix seconds at which 10 % of the first-passage distribution have passed; Infinity = none. */
  readonly lower: number
  /** Unix seconds at which 50 % have passed; Infinity = none. */
  readonly median: number
  /** Unix seconds at which 90 % have passed; Infinity = none. */
  readonly upper: number
  /** Probability that the limit is reached within so many seconds from now, 0-1; it includes the doubt of {@link confidence}. */
  within(seconds: number): number
  /** Probability that the growth goes on to the limit at all, unless someone steps in, 0-1. The instants are those of growth that does. */
  readonly confidence: number
  /** Growth in the signal's unit per second (negative where it runs down), and since when (Unix s); null = nothing predicted. */
  readonly trend: { readonly perSecond: number; readonly since: number } | null
  /** Why. */
  readonly state: ExhaustionState
}

/**
 * - `growing`: on its way to the limit. The only state with instants, but for:
 * - `exhausted`: at the limit now.
 * - `flat`: no growth beyond what it has shown before without running out.
 * - `plateau`: grew, and is slowing down short of the limit, or has stopped.
 * - `step`: rose in one step, not on and on.
 * - `unclear`: grows in a manner that did as often stop by itself.
 * - `recovered`: grew, and fell back within the last day.
 * - `too_short`: not enough history.
 * - `no_limit`: the capacity is not finite, or not above 0 where it is approached from below.
 * - `beyond_limit`: beyond what the limit allows: it cannot be the limit of this signal.
 * - `counter`: far beyond, and never falls: a total, not a level.
 */
export type ExhaustionState =
  | 'growing'
  | 'exhausted'
  | 'flat'
  | 'plateau'
  | 'step'
  | 'unclear'
  | 'recovered'
  | 'too_short'
  | 'no_limit'
  | 'beyond_limit'
  | 'counter'
