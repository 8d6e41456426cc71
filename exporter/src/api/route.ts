/** A route as data: what it takes, what it answers, who may call it. */
import type { z } from 'zod'
import type { Caller, Scope } from '../access/index.ts'
import type { ApiDeps } from './deps.ts'

export type { Scope }

export interface RouteContext<P, Q, B> {
  readonly deps: ApiDeps
  readonly params: P
  readonly query: Q
  readonly body: B
  /** Time of the request, Unix ms. */
  readonly now: number
  /** Who asks; they hold the route's scope. */
  readonly caller: Caller
}

interface Described {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Under /api/v1; parameters are `:name`. */
  readonly path: `/${string}`
  /** What a caller must hold: see access/roles.ts. */
  readonly scope: Scope
  readonly summary: string
  readonly description: string
  /** The statuses it answers besides 200 and those every route has (400, 401, 403, 405, 429, 500, 503). */
  readonly errors: readonly number[]
  /** A body that the route takes, for its documentation; a function where it depends on the time. */
  readonly example?: unknown
  /** Takes a body up to the configured limit instead of the small one. */
  readonly largeBody?: true
}

export interface RouteSpec<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, R extends z.ZodType, V>
  extends Described {
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /**
   * Reads a large body cheaply, in place of the schema; the schema stays what documents it, and a test holds the two equal.
   * @param now Unix ms
   * @throws ApiError
   */
  readonly readBody?: (json: unknown, now: number) => V
  readonly response: R
  readonly handler: (context: RouteContext<z.output<P>, z.output<Q>, V>) => z.input<R> | Promise<z.input<R>>
}

/** A route whose own types were checked where it was defined. */
export interface Route extends Described {
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  readonly readBody?: (json: unknown, now: number) => unknown
  readonly response: z.ZodType
  readonly handler: (context: RouteContext<unknown, unknown, unknown>) => unknown
}

export function defineRoute<
  R extends z.ZodType,
  P extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Q extends z.ZodObject = z.ZodObject<Record<never, never>>,
  B extends z.ZodType = z.ZodUndefined,
  V = z.output<B>,
>(spec: RouteSpec<P, Q, B, R, V>): Route {
  return spec as unknown as Route
}

export function exampleOf({ example }: Pick<Route, 'example'>): unknown {
  return typeof example === 'function' ? example() : example
}
