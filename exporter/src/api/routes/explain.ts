import { z } from 'zod'
import type { SignalValues } from '../../types.ts'
import type { ApiDeps, RangeExplanation } from '../deps.ts'
import { ApiError } from '../errors.ts'
import {
  ageOf,
  ageSchema,
  findAssessment,
  findTarget,
  finite,
  flag,
  iso,
  isoTime,
  share,
  targetParams,
} from '../parameters.ts'
import { defineRoute } from '../route.ts'
import { time } from '../times.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** A minute is read for a minute: so many cost some tenths of a second, in slices. */
const MOST_DAYS = 31

const attribution = z.strictObject({
  base: finite.describe('Output for a usual row'),
  output: finite.describe('base + sum of the values'),
  signals: z
    .array(
      z.strictObject({
        signal: z.string(),
        value: finite.describe('SHAP value; positive is more anomalous'),
        share: share.describe('Of the sum of all absolute values'),
      }),
    )
    .describe('Largest absolute value first'),
})

const range = z
  .strictObject({
    from: isoTime.describe('Start of what was counted, inclusive: a whole minute where its rows are not kept any more'),
    to: isoTime.describe('End of what was counted, exclusive; as `from`'),
    rows: z.strictObject({
      explained: z.int().describe('Rows that `primary` is the mean of'),
      rules_alone: z.int().describe('Rows that no model scored'),
      unassessed: z.int().describe('Rows that came too late, and samples within an interval'),
      not_kept: z.int().describe('Rows whose explanation was not kept'),
    }),
  })
  .describe('Only where a range was asked for')

const response = z.strictObject({
  target: z.string(),
  at: ageSchema.at.optional(),
  age_seconds: ageSchema.age_seconds.optional(),
  current: ageSchema.current.optional(),
  range: range.optional(),
  reason: z.string().nullable().describe('Why there is no primary explanation'),
  primary: attribution
    .extend({
      features: z
        .array(z.strictObject({ signal: z.string(), feature: z.string(), value: finite }))
        .nullable()
        .optional(),
    })
    .nullable(),
  forest: attribution.nullable().optional().describe('Null where the bundle has no forest'),
})

export const explain = defineRoute({
  method: 'GET',
  path: '/targets/:target/explain',
  scope: 'read',
  summary: 'Why a target scored as it did: SHAP values',
  description:
    'The primary explanation is additive over the window score. Of the newest row, or with `from` or `to` the mean over ' +
    `the rows of a range of at most ${MOST_DAYS} days; that is additive too. \`features\` adds the features behind each ` +
    'signal, `forest` the exact TreeSHAP of the forest in units of path length, both of the newest row only. Null with a ' +
    'reason where no model scored. `at`, `age_seconds` and `current` are those of the newest row, and absent with a range.',
  errors: [404, 503],
  params: targetParams,
  query: z.strictObject({
    from: time.optional().describe('Start, inclusive: Unix seconds or ISO 8601. Default: an hour before `to`'),
    to: time.optional().describe('End, exclusive: Unix seconds or ISO 8601. Default: now'),
    features: flag.describe('Whether to list the features behind each signal. Default false'),
    forest: flag.describe('Whether to explain the forest too. Default false'),
  }),
  response,
  async handler({ deps, params, query, now }) {
    const { from, to, features, forest } = query
    if (from === undefined && to === undefined) {
      return await ofNewestRow(deps, params.target, now, features === true, forest === true)
    }
    const { target } = findTarget(deps, params.target)
    for (const [name, given] of Object.entries({ features, forest })) {
      if (given) throw new ApiError(400, 'newest_row_only', `${name}: only the newest row has it`, name)
    }
    return await ofRange(deps, target, ...bounds(from, to, now))
  },
})

function bounds(from: number | undefined, to: number | undefined, now: number): [from: number, to: number] {
  const end = to ?? now
  const start = from ?? Math.max(0, end - HOUR)
  if (start >= end) throw new ApiError(400, 'empty_range', 'from must be before to', 'from')
  if (end - start > MOST_DAYS * DAY) {
    const message = `a range of ${((end - start) / DAY).toFixed(1)} days: at most ${MOST_DAYS} are explained at once`
    throw new ApiError(400, 'range_too_long', message, 'from')
  }
  return [start, end]
}

async function ofNewestRow(
  deps: ApiDeps,
  target: string,
  now: number,
  withFeatures: boolean,
  withForest: boolean,
): Promise<z.input<typeof response>> {
  const a = findAssessment(deps, target)
  const features = withFeatures ? (deps.shapFeatures?.(a.target) ?? null) : undefined
  const forest = withForest ? ((await deps.explainForest?.(a.target)) ?? null) : undefined
  return {
    target: a.target,
    ...ageOf(a, deps, now),
    reason: a.shap === null ? 'rules alone assessed this row: no model scored it' : null,
    primary: a.shap && {
      ...attributionOf(a.shap),
      ...(features !== undefined && { features: features?.map((feature) => ({ ...feature })) ?? null }),
    },
    ...(forest !== undefined && { forest: forest && attributionOf(forest) }),
  }
}

async function ofRange(deps: ApiDeps, target: string, start: number, end: number): Promise<z.input<typeof response>> {
  const { from, to, shap, rows } = await deps.explainRange(target, start, end)
  const { explained, rulesAlone, unassessed, notKept } = rows
  return {
    target,
    range: {
      from: iso(from),
      to: iso(to),
      rows: { explained, rules_alone: rulesAlone, unassessed, not_kept: notKept },
    },
    reason: shap === null ? reasonOf(rows) : null,
    primary: shap && attributionOf(shap),
  }
}

/** Why no row of a range is explained. */
function reasonOf({ rulesAlone, unassessed, notKept }: RangeExplanation['rows']): string {
  if (notKept > 0) return 'the explanations of these rows were not kept'
  if (rulesAlone > 0) return 'rules alone assessed these rows: no model scored them'
  return unassessed > 0 ? 'none of these rows was assessed' : 'there are no rows in this range'
}

function attributionOf({ base, output, signals }: { base: number; output: number; signals: SignalValues }) {
  const values = Object.entries(signals).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
  const total = values.reduce((sum, [, value]) => sum + Math.abs(value), 0)
  return {
    base,
    output,
    signals: values.map(([signal, value]) => ({ signal, value, share: total === 0 ? 0 : Math.abs(value) / total })),
  }
}
