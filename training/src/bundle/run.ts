/**
 * Runs recordings through scoring as the service would, all hosts in step so that they share a batch, with the reference
 * models in place of ONNX.
 */
import {
  emptyInputs,
  type Manifest,
  type ModelInputs,
  type ModelOutputs,
  type RowOutcome,
  TargetState,
} from '@portent/core'
import { type Recording, rowValues } from './recording.ts'
import { type ReferenceModel, referenceOutputs } from './reference.ts'

export interface Step {
  /** Index of the recording. */
  readonly host: number
  /** Row within it. */
  readonly t: number
  readonly outcome: RowOutcome
  readonly inputs: ModelInputs
  readonly outputs: ModelOutputs & { readonly rows: Float64Array }
  /** Position in the batch. */
  readonly i: number
}

/** @param each called for every row of every recording, row by row over all of them */
export function runRecordings(
  recordings: readonly Recording[],
  manifest: Manifest,
  model: ReferenceModel,
  each: (step: Step) => void,
): void {
  const options = { intervalSeconds: manifest.interval_seconds, sensitivity: 5 }
  const states = recordings.map(() => new TargetState(manifest, options))
  const longest = Math.max(0, ...recordings.map((r) => r.at.length))
  for (let t = 0; t < longest; t++) {
    const due = recordings.map((_, host) => host).filter((host) => t < (recordings[host] as Recording).at.length)
    const inputs = emptyInputs(manifest, due.length)
    due.forEach((host, i) => {
      const recording = recordings[host] as Recording
      const state = states[host] as TargetState
      state.push(recording.at[t] as number, rowValues(recording, t))
      state.writeInputs(inputs, i)
    })
    const outputs = referenceOutputs(model, inputs)
    due.forEach((host, i) => {
      const outcome = (states[host] as TargetState).finish(outputs, i)
      each({ host, t, outcome, inputs, outputs, i })
    })
  }
}
