import { GOES_ON, QUANTILES } from './calibration.ts'
import { type Evidence, SLACK_SECONDS } from './evidence.ts'

/** Probability that the growth goes on to the limit, 0-1. */
export function goesOn(evidence: Evidence): number {
  return 1 / (1 + Math.exp(-dot(GOES_ON, evidence.features)))
}

/** First passage of growth that goes on. */
export interface Passage {
  /** Seconds from now by which 10 %, 50 % and 90 % of it have passed, ascending. */
  readonly lower: number
  readonly median: number
  readonly upper: number
}

export function passage(evidence: Evidence): Passage {
  const left = QUANTILES.map((weights) =>
    Math.max(0, (evidence.left + SLACK_SECONDS) * Math.exp(dot(weights, evidence.features)) - SLACK_SECONDS),
  ) as [number, number, number]
  const [lower, median, upper] = left
  const middle = Math.max(lower, median)
  return { lower: Math.min(lower, middle), median: middle, upper: Math.max(middle, upper) }
}

/** Share of the first-passage distribution before `seconds`: a normal in ln(time + slack), of different width to either side. */
export function passed({ lower, median, upper }: Passage, seconds: number): number {
  if (!(seconds > 0)) return 0
  const ln = (x: number) => Math.log(x + SLACK_SECONDS)
  const [x, m] = [ln(seconds), ln(median)]
  const width = (x < m ? m - ln(lower) : ln(upper) - m) / 1.2816
  return normalShare((x - m) / Math.max(width, 0.02))
}

/** Distribution function of the normal (Abramowitz and Stegun 26.2.17, error below 1e-7). */
function normalShare(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z))
  const tail =
    0.3989422804 *
    Math.exp((-z * z) / 2) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return z > 0 ? 1 - tail : tail
}

function dot(a: readonly number[], b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}
