/** The routes that Prometheus, orchestrators and operators expect outside the API: metrics, health, readiness, reload. */
import type { Context, Hono } from 'hono'
import type { ApiDeps } from './deps.ts'
import { ApiError } from './errors.ts'
import { direct, type Env, guard, refuseOtherMethods } from './http.ts'
import { readQuery } from './input.ts'
import { landingPage } from './landing.ts'
import { negotiate } from './negotiate.ts'

const PLAIN = 'text/plain; charset=utf-8'

/** Asked often, by machines. */
export const directPaths = (deps: ApiDeps): string[] => [deps.telemetryPath ?? '/metrics', '/-/healthy', '/-/ready']

export function bindOperations(app: Hono<Env>, deps: ApiDeps): void {
  const telemetryPath = deps.telemetryPath ?? '/metrics'

  // Query parameters are let through here: Prometheus adds those of `params:` in its scrape configuration.
  app.get(telemetryPath, guard(deps, telemetryPath, 'read'), async (c) => {
    const { format, version, gzip } = negotiate(c.req.header('accept'), c.req.header('accept-encoding'))
    const { body, contentType, encoding } = await deps.metricsText(format, gzip)
    return direct(c, body, {
      Vary: 'Accept, Accept-Encoding',
      'Content-Type': format === 'openmetrics' ? contentType.replace('1.0.0', version) : contentType,
      'Content-Length': String(body.length),
      ...(encoding !== null && { 'Content-Encoding': encoding }),
    })
  })
  refuseOtherMethods(app, telemetryPath, ['GET'])

  app.get('/-/healthy', guard(deps, '/-/healthy', 'open'), (c) => plain(c, 'Portent is Healthy.\n'))
  refuseOtherMethods(app, '/-/healthy', ['GET'])

  app.get('/-/ready', guard(deps, '/-/ready', 'open'), (c) => {
    const reason = deps.notReady()
    if (reason !== null) throw new ApiError(503, 'not_ready', `Portent is not ready: ${reason}`)
    return plain(c, 'Portent is Ready.\n')
  })
  refuseOtherMethods(app, '/-/ready', ['GET'])

  app.post('/-/reload', guard(deps, '/-/reload', 'write'), async (c) => {
    readQuery(new URL(c.req.url).searchParams, undefined)
    const outcome = await deps.reload()
    if (!outcome.ok) {
      throw new ApiError(400, 'invalid_configuration', `nothing was reloaded: ${outcome.errors.join('; ')}`)
    }
    return c.json({ applied: outcome.applied ?? [], need_restart: outcome.needRestart ?? [] })
  })
  refuseOtherMethods(app, '/-/reload', ['POST'])

  if (telemetryPath === '/') return
  app.get('/', guard(deps, '/', 'read'), (c) => {
    const { html, contentSecurityPolicy } = landingPage(deps, telemetryPath)
    c.header('Content-Security-Policy', contentSecurityPolicy)
    c.header('Content-Type', 'text/html; charset=utf-8')
    return c.body(html)
  })
  refuseOtherMethods(app, '/', ['GET'])
}

function plain(c: Context<Env>, text: string) {
  return direct(c, text, { 'Content-Type': PLAIN })
}
