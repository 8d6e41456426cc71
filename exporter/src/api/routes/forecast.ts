import { FORECAST_QUANTILES } from '@portent/core'
import { z } from 'zod'
import { ApiError, quoted } from '../errors.ts'
import { ageOf, ageSchema, findAssessment, finite, integer, iso, isoTime, orNull, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'
import { duration } from '../times.ts'

const DAY = 86_400
const DEFAULT_POINTS = 60
const MOST_POINTS = 1440
const MOST_SIGNALS = 64
const LEAST_HORIZON_MS = 60_000
/** A loss of so much of that of the last value, or less, is skill. */
const SKILLED = 0.95

export const forecast = defineRoute({
  method: 'GET',
  path: '/targets/:target/forecast',
  scope: 'read',
  summary: 'Health and signals ahead, with prediction intervals',
  description:
    'From the newest row, at evenly spaced times up to the horizon. Quantiles in the unit of the signal: of many points with ' +
    'the quantile p, a share p should come true at or below it. The model of each point won on the past of this very signal ' +
    'at about this horizon; skill is its validated loss as a share of that of the last value.',
  errors: [404, 503],
  params: targetParams,
  query: z.strictObject({
    signals: z
      .string()
      .max(4096)
      .optional()
      .describe('Comma-separated: health or names of signals. Default: health and the headline signals that are known'),
    horizon: duration.optional().describe('How far ahead: seconds or 30m, 6h, 1d; 1m to 1d. Default: 1h'),
    points: integer(1, MOST_POINTS).optional().describe(`Points of each signal. Default ${DEFAULT_POINTS}`),
  }),
  response: z.strictObject({
    target: z.string(),
    ...ageSchema,
    quantiles: z.array(finite).describe('Those of every point, in this order'),
    signals: z.array(
      z.strictObject({
        signal: z.string(),
        unit: z.string(),
        reason: z.string().nullable().describe('Why there are no points'),
        points: z.array(
          z.strictObject({
            at: isoTime,
            horizon_seconds: finite,
            values: z.array(finite),
            model: z.string(),
            skill: finite.nullable().describe('Below 1: better than the last value; null while it is not known'),
            low_confidence: z.boolean().describe('Nothing has beaten the last value here, or it is not known yet'),
          }),
        ),
      }),
    ),
  }),
  handler({ deps, params, query, now }) {
    const a = findAssessment(deps, params.target)
    const horizon = query.horizon ?? 3_600_000
    if (horizon < LEAST_HORIZON_MS || horizon > DAY * 1000) {
      throw new ApiError(400, 'invalid_parameter', 'horizon must be 1m to 1d', 'horizon')
    }
    const points = query.points ?? DEFAULT_POINTS
    const ahead = Array.from({ length: points }, (_, i) => ((i + 1) * horizon) / points / 1000)
    const units = new Map(deps.signals().map((s) => [s.signal, s.unit as string]))
    const known = ['health', ...Object.keys(a.values)]
    const signals = query.signals === undefined ? known.filter((s) => DEFAULT.includes(s)) : named(query.signals, known)
    return {
      target: a.target,
      ...ageOf(a, deps, now),
      quantiles: [...FORECAST_QUANTILES],
      signals: signals.map((signal) => {
        const found = deps.forecast?.(a.target, signal, ahead) ?? { reason: 'forecasts are off', points: null }
        return {
          signal,
          unit: signal === 'health' ? 'none' : (units.get(signal) ?? 'none'),
          reason: found.reason,
          points: (found.points ?? []).map(({ seconds, quantiles, model, skill }) => ({
            at: iso(a.at + seconds * 1000),
            horizon_seconds: seconds,
            values: Array.from(quantiles),
            model,
            skill: orNull(skill),
            low_confidence: !(skill < SKILLED),
          })),
        }
      }),
    }
  },
})

const DEFAULT = [
  'health',
  'cpu_busy',
  'memory_used',
  'disk_busy',
  'response_time',
  'network_receive',
  'network_transmit',
]

function named(text: string, known: readonly string[]): string[] {
  const signals = [...new Set(text.split(',').map((signal) => signal.trim()))]
  if (signals.length > MOST_SIGNALS) {
    throw new ApiError(400, 'too_many_signals', `at most ${MOST_SIGNALS} signals a request`, 'signals')
  }
  for (const signal of signals) {
    if (known.includes(signal)) continue
    throw new ApiError(400, 'unknown_signal', `the target has no signal ${quoted(signal)} now`, 'signals')
  }
  return signals
}
