/** Ingest, collect and score as HTTP; the OpenAPI document, its page and a client made from it. */
import { Validator } from '@seriousme/openapi-schema-validator'
import fc from 'fast-check'
import { OpenAPIClientAxios } from 'openapi-client-axios'
import t from 'tap'
import { z } from 'zod'
import { errorSchema } from './errors.ts'
import { createApi, ROUTES } from './index.ts'
import type { OpenApiDocument } from './openapi.ts'
import type { Route } from './route.ts'
import { exampleOf } from './route.ts'
import { AHEAD_MS, MOST_VALUES, readRows, readTime, rowSchema, timestamp } from './rows.ts'
import { createServer } from './server.ts'
import { NOW, scriptedApi } from './testing.ts'

const API = '/api/v1'
const post = (value: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  body: typeof value === 'string' ? value : JSON.stringify(value),
  headers: { 'Content-Type': 'application/json', ...headers },
})
const row = (more: object = {}) => ({ target: 'web', timestamp: NOW / 1000, values: { cpu_busy: 0.5 }, ...more })

/** Sends a body and gives the status with the answer. */
function sender(path: string) {
  const scripted = scriptedApi()
  const send = async (value: unknown, headers?: Record<string, string>) => {
    const response = await scripted.send(`${API}${path}`, post(value, headers))
    // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
    return { status: response.status, body: (await response.json()) as any }
  }
  return { ...scripted, send }
}

t.test('rows are taken with both kinds of timestamps, and nothing else is added to them', async (t) => {
  const { send, state } = sender('/ingest')
  const resources = [{ resource: 'filesystem:/', used: 0.5, capacity: 10, unit: 'bytes' }]
  const answer = await send({
    rows: [row(), row({ timestamp: '2026-01-02T04:04:06.5+01:00', kind: 'service', resources })],
  })
  t.strictSame(answer, {
    status: 200,
    body: { accepted: 2, duplicates: 0, late: 0, rejected_rows: 0, rejected: [] },
  })
  t.strictSame(state.ingested, [
    { target: 'web', at: NOW, values: { cpu_busy: 0.5 }, resources: [], index: 0 },
    { target: 'web', kind: 'service', at: NOW + 1500, values: { cpu_busy: 0.5 }, resources, index: 1 },
  ])
})

t.test('a row that is not sound is named by its index and field, and the sound ones are taken', async (t) => {
  const { send, state } = sender('/ingest')
  const bad: [unknown, string, RegExp][] = [
    [row({ values: { cpu_busy: '0.5' } }), 'values.cpu_busy', /finite number .*the text "0.5"/],
    [row({ values: { cpu_busy: null } }), 'values.cpu_busy', /is null/],
    [row({ values: { cpu_busy: [1] } }), 'values.cpu_busy', /is a list/],
    [row({ values: { cpu_busy: true } }), 'values.cpu_busy', /is true/],
    [row({ values: { cpu_busy: 1e300 } }), 'values.cpu_busy', /at most 1000000000000000 either way/],
    [row({ values: {} }), 'values', /1 to 256 signals, holds 0/],
    [row({ values: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`s${i}`, i])) }), 'values', /holds 257/],
    [row({ values: [0.5] }), 'values', /an object of signals, is a list/],
    [row({ values: { 'CPU-busy': 1 } }), 'values.CPU-busy', /is named by/],
    [row({ values: { [`a${'b'.repeat(63)}`]: 1 } }), `values.a${'b'.repeat(63)}`, /is named by/],
    [row({ target: '' }), 'target', /1 to 128 characters/],
    [row({ target: 'a\u0000b' }), 'target', /without control characters/],
    [row({ target: 'x'.repeat(129) }), 'target', /1 to 128/],
    [row({ target: 7 }), 'target', /is 7/],
    [row({ kind: 'planet' }), 'kind', /host or service/],
    [row({ timestamp: '2026-02-30T00:00:00Z' }), 'timestamp', /Unix seconds or ISO 8601/],
    [row({ timestamp: '2026-01-02T03:04:05' }), 'timestamp', /with a time zone/],
    [row({ timestamp: String(NOW / 1000) }), 'timestamp', /the text/],
    [row({ timestamp: -1 }), 'timestamp', /is -1/],
    [row({ timestamp: NOW }), 'timestamp', /is \d+/],
    [row({ timestamp: (NOW + AHEAD_MS) / 1000 + 1 }), 'timestamp', /10 minutes ahead of this host's clock/],
    [row({ resources: [{ resource: 'a', used: 1.5 }] }), 'resources[0].used', /from 0 to 1/],
    [row({ resources: [{ resource: 'a', used: 0.5, unit: 'kg' }] }), 'resources[0].unit', /one of bytes/],
    [row({ resources: [{ resource: 'a', used: 0.5, x: 1 }] }), 'resources[0].x', /unknown key/],
    [row({ colour: 'red' }), 'colour', /unknown key "colour"/],
    [null, '', /an object, is null/],
    [[], '', /an object, is a list/],
  ]
  const { status, body } = await send({ rows: [row(), ...bad.map(([r]) => r), row({ target: 'web-2' })] })
  t.equal(status, 200)
  t.match(body, { accepted: 2, rejected_rows: bad.length })
  bad.forEach(([, field, message], i) => {
    const rejection = body.rejected[i]
    t.equal(rejection.row, i + 1)
    t.equal(rejection.field, `rows[${i + 1}]${field === '' ? '' : `.${field}`}`)
    t.match(rejection.message, message, field)
  })
  t.strictSame(
    state.ingested.map((r) => r.target),
    ['web', 'web-2'],
  )
})

t.test('hostile JSON: __proto__, infinities, depth, size, what is no list', async (t) => {
  const { send, state } = sender('/ingest')
  const at = NOW / 1000
  for (const [text, status, code, field] of [
    [
      `{"rows":[{"target":"a","timestamp":${at},"values":{"__proto__":1}}]}`,
      400,
      'no_sound_row',
      'rows[0].values.__proto__',
    ],
    [
      `{"rows":[{"target":"a","timestamp":${at},"values":{"a":1},"__proto__":{}}]}`,
      400,
      'no_sound_row',
      'rows[0].__proto__',
    ],
    [`{"rows":[{"target":"a","timestamp":${at},"values":{"a":1e999}}]}`, 400, 'no_sound_row', 'rows[0].values.a'],
    [`{"rows":[{"target":"a","timestamp":1e999,"values":{"a":1}}]}`, 400, 'no_sound_row', 'rows[0].timestamp'],
    [`{"rows":[{"target":"a","timestamp":${at},"values":{"a":NaN}}]}`, 400, 'invalid_json', undefined],
    [`{"rows":${'['.repeat(40)}${']'.repeat(40)}}`, 400, 'too_deep', undefined],
    ['{"rows":[]}', 400, 'invalid', 'rows'],
    ['{"rows":{"length":1}}', 400, 'invalid', 'rows'],
    ['{"rows":[{}],"admin":true}', 400, 'unknown_key', 'admin'],
    ['[]', 400, 'invalid', undefined],
    ['null', 400, 'invalid', undefined],
    [`{"rows":[${' '.repeat(1 << 20)}]}`, 413, 'too_large', undefined],
  ] as const) {
    const answer = await send(text)
    t.match({ status: answer.status, ...answer.body.error }, { status, code }, text.slice(0, 80))
    t.equal(answer.body.error.field, field)
  }
  const names = Array.from({ length: 200 }, (_, i) => `s${i}`)
  const wide = row({ values: Object.fromEntries(names.map((name) => [name, 1])) })
  t.equal((await send({ rows: Array.from({ length: MOST_VALUES / 200 }, () => wide) })).status, 200)
  const before = state.ingested.length
  const many = await send({ rows: Array.from({ length: MOST_VALUES / 200 + 1 }, () => wide) })
  t.match(many, { status: 413, body: { error: { code: 'too_many_values', field: 'rows[50]' } } })
  t.equal(state.ingested.length, before, 'nothing of it is taken')
  t.equal(({} as Record<string, unknown>).a, undefined)
})

t.test('where nothing is taken the first reason is told: 409 by a limit, else 400', async (t) => {
  const at = (limit?: string) => ({
    ...{ row: 0, field: 'rows[0].target', message: 'would be one more' },
    ...(limit !== undefined && { limit }),
  })
  for (const [limit, status, code] of [
    ['limits.targets', 409, 'limit_reached'],
    [undefined, 400, 'no_sound_row'],
  ] as const) {
    const { send } = scriptedApi({
      ingest: async () => ({ accepted: 0, duplicates: 0, late: 0, rejected: [at(limit)] }),
    })
    const response = await send(`${API}/ingest`, post({ rows: [row()] }))
    t.equal(response.status, status)
    t.match(errorSchema.parse(await response.json()).error, { code, field: 'rows[0].target' })
  }
})

t.test('a store that takes nothing is no fault of the sender: 503, and to be tried again', async (t) => {
  const { send } = scriptedApi({ ingest: () => Promise.reject(new Error('database has no room left')) })
  const response = await send(`${API}/ingest`, post({ rows: [row()] }))
  t.equal(response.status, 503)
  t.equal(response.headers.get('retry-after'), '5')
  t.match(errorSchema.parse(await response.json()).error, { code: 'not_stored', message: /send them again/ })
})

/** Values that look like rows, and near misses. */
const nearly = <T>(sound: fc.Arbitrary<T>, odd: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 30, arbitrary: sound as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: odd })
const junk = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -0,
    1e15,
    1.1e15,
    -1e16,
    '',
    'ü',
    '\u0007',
    '2026-01-02T03:04:05Z',
  ),
)
const anyName = nearly(
  fc.stringMatching(/^[a-z][a-z0-9_]{0,5}$/),
  fc.constantFrom('constructor', 'A', '', 'a-b', '1a', 'a'.repeat(63), 'a'.repeat(64)),
)
const anyRow = fc.record(
  {
    target: nearly(fc.string({ minLength: 1, maxLength: 8 }), junk),
    kind: nearly(fc.constantFrom('host', 'service'), junk),
    timestamp: nearly(
      fc.oneof(
        fc.double({ min: 0, max: NOW / 1000, noNaN: true }),
        fc.date({ min: new Date(0), max: new Date(NOW), noInvalidDate: true }).map((d) => d.toISOString()),
        fc.constantFrom(
          '2026-01-02T03:04Z',
          '2024-02-29T23:59:59+14:00',
          '2023-02-29T00:00:00Z',
          '1969-12-31T23:59:59Z',
        ),
      ),
      junk,
    ),
    values: nearly(
      fc.dictionary(anyName as fc.Arbitrary<string>, nearly(fc.double({ noNaN: true, min: -1e16, max: 1e16 }), junk), {
        maxKeys: 4,
      }),
      junk,
    ),
    resources: nearly(
      fc.array(
        fc.record(
          {
            resource: nearly(fc.string({ minLength: 1, maxLength: 8 }), junk),
            used: nearly(fc.double({ min: 0, max: 1, noNaN: true }), junk),
            capacity: nearly(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), junk),
            unit: nearly(fc.constantFrom('bytes', 'inodes', 'handles'), junk),
          },
          { requiredKeys: ['resource', 'used'] },
        ),
        { maxLength: 2 },
      ),
      junk,
    ),
    extra: fc.constant(1),
  },
  { requiredKeys: ['target', 'timestamp', 'values'] },
)

t.test('the reader of rows refuses exactly what the documented schema refuses', async (t) => {
  const seen = { sound: 0, refused: 0 }
  fc.assert(
    fc.property(
      fc.oneof({ weight: 9, arbitrary: anyRow }, { weight: 1, arbitrary: junk }),
      fc.boolean(),
      (given, bare) => {
        const value = given as Record<string, unknown>
        // Most rows have no key too many: else few would be sound.
        if (bare && typeof value === 'object' && value !== null) delete value.extra
        const now = 4_102_444_800_000
        const { rows, rejectedRows } = readRows([value], now)
        const bySchema = rowSchema.safeParse(value).success
        if (rows.length !== Number(bySchema) || rejectedRows !== Number(!bySchema)) {
          throw new Error(`schema ${bySchema}, reader ${rows.length}: ${JSON.stringify(value)}`)
        }
        seen[bySchema ? 'sound' : 'refused']++
      },
    ),
    { numRuns: 3000 },
  )
  t.ok(seen.sound > 300 && seen.refused > 300, JSON.stringify(seen))
  for (const given of [0, 1.5, '2026-01-02T03:04:05Z', '1970-01-01T00:00:00Z', '2100-01-01T00:00:01Z', 'now', {}, -1]) {
    t.equal(timestamp.safeParse(given).success, readTime(given) !== null, String(given))
  }
})

t.test('whatever is sent to ingest and score, the answer is no 5xx and has the one shape', async (t) => {
  const ingest = sender('/ingest')
  const score = sender('/score')
  const anyTable = fc.record(
    {
      signals: nearly(fc.array(anyName, { maxLength: 3 }), junk),
      rows: nearly(
        fc.array(fc.array(nearly(fc.oneof(fc.double(), fc.constant(null)), junk), { maxLength: 3 }), { maxLength: 4 }),
        junk,
      ),
      interval_seconds: junk,
      timestamps: nearly(fc.array(fc.nat(), { maxLength: 4 }), junk),
      budget: fc.oneof(fc.double(), junk),
      attributions: fc.oneof(fc.boolean(), junk),
    },
    { requiredKeys: ['signals', 'rows'] },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.record({ rows: fc.array(fc.oneof(anyRow, junk), { maxLength: 4 }) }), junk, fc.string()),
      fc.oneof(anyTable, junk),
      async (batch, table) => {
        for (const [send, value] of [
          [ingest.send, batch],
          [score.send, table],
        ] as const) {
          const { status, body } = await send(value)
          if (status !== 200) errorSchema.parse(body)
          if (status >= 500) throw new Error(`${status} ${JSON.stringify(body)}`)
        }
      },
    ),
    { numRuns: 300 },
  )
  for (const { at, values, target } of ingest.state.ingested) {
    t.ok(Number.isSafeInteger(at) && Object.values(values).every(Number.isFinite) && target !== '')
  }
})

t.test('collect answers what the collectors see, and 503 when they are stopped', async (t) => {
  const { send, state } = scriptedApi()
  const response = await send(`${API}/collect`, { method: 'POST' })
  t.match(await response.json(), { target: 'host', values: { cpu_busy: 0.5 }, resources: [{ used: 0.25 }] })
  state.collecting = false
  const stopped = await send(`${API}/collect`, { method: 'POST' })
  t.equal(stopped.status, 503)
  t.equal(errorSchema.parse(await stopped.json()).error.code, 'not_collecting')
})

t.test('a table is scored row by row, and what is wrong with it is named', async (t) => {
  const { send, state } = sender('/score')
  const table = {
    signals: ['cpu_busy', 'own'],
    rows: [
      [0.5, 1],
      [null, 2],
    ],
  }
  const { body } = await send({ ...table, attributions: true, timestamps: [NOW / 1000, '2026-01-02T03:04:15Z'] })
  t.match(body, { version: '0123456789ab', ignored: ['own'], rows: [{ score_raw: 0.5, alarm: false, health: 95 }, {}] })
  t.strictSame(body.rows[0].attribution, { base: 1, output: 3, signals: { cpu_busy: 2 } })
  t.match(state.scored, { times: [NOW, NOW + 10_000], budget: null, attributions: true })
  t.notOk('attribution' in (await send(table)).body.rows[0])
  for (const [more, field] of [
    [{ signals: ['a', 'a'] }, 'signals'],
    [{ signals: ['A'] }, 'signals.0'],
    [{ rows: [[1, 2], [1]] }, 'rows[1]'],
    [{ rows: [7] }, 'rows[0]'],
    [{ rows: [[1, '2']] }, 'rows[0][1]'],
    [{ rows: [[1, 1e16]] }, 'rows[0][1]'],
    [{ rows: [] }, 'rows'],
    [{ rows: Array.from({ length: 5001 }, () => [1, 2]) }, 'rows'],
    [{ rows: Array.from({ length: 1001 }, () => [1, 2]), attributions: true }, 'attributions'],
    [{ timestamps: [1] }, 'timestamps'],
    [{ timestamps: [2, 2] }, 'timestamps[1]'],
    [{ timestamps: [1, 'now'] }, 'timestamps[1]'],
    [{ budget: 0 }, 'budget'],
    [{ interval_seconds: -1 }, 'interval_seconds'],
    [{ colour: 1 }, 'colour'],
  ] as const) {
    const answer = await send({ ...table, ...more })
    t.match(answer, { status: 400, body: { error: { field } } }, JSON.stringify(more).slice(0, 60))
  }
  for (const [reason, status, code] of [
    ['interval', 409, 'interval'],
    ['no_model', 503, 'no_model'],
    ['busy', 429, 'busy'],
  ] as const) {
    const refusing = scriptedApi({ score: async () => ({ ok: false, reason, message: 'why' }) })
    const response = await refusing.send(`${API}/score`, post(table))
    t.equal(response.status, status)
    t.equal(errorSchema.parse(await response.json()).error.code, code)
  }
})

t.test('the OpenAPI document is valid, complete, and its schemas are those that are enforced', async (t) => {
  const { get } = scriptedApi()
  const { body } = await get(`${API}/openapi.json`)
  const document = body as OpenApiDocument
  const result = await new Validator().validate(structuredClone(body))
  t.equal(result.valid, true, JSON.stringify(result.errors))
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  t.equal(operations.length, ROUTES.length + 2, 'all routes, their list, and the document itself')
  const ids = operations.map((o) => o.operationId)
  t.equal(new Set(ids).size, ids.length, ids.join(' '))
  for (const id of ['getRoutes', 'getTargets', 'getTargetHealth', 'putTargetSettings', 'postIngest', 'postScore']) {
    t.ok(ids.includes(id), id)
  }
  for (const operation of operations) {
    t.ok(['read', 'write', 'admin'].includes(operation['x-scope']))
    t.ok(operation.description.length > 10 && operation.tags.length === 1, operation.operationId)
  }
  for (const route of ROUTES) {
    const example = exampleOf(route)
    if (example === undefined) continue
    t.ok(route.body?.safeParse(example).success, `the example of ${route.path} is sound`)
    t.doesNotThrow(() => route.readBody?.(example, Date.now()), 'and can be read')
  }
})

t.test('a client made from the document calls every operation over HTTP', async (t) => {
  const { deps } = scriptedApi()
  const server = await createServer(createApi(deps), { host: '127.0.0.1', port: 0 })
  t.teardown(() => server.stop())
  const api = new OpenAPIClientAxios({
    definition: `${server.url}${API}/openapi.json`,
    withServer: { url: server.url },
  })
  const client = await api.init()
  const bodies: Record<string, unknown> = {
    putTargetSettings: { sensitivity: 6 },
    postIngest: { rows: [row()] },
    postScore: { signals: ['cpu_busy'], rows: [[0.5], [null]] },
  }
  const routes = new Map<string, Route>(ROUTES.map((r) => [`${r.method} ${r.path.replace(/:(\w+)/g, '{$1}')}`, r]))
  for (const operation of api.getOperations()) {
    const id = operation.operationId as string
    const parameters = (operation.parameters ?? []).some((p) => 'in' in p && p.in === 'path') ? { target: 'host' } : {}
    const response = await client[id]?.(parameters, bodies[id])
    t.equal(response?.status, 200, id)
    const route = routes.get(`${operation.method.toUpperCase()} ${operation.path.slice(API.length)}`)
    if (route !== undefined) route.response.parse(response?.data)
    // The schema as the document tells it, not as the service has it.
    const { schema } = (operation.responses[200] as { content: Record<string, { schema: object }> }).content[
      'application/json'
    ] as { schema: Parameters<typeof z.fromJSONSchema>[0] }
    t.ok(z.fromJSONSchema(schema).safeParse(response?.data).success, `${id} answers what the document says`)
  }
})

t.test('the page of the API shows every operation, loads nothing and runs nothing', async (t) => {
  const { send, state } = scriptedApi()
  const response = await send(`${API}/docs`)
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(response.headers.get('content-security-policy'), /default-src 'none'; style-src 'sha256-/)
  const html = await response.text()
  for (const { path } of ROUTES) t.match(html, `${API}${path.replace(/:(\w+)/g, '{$1}')}<`)
  t.notMatch(html, /<script|<link|@import|url\(|src=/)
  t.match(html, 'rejected_rows')
  t.match(html, '-d &#39;{&quot;rows&quot;')
  for (const href of [...html.matchAll(/href="([^"#]+)"/g)].map((m) => m[1] ?? '')) {
    t.equal((await send(href)).status, 200, href)
  }
  t.match(await (await send('/')).text(), 'href="/api/v1/docs"')
  state.remote = '192.0.2.1'
  state.access.settings.openReads = false
  t.equal((await send(`${API}/docs`)).status, 403)
  t.equal((await send(`${API}/docs`, { method: 'POST' })).status, 405)
})
