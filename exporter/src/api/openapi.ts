/** The routes as an OpenAPI 3.1 document: everything in it comes from the routes themselves. */
import { z } from 'zod'
import { errorSchema } from './errors.ts'
import { exampleOf, type Route } from './route.ts'

/** JSON Schema of draft 2020-12, the dialect of OpenAPI 3.1. */
export type JsonSchema = Readonly<Record<string, unknown>>

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
}

export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly 'x-scope': string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: {
    readonly required: true
    readonly content: { readonly 'application/json': { readonly schema: JsonSchema; readonly example?: unknown } }
  }
  readonly responses: Readonly<Record<string, object>>
}

export interface OpenApiDocument {
  readonly openapi: string
  readonly info: object
  readonly servers: readonly object[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly security: readonly object[]
  readonly components: object
}

const PREFIX = '/api/v1'
const TAGS: Readonly<Record<string, string>> = {
  targets: 'How each target is, and why',
  data: 'Rows that are pushed, collected or scored on request',
  alerts: 'What was worth an alert',
  model: 'What scores',
  service: 'The service itself',
}
const TAG_OF: Readonly<Record<string, string>> = { ingest: 'data', collect: 'data', score: 'data' }

const REASONS: Readonly<Record<number, string>> = {
  400: 'The request is malformed or says something impossible',
  401: 'Without a credential, or with one that is not valid',
  403: 'Not from here, or not by this caller',
  404: 'There is no such target',
  405: 'Another method is meant',
  409: 'It does not fit what is there, or a limit is reached',
  413: 'The body is too large',
  415: 'The body is not JSON',
  429: 'Busy; try again',
  500: 'Unexpected; the log has it under the request id',
  503: 'Not at the moment',
}
const EVERY_ROUTE = [400, 401, 403, 405, 429, 500, 503]

export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes) {
    const path = pathOf(route)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  const used = new Set(routes.map(tagOf))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Portent',
      version,
      description:
        'Anomaly scores, explanations and failure forecasts of hosts and services. Reading routes may be open to the ' +
        'network by configuration; a route that changes or costs something needs a credential with its scope (x-scope), or, ' +
        'while there are no credentials, a request of this host itself.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS)
      .filter(([name]) => used.has(name))
      .map(([name, description]) => ({ name, description })),
    paths,
    // Either of them, or neither where reading is open.
    security: [{}, { bearer: [] }, { basic: [] }],
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key (portent keys create) or a token (auth.jwt)',
        },
        basic: { type: 'http', scheme: 'basic', description: 'A user of the web configuration; may read' },
      },
      schemas: { Error: jsonSchema(errorSchema, 'output') },
      responses: {
        Error: {
          description: 'Why a request was refused',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    },
  }
}

export const pathOf = ({ path }: Route): string =>
  PREFIX + (path === '/' ? '' : path.replace(/:(\w+)/g, (_, name: string) => `{${name}}`))

function operation(route: Route): Operation {
  const { params, query, body } = route
  const parameters = [
    ...(params === undefined ? [] : parametersOf(params, 'path')),
    ...(query === undefined ? [] : parametersOf(query, 'query')),
  ]
  const statuses = [...new Set([...EVERY_ROUTE, ...route.errors])].sort((a, b) => a - b)
  return {
    operationId: operationIdOf(route),
    tags: [tagOf(route)],
    summary: route.summary,
    description: route.description,
    'x-scope': route.scope,
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: jsonSchema(body, 'input'),
            ...(route.example !== undefined && { example: exampleOf(route) }),
          },
        },
      },
    }),
    responses: {
      200: {
        description: route.summary,
        content: { 'application/json': { schema: jsonSchema(route.response, 'output') } },
      },
      ...Object.fromEntries(
        statuses.map((status) => [
          status,
          {
            description: REASONS[status] ?? 'Refused',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
          },
        ]),
      ),
    },
  }
}

function parametersOf(schema: z.ZodObject, where: 'path' | 'query'): Parameter[] {
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(typeof description === 'string' && { description }),
    schema: property,
  }))
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io })
  return rest
}

const tagOf = ({ path }: Route): string => {
  const first = path.split('/')[1] ?? ''
  const tag = TAG_OF[first] ?? first
  return tag in TAGS ? tag : 'service'
}

/** `GET /targets/:target/health` -> `getTargetHealth`, `GET /targets` -> `getTargets`. */
function operationIdOf({ method, path }: Route): string {
  const words = path.split('/').filter((part) => part !== '')
  const named = words.flatMap((word, i) => {
    if (word.startsWith(':')) return []
    const one = words[i + 1]?.startsWith(':') ? word.replace(/s$/, '') : word
    return one.split(/[^A-Za-z0-9]+/).map((part) => part.charAt(0).toUpperCase() + part.slice(1))
  })
  return method.toLowerCase() + (named.length > 0 ? named.join('') : 'Routes')
}
