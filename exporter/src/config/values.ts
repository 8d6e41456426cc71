/** Values with units, parsed in one place. Durations become milliseconds, sizes bytes. */

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const SIZE_UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const

const withUnit = (text: string, units: Readonly<Record<string, number>>): number | null => {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text.trim())
  const factor = match?.[2] !== undefined && Object.hasOwn(units, match[2]) ? units[match[2]] : undefined
  return match?.[1] === undefined || factor === undefined ? null : Math.round(Number(match[1]) * factor)
}

const plainNumber = (value: string | number): number | null => {
  if (typeof value === 'string' && !/^\s*\d+(?:\.\d+)?\s*$/.test(value)) return null
  const number = Number(value)
  return Number.isFinite(number) && number >= 0 ? number : null
}

/** `2s`, `500ms`, `24h`, `30d`, or a number of seconds -> milliseconds; null if it is no duration. */
export function parseDuration(value: string | number): number | null {
  const seconds = plainNumber(value)
  if (seconds !== null) return Math.round(seconds * 1000)
  return typeof value === 'string' ? withUnit(value, DURATION_UNITS) : null
}

/** `16MiB`, `1GiB`, or a number of bytes -> bytes; null if it is no size. Units are binary: B, KiB, MiB, GiB, TiB. */
export function parseSize(value: string | number): number | null {
  const bytes = plainNumber(value)
  if (bytes !== null) return Number.isInteger(bytes) ? bytes : null
  return typeof value === 'string' ? withUnit(value, SIZE_UNITS) : null
}

const format = (value: number, units: Readonly<Record<string, number>>, base: string): string => {
  const fitting = Object.entries(units).filter(([, factor]) => value >= factor && value % factor === 0)
  const [unit, factor] = fitting.at(-1) ?? [base, 1]
  return `${value / factor}${unit}`
}

/** Milliseconds -> the shortest text that `parseDuration` reads back as the same number; days are the longest unit. */
export const formatDuration = (ms: number): string => {
  const { w: _weeks, ...units } = DURATION_UNITS
  return format(ms, units, 'ms')
}

/** Bytes -> the shortest text that `parseSize` reads back as the same number. */
export const formatSize = (bytes: number): string => format(bytes, SIZE_UNITS, 'B')

/** `host` is null for all interfaces. */
export interface ListenAddress {
  readonly host: string | null
  readonly port: number
}

/** `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000`, or `:9000` for all interfaces; null if it is no address. */
export function parseListenAddress(text: string): ListenAddress | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3] ?? Number.NaN)
  if (!match || !(port <= 65_535)) return null
  return { host: match[1] || match[2] || null, port }
}
