import { z } from 'zod'
import { finite, iso, isoTime, modelState, orNull } from '../parameters.ts'
import { defineRoute } from '../route.ts'

export const model = defineRoute({
  method: 'GET',
  path: '/model',
  scope: 'read',
  summary: 'The bundle that scores',
  description: 'In fallback mode rules alone score and `reason` says why.',
  errors: [],
  response: z.strictObject({
    state: modelState,
    reason: z.string().nullable(),
    bundle: z
      .strictObject({
        name: z.string(),
        version: z.string(),
        sha256: z.string().describe('Of its manifest'),
        trained: isoTime.nullable(),
        interval_seconds: finite,
        detectors: z.array(z.strictObject({ name: z.string(), weight: finite, sha256: z.string() })),
        features: z.int(),
        signals: z.array(z.string()),
        golden: z
          .strictObject({ cases: z.int(), worst: finite.nullable() })
          .describe('Known inputs that it answered as expected, and its largest relative difference'),
        failure: z.strictObject({ horizons_seconds: z.array(finite) }).nullable(),
        loaded: isoTime,
        load_seconds: finite,
      })
      .nullable(),
  }),
  handler({ deps }) {
    const { state, reason, bundle: b } = deps.model()
    return {
      state,
      reason,
      bundle: b && {
        name: b.name,
        version: b.version,
        sha256: b.sha256,
        trained: b.trainedAt === null ? null : iso(b.trainedAt),
        interval_seconds: b.intervalSeconds,
        detectors: b.detectors.map((detector) => ({ ...detector })),
        features: b.features,
        signals: [...b.signals],
        golden: { cases: b.golden.cases, worst: orNull(b.golden.worst) },
        failure: b.failure && { horizons_seconds: [...b.failure.horizonsSeconds] },
        loaded: iso(b.loadedAt),
        load_seconds: b.loadSeconds,
      },
    }
  },
})
