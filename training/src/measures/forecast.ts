/** How good quantile forecasts are: pinball loss, coverage, and the naive interval to compare with. */

/** Mean loss of a quantile forecast: `level` of the shortfall where the value is above, the rest of the excess below. */
export function pinballLoss(value: number, quantile: number, level: number): number {
  const error = value - quantile
  return Math.max(level * error, (level - 1) * error)
}

/** Levels of the intervals that are judged: q10, the median, q90. */
export const JUDGED_LEVELS = [0.1, 0.5, 0.9] as const

export interface ForecastMeasures {
  /** Mean pinball loss over the three levels, in the series' unit. */
  readonly pinball: number
  /** Share of values within q10 and q90, both included. */
  readonly coverage: number
  /** Shares of values below q10 and above q90. */
  readonly below: number
  readonly above: number
  /** Forecasts whose value is known. */
  readonly forecasts: number
}

/**
 * @param values [n], what came; NaN = unknown, left out
 * @param quantiles [n, 3], q10 q50 q90 of each
 */
export function forecastMeasures(values: Float64Array, quantiles: Float64Array): ForecastMeasures {
  if (quantiles.length !== 3 * values.length)
    throw new RangeError(`${quantiles.length} quantiles of ${values.length} values`)
  let [loss, below, above, n] = [0, 0, 0, 0]
  values.forEach((value, i) => {
    if (Number.isNaN(value)) return
    n++
    JUDGED_LEVELS.forEach((level, q) => {
      loss += pinballLoss(value, quantiles[3 * i + q] as number, level)
    })
    below += Number(value < (quantiles[3 * i] as number))
    above += Number(value > (quantiles[3 * i + 2] as number))
  })
  return { pinball: loss / 3 / n, coverage: 1 - (below + above) / n, below: below / n, above: above / n, forecasts: n }
}

/** Changes below which the naive interval has no width. */
const LEAST_CHANGES = 11
const DAYS = 3
/** Seconds between the changes that are looked at. */
const EVERY = 300

/**
 * The last value plus quantiles of its own changes over the same horizon in the last 3 days, causally.
 * @param series rows at equal intervals, NaN = missing
 * @param origin row at which the forecast is made
 * @param out [3] from `offset`
 */
export function naiveInterval(
  series: Float64Array,
  origin: number,
  steps: number,
  intervalSeconds: number,
  out: Float64Array,
  offset = 0,
): void {
  const stride = Math.max(1, Math.floor(EVERY / intervalSeconds))
  const changes: number[] = []
  const first = Math.max(0, origin - steps - Math.round((DAYS * 86_400) / intervalSeconds))
  for (let i = first; i + steps <= origin; i += stride) {
    const change = (series[i + steps] as number) - (series[i] as number)
    if (!Number.isNaN(change)) changes.push(change)
  }
  changes.sort((a, b) => a - b)
  const last = series[origin] as number
  JUDGED_LEVELS.forEach((level, q) => {
    out[offset + q] = last + (changes.length < LEAST_CHANGES ? 0 : quantileOf(changes, level))
  })
}

function quantileOf(sorted: readonly number[], level: number): number {
  const position = level * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below] as number
  return low + ((sorted[Math.min(below + 1, sorted.length - 1)] as number) - low) * (position - below)
}
