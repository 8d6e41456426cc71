/** The models of a bundle in double precision, without ONNX: what golden vectors and calibration are computed with. */
import type { ModelInputs, ModelOutputs } from '@portent/core'
import type { Batch, Fitted } from '../detectors/index.ts'
import { applyFeatures, type FeatureModel, WINDOW_ROWS } from '../features/index.ts'

export interface ReferenceModel {
  readonly features: FeatureModel
  readonly detectors: readonly Fitted[]
  /** Name of the detector whose contributions explain the score. */
  readonly primary: string
}

/** Everything a bundle gives for a batch; `rows` [N,L,d] beside what a service keeps of them. */
export function referenceOutputs(
  { features: model, detectors, primary }: ReferenceModel,
  inputs: ModelInputs,
): ModelOutputs & { readonly rows: Float64Array } {
  const { n, mask } = inputs
  const d = model.transforms.length
  const { features, rows } = applyFeatures(model, inputs.window, mask, inputs.center)
  const none = new Float64Array(n * d)
  const scores = new Map<string, Float64Array>()
  let contributions: Float64Array = new Float64Array(0)
  for (const fitted of detectors) {
    const batch: Batch = { n, signals: d, features, rows, mask, ewma: inputs.ewma.get(fitted.name) ?? none }
    scores.set(fitted.name, fitted.score(batch))
    if (fitted.name === primary) contributions = fitted.contributions?.(batch) ?? contributions
  }
  const newest = new Float64Array(n * d)
  for (let i = 0; i < n; i++) {
    const from = ((i + 1) * WINDOW_ROWS - 1) * d
    newest.set(rows.subarray(from, from + d), i * d)
  }
  return { features, rows, newest, scores, contributions }
}
