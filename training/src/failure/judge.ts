/** How good probabilities are: Brier score against the base rate, and how far they are from what was observed. */
import { FAILURE_HORIZONS, type FailureTerms, failureProbabilities } from '@portent/core'
import type { WeightedSample } from './dataset.ts'
import { labelOf } from './fit.ts'

const BINS = 10
/** From here on a probability is worth telling. */
const TOLD = 0.1

export interface ReliabilityBin {
  /** Weight of the samples in it. */
  readonly weight: number
  readonly meanProbability: number
  readonly observed: number
}

export interface Judgement {
  readonly baseRate: number
  readonly brier: number
  /** 1 - Brier score / that of the base rate. */
  readonly skill: number
  /** Mean |probability - observed| over ten bins: of all samples, and of those with a probability of 0.1 or more. */
  readonly calibrationError: number
  readonly calibrationErrorTold: number
  readonly bins: readonly ReliabilityBin[]
}

/** @param weights of the samples, 1 where left out */
export function judgeProbabilities(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  weights?: ArrayLike<number>,
): Judgement {
  const n = probabilities.length
  const bins = Array.from({ length: BINS }, () => ({ weight: 0, sum: 0, events: 0 }))
  let [total, events, brier] = [0, 0, 0]
  for (let i = 0; i < n; i++) {
    const [p, y, w] = [probabilities[i] as number, labels[i] as number, weights?.[i] ?? 1]
    total += w
    events += w * y
    brier += w * (p - y) ** 2
    const bin = bins[Math.min(BINS - 1, Math.floor(p * BINS))] as (typeof bins)[number]
    bin.weight += w
    bin.sum += w * p
    bin.events += w * y
  }
  const baseRate = events / total
  const filled = bins.filter((b) => b.weight > 0)
  const told = bins.slice(TOLD * BINS).filter((b) => b.weight > 0)
  return {
    baseRate,
    brier: brier / total,
    skill: 1 - brier / total / (baseRate * (1 - baseRate)),
    calibrationError: errorOf(filled),
    calibrationErrorTold: errorOf(told),
    bins: filled.map((b) => ({
      weight: b.weight,
      meanProbability: b.sum / b.weight,
      observed: b.events / b.weight,
    })),
  }
}

function errorOf(bins: readonly { weight: number; sum: number; events: number }[]): number {
  const total = bins.reduce((sum, b) => sum + b.weight, 0)
  return total === 0 ? 0 : bins.reduce((sum, b) => sum + Math.abs(b.sum - b.events), 0) / total
}

/** One judgement a horizon. */
export function judgeFailure(model: FailureTerms, samples: readonly WeightedSample[]): Judgement[] {
  const probabilities = samples.map((s) => failureProbabilities(model, s.features))
  const weights = samples.map((s) => s.weight)
  return FAILURE_HORIZONS.map((_, h) =>
    judgeProbabilities(
      probabilities.map((p) => p[h] as number),
      samples.map((s) => labelOf(s, h)),
      weights,
    ),
  )
}
