import { z } from 'zod'
import type { Assessment } from '../../types.ts'
import {
  ageOf,
  ageSchema,
  findAssessment,
  finite,
  hintSchema,
  modelState,
  risk,
  severity,
  share,
  targetParams,
} from '../parameters.ts'
import { defineRoute } from '../route.ts'

export const health = defineRoute({
  method: 'GET',
  path: '/targets/:target/health',
  scope: 'read',
  summary: 'How a target is, in words and numbers',
  description:
    'The latest assessment. In fallback mode rules alone speak: anomaly and confidence are null. ' +
    'Failure and drift are null until their windows are full; `warmup` says how far they are.',
  errors: [404, 503],
  params: targetParams,
  response: z.strictObject({
    target: z.string(),
    ...ageSchema,
    health: finite.describe('0 to 100'),
    risk,
    risk_reason: z.string(),
    severity,
    severity_reason: z.string(),
    symptoms: z.array(z.string()).describe('What a user of the host would notice'),
    hints: z.array(hintSchema),
    penalties: z
      .array(
        z.strictObject({
          signal: z.string(),
          value: finite,
          limit: finite,
          points: finite.describe('Points of health taken'),
        }),
      )
      .describe('Extreme raw values'),
    model: z.strictObject({ state: modelState, version: z.string().nullable() }),
    anomaly: z
      .strictObject({
        score: finite.describe('0 is usual, 1 is the threshold'),
        detectors: z.record(z.string(), finite).describe("Each detector's score on the same scale"),
        raw: finite.describe('The ensemble in calibrated units'),
        threshold: finite.describe('In the units of raw'),
        alarm: z.boolean(),
        budget: z
          .strictObject({ requested: share, realised: share })
          .describe('Share of rows in alarm, as asked for and as seen'),
        recurring: z.boolean().describe('The threshold is what a job that recurs at this hour reached before'),
        stopped: z.array(z.string()).describe('Signals that were never 0 and stand at 0'),
      })
      .nullable(),
    confidence: share.nullable().describe('How sure it is that the row was anomalous'),
    trust: z.strictObject({
      value: share,
      factors: z.record(z.string(), finite).nullable().describe('Their product is the trust'),
    }),
    failure: z
      .strictObject({ probability: share, horizon_seconds: finite, confidence: share, event: z.string().nullable() })
      .nullable()
      .describe('More at `failure`'),
    next_exhaustion: z
      .strictObject({ resource: z.string(), sentence: z.string(), within_day: share })
      .nullable()
      .describe('What runs out first; null where nothing is foreseen to'),
    drift: z.strictObject({ ratio: share, detected: z.boolean() }).nullable(),
    warmup: z.strictObject({ window: share, failure: share, drift: share }).describe('How far each window is filled'),
    coverage: share.describe("Present share of the model's signals"),
    sensitivity: z.int(),
  }),
  handler({ deps, params, now }) {
    const a = findAssessment(deps, params.target)
    const { ensemble = 0, ...detectors } = a.scores?.anomaly ?? {}
    return {
      target: a.target,
      ...ageOf(a, deps, now),
      health: a.health,
      risk: a.risk,
      risk_reason: a.riskReason,
      severity: a.severity,
      severity_reason: a.severityReason,
      symptoms: [...a.symptoms],
      hints: a.hints.map((hint) => ({ ...hint, sentence: deps.hintSentence(hint) })),
      penalties: a.penalties.map((penalty) => ({ ...penalty })),
      model: { state: a.model, version: a.version },
      anomaly: a.scores && {
        score: ensemble,
        detectors,
        raw: a.scores.raw,
        threshold: a.scores.threshold,
        alarm: a.scores.alarm,
        budget: { ...a.scores.budget },
        recurring: a.scores.recurring ?? false,
        stopped: [...(a.scores.stopped ?? [])],
      },
      confidence: a.scores?.confidence ?? null,
      trust: { value: a.trust, factors: deps.trustFactors?.(a.target) ?? null },
      failure: failureOf(a),
      next_exhaustion: nextExhaustion(a),
      drift: a.drift && { ratio: a.drift.ratio, detected: a.drift.detected },
      warmup: { ...a.warmup },
      coverage: a.coverage,
      sensitivity: a.sensitivity,
    }
  },
})

function failureOf({ outlook }: Assessment) {
  if (!outlook?.failure) return null
  const { headline, confidence, event } = outlook.failure
  return { probability: headline.probability, horizon_seconds: headline.seconds, confidence, event }
}

function nextExhaustion({ outlook }: Assessment) {
  const next = outlook?.resources.find((r) => r.sentence !== null)
  return next?.sentence ? { resource: next.resource, sentence: next.sentence, within_day: next.withinDay } : null
}
