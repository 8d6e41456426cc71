/** What every request goes through: its id, its log line, its metrics, its security headers, and how errors are answered. */
import { randomUUID } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context, Hono, MiddlewareHandler } from 'hono'
import { type Caller, Refusal, type RequestFacts } from '../access/index.ts'
import { answerPreflight, corsHeaders } from './cors.ts'
import type { ApiDeps } from './deps.ts'
import { ApiError, errorBody, quoted } from './errors.ts'
import type { Scope } from './route.ts'

export interface Env {
  Variables: { requestId: string; route: string; caller: Caller }
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
    const { corsOrigins, headers: extra } = deps.access
    const cors = corsHeaders(c, corsOrigins)
    const preflight = cors === null ? null : answerPreflight(c, corsOrigins)
    if (preflight === null) await next()
    else c.res = preflight
    for (const more of [cors, extra])
      for (const [name, value] of Object.entries(more ?? {})) c.res.headers.set(name, value)
    const seconds = (monotonic() - start) / 1000
    const { status } = c.res
    const { method } = c.req
    const route = c.get('route')
    deps.observeRequest(route, method, status, seconds)
    if (status < 500 && deps.log.isLevelEnabled?.('debug') === false) return
    const path = c.req.path.slice(0, 256)
    const fields = { request_id: requestId, method, route, path, status, seconds, caller: callerOf(c) }
    if (status >= 500) deps.log.warn(fields, 'request failed')
    else deps.log.debug(fields, 'request')
  }
}

/** `key:0123456789`; absent where nobody is known. */
function callerOf(c: Context<Env>): string | undefined {
  const caller = c.get('caller') as Caller | undefined
  return caller === undefined || caller.kind === 'anonymous'
    ? undefined
    : [caller.kind, caller.id].filter(Boolean).join(':')
}

/** Names the route (its pattern) for metrics and log, finds out who asks, and refuses who may not. */
export function guard(deps: ApiDeps, route: string, scope: Scope | 'open'): MiddlewareHandler<Env> {
  return async (c, next) => {
    c.set('route', route)
    const caller = deps.access.gate.authorize(scope, factsOf(c, deps))
    c.set('caller', caller instanceof Promise ? await caller : caller)
    await next()
  }
}

function factsOf(c: Context<Env>, deps: ApiDeps): RequestFacts {
  return {
    address: (deps.remoteAddress ?? connectionAddress)(c),
    header: (name) => c.req.header(name),
    certificate: (deps.clientCertificate ?? connectionCertificate)(c),
  }
}

function connectionAddress(c: Context): string | undefined {
  try {
    return getConnInfo(c).remote.address
  } catch {
    return undefined // no socket behind the request: it is not local
  }
}

/** The common name, or the first alternative name, of a client certificate that was verified; null without one. */
function connectionCertificate(c: Context): string | null {
  const socket = (c.env as { incoming?: { socket?: Partial<TLSSocket> } } | undefined)?.incoming?.socket
  if (socket?.authorized !== true) return null
  const certificate = socket.getPeerCertificate?.()
  if (certificate === undefined || certificate === null || Object.keys(certificate).length === 0) return null
  return String(certificate.subject?.CN ?? certificate.subjectaltname ?? 'unnamed').slice(0, 128)
}

const refused = ({ status, code, message, headers }: Refusal): ApiError =>
  new ApiError(status, code, message, status === 401 ? 'Authorization' : undefined, headers)

export function answerErrors(app: Hono<Env>, deps: ApiDeps): void {
  const answer = (c: Context<Env>, error: ApiError) => {
    secure(c)
    for (const [name, value] of Object.entries(error.headers)) c.header(name, value)
    return c.json(errorBody(error), error.status)
  }
  app.notFound((c) => {
    try {
      // Limited like everything else.
      void deps.access.gate.authorize('open', factsOf(c, deps))
    } catch (error) {
      if (error instanceof Refusal) return answer(c, refused(error))
      throw error
    }
    return answer(c, new ApiError(404, 'not_found', `there is nothing at ${quoted(c.req.path)}`))
  })
  app.onError((error, c) => {
    if (error instanceof ApiError) return answer(c, error)
    if (error instanceof Refusal) return answer(c, refused(error))
    const requestId = c.get('requestId')
    deps.log.error({ request_id: requestId, route: c.get('route'), err: error }, 'unexpected error')
    return answer(c, new ApiError(500, 'internal', `unexpected error; the log has it under request id ${requestId}`))
  })
}
