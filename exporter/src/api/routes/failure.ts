import { z } from 'zod'
import { ageOf, ageSchema, findAssessment, finite, iso, isoTime, share, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'

const instant = isoTime.nullable().describe('Null: not foreseen')

export const failure = defineRoute({
  method: 'GET',
  path: '/targets/:target/failure',
  scope: 'read',
  summary: 'What is about to fail, when, why and what to do',
  description:
    'The probability of a failure (memory, storage or file descriptors used up, CPU or I/O saturated with the response time ' +
    'blown up, network lost, service down) within each horizon, and for everything with a capacity when it runs out. ' +
    'Half of all resources like this one run out before `median`, a tenth before `lower`, nine tenths before `upper`.',
  errors: [404, 503],
  params: targetParams,
  response: z.strictObject({
    target: z.string(),
    ...ageSchema,
    predicted: isoTime.nullable().describe('Time of the row the prediction was made at; null while there is none'),
    failure: z
      .strictObject({
        horizons: z.array(z.strictObject({ horizon_seconds: finite, probability: share })),
        confidence: share.describe('How far to believe it: short history, absent signals and drift lower it'),
        event: z.string().nullable().describe('What is likely to fail'),
        reasons: z.array(z.strictObject({ feature: z.string(), value: finite, weight: finite, sentence: z.string() })),
      })
      .nullable()
      .describe('Null until enough is known, and where no bundle with a failure model is loaded'),
    resources: z
      .array(
        z.strictObject({
          resource: z.string(),
          level: finite,
          capacity: finite,
          state: z.string().describe('Why it is foreseen to run out, or not'),
          lower: instant,
          median: instant,
          upper: instant,
          confidence: share.describe('Probability that it goes on to the limit at all, unless someone steps in'),
          within_day: share.describe('Probability that it runs out within a day'),
          trend: z
            .strictObject({ per_hour: finite, since: isoTime })
            .nullable()
            .describe('Growth in the unit of the capacity'),
          sentence: z.string().nullable(),
          action: z.string(),
        }),
      )
      .describe('Soonest first'),
  }),
  handler({ deps, params, now }) {
    const a = findAssessment(deps, params.target)
    const { outlook } = a
    return {
      target: a.target,
      ...ageOf(a, deps, now),
      predicted: outlook && iso(outlook.at),
      failure: outlook?.failure
        ? {
            horizons: outlook.failure.horizons.map(({ seconds, probability }) => ({
              horizon_seconds: seconds,
              probability,
            })),
            confidence: outlook.failure.confidence,
            event: outlook.failure.event,
            reasons: outlook.failure.reasons.map((reason) => ({ ...reason })),
          }
        : null,
      resources: (outlook?.resources ?? []).map((r) => ({
        resource: r.resource,
        level: r.level,
        capacity: r.capacity,
        state: r.state,
        lower: isoOrNull(r.lower),
        median: isoOrNull(r.median),
        upper: isoOrNull(r.upper),
        confidence: r.confidence,
        within_day: r.withinDay,
        trend: r.trend && { per_hour: 3600 * r.trend.perSecond, since: iso(r.trend.since * 1000) },
        sentence: r.sentence,
        action: r.action,
      })),
    }
  },
})

/** Beyond the year 9999 there are no four-digit years. */
const LAST = 253_402_300_799

const isoOrNull = (seconds: number): string | null => (seconds <= LAST ? iso(seconds * 1000) : null)
