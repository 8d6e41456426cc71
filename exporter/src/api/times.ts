/** Times and durations as they come in query parameters. */
import { z } from 'zod'

const UNITS: Readonly<Record<string, number>> = { '': 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** The year 2100: no clock of ours is past it. */
const LATEST = 4_102_444_800_000
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/

/** Unix seconds or ISO 8601 with a time zone -> Unix ms, or null. */
export function parseTime(text: string): number | null {
  const at = /^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) * 1000 : ISO.test(text) ? Date.parse(text) : Number.NaN
  return at >= 0 && at <= LATEST ? at : null
}

/** `30`, `30s`, `5m`, `1h` -> ms, or null. */
export function parseDuration(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text) ?? []
  const length = Number(digits) * (UNITS[unit] ?? Number.NaN)
  return digits !== '' && length > 0 ? length : null
}

const parsed = (parse: (text: string) => number | null, message: string) =>
  z.string().transform((text, context) => {
    const value = parse(text)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })

export const time = parsed(parseTime, 'must be Unix seconds or ISO 8601 with a time zone')
export const duration = parsed(parseDuration, 'must be seconds or a duration such as 30s, 5m or 1h')
