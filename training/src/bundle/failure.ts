/**
 * The provisional failure model: a logistic regression of eight features of the recent past, labelled by hosts whose
 * failures are known because they were simulated.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FAILURE_FEATURES, type Golden, goldenSchema, type Manifest, manifestSchema } from '@portent/core'
import { readFailureGraph } from '../graph/index.ts'
import { fitStandardLogistic, probabilityOf, type StandardLogistic } from '../logistic.ts'
import type { Recording } from './recording.ts'
import type { ReferenceModel } from './reference.ts'
import { runRecordings } from './run.ts'
import { averagePrecision, rounded } from './statistics.ts'

export const FAILURE_HORIZON_SECONDS = 3600
export const FAILURE_WINDOW_SECONDS = 1800
/** Neighbouring rows say nearly the same: one in so many is kept. */
const EVERY = 6

export interface LabelledRecording {
  readonly recording: Recording
  /** 1 where a failure begins within the horizon. */
  readonly fails: Uint8Array
  /** 1 while one is in progress: not a row to predict from. */
  readonly failed: Uint8Array
}

export interface FailureModel {
  readonly model: StandardLogistic
  readonly golden: { history: number[]; probability: number }[]
  readonly evidence: Record<string, number>
}

interface Rows {
  readonly x: number[]
  readonly y: number[]
}

/** Fits on three of four hosts and judges on the fourth. */
export function fitFailureModel(
  hosts: readonly LabelledRecording[],
  manifest: Manifest,
  reference: ReferenceModel,
): FailureModel {
  const k = FAILURE_FEATURES.length
  const fit: Rows = { x: [], y: [] }
  const held: Rows = { x: [], y: [] }
  runRecordings(
    hosts.map((h) => h.recording),
    manifest,
    reference,
    ({ host, t, outcome }) => {
      const { fails, failed } = hosts[host] as LabelledRecording
      if (outcome.failureFeatures === null || t % EVERY !== 0 || failed[t] === 1) return
      const rows = host % 4 === 3 ? held : fit
      rows.x.push(...outcome.failureFeatures)
      rows.y.push(fails[t] as number)
    },
  )
  if (held.y.length === 0) throw new RangeError('a failure model needs at least four hosts longer than its window')
  const model = fitStandardLogistic(Float64Array.from(fit.x), k, fit.y)
  const probabilities = held.y.map((_, i) => probabilityOf(model, held.x, i * k))
  return {
    model,
    golden: goldenOf(model, held, k),
    evidence: {
      rows: fit.y.length,
      base_rate: rounded(mean(fit.y)),
      held_out_rows: held.y.length,
      held_out_base_rate: rounded(mean(held.y)),
      held_out_brier: rounded(mean(held.y.map((y, i) => ((probabilities[i] as number) - y) ** 2))),
      held_out_brier_of_base_rate: rounded(mean(held.y.map((y) => (mean(fit.y) - y) ** 2))),
      held_out_average_precision: rounded(averagePrecision(probabilities, held.y)),
    },
  }
}

/** The failure model of another bundle, with the vectors that prove it and the interval it reads rows at. */
export interface FailurePart {
  readonly entry: NonNullable<Manifest['failure']>
  readonly model: StandardLogistic
  readonly golden: Golden['failure']
  readonly intervalSeconds: number
}

/** Null where there is no such bundle, or it has no failure model. */
export function readFailurePart(folder: string): FailurePart | null {
  if (!existsSync(join(folder, 'manifest.json'))) return null
  const read = (file: string) => readFileSync(join(folder, file))
  const manifest = manifestSchema.parse(JSON.parse(read('manifest.json').toString('utf8')))
  if (manifest.failure === undefined) return null
  const golden = goldenSchema.parse(JSON.parse(read(manifest.golden.file).toString('utf8')))
  return {
    entry: manifest.failure,
    model: readFailureGraph(read(manifest.failure.file)),
    golden: golden.failure,
    intervalSeconds: manifest.interval_seconds,
  }
}

/** Cases spread over the rows, computed by the reference. */
function goldenOf(model: StandardLogistic, { x, y }: Rows, k: number): FailureModel['golden'] {
  const cases = Math.min(8, y.length)
  return Array.from({ length: cases }, (_, c) => {
    const i = Math.floor((c * y.length) / cases)
    const history = x.slice(i * k, (i + 1) * k)
    return { history, probability: probabilityOf(model, history) }
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length)
}
