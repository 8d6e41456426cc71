/** For tests: requests to every route of a document by its schema, with hostile values somewhere in about half of them. */
import fc from 'fast-check'
import type { JsonSchema, OpenApiDocument } from './openapi.ts'

export interface HostileRequest {
  readonly url: string
  readonly init: { readonly method: string; readonly body?: string; readonly headers: Record<string, string> }
}

const HOSTILE = [
  '',
  ' ',
  '\u0000',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '%00',
  '%ff',
  '$(id)',
  "' OR 1=1--",
  '<script>',
  '\ud800',
  '\u202e',
  'NaN',
  'Infinity',
  '-1',
  '1e999',
  '9'.repeat(400),
  'x'.repeat(9000),
  'null',
  'undefined',
  '0x10',
  '1,2',
  '[]',
  '{}',
]
const hostileText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE) },
  fc.string({ unit: 'binary', maxLength: 200 }),
)
const hostileValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    hostileText,
    fc.constantFrom(null, true, false, 0, -0, -1, 1e308, -1e308, 5e-324, 2 ** 53, 1.5),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', 'length', ''), fc.string()),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value

/** Values of a schema, about half of them replaced by something else somewhere. */
function valuesOf(schema: JsonSchema, seconds: number): fc.Arbitrary<unknown> {
  const {
    type,
    properties,
    items,
    anyOf,
    required = [],
  } = schema as {
    type?: string
    properties?: Record<string, JsonSchema>
    items?: JsonSchema
    anyOf?: JsonSchema[]
    required?: string[]
  }
  const fair = (): fc.Arbitrary<unknown> => {
    if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]))
    if (anyOf !== undefined) return fc.oneof(...anyOf.map((option) => valuesOf(option, seconds)))
    if (type === 'object' && properties !== undefined)
      return fc.record(
        Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, valuesOf(inner, seconds)])),
        {
          requiredKeys: required.filter((name) => name in properties),
        },
      )
    if (type === 'object')
      return fc.dictionary(
        fc.constantFrom('cpu_busy', 'a', 'memory_used', '__proto__'),
        fc.double({ min: -1, max: 1, noNaN: true }),
      )
    if (type === 'array') return fc.array(valuesOf(items ?? {}, seconds), { maxLength: 4 })
    if (type === 'boolean') return fc.boolean()
    if (type === 'number' || type === 'integer') return fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(seconds))
    return fc.constantFrom('host', 'cpu_busy', '2026-01-02T03:04:05Z', '1h')
  }
  return fc.oneof({ weight: 3, arbitrary: fair() }, { weight: 1, arbitrary: hostileValue })
}

const HEADERS: readonly Record<string, string>[] = [
  {},
  { 'X-Request-Id': 'x'.repeat(200) },
  { Accept: ';;;q=' },
  { Range: 'bytes=0-' },
  { 'Content-Encoding': 'gzip' },
  { 'If-Match': '*' },
]

/**
 * @param targets names that are known
 * @param seconds a time that is sound, Unix
 */
export function hostileRequests(
  document: OpenApiDocument,
  targets: readonly string[],
  seconds: number,
): fc.Arbitrary<HostileRequest> {
  const cases = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const query = (operation.parameters ?? []).filter((p) => p.in === 'query')
      const known = Object.fromEntries(query.map(({ name, schema }) => [name, valuesOf(schema, seconds)]))
      const body = operation.requestBody?.content['application/json'].schema
      return fc
        .record({
          target: fc.oneof(
            { weight: 2, arbitrary: fc.constantFrom(...targets) },
            { weight: 1, arbitrary: hostileText },
          ),
          query: fc.oneof(
            { weight: 9, arbitrary: fc.record(known, { requiredKeys: [] }) },
            { weight: 1, arbitrary: fc.dictionary(hostileText, hostileText, { maxKeys: 3 }) },
          ) as fc.Arbitrary<Record<string, unknown>>,
          body:
            body === undefined
              ? fc.constant(undefined)
              : fc.oneof(
                  { weight: 4, arbitrary: valuesOf(body, seconds).map((value) => JSON.stringify(value)) },
                  { weight: 1, arbitrary: hostileText },
                ),
          headers: fc.constantFrom(...HEADERS),
        })
        .map(({ target, query, body, headers }) => {
          const search = Object.entries(query).map(([name, value]) => {
            const text = typeof value === 'string' ? value : String(JSON.stringify(value))
            return `${encoded(name)}=${encoded(text)}`
          })
          return {
            url: `${path.replace('{target}', encoded(target))}${search.length > 0 ? `?${search.join('&')}` : ''}`,
            init: {
              method: method.toUpperCase(),
              ...(body !== undefined && { body }),
              headers: { 'Content-Type': 'application/json', ...headers },
            },
          }
        })
    }),
  )
  return fc.oneof(...cases)
}

/** Half a surrogate pair cannot be encoded. */
const encoded = (text: string): string => encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '?'))
