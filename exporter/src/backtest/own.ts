/**
 * What the service would have predicted over the history, made by its own code row by row: when each resource runs out,
 * and how likely the host fails. Asked every five minutes of data.
 */
import type { TimedRow } from '@portent/core'
import type { OnnxModel } from '../detect/model.ts'
import { failureModelOf, failureOutlook, withExhaustion } from '../outlook/failure.ts'
import type { OutlookPlan } from '../outlook/plan.ts'
import { TargetOutlook } from '../outlook/target.ts'
import { exhaustionSentence } from '../outlook/words.ts'
import type { Rule } from './rules.ts'

const HOUR = 3600
const MINUTE = 60
const BLOCK_SECONDS = 300
/** A prediction that is older says nothing any more, seconds. */
const FRESH_SECONDS = 900

export const OWN_RULES: readonly (Rule & { readonly bound: 'lower' | 'median' })[] = [
  {
    id: 'portent_warning',
    name: 'portent, warning',
    says: 'the lower bound of the 80 % interval is within 24 h, for 15 min',
    bound: 'lower',
    horizon: 24 * HOUR,
    hold: 15 * MINUTE,
    own: true,
  },
  {
    id: 'portent_critical',
    name: 'portent, critical',
    says: 'the lower bound of the 80 % interval is within 4 h, for 15 min',
    bound: 'lower',
    horizon: 4 * HOUR,
    hold: 15 * MINUTE,
    own: true,
  },
]

/** Scores of a row where a bundle scored it. */
export interface Scored {
  /** 1 = threshold. */
  readonly anomaly: number
  readonly health: number
}

/** When a resource runs out, one entry a block; instants in Unix s, Infinity = not foreseen. */
export interface Predictions {
  readonly at: number[]
  readonly lower: number[]
  readonly median: number[]
  readonly upper: number[]
  readonly state: string[]
  /** Null where nothing is foreseen. */
  readonly sentence: (string | null)[]
}

export interface FailurePredictions {
  /** Seconds. */
  readonly horizons: readonly number[]
  readonly at: number[]
  /** A probability a horizon. */
  readonly probabilities: number[][]
  readonly confidence: number[]
  /** What is likely to fail and why. */
  readonly sentence: string[]
}

export interface OwnPredictions {
  readonly resources: ReadonlyMap<string, Predictions>
  /** Null without a failure model, or where too little was known. */
  readonly failure: FailurePredictions | null
}

export interface OwnOptions {
  readonly intervalSeconds: number
  readonly plan: OutlookPlan
  /** Whose failure model is asked. */
  readonly model: Pick<OnnxModel, 'manifest' | 'failure'> | null
}

/** @param rows in order of time */
export async function predict(
  rows: Iterable<TimedRow & { readonly scores?: Scored | undefined }>,
  { intervalSeconds, plan, model }: OwnOptions,
): Promise<OwnPredictions> {
  const outlook = new TargetOutlook({ intervalSeconds, plan, admit: (series) => series.startsWith('resource ') })
  const resources = new Map<string, Predictions>()
  const failing = model && failureModelOf(model.manifest)
  const failure: FailurePredictions | null = failing && {
    horizons: failing.horizons_seconds,
    at: [],
    probabilities: [],
    confidence: [],
    sentence: [],
  }
  let block = Number.NEGATIVE_INFINITY
  for (const { at: ms, values, scores } of rows) {
    const at = ms / 1000
    outlook.push({ at, values, resources: [], anomaly: scores?.anomaly ?? null, health: scores?.health ?? null })
    const current = Math.floor(at / BLOCK_SECONDS)
    if (current === block) continue
    block = current
    const tracked = outlook.exhaustions()
    for (const one of tracked) {
      const { lower, median, upper, state } = one.exhaustion
      const kept = keptOf(resources, one.resource)
      kept.at.push(at)
      kept.lower.push(lower)
      kept.median.push(median)
      kept.upper.push(upper)
      kept.state.push(state)
      kept.sentence.push(exhaustionSentence(one, at))
    }
    const features = outlook.failureFeatures(tracked)
    if (features === null || model === null || failing === null || failure === null) continue
    // One block a call: the kernels of another batch size may round differently.
    const modelled = await model.failure(features, 1)
    const probabilities = withExhaustion(failing, features, modelled, (s) => outlook.usedUp(tracked, s))
    const { event, reasons, confidence } = failureOutlook(failing, features, probabilities, outlook.failureTrust)
    failure.at.push(at)
    failure.probabilities.push(Array.from(probabilities))
    failure.confidence.push(confidence)
    failure.sentence.push([...(event === null ? [] : [event]), ...reasons.map((r) => r.sentence)].join('; '))
  }
  return { resources, failure: failure !== null && failure.at.length > 0 ? failure : null }
}

function keptOf(resources: Map<string, Predictions>, resource: string): Predictions {
  let kept = resources.get(resource)
  if (kept === undefined) {
    kept = { at: [], lower: [], median: [], upper: [], state: [], sentence: [] }
    resources.set(resource, kept)
  }
  return kept
}

/** For each time of a grid the newest block that is fresh then; -1 = none. */
export function newestBlocks(at: readonly number[], times: { from: number; step: number; length: number }): Int32Array {
  const found = new Int32Array(times.length).fill(-1)
  let block = -1
  for (let k = 0; k < times.length; k++) {
    const now = times.from + k * times.step
    while (block + 1 < at.length && (at[block + 1] as number) <= now) block++
    if (block >= 0 && now - (at[block] as number) < FRESH_SECONDS + times.step) found[k] = block
  }
  return found
}

/** Intervals that could be held against a limit that was reached, and how many held it. */
export interface IntervalCheck {
  readonly predictions: number
  readonly held: number
}

/** @param reached for each block when the limit was reached next, Unix s, Infinity = not in this history */
export function checkIntervals(
  { at, lower, upper }: Predictions,
  reached: readonly number[],
  countFrom: number,
): IntervalCheck {
  let predictions = 0
  let held = 0
  at.forEach((now, i) => {
    const when = reached[i] as number
    // What is at its limit already, or never reached it, says nothing of an interval.
    if (now < countFrom || !Number.isFinite(when) || when <= now || !Number.isFinite(lower[i])) return
    predictions++
    if ((lower[i] as number) <= when && when <= (upper[i] as number)) held++
  })
  return { predictions, held }
}
