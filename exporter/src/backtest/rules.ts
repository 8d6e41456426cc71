/**
 * The usual rules on the same history, as Prometheus would have evaluated them each minute: the alerts of node-mixin and
 * awesome-prometheus-alerts on a file system that fills up, and a level above 90 %.
 */
import { instants, type Levels } from './levels.ts'

const HOUR = 3600
const MINUTE = 60
const DAY = 24 * HOUR

export interface Rule {
  readonly id: string
  readonly name: string
  /** What it says, for a reader. */
  readonly says: string
  /** Lead in which what it says is to come true, seconds. */
  readonly horizon: number
  /** Seconds the condition holds before it fires. */
  readonly hold: number
  /** Ours, or a usual one. */
  readonly own: boolean
}

export interface UsualRule extends Rule {
  /** Range of predict_linear, seconds; null = a level. */
  readonly range: number | null
  /** Free share below which it fires at all. */
  readonly free: number
  /** Groups of resources that it is made for; null = any. */
  readonly groups: readonly string[] | null
}

const STORAGE = ['filesystem', 'inodes']

export const USUAL_RULES: readonly UsualRule[] = [
  {
    id: 'node_mixin_warning',
    name: 'node-mixin, warning',
    says: 'predict_linear of 6 h reaches 0 within 24 h and less than 40 % is free, for 1 h',
    range: 6 * HOUR,
    horizon: DAY,
    free: 0.4,
    hold: HOUR,
    groups: STORAGE,
    own: false,
  },
  {
    id: 'node_mixin_critical',
    name: 'node-mixin, critical',
    says: 'predict_linear of 6 h reaches 0 within 4 h and less than 20 % is free, for 1 h',
    range: 6 * HOUR,
    horizon: 4 * HOUR,
    free: 0.2,
    hold: HOUR,
    groups: STORAGE,
    own: false,
  },
  {
    id: 'awesome_prometheus_alerts',
    name: 'awesome-prometheus-alerts',
    says: 'predict_linear of 3 h reaches 0 within 24 h, for 2 min',
    range: 3 * HOUR,
    horizon: DAY,
    free: Number.POSITIVE_INFINITY,
    hold: 2 * MINUTE,
    groups: STORAGE,
    own: false,
  },
  {
    id: 'level_90',
    name: 'level above 90 %',
    says: 'more than 90 % is used, for 15 min; to come true it has a day',
    range: null,
    horizon: DAY,
    free: 0.1,
    hold: 15 * MINUTE,
    groups: null,
    own: false,
  },
]

/** Whether the condition holds at each time; false where nothing is known. */
export function conditionOf(rule: UsualRule, levels: Levels): boolean[] {
  const now = instants(levels)
  const { range, horizon, free } = rule
  return Array.from(now, (used, k) => {
    if (!(1 - used < free)) return false
    return range === null || predictLinear(levels, k, range, horizon) >= 1
  })
}

/**
 * `predict_linear(used[range], ahead)` at time k: least squares over the values of the range that ends there, extrapolated
 * from the time of evaluation. NaN with fewer than two values. The range is open on its left, as from Prometheus 3 on.
 */
export function predictLinear({ used, step }: Levels, k: number, range: number, ahead: number): number {
  let n = 0
  let sumX = 0
  let sumY = 0
  let sumXX = 0
  let sumXY = 0
  const first = Math.max(0, k - Math.ceil(range / step) + 1)
  for (let i = first; i <= k; i++) {
    const y = used[i] as number
    if (Number.isNaN(y)) continue
    const x = (i - k) * step
    n++
    sumX += x
    sumY += y
    sumXX += x * x
    sumXY += x * y
  }
  if (n < 2) return Number.NaN
  const slope = (sumXY - (sumX * sumY) / n) / (sumXX - (sumX * sumX) / n)
  return sumY / n - (slope * sumX) / n + slope * ahead
}

/** A time in which a rule fired: indices of its first and its last evaluation. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** An alert is pending while its condition holds, fires once it has held for `hold` seconds, and ends with it. */
export function firingsOf(condition: readonly boolean[], { hold }: Pick<Rule, 'hold'>, step: number): Span[] {
  const spans: Span[] = []
  let since = -1
  condition.forEach((holds, k) => {
    if (!holds) since = -1
    else if (since < 0) since = k
    if (!holds || (k - since) * step < hold) return
    const open = spans.at(-1)
    if (open !== undefined && open.to === k - 1) spans[spans.length - 1] = { from: open.from, to: k }
    else spans.push({ from: k, to: k })
  })
  return spans
}
