/** What passes between a target's state and the models of a bundle. */
import type { Manifest } from '../manifest.ts'
import { detectorsWithMeans } from './means.ts'
import { WINDOW_ROWS } from './window.ts'

const KINDS = 6

/** Tensors of a batch of N rows; shapes as in manifest.ts. */
export interface ModelInputs {
  readonly n: number
  readonly window: Float64Array
  readonly mask: Float64Array
  readonly center: Float64Array
  /** By detector name, [N,d]. */
  readonly ewma: ReadonlyMap<string, Float64Array>
}

export interface ModelOutputs {
  /** [N,F] centred and standardised. */
  readonly features: Float64Array
  /** [N,d] newest standardised row. */
  readonly newest: Float64Array
  /** By detector name, [N]. */
  readonly scores: ReadonlyMap<string, Float64Array>
  /** [N,F]: contribution of each feature to the primary score. */
  readonly contributions: Float64Array
}

/** The models in two halves: exponential means of standardised rows lie between them. */
export interface ModelHalves {
  /** Features [N,F] and standardised rows [N,L,d]. */
  features(inputs: ModelInputs): Promise<{ features: Float64Array; rows: Float64Array }>
  detect(
    inputs: ModelInputs,
    features: Float64Array,
    rows: Float64Array,
  ): Promise<Pick<ModelOutputs, 'scores' | 'contributions'>>
}

export function emptyInputs(manifest: Manifest, n: number): ModelInputs {
  const d = manifest.signals.length
  return {
    n,
    window: new Float64Array(n * WINDOW_ROWS * d),
    mask: new Float64Array(n * d),
    center: new Float64Array(n * KINDS * d),
    ewma: new Map(detectorsWithMeans(manifest).map(({ name }) => [name, new Float64Array(n * d)])),
  }
}

/**
 * Replaces the rows of a batch whose features or standardised rows are not finite by zeros, so that the others can be
 * scored; returns their positions.
 */
export function blankNonFinite(n: number, features: Float64Array, rows: Float64Array): ReadonlySet<number> {
  const blanked = new Set<number>()
  for (let i = 0; i < n; i++) {
    if (isFiniteRow(features, i, n) && isFiniteRow(rows, i, n)) continue
    for (const x of [features, rows]) x.fill(0, (i * x.length) / n, ((i + 1) * x.length) / n)
    blanked.add(i)
  }
  return blanked
}

function isFiniteRow(x: Float64Array, i: number, n: number): boolean {
  const width = x.length / n
  for (let k = i * width; k < (i + 1) * width; k++) if (!Number.isFinite(x[k])) return false
  return true
}
