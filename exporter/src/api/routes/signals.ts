import { z } from 'zod'
import { ageOf, ageSchema, findAssessment, finite, share, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'

export const signals = defineRoute({
  method: 'GET',
  path: '/targets/:target/signals',
  scope: 'read',
  summary: 'Current signals and resources of a target',
  description: 'A signal that the target lacks is listed as absent and has no value.',
  errors: [404, 503],
  params: targetParams,
  response: z.strictObject({
    target: z.string(),
    ...ageSchema,
    coverage: share.describe("Present share of the model's signals"),
    signals: z.array(
      z.strictObject({
        signal: z.string(),
        unit: z.string(),
        help: z.string().optional(),
        present: z.boolean(),
        value: finite.optional().describe('In the unit; missing where the signal is absent'),
        usual: z.strictObject({ low: finite, high: finite }).nullable().describe('Usual range, where known'),
      }),
    ),
    resources: z.array(
      z.strictObject({
        resource: z.string(),
        used: share,
        capacity: finite.optional(),
        unit: z.string().optional(),
      }),
    ),
  }),
  handler({ deps, params, now }) {
    const a = findAssessment(deps, params.target)
    const listed = deps.signals()
    const names = new Set(listed.map((s) => s.signal))
    const unlisted = Object.keys(a.values)
      .filter((signal) => !names.has(signal))
      .map((signal) => ({ signal, unit: 'none' as const }))
    const hinted = new Map(a.hints.map((hint) => [hint.signal, hint.usual]))
    return {
      target: a.target,
      ...ageOf(a, deps, now),
      coverage: a.coverage,
      signals: [...listed, ...unlisted].map((facts) => {
        const value = Object.hasOwn(a.values, facts.signal) ? a.values[facts.signal] : undefined
        const usual = deps.usualRange?.(a.target, facts.signal) ?? hinted.get(facts.signal) ?? null
        return {
          signal: facts.signal,
          unit: facts.unit,
          ...('help' in facts && facts.help !== undefined && { help: facts.help }),
          present: value !== undefined,
          ...(value !== undefined && { value }),
          usual: usual && { low: usual.low, high: usual.high },
        }
      }),
      resources: a.resources.map((resource) => ({ ...resource })),
    }
  },
})
