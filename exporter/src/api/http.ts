/** What every request goes through: its id, its log line, its metrics, its security headers, and how errors are answered. */
import { randomUUID } from 'node:crypto'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context, Hono, MiddlewareHandler } from 'hono'
import type { ApiDeps } from './deps.ts'
import { ApiError, errorBody, quoted } from './errors.ts'
import { authorize } from './local.ts'
import type { Scope } from './route.ts'

export interface Env {
  Variables: { requestId: string; route: string }
}

const SANE_ID = /^[A-Za-z0-9._-]{1,128}$/

/** Headers of every answer: nothing here is a document that loads anything, except where a route says otherwise. */
const SECURITY: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
}

function secure(c: Context<Env>): void {
  c.header('X-Request-Id', c.get('requestId'))
  for (const [name, value] of Object.entries(SECURITY)) c.header(name, value)
}

/** An answer whose headers are one plain record: the server writes them as they are, without building Headers first. */
export function direct(c: Context<Env>, body: string | Buffer, headers: Readonly<Record<string, string>>): Response {
  return new Response(body as string | Uint8Array<ArrayBuffer>, {
    headers: { ...SECURITY, 'X-Request-Id': c.get('requestId'), ...headers },
  })
}

/** @param directPaths whose handlers answer by {@link direct} */
export function observe(deps: ApiDeps, directPaths: readonly string[] = []): MiddlewareHandler<Env> {
  const monotonic = deps.monotonic ?? (() => performance.now())
  return async (c, next) => {
    const start = monotonic()
    const given = c.req.header('x-request-id')
    const requestId = given !== undefined && SANE_ID.test(given) ? given : randomUUID()
    c.set('requestId', requestId)
    c.set('route', 'unmatched')
    if (!directPaths.includes(c.req.path)) secure(c)
    await next()
    const seconds = (monotonic() - start) / 1000
    const { status } = c.res
    const { method } = c.req
    const route = c.get('route')
    deps.observeRequest(route, method, status, seconds)
    if (status < 500 && deps.log.isLevelEnabled?.('debug') === false) return
    const fields = { request_id: requestId, method, route, path: c.req.path.slice(0, 256), status, seconds }
    if (status >= 500) deps.log.warn(fields, 'request failed')
    else deps.log.debug(fields, 'request')
  }
}

/** Names the route (its pattern) for metrics and log, and refuses who may not use it. */
export function guard(deps: ApiDeps, route: string, scope: Scope | 'open'): MiddlewareHandler<Env> {
  const remoteAddress = deps.remoteAddress ?? connectionAddress
  return async (c, next) => {
    c.set('route', route)
    if (scope !== 'open') authorize(scope, deps.openReads(), remoteAddress(c), (name) => c.req.header(name))
    await next()
  }
}

function connectionAddress(c: Context): string | undefined {
  try {
    return getConnInfo(c).remote.address
  } catch {
    return undefined // no socket behind the request: it is not local
  }
}

/** Any other method on `path` is answered 405 with the allowed ones. To be called after the routes of that path. */
export function refuseOtherMethods(app: Hono<Env>, path: string, methods: readonly string[]): void {
  const allowed = [...new Set(methods.flatMap((m) => (m === 'GET' ? ['GET', 'HEAD'] : [m])))].join(', ')
  app.all(path, (c) => {
    c.set('route', path)
    throw new ApiError(
      405,
      'method_not_allowed',
      `${c.req.method} is not allowed here; allowed: ${allowed}`,
      undefined,
      {
        Allow: allowed,
      },
    )
  })
}

export function answerErrors(app: Hono<Env>, deps: ApiDeps): void {
  const answer = (c: Context<Env>, error: ApiError) => {
    secure(c)
    for (const [name, value] of Object.entries(error.headers)) c.header(name, value)
    return c.json(errorBody(error), error.status)
  }
  app.notFound((c) => answer(c, new ApiError(404, 'not_found', `there is nothing at ${quoted(c.req.path)}`)))
  app.onError((error, c) => {
    if (error instanceof ApiError) return answer(c, error)
    const requestId = c.get('requestId')
    deps.log.error({ request_id: requestId, route: c.get('route'), err: error }, 'unexpected error')
    return answer(c, new ApiError(500, 'internal', `unexpected error; the log has it under request id ${requestId}`))
  })
}
