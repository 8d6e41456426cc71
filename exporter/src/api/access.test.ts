/** Access control as HTTP: every route by every role, hostile input on every route, and what an answer never holds. */
import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { Hono } from 'hono'
import t from 'tap'
import type { TokenVerifier } from '../access/jwt.ts'
import { KeysUnavailable } from '../access/keys-unavailable.ts'
import { allows, ROLES, type Role, type Scope } from '../access/roles.ts'
import { errorSchema } from './errors.ts'
import { hostileRequests } from './fuzzing.ts'
import type { Env } from './http.ts'
import { createApi, createServer, type Declared, ROUTES, routesOf } from './index.ts'
import { Mount } from './mount.ts'
import { openApiDocument } from './openapi.ts'
import { exampleOf } from './route.ts'
import { NOW, ODD_NAME, scriptedApi } from './testing.ts'

const API = '/api/v1'
const at = (path: string, target = 'host') => path.replace(':target', encodeURIComponent(target))

/** A request that the route would answer with 200, were it not for who asks. */
function sound({ method, path }: Pick<Declared, 'method' | 'path'>): RequestInit & { headers: Record<string, string> } {
  const route = ROUTES.find((r) => r.method === method && API + r.path === path)
  const example = route === undefined ? undefined : exampleOf(route)
  if (example === undefined) return { method, headers: {} }
  return { method, body: JSON.stringify(example), headers: { 'Content-Type': 'application/json' } }
}

const withHeaders = (init: ReturnType<typeof sound>, headers: Record<string, string>) => ({
  ...init,
  headers: { ...init.headers, ...headers },
})

t.test('every route of the document, and every other one, answers exactly the roles that hold its scope', async (t) => {
  const { app, send, state } = scriptedApi({ now: () => Date.now() }, false)
  const { access } = state
  const verifier = {
    verify: async (token: string) => {
      const role = ROLES.find((r) => token === `token-of-${r}`)
      return role === undefined ? null : { kind: 'token', id: role, name: role, role }
    },
  }
  access.state.tokens = verifier as unknown as TokenVerifier
  access.users.set('prometheus', 'hash of pw')
  const basic = { Authorization: `Basic ${Buffer.from('prometheus:pw').toString('base64')}` }
  const callers: [string, Record<string, string>, Role | 401 | 403][] = [
    ['nobody', {}, 401],
    ...ROLES.map(
      (role) => [`a key of ${role}`, access.addKey(role).header, role] as [string, Record<string, string>, Role],
    ),
    ...ROLES.map(
      (role) =>
        [`a token of ${role}`, { Authorization: `bearer token-of-${role}` }, role] as [
          string,
          Record<string, string>,
          Role,
        ],
    ),
    ['a user', basic, 'viewer'],
    ['a key that has expired', access.addKey('admin', { expiresAt: NOW }).header, 401],
    ['a key that was revoked', access.addKey('admin', { revokedAt: NOW - 1 }).header, 401],
    ['a key without a known role', access.addKey('admin', { role: '' }).header, 401],
    ['a token that is none', { Authorization: 'Bearer token-of-nobody' }, 401],
    ['a wrong password', { Authorization: `Basic ${Buffer.from('prometheus:no').toString('base64')}` }, 401],
    ['another scheme', { Authorization: `Digest ${access.addKey('admin').text}` }, 401],
    ['a key in another header', { 'X-Api-Key': access.addKey('admin').text }, 401],
    ['a key twice', { Authorization: `Bearer ${access.addKey('admin').text}, Bearer x` }, 401],
  ]
  const table = routesOf(app)
  const document = openApiDocument(ROUTES, '1')
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const own = table.find((r) => r.method === method.toUpperCase() && r.path.replace(/:(\w+)/g, '{$1}') === path)
      t.equal(
        own?.scope,
        operation['x-scope'],
        `${method} ${path} is in the table with the scope it is documented with`,
      )
    }
  t.strictSame(
    table.filter((route) => !route.path.startsWith(API)).map(({ method, path, scope }) => `${method} ${path} ${scope}`),
    ['GET /metrics read', 'GET /-/healthy open', 'GET /-/ready open', 'POST /-/reload admin', 'GET / read'],
  )
  const answers = async (route: Declared, headers: Record<string, string>) => {
    const response = await send(at(route.path), withHeaders(sound(route), headers))
    const text = await response.text()
    if (response.status >= 400) errorSchema.parse(JSON.parse(text))
    return response
  }
  let asked = 0
  for (const open of [false, true]) {
    access.settings.openReads = open
    if (open) access.users.clear()
    for (const route of table)
      for (const [name, headers, role] of callers) {
        if (open && headers === basic) continue
        const { status, headers: answered } = await answers(route, headers)
        const free = route.scope === 'open' || (open && route.scope === 'read' && !('Authorization' in headers))
        const expected =
          free || (typeof role === 'string' && allows(role, route.scope as Scope)) ? 200 : role === 401 ? 401 : 403
        t.equal(status, expected, `${route.method} ${route.path} by ${name}`)
        if (status === 401) {
          const challenge = answered.get('www-authenticate') ?? ''
          t.match(challenge, /Bearer realm="portent"/)
          t.equal(challenge.includes('Basic'), !open)
          t.equal(challenge.includes('invalid_token'), 'Authorization' in headers || 'authorization' in headers)
        } else t.equal(answered.get('www-authenticate'), null)
        asked++
      }
  }
  t.ok(asked > 500, `${asked} pairs`)
  access.addKey('admin')
  for (const route of table.filter(({ scope }) => scope === 'write' || scope === 'admin'))
    for (const headers of [
      { Host: 'localhost' },
      { 'X-Forwarded-For': '127.0.0.1' },
      { Host: '127.0.0.1', Origin: 'http://localhost' },
    ])
      t.equal((await answers(route, headers)).status, 401, 'loopback is no credential any more')
})

t.test('what a refused caller sent changes nothing, and a handler knows who asks', async (t) => {
  const { send, state, deps } = scriptedApi({ now: () => Date.now() }, false)
  for (const route of routesOf(createApi(deps)))
    for (const headers of [{}, state.access.addKey('viewer').header, { Authorization: 'Bearer x' }])
      if (route.scope === 'write' || route.scope === 'admin')
        await send(at(route.path), withHeaders(sound(route), headers as Record<string, string>))
  t.strictSame([state.sensitivity.size, state.ingested.length, state.scored], [0, 0, null])
  const app = new Hono<Env>()
  const mount = new Mount(app, deps)
  mount.add('GET', '/who', 'write', async (c) => c.json(c.get('caller')))
  mount.seal()
  const { id, header } = state.access.addKey('operator', { name: 'CI' })
  t.strictSame(await (await app.request('/who', { headers: header })).json(), {
    kind: 'key',
    id,
    name: 'CI',
    role: 'operator',
  })
})

t.test('an app that answers something undeclared does not come up', async (t) => {
  const { deps } = scriptedApi()
  for (const sneak of [
    (app: Hono<Env>) => app.get('/backdoor', (c) => c.text('in')),
    (app: Hono<Env>) => app.post('/ok', (c) => c.text('in')),
    (app: Hono<Env>) => app.all('/any', (c) => c.text('in')),
    (app: Hono<Env>) => app.get('/ok/*', (c) => c.text('in')),
    (app: Hono<Env>) => app.get('*', (c) => c.text('in')),
  ]) {
    const app = new Hono<Env>()
    const mount = new Mount(app, deps)
    mount.add('GET', '/ok', 'read', async (c) => c.text('ok'))
    sneak(app)
    t.throws(() => mount.seal(), /is answered without a declared scope/)
  }
})

t.test('pages of elsewhere may call only from origins that are named, and never with a password', async (t) => {
  const { send, state } = scriptedApi({}, false)
  const from = (origin: string, method = 'GET', more: Record<string, string> = {}) =>
    send(`${API}/targets`, { method, headers: { Origin: origin, ...more } })
  const preflight = { 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'authorization' }
  const cors = (response: Response) => [...response.headers].filter(([name]) => name.startsWith('access-control'))
  t.strictSame(cors(await from('https://portal.example.org')), [], 'off unless set')
  t.equal((await from('https://portal.example.org', 'OPTIONS', preflight)).status, 405)
  state.access.corsOrigins.push('https://portal.example.org')
  for (const path of [`${API}/targets`, '/metrics', '/nothing', '/-/healthy', `${API}/targets/host/settings`]) {
    const response = await send(path, { headers: { Origin: 'https://portal.example.org' } })
    t.equal(response.headers.get('access-control-allow-origin'), 'https://portal.example.org', path)
    t.match(response.headers.get('vary'), /Origin/)
    t.equal(response.headers.get('access-control-allow-credentials'), null)
    t.equal(response.headers.get('x-content-type-options'), 'nosniff')
  }
  const allowed = await from('https://portal.example.org', 'OPTIONS', preflight)
  t.equal(allowed.status, 204)
  t.match(allowed.headers.get('access-control-allow-headers'), 'Authorization')
  for (const origin of [
    'https://portal.example.org.evil.example',
    'http://portal.example.org',
    'null',
    '',
    '*',
    'https://PORTAL.example.org',
  ]) {
    t.strictSame(cors(await from(origin)), [], origin)
    t.equal((await from(origin, 'OPTIONS', preflight)).status, 405, origin)
  }
  const put = await send(`${API}/targets/host/settings`, {
    method: 'PUT',
    body: '{"sensitivity": 6}',
    headers: { Origin: 'https://portal.example.org', 'Content-Type': 'application/json' },
  })
  t.equal(put.status, 401, 'a named origin is no credential')
  t.equal(put.headers.get('access-control-allow-origin'), 'https://portal.example.org')
})

t.test(
  'the web configuration adds its headers to every answer, and limits hold for what is not there too',
  async (t) => {
    const { send, state } = scriptedApi({}, false)
    Object.assign(state.access.headers, { 'Strict-Transport-Security': 'max-age=1', 'X-Frame-Options': 'SAMEORIGIN' })
    for (const path of ['/', '/metrics', '/nothing', '/-/healthy', API]) {
      const { headers } = await send(path)
      t.equal(headers.get('strict-transport-security'), 'max-age=1', path)
      t.equal(headers.get('x-frame-options'), 'SAMEORIGIN')
      t.equal(headers.get('referrer-policy'), 'no-referrer')
    }
    Object.assign(state.access.settings, { requestsPerSecond: 1, requestBurst: 1 })
    for (const path of ['/', '/metrics', '/nothing', '/-/healthy', API, `${API}/docs`]) {
      state.access.clock.monotonic += 60_000
      t.not((await send(path)).status, 429, path)
      const { status, headers } = await send(path)
      t.equal(status, 429, path)
      t.match(headers.get('retry-after'), /^[1-9]\d*$/)
    }
    state.access.clock.monotonic += 60_000
    await send('/', { method: 'POST' })
    t.equal((await send('/', { method: 'DELETE' })).status, 429)
    t.ok(state.observed.every((line) => /^[A-Z]+ (\/|unmatched)/.test(line)))
  },
)

t.test('keys that cannot be checked are a 503 in the one shape', async (t) => {
  const { send, state } = scriptedApi({}, false)
  state.access.state.tokens = {
    verify: async () => {
      throw new KeysUnavailable('https://id.internal.example/keys: connection refused')
    },
  } as unknown as TokenVerifier
  const response = await send('/metrics', { headers: { Authorization: 'Bearer a.b.c' } })
  t.equal(response.status, 503)
  t.equal(response.headers.get('retry-after'), '5')
  const { error } = errorSchema.parse(await response.json())
  t.match(error, { code: 'credentials_unavailable' })
  t.notMatch(error.message, 'internal', 'where the keys are is for the log')
})

t.test(
  'oversized and deeply nested bodies are refused on every route that takes one, and not read where none is taken',
  async (t) => {
    const { app, deps, state } = scriptedApi({}, false)
    const { header } = state.access.addKey('admin')
    const { remoteAddress: _, ...rest } = deps
    const server = await createServer(createApi(rest), {
      host: '127.0.0.1',
      port: 0,
      requestTimeout: 2000,
      headersTimeout: 1000,
      connectionsCheckingInterval: 100,
    })
    t.teardown(() => server.stop())
    /** What came back on a connection that declared a gigabyte and sent so many megabytes of it. */
    const exchange = (method: string, path: string, megabytes: number) =>
      new Promise<string>((resolve) => {
        let answer = ''
        const socket = connect(server.address.port, '127.0.0.1', () => {
          socket.write(
            `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: ${header.Authorization}\r\nContent-Length: 1073741824\r\n\r\n`,
          )
          for (let i = 0; i < megabytes; i++) socket.write(Buffer.alloc(1 << 20, '['))
        })
        socket.setEncoding('latin1')
        socket.on('data', (text: string) => {
          answer += text
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve(answer))
      })
    let bodies = 0
    for (const { method, path, scope } of routesOf(app).filter(({ method }) => method !== 'GET')) {
      const route = ROUTES.find((r) => r.method === method && API + r.path === path)
      t.not(scope, 'read', 'what changes is no reading route')
      const declared = await exchange(method, at(path), 8)
      if (route?.body === undefined) {
        // Answered and hung up on, or hung up on while it still sent.
        t.match(declared, /^(HTTP\/1.1 200 |$)/, `${method} ${path} has no body`)
        continue
      }
      bodies++
      t.match(declared, /^(HTTP\/1.1 413 |$)/, `${method} ${path}`)
      for (const [text, status, code] of [
        ['['.repeat(60_000), 400, 'too_deep'],
        [`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, 400, 'too_deep'],
        [' '.repeat((1 << 20) + 1), 413, 'too_large'],
        ['"\\ud800', 400, 'invalid_json'],
      ] as const) {
        const response = await app.request(`http://localhost${at(path)}`, {
          method,
          body: text,
          headers: { ...header, 'Content-Type': 'application/json' },
        })
        t.equal(response.status, status, `${method} ${path} ${text.slice(0, 10)}`)
        t.equal(errorSchema.parse(await response.json()).error.code, code)
      }
    }
    t.ok(bodies >= 3)
    t.strictSame([state.sensitivity.size, state.ingested.length, state.scored], [0, 0, null])
    const before = process.memoryUsage().arrayBuffers
    t.ok(before < 64e6, `${before} bytes in buffers`)
    t.equal((await fetch(`${server.url}/-/healthy`)).status, 200)
  },
)

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

t.test('hostile values on every route are answered without a 5xx, and leave nothing behind', async (t) => {
  const scripted = scriptedApi({}, false)
  const { send, state } = scripted
  const { header } = state.access.addKey('admin')
  const requests = hostileRequests(openApiDocument(ROUTES, '1'), ['host', 'new', ODD_NAME], NOW / 1000)
  const statuses = new Map<number, number>()
  const run = (count: number, seed: number) =>
    fc.assert(
      fc.asyncProperty(requests, async ({ url, init }) => {
        const response = await send(url, { ...init, headers: { ...header, ...init.headers } })
        const text = await response.text()
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
        // Only what says that a target was not assessed yet.
        if (response.status === 503) return JSON.parse(text).error.code === 'not_assessed'
        if (response.status >= 400) errorSchema.parse(JSON.parse(text))
        return response.status < 500
      }),
      { numRuns: count, seed },
    )
  const forget = () => {
    state.ingested.length = state.logged.length = state.observed.length = 0
    state.scored = state.asked = state.explained = null
  }
  await run(1500, 1)
  t.ok((statuses.get(200) ?? 0) > 50 && (statuses.get(400) ?? 0) > 50, JSON.stringify([...statuses]))
  t.notOk(state.logged.some(({ level }) => level === 'error'))
  t.ok(
    [...state.sensitivity.keys()].every((target) => scripted.assessments.has(target)),
    'no state for what is not there',
  )
  const series = async () => (await (await send('/metrics')).text()).split('\n').length
  const before = await series()
  forget()
  gc()
  const heap = process.memoryUsage().heapUsed
  await run(3000, 2)
  forget()
  gc()
  const grown = process.memoryUsage().heapUsed - heap
  t.ok(grown < 4e6, `the heap grew by ${grown} bytes`)
  // Statuses that a route had not answered yet; never a path.
  t.ok((await series()) - before < 200, `${(await series()) - before} series more`)
  t.notMatch(await (await send('/metrics')).text(), /passwd|<script|x{50}/)
  t.equal(Object.getOwnPropertyNames(Object.prototype).length, 12, 'no prototype was written to')
  t.ok(state.access.gate.held < 10)
})
