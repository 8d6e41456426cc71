import { z } from 'zod'
import { type ApiDeps, HISTORY_FIELDS } from '../deps.ts'
import { ApiError, quoted } from '../errors.ts'
import { findTarget, finite, iso, isoTime, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'
import { duration, time } from '../times.ts'

const HOUR = 3_600_000
/** As many as Prometheus gives in one range query. */
const MAX_POINTS = 11_000
const DEFAULT_POINTS = 360
const MAX_FIELDS = 64

export const history = defineRoute({
  method: 'GET',
  path: '/targets/:target/history',
  scope: 'read',
  summary: 'Past health, scores and signals of a target',
  description:
    `Means over steps. At most ${MAX_POINTS} points a request. A step without data is absent, ` +
    'and so is a field that has none in a step.',
  errors: [404],
  params: targetParams,
  query: z.strictObject({
    from: time.optional().describe('Start, inclusive: Unix seconds or ISO 8601. Default: an hour before `to`'),
    to: time.optional().describe('End, exclusive: Unix seconds or ISO 8601. Default: now'),
    step: duration.optional().describe('Length of a step: seconds or 30s, 5m, 1h. Default: a few hundred points'),
    fields: z
      .string()
      .max(4096)
      .optional()
      .describe(
        `Comma-separated: ${HISTORY_FIELDS.join(', ')} or names of signals or mounts (filesystem:/var). Default: health,anomaly`,
      ),
  }),
  response: z.strictObject({
    target: z.string(),
    from: isoTime,
    to: isoTime,
    step_seconds: finite,
    fields: z.array(z.string()),
    points: z.array(
      z.strictObject({ at: isoTime.describe('Start of the step'), values: z.record(z.string(), finite) }),
    ),
  }),
  async handler({ deps, params, query, now }) {
    const { target } = findTarget(deps, params.target)
    const to = query.to ?? now
    const from = query.from ?? Math.max(0, to - HOUR)
    if (from >= to) throw new ApiError(400, 'empty_range', 'from must be before to', 'from')
    const interval = deps.scoreIntervalSeconds * 1000
    const step = query.step ?? Math.max(1, Math.ceil((to - from) / DEFAULT_POINTS / interval)) * interval
    if ((to - from) / step > MAX_POINTS) {
      const least = Math.ceil((to - from) / MAX_POINTS / 1000)
      const message = `more than ${MAX_POINTS} points; a step of at least ${least}s fits`
      throw new ApiError(400, 'too_many_points', message, 'step')
    }
    const fields = readFields(query.fields ?? 'health,anomaly', deps, params.target)
    const points = await deps.history(target, { from, to, step, fields })
    return {
      target,
      from: iso(from),
      to: iso(to),
      step_seconds: step / 1000,
      fields,
      points: points.slice(0, MAX_POINTS + 1).map(({ at, values }) => ({ at: iso(at), values: { ...values } })),
    }
  },
})

function readFields(text: string, deps: ApiDeps, target: string): string[] {
  const known = new Set<string>([
    ...HISTORY_FIELDS,
    ...deps.signals().map((s) => s.signal),
    ...Object.keys(deps.target(target)?.assessment?.values ?? {}),
    ...(deps.target(target)?.assessment?.resources ?? []).map((r) => r.resource).filter((name) => name.includes(':')),
  ])
  const fields = [...new Set(text.split(',').map((field) => field.trim()))]
  if (fields.length > MAX_FIELDS) {
    throw new ApiError(400, 'too_many_fields', `at most ${MAX_FIELDS} fields a request`, 'fields')
  }
  for (const field of fields) {
    if (known.has(field)) continue
    const message = `unknown field ${quoted(field)}; known: ${HISTORY_FIELDS.join(', ')} and the target's signals`
    throw new ApiError(400, 'unknown_field', message, 'fields')
  }
  return fields
}
