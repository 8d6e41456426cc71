/** What the failure model would have read along a host's life, with what followed. */
import {
  ExhaustionTracker,
  FAILURE_HORIZONS,
  FailureTracker,
  KIND_SPECS,
  RISK_FEATURES,
  type SignalKind,
} from '@portent/core'

export const STEP_SECONDS = 300
/** Nothing is said of an outage, nor of this long after it. */
const AFTER_OUTAGE = 1800

export interface Life {
  readonly intervalSeconds: number
  readonly kinds: readonly SignalKind[]
  /** Unix seconds, ascending. */
  readonly at: ArrayLike<number>
  readonly values: (t: number) => Partial<Record<SignalKind, number>>
  /** 1 while a failure is in progress, by row. */
  readonly failed: ArrayLike<number>
}

export interface Sample {
  /** Row. */
  readonly t: number
  readonly at: number
  /** [H,K]. */
  readonly features: Float64Array
  /** Seconds to the next failure, Infinity where none follows within the life. */
  readonly secondsToFailure: number
}

export const WIDTH = FAILURE_HORIZONS.length * RISK_FEATURES.length

/**
 * A sample every `everySeconds` once the tracker is warm; none within an outage and shortly after it.
 * @param wanted whether row t is worth a sample
 */
export function replay(life: Life, wanted: (t: number) => boolean = () => true): Sample[] {
  const { intervalSeconds, kinds, at, values, failed } = life
  const tracker = new FailureTracker({ intervalSeconds, kinds })
  const resources = kinds
    .filter((kind) => KIND_SPECS[kind].exhaustible)
    .map((kind) => ({
      kind,
      tracker: new ExhaustionTracker({ intervalSeconds, kind, limit: { capacity: 1, direction: 'up' } }),
    }))
  const seconds = secondsToFailure(at, failed)
  const samples: Sample[] = []
  let quiet = Number.NEGATIVE_INFINITY
  let block = Number.NaN
  for (let t = 0; t < at.length; t++) {
    const now = at[t] as number
    const row = values(t)
    tracker.push(now, row, { anomaly: null, health: null })
    for (const x of resources) x.tracker.push(now, row[x.kind] ?? Number.NaN)
    if (failed[t] === 1) quiet = now + AFTER_OUTAGE
    const isNew = Math.floor(now / STEP_SECONDS) !== block
    block = Math.floor(now / STEP_SECONDS)
    if (!isNew || now < quiet || tracker.progress < 1 || !wanted(t)) continue
    const features = tracker.features(resources.map((x) => ({ kind: x.kind, exhaustion: x.tracker.predict() })))
    if (features !== null) samples.push({ t, at: now, features, secondsToFailure: seconds[t] as number })
  }
  return samples
}

function secondsToFailure(at: ArrayLike<number>, failed: ArrayLike<number>): Float64Array {
  const seconds = new Float64Array(at.length)
  let next = Number.POSITIVE_INFINITY
  for (let t = at.length - 1; t >= 0; t--) {
    if (failed[t] === 1) next = at[t] as number
    seconds[t] = next - (at[t] as number)
  }
  return seconds
}
