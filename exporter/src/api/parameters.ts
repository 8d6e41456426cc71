/** Parameters and values that several routes share. */
import { z } from 'zod'
import type { Assessment } from '../types.ts'
import { MODEL_STATES, RISKS, SEVERITIES } from '../types.ts'
import type { ApiDeps, TargetState } from './deps.ts'
import { ApiError, quoted } from './errors.ts'

export const targetParams = z.strictObject({
  target: z.string().describe('Name of a target, percent-encoded'),
})

export const isoTime = z.iso.datetime().describe('ISO 8601, UTC')
export const share = z.number().describe('0 to 1')
export const finite = z.number()
export const risk = z.enum(RISKS)
export const severity = z.enum(SEVERITIES)
export const modelState = z.enum(MODEL_STATES)

export const hintSchema = z
  .strictObject({
    signal: z.string(),
    value: finite.describe("In the signal's unit"),
    usual: z.strictObject({ low: finite, high: finite }).nullable().describe("Usual range in the signal's unit"),
    direction: z.enum(['above', 'below', 'unsteady', 'stopped']),
    contribution: finite.describe('SHAP value of the signal, or points of health where rules alone speak'),
    sentence: z.string(),
  })
  .describe('Which signal, its value, what is usual')

export const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional()

export const iso = (unixMs: number): string => new Date(unixMs).toISOString()

/** A text of digits as an integer within bounds. */
export const integer = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .refine((n) => n >= low && n <= high, `must be ${low} to ${high}`)

export function findTarget(deps: ApiDeps, name: string): TargetState {
  const found = deps.target(name)
  if (found === undefined) throw new ApiError(404, 'unknown_target', `there is no target ${quoted(name)}`, 'target')
  return found
}

/** The latest assessment of a target, whatever its age. */
export function findAssessment(deps: ApiDeps, name: string): Assessment {
  const { assessment } = findTarget(deps, name)
  if (assessment === null) {
    throw new ApiError(503, 'not_assessed', `target ${quoted(name)} has not been assessed yet`, 'target', {
      'Retry-After': String(Math.ceil(deps.scoreIntervalSeconds)),
    })
  }
  return assessment
}

/** When an assessment was made, and whether it still speaks for now (it does for three intervals). */
export function ageOf(assessment: Assessment, deps: ApiDeps, now: number) {
  const age = Math.max(0, now - assessment.at) / 1000
  return { at: iso(assessment.at), age_seconds: age, current: age <= 3 * deps.scoreIntervalSeconds }
}

export const ageSchema = {
  at: isoTime.describe('Time of the assessed row'),
  age_seconds: finite,
  current: z.boolean().describe('False where the assessment is older than three score intervals'),
}

/** JSON has no NaN and no infinity: such a value is null. */
export const orNull = (x: number | null | undefined): number | null =>
  x !== null && x !== undefined && Number.isFinite(x) ? x : null
