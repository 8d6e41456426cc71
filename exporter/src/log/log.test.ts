import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { type LogConfig, loadConfig } from '../config/index.ts'
import { closeLogger, componentLogger, createLogger, logStats, setLogLevel } from './index.ts'
import { createScrubber } from './scrub.ts'
import { descriptorSink, fileSink } from './sinks.ts'

const CANARY = 'canary-4f7a0c'

const config = (flags: string[] = []): LogConfig => {
  const loaded = loadConfig({ argv: flags, env: {}, readFile: () => '' })
  if (!loaded.ok) throw new Error('refused')
  return loaded.config.log
}

const capture = () => {
  const lines: string[] = []
  return { lines, stream: { write: (line: string) => lines.push(line) } }
}

const failing = (code: string): never => {
  throw Object.assign(new Error(code), { code })
}

t.test('a line is one JSON object with a level in words and the time in UTC', async (t) => {
  const { lines, stream } = capture()
  const log = createLogger(config(), { stream, now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) })
  log.warn({ target: 'web-1' }, 'health is falling')
  componentLogger(log, 'store').child({ request_id: 'r1' }).info('a\nb')
  log.debug('not shown')
  t.strictSame(lines, [
    '{"level":"warn","time":"2026-01-02T03:04:05.678Z","target":"web-1","msg":"health is falling"}\n',
    '{"level":"info","time":"2026-01-02T03:04:05.678Z","component":"store","request_id":"r1","msg":"a\\nb"}\n',
  ])
})

t.test('an error is logged with its stack, its cause and its code', async (t) => {
  const { lines, stream } = capture()
  const log = createLogger(config(), { stream })
  const err = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'EX' })
  log.error({ err }, 'failed')
  log.error({ error: err }, 'failed')
  const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>)
  t.match(first?.err, { type: 'Error', message: /outer/, code: 'EX', stack: /log\.test/ })
  t.match(String(first?.err?.stack), /inner/)
  t.match(second?.error, { message: /outer/ })
})

t.test('the level can be changed at run time, also of loggers that were made before', async (t) => {
  const { lines, stream } = capture()
  const log = createLogger(config(['--log.level=error']), { stream })
  const store = componentLogger(log, 'store')
  const request = store.child({ request_id: 'r1' })
  for (const logger of [log, store, request]) logger.debug('before')
  setLogLevel(log, 'debug')
  for (const logger of [log, store, request]) logger.debug('after')
  setLogLevel(log, 'warn')
  for (const logger of [log, store, request, store.child({})]) logger.info('quiet')
  t.equal(lines.length, 3)
})

t.test('loggers of requests do not pile up', async (t) => {
  const log = createLogger(config(), capture())
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 50_000; index++) log.child({ request_id: index })
  t.ok(process.memoryUsage().heapUsed - before < 60 * 2 ** 20)
})

t.test('no way of logging lets a secret or an authorization header through', async (t) => {
  const { lines, stream } = capture()
  const log = createLogger(config(['--log.level=trace']), { stream, secrets: [CANARY, 'quo"ted\\canary'] })
  const headers = { Authorization: `Bearer ${CANARY}x`, Cookie: ['a=hidden-1', 'b=hidden-2'], 'x-api-key': 'hidden-3' }
  log.info({ deep: { er: [{ headers }] } }, 'nested')
  log.info(`got ${CANARY} in text`)
  log.info({ [CANARY]: 1 }, 'as a key')
  log.info({ url: `https://me:hidden-4@host/?x=${encodeURIComponent(CANARY)}` })
  log.info('quo"ted\\canary')
  log.error({ err: Object.assign(new Error(`refused: authorization: Basic hidden-5`), { config: { headers } }) })
  log.error(new Error('x', { cause: new Error(`Bearer hidden-6-token`) }))
  log.child({ authorization: 'Digest username="hidden-7", nonce="hidden-8"' }).info('bound')
  log.info(JSON.stringify({ headers: { authorization: 'Bearer hidden-9' } }))
  log.info({ password: 'hidden-10 with "quotes" and spaces', token: 'hidden-11', tokens: 5 })
  log.info(JSON.stringify([{ cookie: ['a=hidden-13', 'b=hidden-14'], set: 1 }]))
  log.info('authorization: Digest username="hidden-15", response="hidden-16"')
  log.info({ token: { value: 'hidden-17' } })
  log.info('%s and %j', CANARY, { authorization: 'hidden-12' })
  t.equal(lines.length, 14)
  for (const line of lines) {
    t.doesNotThrow(() => JSON.parse(line), line)
    t.notMatch(line, /canary|hidden/)
    t.match(line, '<secret>')
  }
  t.match(lines[9], '"tokens":5')
})

t.test('scrubbing leaves lines without secrets as they are, and every line valid JSON', async (t) => {
  const scrub = createScrubber([CANARY])
  for (const line of [
    '{"msg":"authorization failed for token endpoint"}',
    '{"msg":"see https://host/a@b"}',
    '{"secretary":"x"}',
  ])
    t.equal(scrub(line).trimEnd(), line)
  const word = fc.constantFrom(
    'authorization',
    ': ',
    '"',
    '\\',
    'Bearer ',
    'aaaaaaaaaa',
    'http://',
    '@',
    ':',
    '=',
    ' ',
    "'",
    '[',
    ']',
    '{',
  )
  const value = fc.oneof(
    fc.string(),
    fc.array(word).map((words) => words.join('')),
  )
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.oneof(value, fc.constantFrom('token', 'cookie')),
        fc.oneof(value, fc.array(value), fc.integer()),
      ),
      (fields) => {
        JSON.parse(scrub(JSON.stringify(fields)))
      },
    ),
    { numRuns: 500, seed: 1 },
  )
})

t.test('scrubbing takes time in proportion to the line', async (t) => {
  const scrub = createScrubber([CANARY])
  for (const piece of ['authorization', '"token":"', 'a://', 'bearer ', '"cookie":[', 'authorization: ', '\\"']) {
    const started = process.cpuUsage()
    scrub(JSON.stringify({ msg: piece.repeat(20_000) }))
    scrub(JSON.stringify({ [piece.repeat(20_000)]: [piece] }))
    t.ok(process.cpuUsage(started).user < 500_000, piece)
  }
})

t.test('a destination that throws or fails is counted and nothing more', async (t) => {
  const before = logStats().errors
  const log = createLogger(config(), { stream: { write: () => failing('ENOSPC') } })
  for (let index = 0; index < 5; index++) log.info('lost')
  t.equal(logStats().errors - before, 5)
})

t.test('a full disk or a closed pipe loses lines, counted, without waiting', async (t) => {
  for (const code of ['ENOSPC', 'EPIPE', 'EBADF', 'EIO']) {
    const errors: unknown[] = []
    const sink = descriptorSink(
      2,
      (error) => errors.push(error),
      () => failing(code),
    )
    for (let index = 0; index < 1000; index++) sink.write('x\n')
    t.equal(errors.length, 1000, code)
  }
})

t.test('a full pipe gets a second chance, and a line written in parts comes whole', async (t) => {
  const errors: unknown[] = []
  let busy = 1
  let text = ''
  const sink = descriptorSink(
    2,
    (error) => errors.push(error),
    (_fd, bytes, offset) => {
      if (busy-- > 0) failing('EAGAIN')
      const part = bytes.subarray(offset, offset + 3)
      text += Buffer.from(part).toString('latin1')
      return part.length
    },
  )
  sink.write('a line\n')
  t.equal(text, 'a line\n')
  busy = Number.POSITIVE_INFINITY
  sink.write('lost\n')
  t.equal(errors.length, 1)
})

t.test('a logger on a closed descriptor neither throws nor hangs', async (t) => {
  let errors = 0
  const sink = descriptorSink(999_999, () => errors++)
  sink.write('x\n')
  t.equal(errors, 1)
})

t.test('the file is rotated by size and only so many are kept', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'portent-log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'made', 'portent.log')
  const { lines, stream } = capture()
  const log = createLogger(config([`--log.file.path=${path}`, '--log.file.max-size=4KiB', '--log.file.max-files=3']), {
    stream,
    secrets: [CANARY],
  })
  for (let index = 0; index < 400; index++) {
    log.info({ index }, `line with ${CANARY}`)
    if (index % 20 === 19) await new Promise((resolve) => setImmediate(resolve))
  }
  await closeLogger(log)
  const names = readdirSync(join(folder, 'made')).sort()
  t.strictSame(names, ['portent.log', 'portent.log.1', 'portent.log.2'])
  const kept = names.map((name) => readFileSync(join(folder, 'made', name), 'utf8')).join('')
  t.notMatch(kept, CANARY)
  t.ok(kept.includes('"index":399'), 'the last line is there after closing')
  t.ok(
    kept
      .trimEnd()
      .split('\n')
      .every((line) => JSON.parse(line)),
  )
  t.equal(lines.length, 400, 'standard error has them all')
  t.equal(statSync(path).mode & 0o007, 0, 'others cannot read it')
})

t.test('a file that cannot be opened is counted, tried again later, and standard error goes on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'portent-log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'portent.log')
  mkdirSync(path)
  const errors: unknown[] = []
  let now = 0
  let failed = (): void => {}
  const sink = fileSink(
    { path, maxSize: 4096, maxFiles: 2 },
    (error) => {
      errors.push(error)
      failed()
    },
    () => now,
  )
  const failure = new Promise<void>((resolve) => {
    failed = resolve
  })
  sink.write('a\n')
  await failure
  const count = errors.length
  sink.write('b\n')
  t.equal(errors.length, count + 1, 'not tried again at once')
  rmSync(path, { recursive: true })
  now = 10_000
  sink.write('c\n')
  await sink.close()
  t.equal(readFileSync(path, 'utf8'), 'c\n')
})

t.test('closing a logger twice, or one without a file, is harmless', async (t) => {
  const log = createLogger(config(), capture())
  await closeLogger(log)
  await closeLogger(log)
  t.pass()
})

t.test(
  'keys, tokens, passwords and private keys are scrubbed wherever they stand, and what is near them stays',
  async (t) => {
    const scrub = createScrubber()
    const random = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v'
    const key = `ptk_0123456789_${random}`
    const jwt = `eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.${random}`
    const hash = `$2b$10$${'a'.repeat(53)}`
    const pem = `-----BEGIN EC PRIVATE KEY-----\n${random}\n-----END EC PRIVATE KEY-----`
    for (const secret of [
      key,
      jwt,
      hash,
      pem,
      `Basic ${Buffer.from(`user:${random}`).toString('base64')}`,
      `ptk_${random}`,
    ])
      for (const place of [
        { msg: `refused ${secret} twice` },
        { path: `/api/v1/targets/${secret}/health`, msg: 'x' },
        { err: { message: `bad ${secret}`, stack: `Error: ${secret}\n at x`, cause: { headers: [secret] } } },
        { [secret]: 1 },
        { headers: { Authorization: secret, cookie: [`a=${secret}`] } },
      ]) {
        const line = `${JSON.stringify({ level: 'info', before: 'kept', ...place, after: 'kept' })}\n`
        const clean = scrub(line)
        for (const part of [random, secret.slice(-20), jwt.split('.')[1] ?? ''])
          if (line.includes(part)) t.notOk(clean.includes(part), `${JSON.stringify(place).slice(0, 60)}: ${clean}`)
        t.match(JSON.parse(clean), { before: 'kept', after: 'kept' })
      }
    t.match(scrub(`{"msg":"key ${key} is new"}\n`), 'key ptk_0123456789_<secret> is new')
    for (const harmless of ['basic training', 'the prefix is ptk_', 'eyJ', 'a basic idea of it', 'costs $2a$'])
      t.equal(scrub(`{"msg":"${harmless}"}\n`), `{"msg":"${harmless}"}\n`)
    const start = performance.now()
    for (const piece of [
      'ptk_a_',
      'eyJaaaaaaaa.aaaa.',
      '$2b$10$',
      '-----BEGIN PRIVATE KEY-----',
      'basic  ',
      'Basic AAAAAA',
    ])
      scrub(`${JSON.stringify({ msg: piece.repeat(60_000 / piece.length) })}\n`)
    t.ok(performance.now() - start < 2000, 'in time that grows with the line')
  },
)
