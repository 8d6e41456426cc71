/** The exponential means of standardised rows that detectors with the input `ewma` ask for, of one target. */
import type { DetectorManifest, Manifest } from '../manifest.ts'
import type { ModelInputs } from './tensors.ts'

/** Newest standardised rows are clipped to this before they enter a mean. */
const ROW_CLIP = 10
const DEFAULT_ALPHA = 0.1

export function detectorsWithMeans(manifest: Manifest): DetectorManifest[] {
  return manifest.detectors.filter((x) => x.inputs.includes('ewma'))
}

export class ExponentialMeans {
  readonly #means: { readonly name: string; readonly alpha: number; readonly state: Float64Array }[]

  constructor(manifest: Manifest) {
    const d = manifest.signals.length
    this.#means = detectorsWithMeans(manifest).map(({ name, ewma_alpha }) => ({
      name,
      alpha: ewma_alpha ?? DEFAULT_ALPHA,
      state: new Float64Array(d),
    }))
  }

  /** A signal appeared: its means start with its first standardised value. */
  start(j: number, row: number): void {
    for (const { state } of this.#means) state[j] = clipRow(row)
  }

  /** The means of all earlier rows, at position i of a batch. */
  write({ ewma }: ModelInputs, i: number): void {
    for (const { name, state } of this.#means) ewma.get(name)?.set(state, i * state.length)
  }

  /** @param rows standardised; the newest row [d] begins at `offset` */
  step(rows: Float64Array, offset: number): void {
    for (const { alpha, state } of this.#means) {
      for (let j = 0; j < state.length; j++) {
        const row = clipRow(rows[offset + j] as number)
        state[j] = (state[j] as number) + alpha * (row - (state[j] as number))
      }
    }
  }
}

function clipRow(x: number): number {
  return Math.min(ROW_CLIP, Math.max(-ROW_CLIP, x))
}
