/**
 * Measures of predicted times to exhaustion: false minutes on healthy series, lead times, how long an alert stands before the
 * end, coverage of the intervals by the time that was left, error of the median, and withdrawal after a cure.
 *
 * A prediction holds for ten minutes. An alert fires once its condition has held for so many minutes. All times are Unix
 * seconds on a grid of one minute.
 */

const MINUTE = 60
const DAY = 86_400

export interface CapacityTruth {
  readonly id: string
  readonly family: string
  readonly healthy: boolean
  /** Nobody could have told it from a failing one while it happened. */
  readonly ambiguous: boolean
  /** First and last row. */
  readonly start: number
  readonly end: number
  readonly onset: number | null
  readonly exhaustion: number | null
  readonly cure: number | null
  /** Rows before this are as healthy as those before the onset; null = the onset. */
  readonly pre: number | null
}

/** Predictions of one series, ascending in time: instants of the quantiles, Infinity = none; or a rule's alert, 0 or 1. */
export type Predictions =
  | {
      readonly at: ArrayLike<number>
      readonly lower: ArrayLike<number>
      readonly median: ArrayLike<number>
      readonly upper: ArrayLike<number>
    }
  | { readonly at: ArrayLike<number>; readonly alert: ArrayLike<number> }

/** An alert rule over the predictions: this instant is within so many seconds for so many minutes. */
const RULES = {
  lower: { horizon: DAY, minutes: 15 },
  median: { horizon: DAY, minutes: 15 },
  urgent: { horizon: 3600, minutes: 5 },
  alert: { horizon: DAY, minutes: 1 },
} as const
export type RuleName = keyof typeof RULES

/** Time left until the exhaustion, seconds. */
export const TIME_LEFT = [
  { name: '<30m', from: 0, to: 1800 },
  { name: '30m-2h', from: 1800, to: 7200 },
  { name: '2-6h', from: 7200, to: 21_600 },
  { name: '6-24h', from: 21_600, to: DAY },
  { name: '>24h', from: DAY, to: 1e18 },
] as const
const RUN_UP = [0.25, 0.5, 0.75] as const

export interface RuleOutcome {
  readonly falseMinutes: number
  readonly days: number
  /** The rest only where the resource ran out. Hours. */
  readonly available?: number
  readonly lead?: number | null
  readonly sustainedLead?: number
  readonly half?: boolean
  readonly halfSustained?: boolean
  /** Only where it was cured: whether it fired before, and minutes until it stopped. */
  readonly beforeCure?: boolean
  readonly withdrawal?: number | null
}

export interface SeriesOutcome {
  readonly truth: CapacityTruth
  readonly rules: Partial<Record<RuleName, RuleOutcome>>
  /** By name of {@link TIME_LEFT}: share of the minutes with a finite median whose interval holds the exhaustion, and their share. */
  readonly coverage: Readonly<Record<string, { readonly covered: number | null; readonly given: number }>>
  /** At 25, 50 and 75 % of the run-up: |median - exhaustion| over the time left; null = no median. */
  readonly errors: readonly (number | null)[]
}

/** Consecutive minutes since the condition last did not hold must reach `minutes`. */
function sustained(condition: Uint8Array, minutes: number): Uint8Array {
  const fires = new Uint8Array(condition.length)
  let last = -1
  for (let i = 0; i < condition.length; i++) {
    if (condition[i] === 0) last = i
    else if (i - last >= minutes) fires[i] = 1
  }
  return fires
}

/** The value of the newest prediction that is not older than `hold`, on a grid of minutes. */
function held(
  truth: CapacityTruth,
  at: ArrayLike<number>,
  values: ArrayLike<number>,
  hold: number,
  absent: number,
): Float64Array {
  const n = Math.floor((truth.end - truth.start) / MINUTE) + 1
  const grid = new Float64Array(n).fill(absent)
  let k = -1
  for (let i = 0; i < n; i++) {
    const t = truth.start + i * MINUTE
    while (k + 1 < at.length && (at[k + 1] as number) <= t) k++
    if (k >= 0 && t - (at[k] as number) <= hold) grid[i] = values[k] as number
  }
  return grid
}

function outcomeOfRule(truth: CapacityTruth, fires: Uint8Array, horizon: number, warm: number): RuleOutcome {
  const { start, healthy, onset, exhaustion, cure } = truth
  const n = fires.length
  let [falseMinutes, minutes] = [0, 0]
  for (let i = 0; i < n; i++) {
    const t = start + i * MINUTE
    const counted =
      (t >= warm && (healthy || t < (truth.pre ?? (onset as number)))) || (cure !== null && t > cure + 3600)
    if (!counted) continue
    minutes++
    falseMinutes += fires[i] as number
  }
  const base = { falseMinutes, days: minutes / 1440 }
  const index = (t: number) => Math.max(0, Math.ceil((t - start) / MINUTE))
  if (exhaustion !== null && onset !== null) {
    const [from, to] = [index(onset), Math.min(n, index(exhaustion))]
    const available = Math.min(horizon, exhaustion - onset)
    let first = -1
    for (let i = from; i < to && first < 0; i++) if (fires[i] === 1) first = i
    // The longest run-in to the end with the alert on for 80 % of it.
    let [on, longest] = [0, 0]
    for (let i = to - 1; i >= from; i--) {
      on += fires[i] as number
      if (fires[i] === 1 && on / (to - i) >= 0.8) longest = to - i
    }
    const lead = first < 0 ? null : exhaustion - (start + first * MINUTE)
    return {
      ...base,
      available: available / 3600,
      lead: lead === null ? null : lead / 3600,
      sustainedLead: longest / 60,
      half: lead !== null && lead >= available / 2,
      halfSustained: longest / 60 >= available / 7200,
    }
  }
  if (cure !== null && onset !== null) {
    let beforeCure = false
    for (let i = index(onset); i < Math.min(n, index(cure)); i++) if (fires[i] === 1) beforeCure = true
    let off = index(cure)
    while (off < n && fires[off] === 1) off++
    const until = off < n ? start + off * MINUTE : truth.end
    return { ...base, beforeCure, withdrawal: beforeCure ? (until - cure) / 60 : null }
  }
  return base
}

/** @param options.warmDays days at the start of a series that no false minute is counted in */
export function outcomeOfSeries(
  truth: CapacityTruth,
  predictions: Predictions,
  options: { hold?: number; warmDays?: number } = {},
): SeriesOutcome {
  const { hold = 600, warmDays = 3 } = options
  const warm = truth.start + warmDays * DAY
  const rules: Partial<Record<RuleName, RuleOutcome>> = {}
  const judge = (name: RuleName, holds: (i: number) => boolean, n: number) => {
    const condition = Uint8Array.from({ length: n }, (_, i) => (holds(i) ? 1 : 0))
    rules[name] = outcomeOfRule(truth, sustained(condition, RULES[name].minutes), RULES[name].horizon, warm)
  }
  if ('alert' in predictions) {
    const grid = held(truth, predictions.at, predictions.alert, hold, 0)
    judge('alert', (i) => (grid[i] as number) > 0.5, grid.length)
    return { truth, rules, coverage: {}, errors: [] }
  }
  const [lower, median, upper] = [predictions.lower, predictions.median, predictions.upper].map((q) =>
    held(truth, predictions.at, q, hold, Number.POSITIVE_INFINITY),
  ) as [Float64Array, Float64Array, Float64Array]
  const left = (grid: Float64Array, i: number) => (grid[i] as number) - (truth.start + i * MINUTE)
  for (const name of ['lower', 'median', 'urgent'] as const) {
    const grid = name === 'lower' ? lower : median
    judge(name, (i) => left(grid, i) < RULES[name].horizon, grid.length)
  }
  const coverage: Record<string, { covered: number | null; given: number }> = {}
  const errors: (number | null)[] = []
  const { onset, exhaustion } = truth
  if (exhaustion !== null && onset !== null) {
    for (const bucket of TIME_LEFT) {
      let [minutes, given, covered] = [0, 0, 0]
      for (let i = 0; i < lower.length; i++) {
        const t = truth.start + i * MINUTE
        const remaining = exhaustion - t
        if (t < onset || t >= exhaustion || remaining <= bucket.from || remaining > bucket.to) continue
        minutes++
        if (!Number.isFinite(median[i] as number)) continue
        given++
        if ((lower[i] as number) <= exhaustion && (upper[i] as number) >= exhaustion) covered++
      }
      if (minutes >= 5) coverage[bucket.name] = { covered: given > 0 ? covered / given : null, given: given / minutes }
    }
    for (const share of RUN_UP) {
      const i = Math.min(lower.length - 1, Math.floor((onset + share * (exhaustion - onset) - truth.start) / MINUTE))
      const value = median[i] as number
      errors.push(
        Number.isFinite(value) ? Math.abs(value - exhaustion) / (exhaustion - (truth.start + i * MINUTE)) : null,
      )
    }
  }
  return { truth, rules, coverage, errors }
}

export interface RuleSummary {
  /** False minutes a day: healthy series, those that nobody could have told apart, the others, and outside the fault of the failing. */
  readonly falseHealthy: number | null
  readonly falseAmbiguous: number | null
  readonly falsePlain: number | null
  readonly falseFailing: number | null
  readonly detected: number
  readonly failing: number
  readonly half: number | null
  readonly halfSustained: number | null
  /** Hours, a series that was not caught counts 0. */
  readonly lead: number | null
  readonly sustainedLead: number | null
  readonly cured: number
  /** Minutes. */
  readonly withdrawalMedian: number | null
  readonly withdrawalMax: number | null
}

export interface ExhaustionSummary {
  readonly rules: Partial<Record<RuleName, RuleSummary>>
  readonly coverage: Readonly<
    Record<string, { readonly covered: number | null; readonly given: number; readonly series: number }>
  >
  readonly coverageAll: number | null
  /** Median relative error at 25, 50, 75 % of the run-up; a series without a median counts as infinite. */
  readonly errors: readonly (number | null)[]
}

export function summaryOfSeries(outcomes: readonly SeriesOutcome[]): ExhaustionSummary {
  const names = Object.keys(outcomes[0]?.rules ?? {}) as RuleName[]
  const rules: Partial<Record<RuleName, RuleSummary>> = {}
  for (const name of names) {
    const of = (which: (truth: CapacityTruth) => boolean) =>
      outcomes.filter((x) => which(x.truth)).flatMap((x) => x.rules[name] ?? [])
    const failing = of((x) => !x.healthy)
    const ended = failing.filter((x) => x.available !== undefined)
    const withdrawals = failing.flatMap((x) => x.withdrawal ?? [])
    rules[name] = {
      falseHealthy: perDay(of((x) => x.healthy)),
      falseAmbiguous: perDay(of((x) => x.healthy && x.ambiguous)),
      falsePlain: perDay(of((x) => x.healthy && !x.ambiguous)),
      falseFailing: perDay(failing),
      detected: ended.filter((x) => x.lead !== null).length,
      failing: ended.length,
      half: mean(ended.map((x) => Number(x.half))),
      halfSustained: mean(ended.map((x) => Number(x.halfSustained))),
      lead: middle(ended.map((x) => x.lead ?? 0)),
      sustainedLead: middle(ended.map((x) => x.sustainedLead ?? 0)),
      cured: failing.filter((x) => x.beforeCure === true).length,
      withdrawalMedian: middle(withdrawals),
      withdrawalMax: withdrawals.length > 0 ? Math.max(...withdrawals) : null,
    }
  }
  const coverage: Record<string, { covered: number | null; given: number; series: number }> = {}
  for (const { name } of TIME_LEFT) {
    const cells = outcomes.flatMap((x) => x.coverage[name] ?? [])
    if (cells.length === 0) continue
    coverage[name] = {
      covered: mean(cells.flatMap((x) => x.covered ?? [])),
      given: mean(cells.map((x) => x.given)) as number,
      series: cells.length,
    }
  }
  const ended = outcomes.filter((x) => x.errors.length > 0)
  return {
    rules,
    coverage,
    coverageAll: mean(outcomes.flatMap((x) => Object.values(x.coverage)).flatMap((x) => x.covered ?? [])),
    errors: RUN_UP.map((_, k) => middle(ended.map((x) => x.errors[k] ?? Number.POSITIVE_INFINITY))),
  }
}

function perDay(rules: readonly RuleOutcome[]): number | null {
  const days = rules.reduce((sum, x) => sum + x.days, 0)
  return days > 0 ? rules.reduce((sum, x) => sum + x.falseMinutes, 0) / days : null
}

function mean(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : null
}

function middle(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2
}
