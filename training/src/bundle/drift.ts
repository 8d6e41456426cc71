/** What the training days of one host say of drift: usual hours of each signal and of the score, and the worst day. */
import {
  DAY_HOURS,
  frozenScore,
  HourlyLevels,
  LEARN_DAYS,
  type Manifest,
  trainingLevels,
  usualScoreOf,
} from '@portent/core'
import { type Recording, rowValues } from './recording.ts'
import { rounded } from './statistics.ts'

/**
 * @param recording the rows that were trained on, its columns in the order of the manifest's signals
 * @param heldOut calibrated score of every row, by detector, from models that had not seen it
 * @returns null where there are too few days: then the target's first days in service say it
 */
export function driftOf(
  recording: Recording,
  manifest: Manifest,
  heldOut: readonly Float64Array[],
): NonNullable<Manifest['drift']> | null {
  const levels = new HourlyLevels(manifest, manifest.interval_seconds)
  const hours = manifest.signals.map((): number[] => [])
  const scores: number[] = []
  for (let t = 0; t < recording.at.length; t++) {
    const score = frozenScore(manifest.detectors, (k) => heldOut[k]?.[t] ?? Number.NaN)
    if (!levels.add(rowValues(recording, t), score)) continue
    for (const [j, own] of hours.entries()) own.push(levels.newest(j))
    scores.push(...levels.scores(1))
  }
  if (levels.hours < LEARN_DAYS * DAY_HOURS || scores.length < DAY_HOURS) return null
  const { quantiles, worst } = trainingLevels(hours)
  const { mean, sigma } = usualScoreOf(scores)
  return {
    days: rounded(levels.hours / DAY_HOURS),
    score: { mean: rounded(mean), sigma: rounded(sigma) },
    quantiles: quantiles.map((own) => own && [...own]),
    worst: worst.map(rounded),
  }
}
