/** What the service and its scoring thread say to each other. */
import type { Manifest, ModelInputs, ModelOutputs, TreeExplanation } from '@portent/core'
import type { BundleReason } from '../bundle/reasons.ts'

export interface LoadedBundle {
  readonly manifest: Manifest
  /** sha256 of manifest.json. */
  readonly sha256: string
  readonly folder: string
  readonly loadSeconds: number
  /** Unix ms, where the bundle says when it was trained. */
  readonly trainedAt: number | null
  /** Golden cases, and the largest deviation from them as a share of what is tolerated. */
  readonly golden: { readonly cases: number; readonly worst: number }
}

/** What each call takes and gives. */
export interface Calls {
  load: { takes: { folder: string }; gives: LoadedBundle }
  score: { takes: ModelInputs; gives: ModelOutputs }
  failure: { takes: { history: Float64Array; n: number }; gives: Float64Array }
  explainForest: { takes: { features: Float64Array }; gives: TreeExplanation | null }
}

export type CallName = keyof Calls

export interface Request<K extends CallName = CallName> {
  readonly id: number
  readonly call: K
  readonly payload: Calls[K]['takes']
}

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown; readonly seconds: number }
  | { readonly id: number; readonly ok: false; readonly message: string; readonly reason?: BundleReason }
