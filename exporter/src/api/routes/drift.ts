import { DRIFT_EVIDENCE, type DriftEvent, type DriftStatus, REFERENCE_ORIGINS } from '@portent/core'
import { z } from 'zod'
import { ageOf, ageSchema, findAssessment, finite, integer, iso, isoTime, share, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'

const SHOWN = 10
const MOST = 512

const score = z.strictObject({
  statistic: finite.describe('Sum of the hours beyond half a spread; a change of level above `limit`'),
  limit: finite,
  direction: z.enum(['up', 'down']).describe('Which way the score has gone'),
  shift: finite.describe('Mean of these hours, in spreads from usual'),
  hours: z.int().describe('For how long the sum has been above 0'),
})

const distribution = z.strictObject({
  signals: z.int().describe('Signals whose last day is further from a usual day than their own limit'),
  limit: z.int().describe('So many make a sign'),
  of: z.int().describe('Signals that can be compared'),
})

const status = z.strictObject({
  state: z
    .enum(['learning', 'watching', 'drifted'])
    .describe('learning: usual days are not known yet; drifted: a drift is confirmed, and neither re-based nor passed'),
  progress: share.describe('How much is known of what the hourly signs need'),
  reference: z
    .strictObject({ origin: z.enum(REFERENCE_ORIGINS), days: finite })
    .describe('Days that the last day is held against'),
  anomaly_rate: z
    .strictObject({ ratio: share, limit: finite, detected: z.boolean() })
    .nullable()
    .describe('Share of the last 200 rows over the threshold; high in any incident, and confirms nothing'),
  page_hinkley: score
    .extend({
      detected: z.boolean(),
      usual: z.strictObject({ mean: finite, sigma: finite, hours: finite }).describe('Of the hourly mean score'),
    })
    .nullable()
    .describe('Whether the level of the hourly score has changed'),
  distribution: distribution
    .extend({ detected: z.boolean() })
    .nullable()
    .describe('Whether the signals are what they were; null until a day is known'),
  signals: z
    .array(
      z.strictObject({
        signal: z.string(),
        distance: share.describe('Kolmogorov-Smirnov distance of the last day from usual days'),
        limit: share.describe('1.5 times that of the worst usual day'),
        drifted: z.boolean(),
        shift: finite.describe('How far the median has moved, in training spreads'),
      }),
    )
    .describe('Furthest beyond its limit first'),
  events: z
    .array(
      z.strictObject({
        at: isoTime,
        kind: z
          .enum(['confirmed', 'rebased', 'passed'])
          .describe('rebased: what is usual now is the new base; passed: it went back, and nothing was moved'),
        by: z.enum(DRIFT_EVIDENCE).describe('What confirmed it'),
        page_hinkley: score,
        distribution,
        signals: z.array(z.string()).describe('Those furthest beyond their limits'),
      }),
    )
    .describe('Newest first, the last ten'),
})

export const drift = defineRoute({
  method: 'GET',
  path: '/targets/:target/drift',
  scope: 'read',
  summary: 'Whether the model still fits the target, and the figures behind it',
  description:
    'A drift is confirmed when the level of the hourly score has changed and the signals are further from usual days than ' +
    'their own limits, within a day of each other; or when a fifth of the signals are for half a day. Twelve hours later ' +
    "the target's last day becomes what is usual, unless the drift has passed. Null with a reason where no model scores.",
  errors: [404, 503],
  params: targetParams,
  query: z.strictObject({
    signals: integer(1, MOST).optional().describe(`How many signals to list. Default ${SHOWN}`),
  }),
  response: z.strictObject({
    target: z.string(),
    ...ageSchema,
    detected: z.boolean(),
    reason: z.string().nullable().describe('Why there is no status'),
    status: status.nullable(),
  }),
  handler({ deps, params, query, now }) {
    const a = findAssessment(deps, params.target)
    const found = deps.drift?.(a.target) ?? null
    return {
      target: a.target,
      ...ageOf(a, deps, now),
      detected: found?.state === 'drifted',
      reason: found === null ? 'rules alone assess this target: there is no model that could drift' : null,
      status: found && statusOf(found, query.signals ?? SHOWN),
    }
  },
})

function statusOf(found: DriftStatus, most: number): z.input<typeof status> {
  const { state, progress, reference, anomalyRate, pageHinkley, distribution: far, signals, events } = found
  return {
    state,
    progress,
    reference: { ...reference },
    anomaly_rate: anomalyRate && { ...anomalyRate },
    page_hinkley: pageHinkley && { ...pageHinkley, usual: { ...pageHinkley.usual } },
    distribution: far && { ...far },
    signals: signals.slice(0, most).map((x) => ({ ...x, drifted: x.distance > x.limit })),
    events: events.map(eventOf),
  }
}

function eventOf({ at, kind, by, score, distribution: far, signals }: DriftEvent) {
  return { at: iso(at), kind, by, page_hinkley: { ...score }, distribution: { ...far }, signals: [...signals] }
}
