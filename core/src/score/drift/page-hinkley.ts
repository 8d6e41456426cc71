/**
 * Page-Hinkley test on the hourly mean of the score, for a change of its level in either direction.
 *
 * Each hour's mean is standardised by the mean and spread that are usual; what goes beyond {@link DELTA} is added up, and
 * the sum starts again where it would fall below zero. Above {@link LAMBDA} the level has changed: a shift of three
 * spreads is seen after 30 / (3 - 0.5) = 12 hours, one of a single spread after 60, one of half a spread never.
 *
 * Works for shifts that last; an incident of an hour adds {@link CLIP} - {@link DELTA} = 4.5 at most. Does not work for
 * shifts that leave the score as it is, nor for very slow ones: the usual mean follows the hours of twelve days.
 *
 * Sources: E. S. Page, Continuous inspection schemes, Biometrika 41 (1954); D. V. Hinkley, Inference about the
 * change-point from cumulative sum tests, Biometrika 58 (1971).
 *
 * @example spread 1, mean 0: hours of 3 give sums of 2.5, 5, ... 30, 32.5; the thirteenth is the first beyond 30
 */

/** Spreads that an hour may be off. */
export const DELTA = 0.5
/** Spreads times hours. */
export const LAMBDA = 30
/** Spreads that an hour counts for at most: what breaks must last, however hard it breaks. */
const CLIP = 5
/** The sum is held at this multiple of the limit, so that it comes down in days when the score does. */
const CAP = 1.5
/** Hours that the usual mean remembers. */
const MEMORY_HOURS = 288
/** Smallest spread, in calibrated score: 1 is the distance from the median to the 95 % quantile of normal rows. */
const SPREAD_FLOOR = 0.2

/** What is usual of the hourly means of the score. */
export interface UsualScore {
  readonly mean: number
  /** Standard deviation of the hourly means. */
  readonly sigma: number
  /** Hours behind it. */
  readonly hours: number
}

export interface SavedPageHinkley {
  readonly usual: UsualScore
  /** Upwards, then downwards: sum, hours since it left zero, total of the standardised hours since. */
  readonly sides: readonly (readonly [sum: number, hours: number, total: number])[]
}

/** One direction. */
interface Side {
  readonly sign: 1 | -1
  sum: number
  hours: number
  total: number
}

export class PageHinkley {
  #mean: number
  #sigma: number
  #weight: number
  readonly #sides: readonly [Side, Side] = [
    { sign: 1, sum: 0, hours: 0, total: 0 },
    { sign: -1, sum: 0, hours: 0, total: 0 },
  ]

  constructor(usual: UsualScore) {
    this.#mean = usual.mean
    this.#sigma = usual.sigma
    this.#weight = Math.min(MEMORY_HOURS, usual.hours)
  }

  get usual(): UsualScore {
    return { mean: this.#mean, sigma: this.#sigma, hours: this.#weight }
  }

  /** @param x mean score of the hour; one that is not finite is left out */
  step(x: number): void {
    if (!Number.isFinite(x)) return
    const z = Math.max(-CLIP, Math.min(CLIP, this.standardise(x)))
    for (const side of this.#sides) {
      side.sum = Math.min(CAP * LAMBDA, Math.max(0, side.sum + side.sign * z - DELTA))
      side.hours = side.sum > 0 ? side.hours + 1 : 0
      side.total = side.sum > 0 ? side.total + side.sign * z : 0
    }
    this.#mean += (z * this.#spread) / (this.#weight + 1)
    this.#weight = Math.min(MEMORY_HOURS, this.#weight + 1)
  }

  /** A mean score in spreads from what is usual. */
  standardise(x: number): number {
    return (x - this.#mean) / this.#spread
  }

  /** Sum of the direction that is further on; beyond {@link LAMBDA} the level has changed. */
  get statistic(): number {
    return this.#further.sum
  }

  get direction(): 'up' | 'down' {
    return this.#further.sign === 1 ? 'up' : 'down'
  }

  /** Hours since the sum left zero: how long ago the change began. */
  get hours(): number {
    return this.#further.hours
  }

  /** Mean of those hours in spreads, with its sign. */
  get shift(): number {
    const { hours, total, sign } = this.#further
    return hours === 0 ? 0 : (sign * total) / hours
  }

  get detected(): boolean {
    return this.statistic > LAMBDA
  }

  /** The sums start again; the spread stays, and the mean unless a new one is given. */
  restart(usual?: Omit<UsualScore, 'sigma'>): void {
    for (const side of this.#sides) Object.assign(side, { sum: 0, hours: 0, total: 0 })
    if (usual === undefined) return
    this.#mean = usual.mean
    this.#weight = usual.hours
  }

  save(): SavedPageHinkley {
    return { usual: this.usual, sides: this.#sides.map(({ sum, hours, total }) => [sum, hours, total]) }
  }

  /** @throws RangeError when what was saved is not finite */
  static restore({ usual, sides }: SavedPageHinkley): PageHinkley {
    if (![usual.mean, usual.sigma, usual.hours, ...sides.flat()].every(Number.isFinite) || sides.length !== 2) {
      throw new RangeError('a saved Page-Hinkley test has numbers that are not finite')
    }
    const test = new PageHinkley(usual)
    test.#sides.forEach((side, k) => {
      const [sum, hours, total] = sides[k] as readonly [number, number, number]
      Object.assign(side, { sum, hours, total })
    })
    return test
  }

  get #further(): Side {
    const [up, down] = this.#sides
    return down.sum > up.sum ? down : up
  }

  get #spread(): number {
    return Math.max(SPREAD_FLOOR, this.#sigma)
  }
}

/** Mean and standard deviation of hourly scores; NaN and 0 hours where there are none. */
export function usualScoreOf(scores: readonly number[]): UsualScore {
  const hours = scores.length
  const mean = scores.reduce((sum, x) => sum + x, 0) / hours
  const sigma = Math.sqrt(scores.reduce((sum, x) => sum + (x - mean) ** 2, 0) / hours)
  return { mean, sigma, hours }
}
