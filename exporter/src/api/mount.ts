/**
 * The table of everything that is answered. A route comes in by `add`, with its scope; `seal` refuses an app that answers
 * anything else.
 */
import type { Hono, MiddlewareHandler } from 'hono'
import type { ApiDeps } from './deps.ts'
import { ApiError } from './errors.ts'
import { type Env, guard } from './http.ts'
import type { Scope } from './route.ts'

export interface Declared {
  readonly method: string
  /** As Hono has it: parameters are `:name`. */
  readonly path: string
  /** open: answered to anybody. */
  readonly scope: Scope | 'open'
}

const sealed = new WeakMap<object, readonly Declared[]>()

export class Mount {
  readonly #app: Hono<Env>
  readonly #deps: ApiDeps
  readonly #declared: Declared[] = []

  constructor(app: Hono<Env>, deps: ApiDeps) {
    this.#app = app
    this.#deps = deps
  }

  add(method: string, path: string, scope: Scope | 'open', handler: MiddlewareHandler<Env>): void {
    this.#declared.push({ method, path, scope })
    this.#app.on(method, path, guard(this.#deps, path, scope), handler)
  }

  /** Any other method is answered 405. Throws Error where something is answered that was not added. */
  seal(): void {
    const paths = byPath(this.#declared)
    for (const [path, routes] of paths) {
      const methods = routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
      const allowed = [...new Set(methods)].join(', ')
      this.#app.all(path, guard(this.#deps, path, 'open'), (c) => {
        const message = `${c.req.method} is not allowed here; allowed: ${allowed}`
        throw new ApiError(405, 'method_not_allowed', message, undefined, { Allow: allowed })
      })
    }
    for (const { method, path } of this.#app.routes) {
      const declared = this.#declared.some((route) => route.path === path && [route.method, 'ALL'].includes(method))
      // What every request goes through.
      const observed = path === '/*' && method === 'ALL'
      if (!declared && !observed) throw new Error(`${method} ${path} is answered without a declared scope`)
    }
    sealed.set(this.#app, this.#declared)
  }
}

function byPath(declared: readonly Declared[]): Map<string, Declared[]> {
  const paths = new Map<string, Declared[]>()
  for (const route of declared) paths.set(route.path, [...(paths.get(route.path) ?? []), route])
  return paths
}

/** Every route of an app that was sealed. */
export const routesOf = (app: object): readonly Declared[] => sealed.get(app) ?? []
