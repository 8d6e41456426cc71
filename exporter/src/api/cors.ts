/** Cross-origin requests: none, except from the origins that the configuration names. Cookies and passwords are never allowed. */
import type { Context } from 'hono'

/** What an answer says to the page that asked; null where no origin is named at all. */
export function corsHeaders(c: Context, origins: readonly string[]): Record<string, string> | null {
  if (origins.length === 0) return null
  const origin = c.req.header('origin')
  if (origin === undefined || !origins.includes(origin)) return { Vary: 'Origin' }
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': 'X-Request-Id, Retry-After',
    Vary: 'Origin',
  }
}

/** Null for what is no preflight, or one of an origin that is not named. */
export function answerPreflight(c: Context, origins: readonly string[]): Response | null {
  if (!origins.includes(c.req.header('origin') ?? '')) return null
  const { method } = c.req
  if (method !== 'OPTIONS' || c.req.header('access-control-request-method') === undefined) return null
  return new Response(null, {
    status: 204,
    headers: {
      'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE',
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, X-Request-Id',
      'Access-Control-Max-Age': '600',
    },
  })
}
