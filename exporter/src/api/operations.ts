/** The routes that Prometheus, orchestrators and operators expect outside the API: metrics, health, readiness, reload. */
import type { Context } from 'hono'
import type { ApiDeps } from './deps.ts'
import { ApiError } from './errors.ts'
import { direct, type Env } from './http.ts'
import { readQuery } from './input.ts'
import { landingPage } from './landing.ts'
import type { Mount } from './mount.ts'
import { negotiate } from './negotiate.ts'

const PLAIN = 'text/plain; charset=utf-8'

/** Asked often, by machines. */
export const directPaths = (deps: ApiDeps): string[] => [deps.telemetryPath ?? '/metrics', '/-/healthy', '/-/ready']

export function bindOperations(mount: Mount, deps: ApiDeps): void {
  const telemetryPath = deps.telemetryPath ?? '/metrics'

  // Query parameters are let through here: Prometheus adds those of `params:` in its scrape configuration.
  mount.add('GET', telemetryPath, 'read', async (c) => {
    const { format, version, gzip } = negotiate(c.req.header('accept'), c.req.header('accept-encoding'))
    const { body, contentType, encoding } = await deps.metricsText(format, gzip)
    return direct(c, body, {
      Vary: 'Accept, Accept-Encoding',
      'Content-Type': format === 'openmetrics' ? contentType.replace('1.0.0', version) : contentType,
      'Content-Length': String(body.length),
      ...(encoding !== null && { 'Content-Encoding': encoding }),
    })
  })

  mount.add('GET', '/-/healthy', 'open', async (c) => plain(c, 'Portent is Healthy.\n'))

  mount.add('GET', '/-/ready', 'open', async (c) => {
    const reason = deps.notReady()
    if (reason !== null) throw new ApiError(503, 'not_ready', `Portent is not ready: ${reason}`)
    return plain(c, 'Portent is Ready.\n')
  })

  mount.add('POST', '/-/reload', 'admin', async (c) => {
    readQuery(new URL(c.req.url).searchParams, undefined)
    const outcome = await deps.reload()
    if (!outcome.ok) {
      throw new ApiError(400, 'invalid_configuration', `nothing was reloaded: ${outcome.errors.join('; ')}`)
    }
    return c.json({ applied: outcome.applied ?? [], need_restart: outcome.needRestart ?? [] })
  })

  if (telemetryPath === '/') return
  mount.add('GET', '/', 'read', async (c) => {
    const { html, contentSecurityPolicy } = landingPage(deps, telemetryPath)
    c.header('Content-Security-Policy', contentSecurityPolicy)
    c.header('Content-Type', 'text/html; charset=utf-8')
    return c.body(html)
  })
}

function plain(c: Context<Env>, text: string) {
  return direct(c, text, { 'Content-Type': PLAIN })
}
