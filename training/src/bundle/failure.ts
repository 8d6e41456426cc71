/** The failure model's part of a bundle: fitted on simulated hosts, judged on others, with the vectors that prove it. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  FAILURE_HORIZONS,
  type FailureTerms,
  failureProbabilities,
  type Golden,
  goldenSchema,
  type Manifest,
  manifestSchema,
  RISK_FEATURES,
} from '@portent/core'
import { FAULTS_PER_DAY, fitFailure, judgeFailure, makeDataset, type WeightedSample } from '../failure/index.ts'
import type { Random } from '../random.ts'
import { rounded } from './statistics.ts'

/** One host in so many is kept from a first fit, and judges it. */
const JUDGES = 4
const UNKNOWN = '0'.repeat(64)
const GOLDEN_CASES = 8

type Entry = NonNullable<Manifest['failure']>

/** A failure model with the vectors that prove it. */
export interface FailurePart {
  readonly entry: Entry
  readonly golden: Golden['failure']
}

export interface MadeFailure extends FailurePart {
  readonly evidence: Record<string, unknown>
}

/** @param hosts simulated hosts, each with one fault */
export function makeFailure(hosts: number, random: Random): MadeFailure {
  const samples = makeDataset({ hosts, faultsPerDay: FAULTS_PER_DAY, random })
  const judges = samples.filter((s) => s.host % JUDGES === JUDGES - 1)
  const judged = judgeFailure(fitFailure(samples.filter((s) => s.host % JUDGES !== JUDGES - 1)), judges)
  const model = fitFailure(samples)
  return {
    entry: entryOf(model),
    golden: goldenOf(model, samples),
    evidence: {
      about: 'simulated hosts, one fault each; the base rate is an assumption',
      hosts,
      samples: samples.length,
      faults_per_day: FAULTS_PER_DAY,
      held_out: FAILURE_HORIZONS.map((seconds, h) => {
        const { baseRate, skill, calibrationErrorTold, bins } = judged[h] as (typeof judged)[number]
        return {
          horizon_seconds: seconds,
          base_rate: rounded(baseRate),
          brier_skill: rounded(skill),
          calibration_error: rounded(calibrationErrorTold),
          reliability: bins.map((b) => [rounded(b.meanProbability), rounded(b.observed), Math.round(b.weight)]),
        }
      }),
    },
  }
}

function entryOf({ horizons, terms, intercepts, baseRates }: FailureTerms): Entry {
  return {
    file: 'failure.onnx',
    sha256: UNKNOWN,
    features: [...RISK_FEATURES],
    horizons_seconds: [...horizons],
    terms: terms.map(({ feature, knots, weights }) => ({
      feature,
      knots: [...knots],
      weights: weights.map((w) => [...w]),
    })),
    intercepts: [...intercepts],
    base_rates: [...baseRates],
  }
}

/** The failure model of another bundle; null where there is no such bundle, or it has none. */
export function readFailurePart(folder: string): FailurePart | null {
  if (!existsSync(join(folder, 'manifest.json'))) return null
  const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const manifest = manifestSchema.parse(read('manifest.json'))
  if (manifest.failure === undefined) return null
  return { entry: manifest.failure, golden: goldenSchema.parse(read(manifest.golden.file)).failure }
}

/** Cases from healthy to about to fail, computed by the reference; the last one is hardly to be believed. */
function goldenOf(model: FailureTerms, samples: readonly WeightedSample[]): Golden['failure'] {
  const byRisk = samples
    .map(({ features }) => ({ features, probability: failureProbabilities(model, features) }))
    .sort((a, b) => (a.probability[1] as number) - (b.probability[1] as number))
  const cases = Array.from({ length: GOLDEN_CASES }, (_, c) => {
    // Most samples are healthy: the square root goes to the others.
    const i = Math.round(Math.sqrt(c / (GOLDEN_CASES - 1)) * (byRisk.length - 1))
    return (byRisk[i] as (typeof byRisk)[number]).features
  })
  const doubted = (cases.at(-1) as Float64Array).slice()
  const width = RISK_FEATURES.length
  for (let at = width - 1; at < doubted.length; at += width) doubted[at] = 0.2
  return [...cases, doubted].map((features) => ({
    history: [...features],
    probability: [...failureProbabilities(model, features)],
  }))
}
