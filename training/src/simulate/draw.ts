/** Distributions on top of a seeded {@link Random}, shaped by what the kernel's counters look like. */
import type { Random } from '../random.ts'

export const HOUR = 3600
export const DAY = 86_400
export const KIB = 1024
export const MIB = 1024 ** 2
export const GIB = 1024 ** 3

/** A value in [low, high] whose logarithm is uniform. */
export function logUniform(random: Random, low: number, high: number): number {
  return low * (high / low) ** random.uniform()
}

export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.uniform()
}

export function chance(random: Random, probability: number): boolean {
  return random.uniform() < probability
}

/** Exponential with the given mean. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.uniform()) * mean
}

/** Pareto with scale 1: heavy-tailed, at least 1. */
export function pareto(random: Random, shape: number): number {
  return (1 - random.uniform()) ** (-1 / shape)
}

/** A number of events; exact below a mean of 16, the rounded normal approximation above. */
export function poisson(random: Random, mean: number): number {
  if (!(mean > 0)) return 0
  if (mean > 16) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()))
  const limit = Math.exp(-mean)
  let product = random.uniform()
  let n = 0
  while (product > limit) {
    product *= random.uniform()
    n++
  }
  return n
}

/** Mean of `samples` counts with the given expectation: a multiple of 1 / samples, as an average of readings is. */
export function meanCount(random: Random, mean: number, samples: number): number {
  return poisson(random, mean * samples) / samples
}

/** Share of `samples` trials that came out true. Exactly 0 and 1 at the ends. */
export function meanShare(random: Random, probability: number, samples: number): number {
  if (!(probability > 0)) return 0
  if (probability >= 1) return 1
  let n = 0
  for (let i = 0; i < samples; i++) if (random.uniform() < probability) n++
  return n / samples
}

/** A factor with mean 1 and the given coefficient of variation, never below a twentieth. */
export function jitter(random: Random, variation: number): number {
  const x = 1 + variation * random.normal()
  return x < 0.05 ? 0.05 : x
}

export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x
}

/** A fluctuation: standard deviation `sd` at an instant, forgotten with the time constant `tau` in seconds. */
export interface Fluctuation {
  readonly sd: number
  readonly tau: number
}

/** Ornstein-Uhlenbeck process averaged over rows, so that longer rows show less of what is shorter than they are. */
export class Ou {
  value: number
  readonly variance: number
  readonly #keep: number
  readonly #push: number

  constructor({ sd, tau }: Fluctuation, intervalSeconds: number, random: Random) {
    const x = intervalSeconds / tau
    this.variance = sd * sd * ((2 * (x - 1 + Math.exp(-x))) / (x * x))
    this.#keep = Math.exp(-x)
    this.#push = Math.sqrt(this.variance * (1 - this.#keep * this.#keep))
    this.value = Math.sqrt(this.variance) * random.normal()
  }

  step(random: Random): number {
    this.value = this.#keep * this.value + this.#push * random.normal()
    return this.value
  }
}
