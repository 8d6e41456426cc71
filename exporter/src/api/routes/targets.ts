import { z } from 'zod'
import { ageOf, ageSchema, finite, modelState, risk, severity, share } from '../parameters.ts'
import { defineRoute } from '../route.ts'

export const targets = defineRoute({
  method: 'GET',
  path: '/targets',
  scope: 'read',
  summary: 'All targets and how they are',
  description: 'A target without an assessment has not been scored yet.',
  errors: [],
  response: z.strictObject({
    targets: z.array(
      z.strictObject({
        target: z.string(),
        href: z.string().describe('Path of its health'),
        assessment: z
          .strictObject({
            ...ageSchema,
            health: finite.describe('0 to 100'),
            risk,
            severity,
            model: modelState,
            trust: share,
          })
          .nullable(),
      }),
    ),
  }),
  handler: ({ deps, now }) => ({
    targets: deps.targets().map(({ target, assessment: a }) => ({
      target,
      href: `/api/v1/targets/${encodeURIComponent(target)}/health`,
      assessment: a && {
        ...ageOf(a, deps, now),
        health: a.health,
        risk: a.risk,
        severity: a.severity,
        model: a.model,
        trust: a.trust,
      },
    })),
  }),
})
