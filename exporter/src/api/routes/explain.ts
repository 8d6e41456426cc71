import { z } from 'zod'
import type { SignalValues } from '../../types.ts'
import { ageOf, ageSchema, findAssessment, finite, flag, share, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'

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

export const explain = defineRoute({
  method: 'GET',
  path: '/targets/:target/explain',
  scope: 'read',
  summary: 'Why a target scored as it did: SHAP values',
  description:
    'The primary explanation is additive over the window score. `features` adds the features behind each signal, ' +
    '`forest` the exact TreeSHAP of the forest in units of path length. Null with a reason where no model scored.',
  errors: [404, 503],
  params: targetParams,
  query: z.strictObject({
    features: flag.describe('Whether to list the features behind each signal. Default false'),
    forest: flag.describe('Whether to explain the forest too. Default false'),
  }),
  response: z.strictObject({
    target: z.string(),
    ...ageSchema,
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
  }),
  async handler({ deps, params, query, now }) {
    const a = findAssessment(deps, params.target)
    const features = query.features === true ? (deps.shapFeatures?.(a.target) ?? null) : undefined
    const forest = query.forest === true ? ((await deps.explainForest?.(a.target)) ?? null) : undefined
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
  },
})

function attributionOf({ base, output, signals }: { base: number; output: number; signals: SignalValues }) {
  const values = Object.entries(signals).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
  const total = values.reduce((sum, [, value]) => sum + Math.abs(value), 0)
  return {
    base,
    output,
    signals: values.map(([signal, value]) => ({ signal, value, share: total === 0 ? 0 : Math.abs(value) / total })),
  }
}
