/** Root-cause hints: the signals behind a score or a penalty, worst first, with value, usual range and direction. */
import { FEATURE_KINDS, type UsualRange } from '@portent/core'
import type { Hint, Penalty, Shap, SignalValues } from '../types.ts'

const MOST = 3
/** A signal behind less than this share of what is unusual is no hint. */
const LEAST_SHARE = 0.1

interface HintInputs {
  readonly values: SignalValues
  readonly usual: (signal: string) => UsualRange | null
  /** Signals that were never 0 and stand at 0. */
  readonly stopped?: readonly string[]
}

/**
 * Signals that have stopped come first: that is what made the row an alarm, however little a score sees of it.
 *
 * @param features centred standardised features of the row [F], signals in the order of `shap.signals`
 */
export function hintsOfShap(shap: Shap, features: Float64Array, { values, usual, stopped = [] }: HintInputs): Hint[] {
  const names = Object.keys(shap.signals)
  let positive = 0
  for (const signal of names) positive += Math.max(0, shap.signals[signal] as number)
  const of = (signal: string) => shap.signals[signal] ?? 0
  const still = stopped
    .filter((signal) => values[signal] === 0)
    .sort((a, b) => of(b) - of(a))
    .map((signal): Hint => {
      return { signal, value: 0, usual: rangeOf(usual(signal)), direction: 'stopped', contribution: of(signal) }
    })
  const unusual = names
    .filter((signal) => !stopped.includes(signal))
    .filter((signal) => of(signal) > 0 && of(signal) >= LEAST_SHARE * positive && values[signal] !== undefined)
    .sort((a, b) => of(b) - of(a))
    .map((signal): Hint => {
      const value = values[signal] as number
      const range = rangeOf(usual(signal))
      const direction = directionOf(features, names.indexOf(signal), names.length, value, range)
      return { signal, value, usual: range, direction, contribution: of(signal) }
    })
    .filter((hint) => hint.direction === 'unsteady' || !isUsual(hint))
  return [...still, ...unusual].slice(0, MOST)
}

/** Its window is unusual, its newest value is not: no reason that an operator could see. */
function isUsual({ value, usual }: Hint): boolean {
  return usual !== null && value >= usual.low && value <= usual.high
}

export function hintsOfPenalties(penalties: readonly Penalty[], usual: HintInputs['usual']): Hint[] {
  return [...penalties]
    .sort((a, b) => b.points - a.points)
    .slice(0, MOST)
    .map(({ signal, value, points }) => ({
      signal,
      value,
      usual: rangeOf(usual(signal)),
      direction: 'above',
      contribution: points,
    }))
}

/** Where the level stands most, above or below; `unsteady` where spread, slope, spike or rate say more than the level. */
function directionOf(
  features: Float64Array,
  j: number,
  d: number,
  value: number,
  usual: Hint['usual'],
): Hint['direction'] {
  if (usual !== null && value > usual.high) return 'above'
  if (usual !== null && value < usual.low) return 'below'
  const z = FEATURE_KINDS.map((_, k) => features[k * d + j] as number)
  const level = Math.abs(z[0] as number) > Math.abs(z[1] as number) ? (z[0] as number) : (z[1] as number)
  const moving = Math.max(...z.slice(2).map(Math.abs))
  if (moving > 2 * Math.abs(level)) return 'unsteady'
  return level >= 0 ? 'above' : 'below'
}

function rangeOf(usual: UsualRange | null): Hint['usual'] {
  return usual && { low: usual.low, high: usual.high }
}
