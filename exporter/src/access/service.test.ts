/**
 * Access control of the whole service, started as the command starts it (rules alone score: no bundle is needed), with the
 * `keys` command beside it and, over TLS, the real Prometheus.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import bcrypt from 'bcryptjs'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { hostileRequests } from '../api/fuzzing.ts'
import type { OpenApiDocument } from '../api/openapi.ts'
import { COMMANDS } from '../cli/index.ts'
import { type Io, readConfigFile } from '../cli/io.ts'
import { keys } from '../cli/keys.ts'
import { serve } from '../cli/serve.ts'
import { openKeysFile } from '../store/keys-file.ts'
import { newKey } from './api-key.ts'
import { Gate } from './gate.ts'
import { KeyRing } from './key-ring.ts'

t.setTimeout(300_000)

const fixtures = fileURLToPath(new URL('../../fixtures/access/', import.meta.url))
const bin = fileURLToPath(new URL('../../bin/portent.js', import.meta.url))
const TARGET = 'test-host'
const PASSWORD = 'canary-pw-5d1f07'
const HASH = bcrypt.hashSync(PASSWORD, 4)

async function until<T>(about: string, look: () => T | Promise<T>, ms = 30_000): Promise<NonNullable<T>> {
  const end = performance.now() + ms
  let last: unknown
  while (performance.now() < end) {
    try {
      const found = await look()
      if (found !== undefined && found !== null && found !== false) return found
    } catch (error) {
      last = error
    }
    await wait(50)
  }
  throw new Error(`${about}: not within ${ms} ms`, { cause: last })
}

function folderOf(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'portent-service-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'portent.yml')
  const write = (more = '', web = '') =>
    writeFileSync(
      file,
      `target: { name: ${TARGET} }
sample_interval: 500ms
score_interval: 1s
bundle: { path: ${join(folder, 'none')} }
store: { path: ${join(folder, 'store', 'portent.db')}, ballast: 0B, max_size: 64MiB }
collectors: { deadline: 400ms }
log: { level: debug }
web: { listen_address: "127.0.0.1:0"${web} }
${more}
`,
    )
  write()
  return { folder, file, store: join(folder, 'store', 'portent.db'), write }
}

/** What a command sees; `text` is what it said. */
function ioOf(cwd: string) {
  const text = { out: '', err: '' }
  const process = Object.assign(new EventEmitter(), { exit() {} })
  const io: Io = {
    out: (more) => {
      text.out += more
    },
    err: (more) => {
      text.err += more
    },
    env: {},
    cwd,
    readFile: readConfigFile,
    process: process as unknown as Io['process'],
  }
  return { io, text, process }
}

async function started(t: Test, file: string) {
  const { io, process } = ioOf('/')
  const lines: string[] = []
  const code = serve([`--config.file=${file}`], io, undefined, {
    stream: { write: (line: string) => lines.push(line) },
  })
  let stopped = false
  const stop = async () => {
    if (!stopped) process.emit('SIGTERM', 'SIGTERM')
    stopped = true
    return await code
  }
  t.teardown(stop)
  const first = await until('listening', () =>
    lines
      .map((x) => JSON.parse(x) as { msg: string; level: string; address: string })
      .find((x) => x.level === 'fatal' || x.msg === 'listening'),
  )
  if (first.level === 'fatal') throw new Error(JSON.stringify(first))
  const { address } = first
  return { address, lines, stop }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

function ask(
  url: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const secure = url.startsWith('https:')
    const request = (secure ? httpsRequest : httpRequest)(
      url,
      { method, headers, agent: false, ...(secure && { ca: readFileSync(`${fixtures}ca.crt`) }) },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (more: string) => {
          text += more
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }))
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

const bearer = (text: string) => ({ Authorization: `Bearer ${text}` })

t.test(
  'keys are made, listed and revoked beside a service that runs, which knows within seconds and stays closed',
  async (t) => {
    const { folder, file, store } = folderOf(t)
    const command = async (...argv: string[]) => {
      const { io, text } = ioOf(folder)
      const code = await keys([...argv, `--config.file=${file}`], io)
      return { code, ...text }
    }
    const first = await started(t, file)
    const post = (address: string, headers = {}) => ask(`${address}/api/v1/collect`, { method: 'POST', headers })
    t.equal((await post(first.address)).status, 200, 'this host, before there is a credential')
    const made = await command('create', '--name', 'a phone', '--role=operator', '--expires', '90d')
    t.equal(made.code, 0)
    t.match(made.out, /^ptk_[0-9a-z]{10}_[0-9A-Za-z]{43}\n$/)
    t.match(made.err, /operator, expires 20/)
    const key = made.out.trim()
    const id = key.split('_')[1] ?? ''
    const start = performance.now()
    await until('the key is known', async () => (await post(first.address)).status === 401, 10_000)
    const seconds = (performance.now() - start) / 1000
    t.ok(seconds < 5, `known after ${seconds.toFixed(1)} s`)
    t.equal((await post(first.address, bearer(key))).status, 200)
    t.equal((await ask(`${first.address}/-/reload`, { method: 'POST', headers: bearer(key) })).status, 403)
    t.equal((await ask(`${first.address}/metrics`)).status, 200, 'reading is open')
    const listed = await command('list')
    t.match(
      listed.out,
      new RegExp(`^ID .*\\n${id}  operator  valid  .*Z  .*Z  20.*Z  a phone\\n$`, 's'),
      'with its last use',
    )
    t.notMatch(listed.out, key.slice(-43))
    t.strictSame(
      [
        (await command('revoke', id)).code,
        (await command('revoke', id)).code,
        (await command('revoke', 'nobody')).code,
      ],
      [0, 1, 1],
    )
    await until('the key is revoked', async () => (await post(first.address, bearer(key))).status === 401, 5_000)
    t.match((await command('list')).out, /revoked/)
    await first.stop()

    const stopped = await command('create', '--name=x', '--role=admin')
    t.equal(stopped.code, 0, 'without a service')
    const second = await started(t, file)
    t.equal((await post(second.address)).status, 401, 'a restart opens nothing')
    t.equal((await post(second.address, bearer(key))).status, 401)
    t.equal((await post(second.address, bearer(stopped.out.trim()))).status, 200)
    await second.stop()

    const bytes =
      readFileSync(store).toString('latin1') +
      (existsSync(`${store}-wal`) ? readFileSync(`${store}-wal`).toString('latin1') : '')
    t.notMatch(bytes, key.slice(-43), 'only hashes are on the disk')
    for (const line of [...first.lines, ...second.lines]) t.notMatch(line, key.slice(-43))
  },
)

t.test('the command says what is wrong with a call, and leaves a file that it cannot use as it is', async (t) => {
  const { folder } = folderOf(t)
  const command = async (...argv: string[]) => {
    const { io, text } = ioOf(folder)
    return { code: await keys(argv, io), ...text }
  }
  t.ok(COMMANDS.some(({ name }) => name === 'keys'))
  t.match(await command('--help'), { code: 0, out: /portent keys create/ })
  for (const [argv, message] of [
    [[], /create, list or revoke\?/],
    [['creat'], /unexpected creat \(did you mean create\?\)/],
    [['create'], /--name takes/],
    [['create', '--name=x'], /--role is one of viewer, operator, admin/],
    [['create', '--name=x', '--role=root'], /--role is one of/],
    [['create', '--name=', '--role=viewer'], /--name takes/],
    [['create', '--name=a\nb', '--role=viewer'], /--name takes/],
    [['create', '--name=x', '--role=viewer', '--expires=soon'], /--expires takes a duration/],
    [['create', '--name=x', '--role=viewer', '--expires=0'], /--expires takes a duration/],
    [['create', '--name', '--role=viewer'], /--name needs a value/],
    [['create', '--name=x', '--name=y', '--role=viewer'], /given twice/],
    [['create', 'x', '--name=x', '--role=viewer'], /unexpected x/],
    [['list', '--role=viewer'], /--role is for create/],
    [['revoke'], /which key\?/],
    [['revoke', 'a', 'b'], /unexpected b/],
  ] as const) {
    const answer = await command(...argv)
    t.match(answer, { code: 2, out: '', err: message }, argv.join(' '))
  }
  t.match(await command('list', '--store.pat=x'), {
    code: 1,
    err: /--store\.pat: unknown flag \(did you mean --store\.path\?\)/,
  })
  const other = join(folder, 'other.db')
  writeFileSync(other, 'no database at all, but long enough to be read as a page of one')
  t.match(await command('list', '--store.path', other), { code: 1, err: /other\.db is corrupt/ })
  t.equal(statSync(other).size, 63)
  t.match(await command('list', `--store.path=${folder}`), { code: 1, err: /is not a file/ })
  t.equal(
    (await command('list', '--store.path=new/deep/p.db')).out,
    'ID  ROLE  STATE  CREATED  EXPIRES  LAST USED  NAME\n',
  )

  const durable = openKeysFile(join(folder, 'durable.db'), 1 << 26, 0)
  const { id, hash } = newKey()
  const key = { id, hash, name: 'x', role: 'viewer', createdAt: 0, expiresAt: null }
  durable.add(key)
  t.throws(() => durable.add(key), /UNIQUE/)
  t.equal(durable.all().length, 1)
  durable.close()
  // kill -9 right after the answer: what was answered is there.
  const child = spawn(process.execPath, [
    bin,
    'keys',
    'create',
    '--name=k',
    '--role=viewer',
    `--store.path=${join(folder, 'durable.db')}`,
  ])
  child.stdout.once('data', () => child.kill('SIGKILL'))
  await once(child, 'exit')
  const db = new Database(join(folder, 'durable.db'), { readonly: true })
  t.equal(db.prepare('SELECT count(*) FROM api_keys').pluck().get(), 2)
  db.close()
})

t.test('a secret that was sent is found in no log, metric, error or debug output', async (t) => {
  const { folder, file, write } = folderOf(t)
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = join(folder, 'token.pem')
  const web = join(folder, 'web.yml')
  writeFileSync(pem, pair.publicKey.export({ type: 'spki', format: 'pem' }))
  writeFileSync(web, `basic_auth_users:\n  prometheus: ${HASH}\n`)
  write(
    `auth: { jwt: { keys: ${pem}, issuer: i, audience: portent, algorithms: [ES256] } }\nlimits: { failed_logins_per_minute: 1000 }`,
    `, config_file: ${web}`,
  )
  const { io, text } = ioOf(folder)
  await keys(['create', '--name=canary', '--role=admin', `--config.file=${file}`], io)
  const key = text.out.trim()
  const token = await new SignJWT({ roles: ['admin'] })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer('i')
    .setAudience('portent')
    .setSubject('alice')
    .setExpirationTime('1h')
    .sign(pair.privateKey)
  const guess = newKey().text
  const secrets = [
    key.slice(-43),
    token.split('.')[2] ?? '',
    PASSWORD,
    Buffer.from(`prometheus:${PASSWORD}`).toString('base64'),
    HASH.slice(-31),
    guess.slice(-43),
  ]
  const { address, lines, stop } = await started(t, file)
  const answers: string[] = []
  const send = async (path: string, init: Parameters<typeof ask>[1] = {}) => {
    const { status, text, headers } = await ask(address + path, init)
    answers.push(text, JSON.stringify(headers))
    return status
  }
  const basic = (password: string) => `Basic ${Buffer.from(`prometheus:${password}`).toString('base64')}`
  const credentials = [`Bearer ${key}`, `Bearer ${token}`, basic(PASSWORD)]
  const paths = [
    '/',
    '/metrics',
    '/api/v1',
    '/api/v1/docs',
    '/api/v1/openapi.json',
    '/api/v1/targets',
    `/api/v1/targets/${TARGET}/health`,
    '/api/v1/performance',
    '/api/v1/model',
    '/nothing',
    '/-/healthy',
    '/-/reload',
  ]
  for (const Authorization of credentials)
    for (const path of paths) {
      const status = await send(path, { headers: { Authorization } })
      t.ok([200, 404, 405, 503].includes(status), `${path} ${status}`)
    }
  const bad = [
    `Bearer ${guess}`,
    `Bearer ${token}x`,
    `bearer  ${key} `,
    `Token ${key}`,
    `${key}`,
    `Bearer ${key},${key}`,
    basic(`${PASSWORD}x`),
    'Basic ptk',
    `Negotiate ${key}`,
    `Bearer ${key.toUpperCase()}`,
  ]
  for (const Authorization of bad) await send('/api/v1/targets', { headers: { Authorization } })
  const Authorization = `Bearer ${key}`
  await send('/api/v1/collect', { method: 'POST', headers: { Authorization } })
  await send('/-/reload', { method: 'POST', headers: { Authorization } })
  const clean = answers.length
  // Where a secret does not belong: such an answer may hold what its sender sent, nothing else may.
  for (const secret of [key, token]) {
    await send(`/${secret}`)
    await send(`/api/v1/targets/${secret}/health?token=${secret}&${secret}=1`, { headers: { Authorization } })
    await send('/api/v1/targets', {
      headers: {
        'X-Request-Id': secret.slice(0, 128),
        Cookie: `session=${secret}`,
        Origin: `http://${secret}`,
        'X-Api-Key': secret,
      },
    })
    await send('/api/v1/ingest', {
      method: 'POST',
      body: JSON.stringify({ rows: [{ target: secret, password: secret }] }),
      headers: { Authorization, 'Content-Type': 'application/json' },
    })
    await send('/api/v1/ingest', {
      method: 'POST',
      body: `{"${secret}`,
      headers: { Authorization, 'Content-Type': 'application/json' },
    })
  }
  await send('/metrics', { headers: { Authorization } })
  const last = answers.slice(-2)
  await stop()
  t.ok(
    lines.length > 60 && lines.some((line) => line.includes('"level":"debug"')),
    `${lines.length} lines at level debug`,
  )
  const everything: [string, string][] = [
    ['log', lines.join('')],
    ['answers', answers.slice(0, clean).join('\n')],
    ['metrics', last.join('\n')],
  ]
  for (const secret of secrets)
    for (const [where, all] of everything) t.notOk(all.includes(secret), `${where}: ${secret.slice(0, 6)}...`)
  t.match(everything[0]?.[1], /ptk_[0-9a-z]{10}_<secret>/, 'the id of a key may be told')
  const ring = new KeyRing({ read: () => [], used() {}, now: Date.now, monotonic: () => 0, onError() {} })
  t.notMatch(inspect([ring, Gate], { depth: 9, showHidden: true }), /ptk_/)
})

const version = spawnSync('prometheus', ['--version'], { encoding: 'utf8' })
const missing = version.status === 0 ? false : 'prometheus is not installed'

t.test('the real Prometheus scrapes over TLS with basic auth, and is refused without', { skip: missing }, async (t) => {
  const { folder, file, write } = folderOf(t)
  const web = join(folder, 'web.yml')
  writeFileSync(
    web,
    `tls_server_config:
  cert_file: ${fixtures}server.crt
  key_file: ${fixtures}server.key
  client_auth_type: VerifyClientCertIfGiven
  client_ca_file: ${fixtures}ca.crt
basic_auth_users:
  prometheus: ${HASH}
`,
  )
  write('', `, config_file: ${web}`)
  const { address, lines, stop } = await started(t, file)
  t.match(address, /^https:\/\/127\.0\.0\.1:\d+$/)
  const host = address.slice('https://'.length)
  writeFileSync(join(folder, 'password'), PASSWORD)
  const tls = `scheme: https, static_configs: [{ targets: ['${host}'] }]`
  const trusted = `ca_file: ${fixtures}ca.crt`
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - { job_name: right, ${tls}, tls_config: { ${trusted} }, basic_auth: { username: prometheus, password_file: ${join(folder, 'password')} } }
  - { job_name: certificate, ${tls}, tls_config: { ${trusted}, cert_file: ${fixtures}client.crt, key_file: ${fixtures}client.key } }
  - { job_name: wrong, ${tls}, tls_config: { ${trusted} }, basic_auth: { username: prometheus, password: no } }
  - { job_name: nobody, ${tls}, tls_config: { ${trusted} } }
  - { job_name: distrustful, ${tls}, basic_auth: { username: prometheus, password_file: ${join(folder, 'password')} } }
  - { job_name: plain, static_configs: [{ targets: ['${host}'] }] }
`,
  )
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  free.close()
  await once(free, 'close')
  const prometheus: ChildProcess = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  prometheus.stderr?.on('data', (more: Buffer) => {
    said += more.toString()
  })
  t.teardown(async () => {
    if (prometheus.exitCode !== null) return
    prometheus.kill('SIGTERM')
    await once(prometheus, 'exit')
  })
  const query = async (expression: string): Promise<Record<string, string>> => {
    const { status, text } = await ask(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`)
    if (status !== 200) throw new Error(`${status} ${text} ${said}`)
    const { data } = JSON.parse(text) as { data: { result: { metric: { job: string }; value: [number, string] }[] } }
    return Object.fromEntries(data.result.map(({ metric, value }) => [metric.job, value[1]]))
  }
  const up = await until(
    'every job has been scraped',
    async () => {
      const jobs = await query('up')
      return Object.keys(jobs).length === 6 && jobs.right === '1' && jobs
    },
    60_000,
  )
  t.strictSame(up, { right: '1', certificate: '1', wrong: '0', nobody: '0', distrustful: '0', plain: '0' })
  t.ok(Number((await query('count by (job) ({__name__=~"portent_.+"})')).right) > 20)
  t.equal((await ask(`${address}/-/healthy`)).status, 200)
  t.equal((await ask(`${address}/metrics`)).status, 401)
  const scraper = { Authorization: `Basic ${Buffer.from(`prometheus:${PASSWORD}`).toString('base64')}` }
  t.equal((await ask(`${address}/api/v1/targets`, { headers: scraper })).status, 200)
  t.equal(
    (await ask(`${address}/api/v1/collect`, { method: 'POST', headers: scraper })).status,
    403,
    'a scraper changes nothing',
  )
  t.notOk(lines.some((line) => line.includes(PASSWORD)))
  t.equal(await stop(), 0)
})

t.test('the service does not start on a web configuration or token key that it cannot use, and says why', async (t) => {
  const { folder, file, write } = folderOf(t)
  const web = join(folder, 'web.yml')
  writeFileSync(web, 'basic_auth_user: {}\n')
  write('', `, config_file: ${web}`)
  await t.rejects(started(t, file), /web\.yml:1: basic_auth_user: unknown key \(did you mean basic_auth_users\?\)/)
  write(`auth: { jwt: { keys: ${join(folder, 'gone.pem')}, issuer: i, audience: a } }`)
  await t.rejects(started(t, file), /auth\.jwt\.keys: .*gone\.pem cannot be read/)
  write()
  const { stop } = await started(t, file)
  t.equal(await stop(), 0, 'nothing was left locked')
})

t.test(
  'hostile requests to the whole service are answered without a 5xx, and what they leave is bounded',
  async (t) => {
    const { folder, file, store, write } = folderOf(t)
    write('limits: { targets: 20, requests_per_second: 100000, request_burst: 100000 }')
    const { io, text } = ioOf(folder)
    await keys(['create', '--name=fuzz', '--role=admin', `--config.file=${file}`], io)
    const { address, lines, stop } = await started(t, file)
    const header = bearer(text.out.trim())
    const assessed = async () => (await ask(`${address}/api/v1/targets/${TARGET}/health`)).status === 200
    await until('an assessment', assessed)
    const { text: document } = await ask(`${address}/api/v1/openapi.json`)
    const requests = hostileRequests(
      JSON.parse(document) as OpenApiDocument,
      [TARGET, 'host'],
      Math.floor(Date.now() / 1000),
    )
    const seen = new Map<number, number>()
    const expected = ['not_assessed', 'no_model', 'not_collecting']
    await fc.assert(
      fc.asyncProperty(requests, async ({ url, init }) => {
        const { status, text } = await ask(address + url, { ...init, headers: { ...init.headers, ...header } })
        seen.set(status, (seen.get(status) ?? 0) + 1)
        if (status === 503) return expected.includes((JSON.parse(text) as { error: { code: string } }).error.code)
        return status < 500
      }),
      { numRuns: 1500, seed: 3 },
    )
    t.ok((seen.get(200) ?? 0) > 200 && (seen.get(400) ?? 0) > 100, JSON.stringify([...seen]))
    const { targets } = JSON.parse((await ask(`${address}/api/v1/targets`)).text) as { targets: unknown[] }
    t.ok(targets.length <= 20, `${targets.length} targets`)
    t.ok(await assessed(), 'and this host is still watched')
    const errors = lines.filter((line) => /"level":"(error|fatal)"/.test(line) && !line.includes('bundle'))
    t.strictSame(errors.slice(0, 3), [])
    t.equal(await stop(), 0)
    t.ok(statSync(store).size < 8e6, `${statSync(store).size} bytes`)
  },
)

t.test('beyond loopback nothing is changed without a credential, and the log says so', async (t) => {
  const { file } = folderOf(t)
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1:0', '0.0.0.0:0'))
  const { address, lines } = await started(t, file)
  const here = address.replace('0.0.0.0', '127.0.0.1')
  t.equal((await ask(`${here}/api/v1/collect`, { method: 'POST' })).status, 401)
  t.equal((await ask(`${here}/-/reload`, { method: 'POST' })).status, 401)
  t.equal((await ask(`${here}/metrics`)).status, 200)
  t.ok(lines.some((line) => line.includes('there is no credential yet') && line.includes('"level":"warn"')))
})
