/**
 * The feature model of a bundle: transforms, means and scales. `apply` is the float64 reference of features.onnx: the
 * same tensors in and out, computed by no ONNX runtime.
 */
import { applyTransform, type Transform } from '@portent/core'
import type { Scaler } from './scaler.ts'
import { KINDS, WINDOW_ROWS, windowFeatures } from './window.ts'

export interface FeatureModel extends Scaler {
  /** One a signal [d]. */
  readonly transforms: readonly Transform[]
}

export interface FeatureTensors {
  /** [N,F] standardised and centred, not clipped; 0 where masked. */
  readonly features: Float64Array
  /** [N,L,d] standardised and centred, not clipped; 0 where masked. */
  readonly rows: Float64Array
}

/** Values beyond this are taken as this: squares stay finite, and nothing measured comes near. */
export const VALUE_LIMIT = 1e100

/**
 * @param window [N,L,d] natural units, oldest first; anything finite where masked
 * @param mask [N,d]
 * @param center [N,F] offset in standardised units; rows are centred by that of `last`
 */
export function applyFeatures(
  { transforms, mean, scale }: FeatureModel,
  window: Float64Array,
  mask: Float64Array,
  center: Float64Array,
): FeatureTensors {
  const d = transforms.length
  const width = KINDS * d
  const n = mask.length / d
  const features = new Float64Array(n * width)
  const rows = new Float64Array(n * WINDOW_ROWS * d)
  const transformed = new Float64Array(WINDOW_ROWS * d)
  for (let i = 0; i < n; i++) {
    const isPresent = (j: number) => mask[i * d + j] === 1
    for (let k = 0; k < WINDOW_ROWS; k++) {
      for (let j = 0; j < d; j++) {
        const at = (i * WINDOW_ROWS + k) * d + j
        if (!isPresent(j)) {
          transformed[k * d + j] = 0
          continue
        }
        const natural = Math.min(VALUE_LIMIT, Math.max(-VALUE_LIMIT, window[at] as number))
        const value = applyTransform(transforms[j] as Transform, natural)
        transformed[k * d + j] = value
        rows[at] = (value - (mean[j] as number)) / (scale[j] as number) - (center[i * width + j] as number)
      }
    }
    windowFeatures(transformed, 0, d, features, i * width, isPresent)
    for (let f = 0; f < width; f++) {
      if (!isPresent(f % d)) continue
      const at = i * width + f
      features[at] = ((features[at] as number) - (mean[f] as number)) / (scale[f] as number) - (center[at] as number)
    }
  }
  return { features, rows }
}
