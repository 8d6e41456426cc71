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
  const width = FEATURE_KINDS.length * d
  let present = 0
  for (let j = 0; j < d; j++) if (isPresent(j)) present++
  const count = present * FEATURE_KINDS.length
  const features = new Float64Array(width)
  const values = new Float64Array(d)
  let base = 0
  for (let f = 0; f < width; f++) {
    const j = f % d
    if (!isPresent(j)) continue
    const usual = (explain.base[f] as number) / count
    const value = (contributions[i * width + f] as number) - usual
    features[f] = value
    values[j] = (values[j] as number) + value
    base += usual
  }
  const output = values.reduce((sum, x) => sum + x, base)
  return { base, output, features, signals: Object.fromEntries(signals.map((s, j) => [s.name, values[j] as number])) }
}
