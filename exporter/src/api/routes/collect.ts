import { z } from 'zod'
import { ApiError } from '../errors.ts'
import { finite, iso, isoTime, share } from '../parameters.ts'
import { defineRoute } from '../route.ts'

export const collect = defineRoute({
  method: 'POST',
  path: '/collect',
  scope: 'write',
  summary: 'Collects from this host now',
  description:
    'One tick of the collectors besides those of the schedule; one that is under way is shared. ' +
    'The sample counts for the row in progress as any other.',
  errors: [503],
  response: z.strictObject({
    target: z.string(),
    at: isoTime,
    values: z.record(z.string(), finite).describe("In each signal's unit"),
    resources: z.array(
      z.strictObject({
        resource: z.string(),
        used: share,
        capacity: finite.optional(),
        unit: z.string().optional(),
      }),
    ),
  }),
  async handler({ deps }) {
    const sample = await deps.collect()
    if (sample === null) throw new ApiError(503, 'not_collecting', 'the collectors are stopped')
    const { target, at, values, resources } = sample
    return { target, at: iso(at), values: { ...values }, resources: resources.map((x) => ({ ...x })) }
  },
})
