/**
 * Primary SHAP: exact Shapley values of the additive window score. A feature's value is (its squared z - its training
 * mean) / number of features, over the present features; a signal's is the sum of its six; base + sum = output.
 */
import type { Manifest } from '@portent/core'
import { FEATURE_KINDS } from '@portent/core'
import type { Shap } from '../types.ts'

export interface PrimaryShap extends Shap {
  /** Value of each feature [F], 0 where the signal is absent. */
  readonly features: Float64Array
}

/**
 * @param contributions what each feature adds to the primary score [N,F]: squared z / number of present features
 * @param i position of the target in the batch
 */
export function primaryShap(
  { signals, explain }: Manifest,
  contributions: Float64Array,
  i: number,
  isPresent: (j: number) => boolean,
): PrimaryShap {
  const d = signals.length
  const features = new Float64Array(FEATURE_KINDS.length * d)
  const values = { ...zerosOf(signals) }
  const present: number[] = []
  for (let j = 0; j < d; j++) if (isPresent(j)) present.push(j)
  const count = present.length * FEATURE_KINDS.length
  const from = i * features.length
  let base = 0
  let output = 0
  for (const j of present) {
    let sum = 0
    for (let f = j; f < features.length; f += d) {
      const usual = (explain.base[f] as number) / count
      const value = (contributions[from + f] as number) - usual
      features[f] = value
      sum += value
      base += usual
    }
    values[(signals[j] as Manifest['signals'][number]).name] = sum
    output += sum
  }
  return { base, output: base + output, features, signals: values }
}

/** A zero a signal, made once for each bundle: a copy of it is cheaper than growing an object name by name. */
const zeros = new WeakMap<Manifest['signals'], Record<string, number>>()

function zerosOf(signals: Manifest['signals']): Record<string, number> {
  let found = zeros.get(signals)
  if (found === undefined) {
    found = Object.fromEntries(signals.map(({ name }) => [name, 0]))
    zeros.set(signals, found)
  }
  return found
}
