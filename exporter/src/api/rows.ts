/**
 * Rows that others push: their schema, which documents them, and a reader that takes ten thousand values in a few
 * milliseconds and refuses what the schema refuses, row by row.
 */
import { z } from 'zod'
import type { Resource, SignalValues } from '../types.ts'
import type { PushedRow, Rejection } from './deps.ts'
import { ApiError, quoted } from './errors.ts'

/** Values of one request. */
export const MOST_VALUES = 10_000
/** Signals of one row, and of one target. */
export const MOST_SIGNALS = 256
const MOST_RESOURCES = 256
/** Rejections that are listed; all are counted. */
export const MOST_LISTED = 100
/** How far ahead of this host's clock the clock of a sender may be, ms. */
export const AHEAD_MS = 600_000
/** Far beyond every real value; the square of a larger one would leave the range of the models' numbers. */
export const LARGEST = 1e15
/** The year 2100. */
const LATEST_SECONDS = 4_102_444_800

export const SIGNAL_NAME = /^[a-z][a-z0-9_]{0,62}$/
/** As the name of this host in the configuration. */
export const TARGET_NAME = /^\P{C}{1,128}$/u
const RESOURCE_NAME = /^\P{C}{1,256}$/u
const KINDS = ['host', 'service'] as const
const UNITS = ['bytes', 'inodes', 'handles'] as const
const ISO = z.regexes.datetime({ offset: true })

export const timestamp = z
  .union([
    z.number().min(0).max(LATEST_SECONDS),
    z
      .string()
      .max(64)
      .refine((text) => readTime(text) !== null, 'must be ISO 8601 with a time zone, from 1970 to 2100')
      .meta({ format: 'date-time' }),
  ])
  .describe('Unix seconds, or ISO 8601 with a time zone')

export const signalName = z.string().regex(SIGNAL_NAME)

export const rowSchema = z.strictObject({
  target: z
    .string()
    .regex(TARGET_NAME)
    .describe('Who the row is of: 1 to 128 characters, none of them a control character'),
  kind: z.enum(KINDS).optional().describe('What the target is; a new one is a host unless told'),
  timestamp,
  values: z
    .record(signalName, z.number().min(-LARGEST).max(LARGEST))
    .refine((values) => {
      const n = Object.keys(values).length
      return n >= 1 && n <= MOST_SIGNALS
    }, `must hold 1 to ${MOST_SIGNALS} signals`)
    .meta({ minProperties: 1, maxProperties: MOST_SIGNALS })
    .describe("Signal name -> value in the signal's unit; a signal that is missing is left out"),
  resources: z
    .array(
      z.strictObject({
        resource: z.string().regex(RESOURCE_NAME).describe('Such as filesystem:/var'),
        used: z.number().min(0).max(1),
        capacity: z.number().min(0).optional().describe('In the unit'),
        unit: z.enum(UNITS).optional(),
      }),
    )
    .max(MOST_RESOURCES)
    .optional()
    .describe('What has a capacity that can run out'),
})

export interface ReadRows {
  readonly rows: readonly PushedRow[]
  /** The first MOST_LISTED. */
  readonly rejected: readonly Rejection[]
  readonly rejectedRows: number
}

/** What is wrong with a row: the field below the row, and why. */
class Fault {
  readonly field: string
  readonly message: string

  constructor(field: string, message: string) {
    this.field = field
    this.message = message
  }
}

/**
 * The sound rows and what is wrong with the others.
 * @param now Unix ms
 * @throws ApiError 413 for more than MOST_VALUES values
 */
export function readRows(rows: readonly unknown[], now: number): ReadRows {
  const sound: PushedRow[] = []
  const rejected: Rejection[] = []
  let rejectedRows = 0
  const count = { values: 0 }
  rows.forEach((row, index) => {
    const read = readRow(row, index, now, count)
    if (count.values > MOST_VALUES) {
      throw new ApiError(413, 'too_many_values', `more than ${MOST_VALUES} values in one request`, `rows[${index}]`)
    }
    if (!(read instanceof Fault)) {
      sound.push(read)
      return
    }
    rejectedRows++
    if (rejected.length === MOST_LISTED) return
    const field = `rows[${index}]${read.field === '' ? '' : `.${read.field}`}`
    rejected.push({ row: index, field, message: read.message })
  })
  return { rows: sound, rejected, rejectedRows }
}

function readRow(row: unknown, index: number, now: number, count: { values: number }): PushedRow | Fault {
  if (!isObject(row)) return new Fault('', `must be an object, is ${shown(row)}`)
  for (const key of Object.keys(row)) {
    if (key !== 'target' && key !== 'kind' && key !== 'timestamp' && key !== 'values' && key !== 'resources') {
      return new Fault(short(key), `unknown key ${quoted(key)}`)
    }
  }
  const { target, kind, timestamp, values, resources } = row
  if (typeof target !== 'string' || !TARGET_NAME.test(target)) {
    return new Fault('target', `must be 1 to 128 characters without control characters, is ${shown(target)}`)
  }
  if (kind !== undefined && kind !== 'host' && kind !== 'service') {
    return new Fault('kind', `must be host or service, is ${shown(kind)}`)
  }
  const at = readTime(timestamp)
  if (at === null) {
    return new Fault('timestamp', `must be Unix seconds or ISO 8601 with a time zone, is ${shown(timestamp)}`)
  }
  const checked = readValues(values, count)
  if (checked instanceof Fault) return checked
  const found = resources === undefined ? [] : readResources(resources)
  if (found instanceof Fault) return found
  if (at > now + AHEAD_MS) {
    const ahead = Math.round((at - now) / 60_000)
    return new Fault(
      'timestamp',
      `is ${ahead} minutes ahead of this host's clock, at most ${AHEAD_MS / 60_000} are taken`,
    )
  }
  return { target, ...(kind !== undefined && { kind }), at, values: checked, resources: found, index }
}

/** Unix seconds or ISO 8601 -> whole Unix ms, or null. */
export function readTime(given: unknown): number | null {
  if (typeof given === 'number') return given >= 0 && given <= LATEST_SECONDS ? Math.round(given * 1000) : null
  if (typeof given !== 'string' || given.length > 64 || !ISO.test(given)) return null
  const at = Date.parse(given)
  return at >= 0 && at <= LATEST_SECONDS * 1000 ? at : null
}

function readValues(values: unknown, count: { values: number }): SignalValues | Fault {
  if (!isObject(values)) return new Fault('values', `must be an object of signals, is ${shown(values)}`)
  const names = Object.keys(values)
  count.values += names.length
  if (names.length === 0 || names.length > MOST_SIGNALS) {
    return new Fault('values', `must hold 1 to ${MOST_SIGNALS} signals, holds ${names.length}`)
  }
  for (const name of names) {
    if (!SIGNAL_NAME.test(name)) {
      const message = 'a signal is named by 1 to 63 small letters, digits and underscores, a letter first'
      return new Fault(`values.${short(name)}`, `${message}; ${quoted(name)} is not`)
    }
    const value = values[name]
    if (!(typeof value === 'number' && Math.abs(value) <= LARGEST)) {
      return new Fault(`values.${name}`, `must be a finite number of at most ${LARGEST} either way, is ${shown(value)}`)
    }
  }
  return values as SignalValues
}

function readResources(resources: unknown): readonly Resource[] | Fault {
  if (!Array.isArray(resources) || resources.length > MOST_RESOURCES) {
    return new Fault('resources', `must be a list of at most ${MOST_RESOURCES} resources`)
  }
  for (const [i, one] of (resources as unknown[]).entries()) {
    const at = `resources[${i}]`
    if (!isObject(one)) return new Fault(at, `must be an object, is ${shown(one)}`)
    const { resource, used, capacity, unit, ...others } = one
    const [unknown] = Object.keys(others)
    if (unknown !== undefined) return new Fault(`${at}.${short(unknown)}`, `unknown key ${quoted(unknown)}`)
    if (typeof resource !== 'string' || !RESOURCE_NAME.test(resource)) {
      return new Fault(`${at}.resource`, `must be 1 to 256 characters, is ${shown(resource)}`)
    }
    if (!(typeof used === 'number' && used >= 0 && used <= 1)) {
      return new Fault(`${at}.used`, `must be a number from 0 to 1, is ${shown(used)}`)
    }
    if (capacity !== undefined && !(typeof capacity === 'number' && Number.isFinite(capacity) && capacity >= 0)) {
      return new Fault(`${at}.capacity`, `must be a number of at least 0, is ${shown(capacity)}`)
    }
    if (unit !== undefined && !(UNITS as readonly unknown[]).includes(unit)) {
      return new Fault(`${at}.unit`, `must be one of ${UNITS.join(', ')}, is ${shown(unit)}`)
    }
  }
  return resources as Resource[]
}

const isObject = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x)

const short = (name: string): string => name.slice(0, 100)

/** A value as it may be repeated in a message. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return `the text ${quoted(value)}`
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
