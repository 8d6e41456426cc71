/** Health 0-100 from the anomaly score (1 = threshold) and from extreme raw values; risk with hysteresis. Pure. */

/** [score, health], linear between. */
export const HEALTH_CURVE: readonly (readonly [number, number])[] = [
  [0, 100],
  [0.5, 92],
  [0.8, 85],
  [1, 70],
  [1.5, 50],
  [2.5, 25],
  [5, 0],
]

export function healthOfScore(score: number): number {
  if (score <= 0) return 100
  for (let i = 1; i < HEALTH_CURVE.length; i++) {
    const [x1, y1] = HEALTH_CURVE[i] as readonly [number, number]
    if (score > x1) continue
    const [x0, y0] = HEALTH_CURVE[i - 1] as readonly [number, number]
    return y0 + ((y1 - y0) * (score - x0)) / (x1 - x0)
  }
  return 0
}

export interface PenaltyRule {
  readonly signal: string
  /** A penalty from above this value on ... */
  readonly above: number
  /** ... doubled at this one. Both in the signal's unit, or in multiples of its usual value. */
  readonly limit: number
  readonly points: number
  readonly relative?: true
}

export const PENALTY_RULES: readonly PenaltyRule[] = [
  { signal: 'cpu_busy', above: 0.9, limit: 1, points: 12 },
  { signal: 'memory_used', above: 0.88, limit: 1, points: 10 },
  { signal: 'filesystem_used', above: 0.95, limit: 1, points: 10 },
  { signal: 'disk_busy', above: 0.95, limit: 1, points: 8 },
  { signal: 'response_time', above: 10, limit: 20, points: 10, relative: true },
]

export const MAX_PENALTY = 40
/** Without a model the penalties are all there is, and weigh more. */
export const RULES_ONLY_FACTOR = 1.5

export interface Penalty {
  readonly signal: string
  readonly value: number
  /** The value that was exceeded, in the signal's unit. */
  readonly limit: number
  readonly points: number
}

/** @param usual usual value of a signal in its unit, or NaN while unknown: then a relative rule says nothing */
export function penaltiesOf(
  values: Readonly<Record<string, number>>,
  usual: (signal: string) => number,
): readonly Penalty[] {
  const penalties: Penalty[] = []
  for (const { signal, above, limit, points, relative } of PENALTY_RULES) {
    const value = values[signal]
    const unit = relative ? usual(signal) : 1
    if (value === undefined || !Number.isFinite(value) || !(unit > 0)) continue
    const x = value / unit
    if (x <= above) continue
    const grown = Math.min(1, (x - above) / (limit - above))
    penalties.push({ signal, value, limit: above * unit, points: points * (1 + grown) })
  }
  return penalties
}

/** @param anomaly score with 1 = threshold, or null where rules alone speak */
export function healthOf(anomaly: number | null, penalties: readonly Penalty[]): number {
  const points = Math.min(
    MAX_PENALTY,
    penalties.reduce((sum, p) => sum + p.points, 0),
  )
  const health = anomaly === null ? 100 - RULES_ONLY_FACTOR * points : healthOfScore(anomaly) - points
  return Math.max(0, health)
}

export type RiskLevel = 0 | 1 | 2
export const GREEN: RiskLevel = 0
export const YELLOW: RiskLevel = 1
export const RED: RiskLevel = 2
const GREEN_FROM = 70
const YELLOW_FROM = 40
const WORSE_AFTER = 2
const BETTER_AFTER = 6
const CLEAR = 5

export function riskLevelOf(health: number, margin = 0): RiskLevel {
  if (health >= GREEN_FROM + margin) return GREEN
  return health >= YELLOW_FROM + margin ? YELLOW : RED
}

/** A worse state after 2 rows, a better one after 6 rows, each 5 points clear of the border. */
export class RiskHysteresis {
  level: RiskLevel = GREEN
  /** Levels of the last rows, newest last: as they are, and with the margin that a better state needs. */
  readonly #plain: RiskLevel[] = []
  readonly #clear: RiskLevel[] = []

  step(health: number): RiskLevel {
    keep(this.#plain, riskLevelOf(health), WORSE_AFTER)
    keep(this.#clear, riskLevelOf(health, CLEAR), BETTER_AFTER)
    const worse = Math.min(...this.#plain) as RiskLevel
    const better = Math.max(...this.#clear) as RiskLevel
    if (this.#plain.length === WORSE_AFTER && worse > this.level) this.level = worse
    else if (this.#clear.length === BETTER_AFTER && better < this.level) this.level = better
    return this.level
  }
}

function keep(list: RiskLevel[], level: RiskLevel, length: number): void {
  list.push(level)
  if (list.length > length) list.shift()
}
