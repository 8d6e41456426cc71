/** From samples to the terms of the failure model. */
import {
  FAILURE_HORIZONS,
  type FailureTerms,
  RISK_COLUMN,
  RISK_FEATURES,
  type RiskFeature,
  TRUST_COLUMN,
} from '@portent/core'
import { fitNonNegative } from '../logistic.ts'
import type { WeightedSample } from './dataset.ts'
import { KNOTS } from './knots.ts'

const K = RISK_FEATURES.length
type Term = Exclude<RiskFeature, 'trust'>
const TERMS = RISK_FEATURES.filter((f): f is Term => f !== 'trust')
/** The model's columns: each stretch between two knots of each term. */
const STRETCHES = TERMS.flatMap((feature) => KNOTS[feature].slice(1).map((_, b) => ({ feature, b })))
/** Of a weight, in rows: the last stretches of a term are seldom seen. */
const PENALTY = 3

/** 1 where a failure begins within horizon h. */
export function labelOf({ secondsToFailure }: { readonly secondsToFailure: number }, h: number): number {
  return Number(secondsToFailure <= (FAILURE_HORIZONS[h] as number))
}

/** @throws RangeError when the samples hold no failure, or nothing else, within a horizon */
export function fitFailure(samples: readonly WeightedSample[]): FailureTerms {
  const fits = FAILURE_HORIZONS.map((_, h) => fitHorizon(samples, h))
  const total = samples.reduce((sum, s) => sum + s.weight, 0)
  const baseRate = (h: number) => samples.reduce((sum, s) => sum + s.weight * labelOf(s, h), 0) / total
  return {
    horizons: [...FAILURE_HORIZONS],
    intercepts: fits.map((f) => rounded(f.intercept)),
    baseRates: FAILURE_HORIZONS.map((_, h) => rounded(baseRate(h))),
    terms: TERMS.map((feature) => ({
      feature,
      knots: [...KNOTS[feature]],
      weights: fits.map((f) =>
        STRETCHES.flatMap((s, j) => (s.feature === feature ? [rounded(f.weights[j] as number)] : [])),
      ),
    })),
  }
}

function fitHorizon(samples: readonly WeightedSample[], h: number) {
  const x = stretchesOf(samples, h)
  // A sample that is hardly to be believed says little of what the features mean.
  const weights = Float64Array.from(samples, (s) => s.weight * (s.features[TRUST_COLUMN] as number))
  const y = Uint8Array.from(samples, (s) => labelOf(s, h))
  return fitNonNegative(x, STRETCHES.length, y, weights, PENALTY)
}

/** [n, stretches]: how much of each stretch lies below a sample's value, 0-1. */
function stretchesOf(samples: readonly WeightedSample[], h: number): Float64Array {
  const width = STRETCHES.length
  const x = new Float64Array(samples.length * width)
  samples.forEach(({ features }, i) => {
    let at = i * width
    for (const feature of TERMS) {
      const value = features[h * K + RISK_COLUMN[feature]] as number
      const knots = KNOTS[feature]
      for (let b = 0; b + 1 < knots.length; b++) {
        const low = knots[b] as number
        x[at++] = Math.min(1, Math.max(0, (value - low) / ((knots[b + 1] as number) - low)))
      }
    }
  })
  return x
}

/** Six digits: the manifest and the ONNX file hold the same numbers. */
function rounded(x: number): number {
  return Number(x.toPrecision(6))
}
