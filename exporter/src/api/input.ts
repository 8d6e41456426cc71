/** Request -> validated input. Everything from outside is hostile until it is through here. */
import type { z } from 'zod'
import { ApiError, quoted } from './errors.ts'

/** Bytes of a body, but on routes that take a lot. */
export const BODY_LIMIT = 64 * 1024
export const DEPTH_LIMIT = 32

/** Query parameters against their schema: unknown and repeated ones are refused by name. */
export function readQuery(search: URLSearchParams, schema: z.ZodObject | undefined): unknown {
  const known = Object.keys(schema?.shape ?? {})
  const values = new Map<string, string>()
  for (const [name, value] of search) {
    if (!known.includes(name)) {
      const list = known.length === 0 ? 'this route takes none' : `known: ${known.join(', ')}`
      throw new ApiError(
        400,
        'unknown_parameter',
        `unknown query parameter ${quoted(name)}; ${list}`,
        name.slice(0, 100),
      )
    }
    if (values.has(name)) throw new ApiError(400, 'repeated_parameter', `query parameter ${name} is given twice`, name)
    values.set(name, value)
  }
  return schema === undefined ? {} : parse(schema, Object.fromEntries(values), 'query parameter')
}

/** Throws 400 with the first thing that is wrong. */
export function parse(schema: z.ZodType, value: unknown, what: string): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  if (issue === undefined) throw new ApiError(400, 'invalid', `invalid ${what}`)
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    const field = [...issue.path, key].join('.')
    throw new ApiError(400, 'unknown_key', `unknown ${what} ${quoted(field)}`, field.slice(0, 100))
  }
  const field = issue.path.join('.')
  const message = field === '' ? `invalid ${what}: ${issue.message}` : `invalid ${what} ${field}: ${issue.message}`
  throw new ApiError(400, 'invalid', message, field === '' ? undefined : field)
}

/** The JSON of a body of at most `limit` bytes and DEPTH_LIMIT levels. */
export async function readJson(request: Request, limit = BODY_LIMIT): Promise<unknown> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type)) {
    throw new ApiError(415, 'unsupported_media_type', 'the body must be application/json in UTF-8', 'Content-Type')
  }
  if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity') {
    throw new ApiError(415, 'unsupported_encoding', 'the body must not be compressed', 'Content-Encoding')
  }
  const text = await readText(request, limit)
  if (deeperThan(text, DEPTH_LIMIT)) {
    throw new ApiError(400, 'too_deep', `the JSON is nested deeper than ${DEPTH_LIMIT} levels`)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiError(400, 'invalid_json', 'the body is not JSON')
  }
}

async function readText(request: Request, limit: number): Promise<string> {
  const tooLarge = () => new ApiError(413, 'too_large', `the body is larger than ${limit} bytes`)
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge()
  if (request.body === null) return ''
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of request.body) {
      length += chunk.length
      if (length > limit) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof ApiError) throw error
    // Nobody is there to read this; it is no fault of the service.
    throw new ApiError(400, 'incomplete_body', 'the body ended before it was complete')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new ApiError(400, 'invalid_utf8', 'the body is not UTF-8')
  }
}

/** Counts brackets outside strings: cheap, and no recursion that an attacker could exhaust. */
export function deeperThan(json: string, limit: number): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i)
    if (inString) {
      if (c === 0x5c) i++
      else if (c === 0x22) inString = false
    } else if (c === 0x22) inString = true
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true
    } else if (c === 0x7d || c === 0x5d) depth--
  }
  return false
}
