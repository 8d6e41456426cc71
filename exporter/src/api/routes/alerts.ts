import { z } from 'zod'
import { findTarget, finite, hintSchema, integer, iso, isoTime, severity, share } from '../parameters.ts'
import { defineRoute } from '../route.ts'

const MAX_LIMIT = 1000

export const alerts = defineRoute({
  method: 'GET',
  path: '/alerts',
  scope: 'read',
  summary: 'Alerts, newest first',
  description: 'An alert is raised on escalation only. For the next page pass `next_before` as `before`.',
  errors: [404],
  query: z.strictObject({
    target: z.string().max(1024).optional().describe('Only alerts of this target'),
    before: integer(0, Number.MAX_SAFE_INTEGER).optional().describe('Only alerts with a smaller id'),
    limit: integer(1, MAX_LIMIT).optional().describe(`1 to ${MAX_LIMIT}. Default 100`),
  }),
  response: z.strictObject({
    alerts: z.array(
      z.strictObject({
        id: z.int(),
        target: z.string(),
        at: isoTime,
        from: severity,
        severity,
        health: finite.describe('0 to 100'),
        confidence: share.nullable(),
        trust: share,
        message: z.string(),
        hints: z.array(hintSchema),
      }),
    ),
    next_before: z.int().nullable().describe('Null on the last page'),
  }),
  async handler({ deps, query }) {
    const { target, before, limit = 100 } = query
    // One more than asked for says whether there is another page.
    const found = await deps.alerts({
      limit: limit + 1,
      ...(target !== undefined && { target }),
      ...(before !== undefined && { before }),
    })
    // A former target may have alerts; a misspelt one has none.
    if (found.length === 0 && target !== undefined) findTarget(deps, target)
    const page = found.slice(0, limit)
    return {
      alerts: page.map((alert) => ({
        ...alert,
        at: iso(alert.at),
        hints: alert.hints.map((hint) => ({ ...hint, sentence: deps.hintSentence(hint) })),
      })),
      next_before: found.length > limit ? (page.at(-1)?.id ?? null) : null,
    }
  },
})
