/** Puts routes on an app: authorises, validates the input, runs the handler, answers JSON. */
import type { Hono } from 'hono'
import type { ApiDeps } from './deps.ts'
import { type Env, guard, refuseOtherMethods } from './http.ts'
import { BODY_LIMIT, parse, readJson, readQuery } from './input.ts'
import type { Route } from './route.ts'

export const API_PREFIX = '/api/v1'

export function bind(app: Hono<Env>, routes: readonly Route[], deps: ApiDeps): void {
  const methods = new Map<string, string[]>()
  for (const route of routes) {
    const path = API_PREFIX + (route.path === '/' ? '' : route.path)
    methods.set(path, [...(methods.get(path) ?? []), route.method])
    app.on(route.method, path, guard(deps, path, route.scope), async (c) => {
      const params = route.params === undefined ? {} : parse(route.params, c.req.param(), 'path parameter')
      const query = readQuery(new URL(c.req.url).searchParams, route.query)
      const body = await readBody(route, c.req.raw, deps)
      const value = await route.handler({ deps, params, query, body, now: deps.now() })
      if (deps.validateResponses === true) route.response.parse(value)
      return c.json(value as object)
    })
  }
  for (const [path, allowed] of methods) refuseOtherMethods(app, path, allowed)
}

async function readBody(route: Route, request: Request, deps: ApiDeps): Promise<unknown> {
  if (route.body === undefined) return undefined
  const json = await readJson(request, route.largeBody ? deps.maxBodyBytes() : BODY_LIMIT)
  return route.readBody === undefined ? parse(route.body, json, 'key') : route.readBody(json, deps.now())
}
