import { z } from 'zod'
import { formatDuration, formatSize, parseDuration, parseListenAddress, parseSize } from './values.ts'

/**
 * Leaves of the schema. Each carries one sentence for the example file and `--help`, and one phrase that
 * completes "expected ...": the only source of error messages, so that the file, the environment and the
 * flags are refused in the same words.
 */

export type Kind = 'string' | 'path' | 'integer' | 'boolean' | 'duration' | 'size' | 'list' | 'section'

export interface About {
  readonly kind: Kind
  readonly description: string
  /** Default as one would write it in the file; a phrase in parentheses where it depends on the machine; absent: none. */
  readonly default?: string
  /** What the example shows for a key whose default is absent or depends on the machine. */
  readonly example?: string
  /** Further lines of prose in the example file. */
  readonly notes?: readonly string[]
  /** Name of the flag, where it is not the path. */
  readonly flag?: string
}

/** Schema -> what is said about it. */
export const about = z.registry<About>()

const describe = <T extends z.ZodType>(schema: T, info: About): T => {
  about.add(schema, info)
  return schema
}

type More = Partial<Pick<About, 'example' | 'notes' | 'flag'>>

/** A number with a unit; `parse` gives the base unit, `show` the text of it. */
const quantity = (
  kind: 'duration' | 'size',
  parse: (value: string | number) => number | null,
  show: (value: number) => string,
) => {
  const schema = (least: string, most: string) => {
    const low = parse(least) ?? 0
    const high = parse(most) ?? 0
    const expected = `a ${kind} from ${show(low)} to ${show(high)}`
    return z.union([z.string(), z.number()], { error: expected }).transform((value, context) => {
      const number = parse(value)
      if (number !== null && number >= low && number <= high) return number
      context.addIssue({ code: 'custom', message: expected })
      return z.NEVER
    })
  }
  return (fallback: string, range: readonly [string, string], description: string, more: More = {}) =>
    describe(schema(...range).prefault(fallback), { kind, description, default: fallback, ...more })
}

/** Decodes to milliseconds. */
export const duration = quantity('duration', parseDuration, formatDuration)

/** Decodes to bytes. */
export const size = quantity('size', parseSize, formatSize)

export const integer = (fallback: number, range: readonly [number, number], description: string, more: More = {}) => {
  const error = `a whole number from ${range[0]} to ${range[1]}`
  const schema = z.int({ error }).min(range[0], { error }).max(range[1], { error })
  return describe(schema.prefault(fallback), { kind: 'integer', description, default: String(fallback), ...more })
}

export const boolean = (fallback: boolean, description: string, more: More = {}) =>
  describe(z.boolean({ error: 'true or false' }).prefault(fallback), {
    kind: 'boolean',
    description,
    default: String(fallback),
    ...more,
  })

export const choice = <const T extends readonly [string, ...string[]]>(
  options: T,
  fallback: T[number],
  description: string,
) =>
  describe(
    z
      .enum(options, { error: options.length === 1 ? `"${options[0]}"` : `one of ${options.join(', ')}` })
      .prefault(fallback as never),
    { kind: 'string', description: `${description}: ${options.join(', ')}`, default: fallback },
  )

/** Text that must pass `accepts`. */
export const checked = (accepts: (value: string) => boolean, expected: string) =>
  z.string({ error: expected }).refine(accepts, { error: expected })

export const text = (
  schema: z.ZodType<string, string>,
  fallback: string | (() => string),
  info: Omit<About, 'kind' | 'default'> & { kind?: 'path'; default?: string },
) => {
  const shown = info.default ?? (typeof fallback === 'string' ? fallback : '')
  return describe(schema.prefault(fallback as string), { kind: 'string', ...info, default: shown })
}

/** A key that may be absent. */
export const optionalText = (schema: z.ZodType<string, string>, info: Omit<About, 'kind'> & { kind?: 'path' }) =>
  describe(schema.exactOptional(), { kind: 'string', ...info })

export const list = <T extends z.ZodType>(
  element: T,
  expected: string,
  description: string,
  more: More = {},
  fallback: z.input<T>[] = [],
) =>
  describe(z.array(element, { error: expected }).max(1000, { error: 'at most 1000 entries' }).prefault(fallback), {
    kind: 'list',
    description,
    default: `[${fallback.join(', ')}]`,
    ...more,
  })

/** A mapping of keys; absent or empty means all its defaults. */
export const section = <T extends z.ZodRawShape>(description: string, shape: T) => {
  const object = z.strictObject(shape, { error: 'a mapping of keys' })
  return describe(object.prefault({} as z.input<typeof object>), { kind: 'section', description })
}

/** No control characters, 1 to `most` characters. */
export const printable = (most: number) =>
  checked(
    (value) => value.length >= 1 && value.length <= most && !/\p{C}/u.test(value),
    `text of 1 to ${most} characters without control characters`,
  )

export const filePath = checked((value) => value.length >= 1 && !value.includes('\0'), 'a path')

export const listenAddress = checked(
  (value) => parseListenAddress(value) !== null,
  'an address HOST:PORT, [IPV6]:PORT or :PORT',
)

/** Credentials do not belong into a URL: it is logged and shown. */
export const httpUrl = checked((value) => {
  if (!URL.canParse(value)) return false
  const url = new URL(value)
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}, 'an http or https URL without user name and password')

/** Keys that anybody on the way could replace prove nothing: https, or this host itself. */
export const keysPlace = checked((value) => {
  if (value.startsWith('/')) return !value.includes('\0')
  if (!URL.canParse(value)) return false
  const { protocol, hostname, username, password, hash } = new URL(value)
  if (username !== '' || password !== '' || hash !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && /^(127\.0\.0\.1|\[::1\]|localhost)$/.test(hostname))
}, 'an https URL (http on loopback) without user name and password, or an absolute path')

/** As a browser sends it. */
export const origin = checked(
  (value) => /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value,
  'an origin such as https://portal.example.org',
)

export const regularExpression = checked((value) => {
  try {
    return Boolean(new RegExp(value))
  } catch {
    return false
  }
}, 'a regular expression')
