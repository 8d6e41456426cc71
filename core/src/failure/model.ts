/**
 * The failure model as arithmetic: a logistic regression of monotone, piecewise-linear terms, one weight for each stretch
 * between two knots and none of them negative. The ONNX file of a bundle computes the same.
 */
import { type FailureSubject, RISK_COLUMN, type RiskFeature, subjectOf, TRUST_COLUMN } from './features.ts'

export interface FailureTerm {
  readonly feature: RiskFeature
  /** Ascending, at least two. */
  readonly knots: readonly number[]
  /** [H][knots - 1], each at least 0: what the logit gains from one knot to the next. */
  readonly weights: readonly (readonly number[])[]
}

export interface FailureTerms {
  /** Seconds, ascending [H]. */
  readonly horizons: readonly number[]
  readonly terms: readonly FailureTerm[]
  /** [H]. */
  readonly intercepts: readonly number[]
  /** Share of rows that a failure follows [H]: what little trust falls back to. */
  readonly baseRates: readonly number[]
}

/** What a term adds to the logit of horizon h. */
export function termValue({ knots, weights }: FailureTerm, h: number, x: number): number {
  const w = weights[h] as readonly number[]
  let sum = 0
  for (let b = 0; b < w.length; b++) {
    const low = knots[b] as number
    const share = (x - low) / ((knots[b + 1] as number) - low)
    if (share <= 0) break
    sum += (w[b] as number) * Math.min(1, share)
  }
  return sum
}

/**
 * Probability of a failure within each horizon, ascending: what is above the base rate counts by the trust.
 * @param features [H,K] of {@link RISK_FEATURES}
 */
export function failureProbabilities(model: FailureTerms, features: Float64Array): Float64Array {
  const width = TRUST_COLUMN + 1
  const out = new Float64Array(model.horizons.length)
  let before = 0
  for (let h = 0; h < out.length; h++) {
    let logit = model.intercepts[h] as number
    for (const term of model.terms) {
      logit += termValue(term, h, features[h * width + RISK_COLUMN[term.feature]] as number)
    }
    const p = 1 / (1 + Math.exp(-logit))
    const base = model.baseRates[h] as number
    const trust = features[h * width + TRUST_COLUMN] as number
    before = Math.max(before, Math.min(p, base) + trust * Math.max(0, p - base))
    out[h] = before
  }
  return out
}

export interface FailureReason {
  readonly feature: RiskFeature
  /** What it concerns. */
  readonly subject: FailureSubject
  /** In the feature's unit. */
  readonly value: number
  /** What it adds to the logit, and its share of all that is added. */
  readonly logit: number
  readonly share: number
}

export interface FailureReasons {
  /** What is likely to fail: the part with the largest share; null where nothing speaks for a failure. */
  readonly subject: FailureSubject | null
  /** Largest first. */
  readonly reasons: readonly FailureReason[]
}

/**
 * What fails and why: the largest contributions to the logit of one horizon.
 * @param features [H,K]; @param h index of the horizon; @param most reasons at most
 */
export function failureReasons(model: FailureTerms, features: Float64Array, h: number, most = 3): FailureReasons {
  const width = TRUST_COLUMN + 1
  const found = model.terms
    .map((term) => {
      const value = features[h * width + RISK_COLUMN[term.feature]] as number
      return { feature: term.feature, subject: subjectOf(term.feature), value, logit: termValue(term, h, value) }
    })
    .filter((x) => x.logit > 0)
    .sort((a, b) => b.logit - a.logit)
  const sum = found.reduce((total, x) => total + x.logit, 0)
  const bySubject = new Map<FailureSubject, number>()
  for (const x of found) {
    // A score that something is unusual names no part, so it only speaks where nothing else does.
    if (x.subject !== 'host') bySubject.set(x.subject, (bySubject.get(x.subject) ?? 0) + x.logit)
  }
  const [first] = [...bySubject].sort((a, b) => b[1] - a[1])
  return {
    subject: first?.[0] ?? (found.length > 0 ? 'host' : null),
    reasons: found.slice(0, most).map((x) => ({ ...x, share: x.logit / sum })),
  }
}
