/** Puts routes on an app: authorises, validates the input, runs the handler, answers JSON. */
import type { ApiDeps } from './deps.ts'
import { BODY_LIMIT, parse, readJson, readQuery } from './input.ts'
import type { Mount } from './mount.ts'
import type { Route } from './route.ts'

export const API_PREFIX = '/api/v1'

export function bind(mount: Mount, routes: readonly Route[], deps: ApiDeps): void {
  for (const route of routes) {
    const path = API_PREFIX + (route.path === '/' ? '' : route.path)
    mount.add(route.method, path, route.scope, async (c) => {
      const params = route.params === undefined ? {} : parse(route.params, c.req.param(), 'path parameter')
      const query = readQuery(new URL(c.req.url).searchParams, route.query)
      const body = await readBody(route, c.req.raw, deps)
      const value = await route.handler({ deps, params, query, body, now: deps.now(), caller: c.get('caller') })
      if (deps.validateResponses === true) route.response.parse(value)
      return c.json(value as object)
    })
  }
}

async function readBody(route: Route, request: Request, deps: ApiDeps): Promise<unknown> {
  if (route.body === undefined) return undefined
  const json = await readJson(request, route.largeBody ? deps.maxBodyBytes() : BODY_LIMIT)
  return route.readBody === undefined ? parse(route.body, json, 'key') : route.readBody(json, deps.now())
}
