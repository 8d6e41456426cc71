import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { z } from 'zod'
import type { Scope } from '../access/index.ts'
import { isLoopbackAddress, notLocalBecause } from '../access/local.ts'
import { scriptedAccess } from '../access/testing.ts'
import { errorSchema } from './errors.ts'
import { ROUTES } from './index.ts'
import { deeperThan } from './input.ts'
import { negotiate } from './negotiate.ts'
import { LOADED, NOW, ODD_NAME, scriptedApi, scriptedHost } from './testing.ts'
import { parseDuration, parseTime } from './times.ts'

const API = '/api/v1'
const filled = (path: string, target = 'host') => `${API}${path.replace(':target', encodeURIComponent(target))}`
const body = (value: unknown, headers: Record<string, string> = {}) => ({
  method: 'PUT',
  body: typeof value === 'string' ? value : JSON.stringify(value),
  headers: { 'Content-Type': 'application/json', ...headers },
})

t.test('every reading route answers JSON that its schema allows', async (t) => {
  const { get, state } = scriptedApi()
  for (const route of ROUTES.filter((r) => r.method === 'GET')) {
    const { status, body, headers } = await get(filled(route.path))
    t.equal(status, 200, `${route.path} ${JSON.stringify(body).slice(0, 200)}`)
    t.equal(headers.get('content-type'), 'application/json')
    t.equal(state.observed.at(-1), `GET ${API}${route.path} 200`)
  }
})

t.test('every schema can be told as JSON Schema, with words for each input', async (t) => {
  for (const { path, params, query, body, response } of ROUTES) {
    for (const input of [params, query, body]) {
      if (input === undefined) continue
      const { properties = {} } = z.toJSONSchema(input, { io: 'input' })
      for (const [name, property] of Object.entries(properties)) {
        t.ok(typeof property === 'object' && property.description, `${path} ${name} is described`)
      }
    }
    t.equal(z.toJSONSchema(response).type, 'object')
  }
})

t.test('every route refuses an unknown query key by its name', async (t) => {
  const { send } = scriptedApi()
  for (const route of ROUTES) {
    const init = route.method === 'PUT' ? body({ sensitivity: 5 }) : { method: route.method }
    for (const key of ['colour', '__proto__', 'constructor']) {
      const response = await send(`${filled(route.path)}?${key}=1`, init)
      t.equal(response.status, 400)
      const { error } = errorSchema.parse(await response.json())
      t.match(error, { code: 'unknown_parameter', field: key }, `${route.method} ${route.path}`)
      t.match(error.message, key)
    }
  }
})

t.test('every route of a target answers 404 for an unknown one and names it', async (t) => {
  const { send } = scriptedApi()
  for (const route of ROUTES.filter((r) => r.path.includes(':target'))) {
    const init = route.method === 'PUT' ? body({ sensitivity: 5 }) : { method: route.method }
    for (const name of ['no such', '__proto__', 'x'.repeat(5000), '..', '%00']) {
      const response = await send(filled(route.path, name), init)
      // `..` is resolved by the URL itself and leaves no target at all.
      t.equal(response.status, 404, `${route.path} ${name.slice(0, 20)}`)
      const { error } = errorSchema.parse(await response.json())
      if (name !== '..') t.match(error.message, name.slice(0, 100))
    }
    const broken = await send(`${API}${route.path.replace(':target', '%E0%A4%A')}`, init)
    t.equal(broken.status, 404, 'broken percent-encoding is no target')
  }
})

t.test('a name that needs percent-encoding is found', async (t) => {
  const { get, send, state } = scriptedApi()
  t.equal((await get(filled('/targets/:target/health', ODD_NAME))).body.target, ODD_NAME)
  const { body: list } = await get(`${API}/targets`)
  const href = list.targets.find((x: { target: string }) => x.target === ODD_NAME).href
  t.equal((await get(href)).status, 200)
  t.equal((await send(filled('/targets/:target/settings', ODD_NAME), body({ sensitivity: 7 }))).status, 200)
  t.equal(state.sensitivity.get(ODD_NAME), 7)
})

t.test('a target that was not assessed yet says so', async (t) => {
  const { get } = scriptedApi()
  for (const path of ['health', 'signals', 'explain']) {
    const { status, body, headers } = await get(`${API}/targets/new/${path}`)
    t.equal(status, 503)
    t.equal(body.error.code, 'not_assessed')
    t.equal(headers.get('retry-after'), '10')
  }
  const { body } = await get(`${API}/targets`)
  t.strictSame(body.targets.at(-1).assessment, null)
})

t.test('health is told in words and numbers', async (t) => {
  const { get, assessments } = scriptedApi()
  t.match((await get(`${API}/targets/host/health`)).body, {
    at: '2026-01-02T03:04:04.000Z',
    age_seconds: 1,
    current: true,
    health: 62.5,
    risk: 'yellow',
    anomaly: { score: 1.25, detectors: { window_z: 1.5 }, alarm: true, threshold: 2 },
    confidence: 0.9,
    trust: { value: 0.8, factors: { history: 0.8 } },
    failure: { probability: 0.125, horizon_seconds: 3600, confidence: 0.75, event: 'memory exhausted' },
    next_exhaustion: { resource: 'memory', sentence: 'memory likely full in 3 h' },
    hints: [{ signal: 'cpu_busy', sentence: 'cpu_busy is 0.96875' }],
  })
  assessments.set(
    'host',
    scriptedHost({ at: NOW - 31_000, model: 'fallback', version: null, scores: null, shap: null }),
  )
  const { body } = await get(`${API}/targets/host/health`)
  t.match(body, { current: false, anomaly: null, confidence: null, model: { state: 'fallback', version: null } })
})

t.test('a forecast is points ahead with quantiles, of the signals that are asked for', async (t) => {
  const { get } = scriptedApi()
  const path = `${API}/targets/host/forecast`
  const { body } = await get(path)
  t.strictSame(body.quantiles, [0.05, 0.1, 0.5, 0.9, 0.95])
  const [health, cpu] = body.signals
  t.strictSame([health.signal, health.points.length, cpu.signal, cpu.unit], ['health', 60, 'cpu_busy', 'ratio'])
  t.strictSame(health.points[0], {
    at: '2026-01-02T03:05:04.000Z',
    horizon_seconds: 60,
    values: [0.1, 0.2, 0.5, 0.8, 0.9],
    model: 'naive',
    skill: null,
    low_confidence: true,
  })
  t.equal(health.points.at(-1).horizon_seconds, 3600)
  const { body: day } = await get(`${path}?signals=response_time,cpu_busy&horizon=24h&points=5`)
  t.match(day.signals, [
    { signal: 'response_time', unit: 'seconds', points: [], reason: 'too little is known of it yet' },
    { signal: 'cpu_busy', points: { length: 5 }, reason: null },
  ])
  for (const [query, field] of [
    ['horizon=25h', 'horizon'],
    ['horizon=30s', 'horizon'],
    ['points=0', 'points'],
    ['points=1441', 'points'],
    ['signals=nothing', 'signals'],
    ['signals=', 'signals'],
  ] as const) {
    const { status, body } = await get(`${path}?${query}`)
    t.match([status, body.error.field], [400, field], query)
  }
})

t.test('failure says what fails, when, why and what to do', async (t) => {
  const { get, assessments } = scriptedApi()
  const { body } = await get(`${API}/targets/host/failure`)
  t.match(body, {
    predicted: '2026-01-02T03:04:04.000Z',
    failure: {
      horizons: [{ horizon_seconds: 900, probability: 0.0625 }, { probability: 0.125 }, { probability: 0.25 }],
      confidence: 0.75,
      event: 'memory exhausted',
      reasons: [{ sentence: 'memory at 90 %' }],
    },
    resources: [
      {
        resource: 'memory',
        lower: '2026-01-02T05:04:04.000Z',
        median: '2026-01-02T06:04:04.000Z',
        within_day: 0.9375,
        trend: { since: '2026-01-02T01:04:04.000Z' },
        sentence: 'memory likely full in 3 h',
      },
      { lower: null, median: null, upper: null, trend: null, sentence: null },
    ],
  })
  assessments.set('host', scriptedHost({ outlook: null }))
  t.match((await get(`${API}/targets/host/failure`)).body, { predicted: null, failure: null, resources: [] })
})

t.test('history takes Unix seconds and ISO 8601, steps and fields, and bounds its points', async (t) => {
  const { get, state } = scriptedApi()
  const path = `${API}/targets/host/history`
  const { body } = await get(`${path}?from=${NOW / 1000 - 600}&to=2026-01-02T03:04:05Z&step=1m&fields=health,cpu_busy`)
  t.strictSame(state.asked, { from: NOW - 600_000, to: NOW, step: 60_000, fields: ['health', 'cpu_busy'] })
  t.strictSame(body.points, [{ at: '2026-01-02T02:54:05.000Z', values: { health: 90.5 } }])
  await get(path)
  t.match(state.asked, { from: NOW - 3_600_000, to: NOW, step: 10_000, fields: ['health', 'anomaly'] })
  for (const [query, field, code] of [
    ['from=yesterday', 'from', 'invalid'],
    ['to=2026-01-02', 'to', 'invalid'],
    ['to=2026-13-45T00:00:00Z', 'to', 'invalid'],
    ['from=99999999999', 'from', 'invalid'],
    ['from=-5', 'from', 'invalid'],
    [`from=${NOW}`, 'from', 'invalid'],
    ['from=10&to=10', 'from', 'empty_range'],
    ['step=0', 'step', 'invalid'],
    ['step=1y', 'step', 'invalid'],
    ['step=1e9', 'step', 'invalid'],
    ['from=0', 'step', ''],
    ['from=0&step=1', 'step', 'too_many_points'],
    ['fields=health,nonsense', 'fields', 'unknown_field'],
    ['fields=', 'fields', 'unknown_field'],
    ['fields=__proto__', 'fields', 'unknown_field'],
    ['step=1&step=2', 'step', 'repeated_parameter'],
  ] as const) {
    const { status, body } = await get(`${path}?${query}`)
    if (code === '') t.equal(status, 200, `${query}: the default step grows with the range`)
    else t.match({ status, ...body.error }, { status: 400, field, code }, query)
  }
})

t.test('signals lists absent ones as absent, without a value', async (t) => {
  const { get, assessments } = scriptedApi()
  assessments.set('host', scriptedHost({ values: { cpu_busy: 0.5, queue_length: 7 } }))
  const { body } = await get(`${API}/targets/host/signals`)
  const find = (signal: string) => body.signals.find((s: { signal: string }) => s.signal === signal)
  t.match(find('cpu_busy'), { present: true, value: 0.5, unit: 'ratio', usual: { low: 0.05, high: 0.25 } })
  t.match(find('queue_length'), { present: true, value: 7, unit: 'none' }, "a user's own signal")
  t.match(find('memory_used'), { present: false, usual: { low: 0.3, high: 0.6 } })
  t.notOk('value' in find('memory_used'))
  t.equal(body.resources.length, 3)
})

t.test('explain sorts by size, adds up and gives shares; features and forest on request', async (t) => {
  const { get, assessments } = scriptedApi()
  const { body } = await get(`${API}/targets/host/explain`)
  const { base, output, signals } = body.primary
  t.equal(signals[0].signal, 'cpu_busy')
  const sum = (key: string) => signals.reduce((total: number, s: Record<string, number>) => total + (s[key] ?? 0), 0)
  t.ok(Math.abs(base + sum('value') - output) < 1e-12)
  t.ok(Math.abs(sum('share') - 1) < 1e-12)
  t.notOk('forest' in body || 'features' in body.primary)
  const { body: more } = await get(`${API}/targets/host/explain?features=true&forest=true`)
  t.strictSame(more.primary.features, [{ signal: 'cpu_busy', feature: 'last', value: 2.5 }])
  t.match(more.forest, { base: 8, output: 11, signals: [{ signal: 'cpu_busy', share: 0.8 }, {}] })
  t.equal((await get(`${API}/targets/host/explain?features=yes`)).body.error.field, 'features')
  assessments.set('host', scriptedHost({ model: 'fallback', scores: null, shap: null }))
  const { body: rules } = await get(`${API}/targets/host/explain`)
  t.equal(rules.primary, null)
  t.match(rules.reason, 'rules alone')
})

t.test('drift says what the answer rests on, and why there is none', async (t) => {
  const { get } = scriptedApi()
  const { body } = await get(`${API}/targets/host/drift`)
  t.match(body, {
    detected: true,
    reason: null,
    status: {
      state: 'drifted',
      reference: { origin: 'training', days: 16 },
      anomaly_rate: { ratio: 0.04, limit: 0.015, detected: true },
      page_hinkley: { statistic: 31.5, limit: 30, direction: 'up', usual: { sigma: 0.3 } },
      distribution: { signals: 5, limit: 4, of: 36 },
      signals: [
        { signal: 'cpu_busy', distance: 0.75, limit: 0.5, drifted: true },
        { signal: 'memory_used', drifted: false },
      ],
      events: [
        { at: new Date(NOW).toISOString(), kind: 'confirmed', page_hinkley: { hours: 12 }, signals: ['cpu_busy'] },
      ],
    },
  })
  t.equal((await get(`${API}/targets/host/drift?signals=1`)).body.status.signals.length, 1)
  t.equal((await get(`${API}/targets/host/drift?signals=0`)).body.error.field, 'signals')
  const { get: bare } = scriptedApi({ drift: () => null })
  t.match((await bare(`${API}/targets/host/drift`)).body, { detected: false, status: null, reason: /^rules alone/ })
})

t.test('explain gives the mean of a range, and bounds it', async (t) => {
  const { get, state } = scriptedApi()
  const path = `${API}/targets/host/explain`
  const { body } = await get(`${path}?from=${NOW / 1000 - 600}&to=2026-01-02T03:04:05Z`)
  t.strictSame(state.explained, { from: NOW - 600_000, to: NOW })
  t.strictSame(body, {
    target: 'host',
    range: {
      from: '2026-01-02T02:54:05.000Z',
      to: '2026-01-02T03:04:05.000Z',
      rows: { explained: 5, rules_alone: 1, unassessed: 0, not_kept: 0 },
    },
    reason: null,
    primary: {
      base: 1,
      output: 3.5,
      signals: [
        { signal: 'cpu_busy', value: 3, share: 3 / 3.5 },
        { signal: 'memory_used', value: -0.5, share: 0.5 / 3.5 },
      ],
    },
  })
  await get(`${path}?to=${NOW / 1000 - 7200}`)
  t.strictSame(state.explained, { from: NOW - 3 * 3_600_000, to: NOW - 2 * 3_600_000 }, 'an hour by default')
  t.equal((await get(`${API}/targets/new/explain?from=${NOW / 1000 - 60}`)).status, 200, 'rows of before a restart')
  for (const [query, field, code] of [
    ['from=yesterday', 'from', 'invalid'],
    ['to=2026-01-02', 'to', 'invalid'],
    ['from=10&to=10', 'from', 'empty_range'],
    ['from=20&to=10', 'from', 'empty_range'],
    [`from=${NOW / 1000 + 1}`, 'from', 'empty_range'],
    ['from=0', 'from', 'range_too_long'],
    [`from=${NOW / 1000 - 31 * 86_400 - 1}`, 'from', 'range_too_long'],
    ['from=0&to=10&features=true', 'features', 'newest_row_only'],
    ['to=10&forest=true', 'forest', 'newest_row_only'],
    ['from=1&from=2', 'from', 'repeated_parameter'],
  ] as const) {
    const { status, body } = await get(`${path}?${query}`)
    t.match({ status, ...body.error }, { status: 400, field, code }, query)
  }
  t.equal((await get(`${path}?from=${NOW / 1000 - 31 * 86_400}&features=false`)).status, 200)
  t.match((await get(`${path}?from=0`)).body.error.message, 'at most 31 are explained at once')
  t.equal((await get(`${API}/targets/typo/explain?from=1&to=2`)).status, 404)

  const rows = { explained: 0, rulesAlone: 0, unassessed: 0, notKept: 0 }
  for (const [counts, reason] of [
    [{}, 'there are no rows'],
    [{ unassessed: 3 }, 'none of these rows was assessed'],
    [{ rulesAlone: 1, unassessed: 3 }, 'rules alone'],
    [{ rulesAlone: 1, notKept: 1 }, 'were not kept'],
  ] as const) {
    const none = scriptedApi({
      explainRange: (_, from, to) => ({ from, to, shap: null, rows: { ...rows, ...counts } }),
    })
    const { status, body } = await none.get(`${path}?to=10`)
    t.match({ status, ...body }, { status: 200, primary: null, reason })
  }
})

t.test('sensitivity is read and set, and said in words', async (t) => {
  const { get, send, state } = scriptedApi()
  const { body: five } = await get(`${API}/targets/host/settings`)
  t.match(five, { sensitivity: 5, budget_ratio: 0.005 })
  t.match(five.meaning, 'about 27 short alarms a week at most, 50 minutes in alarm in all (0.50 % of the time)')
  const put = await send(`${API}/targets/host/settings`, body({ sensitivity: 6 }))
  t.equal(put.status, 200)
  t.match(await put.json(), { sensitivity: 6, budget_ratio: 0.008 })
  for (const [value, field] of [
    [{ sensitivity: 0 }, 'sensitivity'],
    [{ sensitivity: 11 }, 'sensitivity'],
    [{ sensitivity: 5.5 }, 'sensitivity'],
    [{ sensitivity: '5' }, 'sensitivity'],
    [{}, 'sensitivity'],
    [{ sensitivity: 5, colour: 'red' }, 'colour'],
    ['{"sensitivity": 5, "__proto__": {"admin": true}}', '__proto__'],
    [[], undefined],
    ['null', undefined],
  ] as const) {
    const response = await send(`${API}/targets/host/settings`, body(value))
    t.equal(response.status, 400, JSON.stringify(value))
    t.equal(errorSchema.parse(await response.json()).error.field, field, JSON.stringify(value))
  }
  t.equal(state.sensitivity.get('host'), 6, 'nothing else was put in force')
})

t.test('a body that is too large, too deep, no JSON or of another type is refused', async (t) => {
  const { send } = scriptedApi()
  const path = `${API}/targets/host/settings`
  const streamed = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(16_384).fill(0x20)),
  })
  for (const [init, status, code] of [
    [body(`{"sensitivity": ${' '.repeat(70_000)}5}`), 413, 'too_large'],
    [{ ...body(''), body: streamed, duplex: 'half' }, 413, 'too_large'],
    [body('['.repeat(60_000)), 400, 'too_deep'],
    [body(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`), 400, 'too_deep'],
    [body('{"sensitivity": }'), 400, 'invalid_json'],
    [body(''), 400, 'invalid_json'],
    [body('{"sensitivity": 5}', { 'Content-Type': 'text/plain' }), 415, 'unsupported_media_type'],
    [body('{"sensitivity": 5}', { 'Content-Type': 'application/json; charset=latin1' }), 415, 'unsupported_media_type'],
    [body('{"sensitivity": 5}', { 'Content-Encoding': 'gzip' }), 415, 'unsupported_encoding'],
  ] as const) {
    const response = await send(path, init as RequestInit & { headers: Record<string, string> })
    t.equal(response.status, status)
    t.equal(errorSchema.parse(await response.json()).error.code, code)
  }
  const latin1 = await send(path, { ...body(''), body: new Uint8Array([0x22, 0xff, 0x22]) })
  t.equal(errorSchema.parse(await latin1.json()).error.code, 'invalid_utf8')
  t.equal(
    (await send(path, body({ sensitivity: 5 }, { 'Content-Type': 'application/json; charset=UTF-8' }))).status,
    200,
  )
  t.notOk(deeperThan(`["${'['.repeat(99)}\\"${'['.repeat(99)}"]`, 32), 'brackets in strings do not count')
})

t.test('alerts come in pages, newest first', async (t) => {
  const { get, state } = scriptedApi()
  const first = (await get(`${API}/alerts?limit=2`)).body
  t.strictSame([first.alerts.map((a: { id: number }) => a.id), first.next_before], [[5, 4], 4])
  const last = (await get(`${API}/alerts?limit=3&before=4`)).body
  t.strictSame([last.alerts.map((a: { id: number }) => a.id), last.next_before], [[3, 2, 1], null])
  t.equal((await get(`${API}/alerts?target=new`)).body.alerts.length, 0)
  t.equal((await get(`${API}/alerts?target=typo`)).status, 404)
  state.alerts = state.alerts.map((alert) => ({ ...alert, target: 'former' }))
  t.equal((await get(`${API}/alerts?target=former`)).body.alerts.length, 5, 'a target that is gone keeps its alerts')
  for (const query of ['limit=0', 'limit=1001', 'limit=ten', 'before=-1', 'before=1.5']) {
    t.match(
      await get(`${API}/alerts?${query}`),
      { status: 400, body: { error: { field: query.split('=')[0] } } },
      query,
    )
  }
})

t.test('model and performance are told, also where there is none', async (t) => {
  const { get } = scriptedApi()
  t.match((await get(`${API}/model`)).body, {
    state: 'active',
    bundle: { version: '0123456789ab', golden: { cases: 12 } },
  })
  const none = scriptedApi({ model: () => ({ state: 'fallback', reason: 'golden vectors differ', bundle: null }) })
  t.match((await none.get(`${API}/model`)).body, { state: 'fallback', reason: 'golden vectors differ', bundle: null })
  t.same(LOADED.bundle?.signals.length, 36)
  await get('/api/v1')
  const { body } = await get(`${API}/performance`)
  t.match(body, { cycle: null, store: { p50_seconds: 0.001 }, cpu_share: null })
  t.ok(body.requests_per_minute >= 2)
})

t.test('the list of routes lists every route with its scope', async (t) => {
  const { get } = scriptedApi()
  const { body } = await get(API)
  t.equal(body.routes.length, ROUTES.length)
  t.match(
    body.routes.find((r: { method: string }) => r.method === 'PUT'),
    { path: '/api/v1/targets/{target}/settings', scope: 'write' },
  )
})

t.test('errors have one shape: 404, 405 with Allow, 500 without inner words', async (t) => {
  const { get, send, state } = scriptedApi({
    model: () => {
      throw new Error('secret detail')
    },
  })
  for (const path of ['/nothing', '/api', '/api/v2', '/api/v1/', '/api/v1/targets/', '/api/v1/targets//health']) {
    const { status, body } = await get(path)
    t.equal(status, 404, path)
    t.equal(errorSchema.parse(body).error.code, 'not_found')
  }
  for (const [method, path, allow] of [
    ['POST', '/metrics', 'GET, HEAD'],
    ['DELETE', `${API}/targets/host/settings`, 'GET, HEAD, PUT'],
    ['OPTIONS', `${API}/model`, 'GET, HEAD'],
    ['GET', '/-/reload', 'POST'],
    ['PUT', '/-/ready', 'GET, HEAD'],
    ['PATCH', '/', 'GET, HEAD'],
  ] as const) {
    const response = await send(path, { method })
    t.equal(response.status, 405, `${method} ${path}`)
    t.equal(response.headers.get('allow'), allow)
    errorSchema.parse(await response.json())
  }
  const { status, body, headers } = await get(`${API}/model`, { 'X-Request-Id': 'abc-123' })
  t.equal(status, 500)
  t.notMatch(JSON.stringify(body), 'secret')
  t.match(body.error.message, 'abc-123')
  t.equal(headers.get('x-request-id'), 'abc-123')
  t.match(
    state.logged.filter((line) => line.fields.request_id === 'abc-123').map((line) => line.level),
    ['error', 'warn'],
  )
})

t.test('every answer has security headers and a request id; a strange id is replaced', async (t) => {
  const { send, state } = scriptedApi()
  for (const path of ['/', '/metrics', '/nothing', `${API}/targets`, '/-/healthy']) {
    const { headers } = await send(path, { headers: { 'X-Request-Id': 'a b\tc<script>' } })
    t.match(headers.get('x-request-id'), /^[0-9a-f-]{36}$/)
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.match(headers.get('content-security-policy'), "default-src 'none'")
    t.equal(headers.get('access-control-allow-origin'), null)
  }
  t.ok(state.observed.includes('GET unmatched 404'), 'paths that match nothing are one route')
})

t.test('a request is local only by socket, Host and Origin, and never through a proxy', async (t) => {
  const local = { host: 'localhost:9' }
  for (const [remote, headers, expected] of [
    ['127.0.0.1', local, true],
    ['127.8.9.10', { host: '127.0.0.1' }, true],
    ['::1', { host: '[::1]:9798' }, true],
    ['::ffff:127.0.0.1', { host: 'LOCALHOST' }, true],
    ['127.0.0.1', { ...local, origin: 'http://localhost:3000' }, true],
    ['127.0.0.1', { ...local, origin: 'http://[::1]:3000' }, true],
    ['10.0.0.1', local, false],
    ['::ffff:10.0.0.1', local, false],
    ['::127.0.0.1', local, false],
    ['127.0.0.999', local, false],
    ['127.0.0.1.evil', local, false],
    [undefined, local, false],
    ['127.0.0.1', {}, false],
    ['127.0.0.1', { host: '' }, false],
    ['127.0.0.1', { host: 'evil.example' }, false],
    ['127.0.0.1', { host: 'localhost.evil.example' }, false],
    ['127.0.0.1', { host: '127.0.0.1.evil.example:80' }, false],
    ['127.0.0.1', { host: 'localhost:80:80' }, false],
    ['127.0.0.1', { host: 'localhost@evil' }, false],
    ['127.0.0.1', { host: '128.0.0.1' }, false],
    ['127.0.0.1', { host: '0.0.0.0' }, false],
    ['127.0.0.1', { ...local, origin: 'http://evil.example' }, false],
    ['127.0.0.1', { ...local, origin: 'http://localhost.evil.example' }, false],
    ['127.0.0.1', { ...local, origin: 'null' }, false],
    ['127.0.0.1', { ...local, origin: '' }, false],
    ['127.0.0.1', { ...local, origin: 'file://localhost' }, false],
    ['127.0.0.1', { ...local, 'x-forwarded-for': '127.0.0.1' }, false],
    ['127.0.0.1', { ...local, forwarded: 'for=127.0.0.1' }, false],
    ['127.0.0.1', { ...local, 'x-real-ip': '127.0.0.1' }, false],
  ] as const) {
    const header = (name: string) => (headers as Record<string, string>)[name]
    const reason = notLocalBecause(remote, header)
    const access = scriptedAccess(true, NOW)
    const authorize = (scope: Scope, open: boolean) => {
      access.settings.openReads = open
      void access.gate.authorize(scope, { address: remote, header, certificate: null })
    }
    t.equal(reason === null, expected, `${remote} ${JSON.stringify(headers)}: ${reason}`)
    t.equal(
      throws(() => authorize('read', true)),
      false,
      'open reads are open',
    )
    for (const scope of ['read', 'write', 'admin'] as const) {
      t.equal(
        throws(() => authorize(scope, false)),
        !expected,
        scope,
      )
    }
    t.equal(
      throws(() => authorize('write', true)),
      !expected,
      'open reads open no changes',
    )
  }
  t.notOk(isLoopbackAddress('127.0.0'))
})

function throws(action: () => void): boolean {
  try {
    action()
    return false
  } catch {
    return true
  }
}

t.test('changes from elsewhere are refused on every changing route and change nothing', async (t) => {
  const { send, state } = scriptedApi()
  const changing = ROUTES.filter((r) => r.scope !== 'read').map((r) => [r.method, filled(r.path)] as const)
  for (const [method, path] of [...changing, ['POST', '/-/reload'] as const]) {
    for (const headers of [
      { Origin: 'http://evil.example' },
      { Host: 'evil.example' },
      { 'X-Forwarded-For': '127.0.0.1' },
    ]) {
      const response = await send(path, { ...body({ sensitivity: 9 }, headers as Record<string, string>), method })
      t.equal(response.status, 403, `${method} ${path} ${JSON.stringify(headers)}`)
      t.equal(errorSchema.parse(await response.json()).error.code, 'changes_are_local')
    }
    state.remote = '192.0.2.1'
    t.equal((await send(path, { ...body({ sensitivity: 9 }), method })).status, 403)
    state.remote = '127.0.0.1'
  }
  t.equal(state.sensitivity.size, 0)
})

t.test('reads from elsewhere are refused where they are not open, except liveness', async (t) => {
  const { send, state } = scriptedApi()
  state.remote = '192.0.2.1'
  const paths = ['/', '/metrics', API, ...ROUTES.filter((r) => r.method === 'GET').map((r) => filled(r.path))]
  for (const path of paths) t.equal((await send(path)).status, 200, path)
  state.access.settings.openReads = false
  for (const path of paths) t.equal((await send(path)).status, 403, path)
  t.equal((await send('/-/healthy')).status, 200)
  t.equal((await send('/-/ready')).status, 200)
})

t.test('metrics come as text, OpenMetrics or compressed, as asked', async (t) => {
  const { send } = scriptedApi()
  const plain = await send('/metrics')
  t.equal(plain.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const text = await plain.text()
  t.match(text, 'portent_health_ratio{target="host"} 0.625\n')
  const open = await send('/metrics?collect[]=x', { headers: { Accept: 'application/openmetrics-text;version=1.0.0' } })
  t.equal(open.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  t.match(await open.text(), /# EOF\n$/)
  const zipped = await send('/metrics', { headers: { 'Accept-Encoding': 'gzip' } })
  t.equal(zipped.headers.get('content-encoding'), 'gzip')
  t.equal(zipped.headers.get('vary'), 'Accept, Accept-Encoding')
  t.equal(gunzipSync(Buffer.from(await zipped.arrayBuffer())).toString(), text)
  const head = await send('/metrics', { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.headers.get('content-length'), String(Buffer.byteLength(text)))
  t.equal(await head.text(), '')
  const moved = scriptedApi({ telemetryPath: '/telemetry' })
  t.equal((await moved.send('/telemetry')).status, 200)
  t.equal((await moved.send('/metrics')).status, 404)
})

t.test('negotiation weighs what clients accept', async (t) => {
  const prometheus2 =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
  const prometheus3 =
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
  for (const [accept, format, version] of [
    [undefined, 'text', '1.0.0'],
    ['', 'text', '1.0.0'],
    ['*/*', 'text', '1.0.0'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text', '1.0.0'],
    [prometheus2, 'openmetrics', '1.0.0'],
    [prometheus3, 'openmetrics', '1.0.0'],
    ['application/openmetrics-text; version="0.0.1"', 'openmetrics', '0.0.1'],
    ['application/openmetrics-text;version=2.0.0', 'text', '1.0.0'],
    ['application/openmetrics-text;q=0', 'text', '1.0.0'],
    ['application/openmetrics-text;q=0.4,text/plain;q=0.5', 'text', '1.0.0'],
    ['application/openmetrics-text;q=nonsense', 'text', '1.0.0'],
    ['application/json', 'text', '1.0.0'],
    [';;;,,,q=1;=;'.repeat(2000), 'text', '1.0.0'],
  ] as const) {
    t.match(negotiate(accept, undefined), { format, version, gzip: false }, accept?.slice(0, 60) ?? 'none')
  }
  for (const [encoding, gzip] of [
    ['gzip', true],
    ['deflate, gzip;q=0.5', true],
    ['*', true],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['identity, gzip;q=0.5', false],
    ['br', false],
    ['', false],
  ] as const) {
    t.equal(negotiate(undefined, encoding).gzip, gzip, encoding)
  }
})

t.test('healthy, ready and reload answer for operators', async (t) => {
  const { send, get, state } = scriptedApi()
  t.equal(await (await send('/-/healthy')).text(), 'Portent is Healthy.\n')
  t.equal(await (await send('/-/ready')).text(), 'Portent is Ready.\n')
  state.notReady = 'the first cycle is not done'
  t.match(await get('/-/ready'), { status: 503, body: { error: { message: /the first cycle is not done/ } } })
  t.equal((await send('/-/healthy')).status, 200)
  const reloaded = await send('/-/reload', { method: 'POST' })
  t.equal(reloaded.status, 200)
  t.strictSame(await reloaded.json(), { applied: ['log.level'], need_restart: [] })
  state.reload = { ok: false, errors: ['web.port: must be a number', 'unknown key colour'] }
  const refused = await send('/-/reload', { method: 'POST' })
  t.equal(refused.status, 400)
  t.match(errorSchema.parse(await refused.json()).error.message, /web.port: must be a number; unknown key colour/)
})

t.test('the landing page shows every target, escapes names and loads nothing', async (t) => {
  const { send, assessments } = scriptedApi()
  assessments.set('<img src=x onerror=alert(1)>', scriptedHost({ health: 12, risk: 'red', at: NOW }))
  assessments.set('old', scriptedHost({ at: NOW - 600_000 }))
  const response = await send('/')
  t.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
  const html = await response.text()
  t.match(html, 'health 63 &middot; yellow')
  t.match(html, '&lt;img src=x')
  t.notMatch(html, '<img')
  t.match(html, 'no score since 2026-01-02T02:54:05.000Z', 'an old score is not shown as new')
  t.match(html, 'not assessed yet')
  t.notMatch(html, /https?:|<script|<link|@import|url\(/)
  for (const href of [...html.matchAll(/href="([^"]+)"/g)].map((m) => m[1] ?? '')) {
    const { status } = await send(href.replaceAll('&amp;', '&').replaceAll('&#39;', "'"))
    t.ok(status === 200 || (status === 503 && href.includes('/new/')), `${href} ${status}`)
  }
})

t.test('times and durations', async (t) => {
  t.equal(parseTime('1767323045'), NOW)
  t.equal(parseTime('1767323045.5'), NOW + 500)
  t.equal(parseTime('2026-01-02T03:04:05Z'), NOW)
  t.equal(parseTime('2026-01-02T04:04:05.000+01:00'), NOW)
  for (const bad of ['', 'now', '1e9', '-1', 'Infinity', '2026-01-02', '2026-01-02T03:04:05', '9999999999999']) {
    t.equal(parseTime(bad), null, bad)
  }
  t.strictSame(['30', '30s', '5m', '1.5h', '1d', '250ms'].map(parseDuration), [30e3, 30e3, 3e5, 5.4e6, 864e5, 250])
  for (const bad of ['', '0', '-1', 's', '1w', '1 m', '1m30s']) t.equal(parseDuration(bad), null, bad)
})
