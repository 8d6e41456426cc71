import { readdirSync, readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import {
  applyReloadable,
  type Config,
  diffReloadable,
  exampleConfig,
  flagHelp,
  formatConfigError,
  formatDuration,
  formatSize,
  LEAVES,
  loadConfig,
  parseDuration,
  parseListenAddress,
  parseSize,
  RELOADABLE,
  Secret,
  secretValues,
  shippedBundle,
} from './index.ts'
import { KEYS } from './keys.ts'
import { defaultTargetName } from './schema.ts'
import { nearest } from './suggest.ts'
import { readYaml } from './yaml.ts'

const fixtures = new URL('../../fixtures/config/', import.meta.url)
const example = new URL('../../../deploy/portent.example.yml', import.meta.url)

interface Given {
  argv?: string[]
  env?: Record<string, string>
  yaml?: string
}

const load = ({ argv = [], env = {}, yaml }: Given) =>
  loadConfig({
    argv: yaml === undefined ? argv : ['--config.file', 'etc/portent.yml', ...argv],
    env,
    cwd: '/srv',
    readFile: (path) => {
      if (yaml === undefined || path !== 'etc/portent.yml') throw new Error('ENOENT: no such file')
      return yaml
    },
  })

const good = (given: Given): Config => {
  const result = load(given)
  if (!result.ok) throw new Error(result.errors.map(formatConfigError).join('\n'))
  return result.config
}

const messages = (given: Given): string[] => {
  const result = load(given)
  return result.ok ? [] : result.errors.map(formatConfigError)
}

t.test('every bad file is refused with exactly its messages', async (t) => {
  const files = readdirSync(new URL('bad/', fixtures)).filter((name) => name.endsWith('.yml'))
  t.ok(files.length >= 15)
  for (const name of files) {
    const readFile = () => readFileSync(new URL(`bad/${name}`, fixtures), 'utf8')
    const result = loadConfig({ argv: ['--config.file', name], env: {}, readFile })
    const told = result.ok ? [] : result.errors.map((error) => `${formatConfigError(error)}\n`)
    const expected = readFileSync(new URL(`bad/${name.replace(/yml$/, 'txt')}`, fixtures), 'utf8')
    t.equal(told.join(''), expected, name)
  }
})

t.test('every good file is accepted, and an empty one means the defaults', async (t) => {
  const defaults = good({})
  for (const name of readdirSync(new URL('good/', fixtures))) {
    const config = good({ yaml: readFileSync(new URL(`good/${name}`, fixtures), 'utf8') })
    if (name !== 'everything.yml') t.strictSame(config, defaults, name)
  }
})

t.test('the defaults are those that are documented', async (t) => {
  t.strictSame(good({}), {
    target: { name: defaultTargetName(), kind: 'host' },
    sample_interval: 2000,
    score_interval: 10_000,
    sensitivity: 5,
    collectors: {
      disabled: [],
      deadline: 1500,
      response: { probes: [] },
      filesystem: { exclude_mounts: [], exclude_types: [] },
    },
    bundle: { path: shippedBundle() },
    store: {
      path: '/srv/data/portent.db',
      raw_retention: 86_400_000,
      minute_retention: 2_592_000_000,
      max_size: 1_073_741_824,
      ballast: 16_777_216,
    },
    web: {
      listen_address: '127.0.0.1:21710',
      telemetry_path: '/metrics',
      max_body: 1_048_576,
      headers_timeout: 10_000,
      request_timeout: 30_000,
      open_reads: true,
      cors_origins: [],
    },
    auth: {
      required: false,
      jwt: {
        algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        roles_claim: 'roles',
        roles: [],
        clock_tolerance: 30_000,
        jwks_timeout: 3000,
        jwks_max_age: 600_000,
      },
    },
    forecast: { limits: [] },
    collector_raw: false,
    shap_features: false,
    simulate: { hosts: 0, faults_per_day: 1 },
    log: { level: 'info', format: 'json', file: { max_size: 10_485_760, max_files: 5 } },
    limits: {
      forecasts: 2000,
      targets: 1000,
      requests_per_second: 100,
      request_burst: 1000,
      failed_logins_per_minute: 10,
      series_per_target: 150,
    },
  })
})

t.test('a file may set every key', async (t) => {
  const yaml = readFileSync(new URL('good/everything.yml', fixtures), 'utf8')
  const result = load({ yaml })
  if (!result.ok) return t.fail(result.errors.map(formatConfigError).join('\n'))
  t.strictSame(
    LEAVES.map((key) => key.path).filter((path) => result.sources[path] === 'default'),
    [],
  )
  t.match(result.config, {
    sample_interval: 1000,
    collectors: {
      response: {
        probes: [
          { expected_status: 204, timeout: 500 },
          { host: '::1', timeout: 800 },
        ],
      },
    },
    bundle: { path: '/srv/etc/bundles/ours' },
    store: { path: '/var/lib/portent/portent.db', minute_retention: 4_838_400_000, ballast: 0 },
    web: { max_body: 65_536, listen_address: '[::]:21710' },
    forecast: {
      limits: [
        { signal: 'queue_depth', capacity: 10_000, direction: 'up' },
        { signal: 'licences_left', capacity: 0, direction: 'down' },
      ],
    },
    log: { file: { path: '/srv/etc/logs/portent.log' } },
  })
})

t.test('flags win over the environment, that over the file, that over the defaults', async (t) => {
  const yaml = 'sensitivity: 2\nlog:\n  level: warn\nweb:\n  max_body: 2MiB\n'
  const env = { PORTENT_SENSITIVITY: '3', PORTENT_LOG_LEVEL: 'error' }
  const result = load({ yaml, env, argv: ['--sensitivity=4'] })
  if (!result.ok) return t.fail('refused')
  t.match(result.config, { sensitivity: 4, log: { level: 'error' }, web: { max_body: 2_097_152 } })
  t.match(result.sources, {
    sensitivity: '--sensitivity',
    'log.level': 'PORTENT_LOG_LEVEL',
    'web.max_body': 'etc/portent.yml:5',
    'web.open_reads': 'default',
  })
})

t.test('the file may be named by the environment, and the flag wins', async (t) => {
  const env = { PORTENT_CONFIG_FILE: 'etc/portent.yml' }
  const readFile = (path: string) => (path === 'etc/portent.yml' ? 'sensitivity: 2' : 'sensitivity: 3')
  const byEnv = loadConfig({ argv: [], env, readFile })
  const byFlag = loadConfig({ argv: ['--config.file=other.yml'], env, readFile })
  t.match(byEnv, { config: { sensitivity: 2 }, file: 'etc/portent.yml' })
  t.match(byFlag, { config: { sensitivity: 3 }, file: 'other.yml' })
})

t.test('a file that cannot be read stops the start, and the other errors are told too', async (t) => {
  t.strictSame(messages({ argv: ['--config.file', 'gone.yml', '--sensitivity', '0'] }), [
    'gone.yml: cannot be read: ENOENT: no such file',
    '--sensitivity: sensitivity: expected a whole number from 1 to 10, found 0',
  ])
})

t.test('flags come as --flag=value, --flag value, --switch and --no-switch', async (t) => {
  t.match(
    good({ argv: ['--web.listen-address=:9', '--log.level', 'debug', '--collector.raw', '--no-web.open-reads'] }),
    {
      web: { listen_address: ':9', open_reads: false },
      log: { level: 'debug' },
      collector_raw: true,
    },
  )
  t.match(good({ argv: ['--collector.raw=false', '--web.open-reads=TRUE', '--target.name=a=b'] }), {
    collector_raw: false,
    web: { open_reads: true },
    target: { name: 'a=b' },
  })
  t.match(good({ argv: ['--target.name=42'] }), { target: { name: '42' } }, 'a name of digits stays text')
})

t.test('every wrong flag is told, with the nearest known one', async (t) => {
  const argv = ['--web.listen-adress=:9', '--frob', 'x', '--log.level', 'info', '--log.level=warn', 'stray', '-x', '--']
  t.strictSame(
    messages({ argv: [...argv, '--no-collector.raw=true', '--collectors.disabled=cpu', '--web.config.fil=x'] }),
    [
      '--web.listen-adress: unknown flag (did you mean --web.listen-address?)',
      '--frob: unknown flag',
      '--log.level: given twice',
      'stray: unexpected argument',
      '-x: unexpected argument',
      '--: unexpected argument',
      '--no-collector.raw: takes no value',
      '--collectors.disabled: collectors.disabled is a list: set it in the configuration file',
      '--web.config.fil: unknown flag (did you mean --web.config.file?)',
    ],
  )
  t.strictSame(messages({ argv: ['--log.level'] }), ['--log.level: needs a value'])
  t.strictSame(messages({ argv: ['--log.level', '--collector.raw=perhaps'] }), [
    '--log.level: needs a value',
    '--collector.raw: collector_raw: expected true or false, found "perhaps"',
  ])
})

t.test('every wrong variable is told; those of Kubernetes services and empty ones are not', async (t) => {
  const env = {
    PORTENT_WEB_LISTEN_ADRESS: ':9',
    PORTENT_SENSITIVITY: 'high',
    PORTENT_COLLECTORS_DISABLED: 'cpu',
    PORTENT_LOG_LEVEL: '',
    PORTENT_SERVICE_HOST: '10.0.0.1',
    PORTENT_SERVICE_PORT_HTTP: '80',
    PORTENT_PORT: 'tcp://10.0.0.1:80',
    PORTENT_PORT_80_TCP_ADDR: '10.0.0.1',
    PORTENT_WEB_SERVICE_HOST: '10.0.0.2',
    HOME: '/',
  }
  t.strictSame(messages({ env }), [
    'PORTENT_COLLECTORS_DISABLED: collectors.disabled is a list: set it in the configuration file',
    'PORTENT_WEB_LISTEN_ADRESS: unknown environment variable (did you mean PORTENT_WEB_LISTEN_ADDRESS?)',
    'PORTENT_SENSITIVITY: sensitivity: expected a whole number from 1 to 10, found "high"',
  ])
})

t.test('a flag does not hide that the file has a text where a section belongs', async (t) => {
  t.strictSame(messages({ yaml: 'web: ":9"', argv: ['--web.listen-address=:10'] }), [
    'etc/portent.yml:1: web: expected a mapping of keys, found ":9"',
  ])
})

t.test('a contradiction names the flag that makes it', async (t) => {
  t.strictSame(messages({ argv: ['--sample-interval=3s'] }), [
    '--sample-interval: score_interval: expected a whole multiple of sample_interval (3s), found the default 10s',
  ])
})

t.test('flags and variables are derived from the schema, each once', async (t) => {
  for (const names of [LEAVES.map((key) => key.flag), LEAVES.map((key) => key.env)]) {
    const given = names.filter((name) => name !== null)
    t.equal(new Set(given).size, given.length)
  }
  for (const { kind, flag, env, path, description } of LEAVES) {
    t.equal(flag === null, kind === 'list', path)
    t.equal(env === null, kind === 'list', path)
    t.notMatch(description, /\.$/, `${path}: the full stop is added`)
    if (flag !== null) t.match(flagHelp(), flag)
  }
  t.equal(LEAVES.find((key) => key.path === 'web.listen_address')?.env, 'PORTENT_WEB_LISTEN_ADDRESS')
})

t.test('any YAML text is either decoded or refused with a message, and nothing is left behind', async (t) => {
  const piece = fc.constantFrom(
    'web',
    ':',
    ' ',
    '\n',
    '-',
    '{',
    '}',
    '[',
    '*a',
    '&a ',
    '? ',
    '!!',
    '|',
    '"',
    '~',
    '<<',
    '\t',
    '%',
    '1',
  )
  const texts = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(texts, (yaml) => {
      const result = load({ yaml })
      return result.ok || (result.errors.length > 0 && result.errors.every((error) => error.message !== ''))
    }),
    { numRuns: 300, seed: 1 },
  )
  t.equal(({} as Record<string, unknown>).sensitivity, undefined)
})

t.test('nesting without end is refused', async (t) => {
  t.match(readYaml('['.repeat(100_000)), { ok: false })
  t.match(readYaml(`${'a: {'.repeat(20_000)}${'}'.repeat(20_000)}`), { ok: false })
})

t.test('the committed example is the one of this schema, and valid', async (t) => {
  const text = readFileSync(example, 'utf8')
  t.equal(text, exampleConfig(), 'make it again: node exporter/bin/portent.js check-config --example')
  t.strictSame(good({ yaml: text }), good({}))
})

t.test('the example without its comment signs names every key and has the defaults', async (t) => {
  const yaml = exampleConfig().replaceAll(/^( *)#(?=[a-z_]+:)/gm, '$1')
  const result = load({ yaml })
  if (!result.ok) return t.fail(result.errors.map(formatConfigError).join('\n'))
  const { config, sources } = result
  for (const { path } of LEAVES) t.match(sources[path], /^etc\/portent\.yml:\d+$/, path)
  const { external_url, config_file, ...web } = config.web
  const { keys, issuer, audience, ...jwt } = config.auth.jwt
  const { path, ...file } = config.log.file
  const defaults = good({})
  t.strictSame(
    {
      ...config,
      target: { ...config.target, name: defaults.target.name },
      bundle: defaults.bundle,
      store: { ...config.store, path: defaults.store.path },
      web,
      auth: { ...config.auth, jwt },
      log: { ...config.log, file },
    },
    defaults,
  )
  t.same([external_url, path], ['https://portent.example.org/', '/var/log/portent/portent.log'])
  t.match([config_file, keys, issuer, audience], ['/etc/portent/web.yml', /^https:/, /^https:/, 'portent'])
  const probes = exampleConfig()
    .replace(/^ {4}#probes: \[\]$/m, '')
    .replaceAll(/^ {4}# {3}(?=probes:| {2}- \{ name)/gm, '    ')
  t.equal(good({ yaml: probes }).collectors.response.probes.length, 2, 'the probes shown are valid')
  const roles = exampleConfig()
    .replace(/^ {4}#roles: \[\]$/m, '')
    .replaceAll(/^ {4}# {3}(?=roles:| {2}- \{ value)/gm, '    ')
  t.equal(good({ yaml: roles }).auth.jwt.roles.length, 2, 'the roles shown are valid')
})

t.test('durations and sizes have units, or are seconds and bytes', async (t) => {
  const durations = {
    '500ms': 500,
    '2s': 2000,
    '1.5s': 1500,
    '15m': 900_000,
    '24h': 86_400_000,
    '30d': 2_592_000_000,
    '2w': 1_209_600_000,
    '10': 10_000,
    ' 3s ': 3000,
  }
  for (const [text, ms] of Object.entries(durations)) t.equal(parseDuration(text), ms, text)
  t.equal(parseDuration(0.25), 250)
  for (const bad of [
    '',
    's',
    '-1s',
    '1 s',
    '1S',
    '1y',
    '1h30m',
    '0x10',
    '1e3',
    'NaN',
    Number.NaN,
    -1,
    Number.POSITIVE_INFINITY,
  ])
    t.equal(parseDuration(bad), null, String(bad))
  const sizes = {
    '0': 0,
    '512': 512,
    '512B': 512,
    '64KiB': 65_536,
    '1.5MiB': 1_572_864,
    '1GiB': 1_073_741_824,
    '2TiB': 2_199_023_255_552,
  }
  for (const [text, bytes] of Object.entries(sizes)) t.equal(parseSize(text), bytes, text)
  for (const bad of ['1KB', '1kib', '1.5', '-1', 'KiB', '1e3']) t.equal(parseSize(bad), null, bad)
  fc.assert(
    fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)) === ms),
    { seed: 1 },
  )
  fc.assert(
    fc.property(fc.nat(), (bytes) => parseSize(formatSize(bytes)) === bytes),
    { seed: 1 },
  )
  t.same([0, 1500, 60_000, 2_592_000_000].map(formatDuration), ['0ms', '1500ms', '1m', '30d'])
})

t.test('a listen address has a port, and brackets around IPv6', async (t) => {
  t.strictSame(parseListenAddress('127.0.0.1:0'), { host: '127.0.0.1', port: 0 })
  t.strictSame(parseListenAddress('[::1]:21710'), { host: '::1', port: 21710 })
  t.strictSame(parseListenAddress(':9'), { host: null, port: 9 })
  for (const bad of ['::1:9', '127.0.0.1', ':', ':65536', ':-1', 'a b:9', 'http://h:9', '[]:9', ':9 '])
    t.equal(parseListenAddress(bad), null, bad)
})

t.test('a host name without a printable character becomes localhost', async (t) => {
  t.equal(defaultTargetName('web\n1\u0007'), 'web1')
  t.equal(defaultTargetName('\u0000'), 'localhost')
  t.equal(defaultTargetName('x'.repeat(300)).length, 128)
})

t.test('a typing error is recognised, another word is not', async (t) => {
  const known = ['web.listen_address', 'log.level', 'sensitivity', 'store']
  t.equal(nearest('web.listen-adress', known), 'web.listen_address')
  t.equal(nearest('sensitivty', known), 'sensitivity')
  t.equal(nearest('stroe', known), 'store')
  t.equal(nearest('colour', known), null)
  t.equal(nearest('x'.repeat(10_000), known), null)
})

t.test('a reload changes what can change at run time and names what needs a restart', async (t) => {
  const before = good({})
  const after = good({
    yaml: `
sensitivity: 6
sample_interval: 1s
collectors: { deadline: 900ms, response: { probes: [{ name: db, type: tcp, host: h, port: 1 }] } }
bundle: { path: /b }
store: { path: /s.db, raw_retention: 2d }
web: { listen_address: ":9" }
log: { level: debug, file: { path: /l } }
`,
  })
  const diff = diffReloadable(before, after)
  t.strictSame(diff, {
    reloadable: ['sensitivity', 'collectors.response.probes', 'bundle.path', 'store.raw_retention', 'log.level'],
    needRestart: ['sample_interval', 'collectors.deadline', 'store.path', 'web.listen_address', 'log.file.path'],
  })
  const running = applyReloadable(before, after)
  t.match(running, { sensitivity: 6, bundle: { path: '/b' }, log: { level: 'debug' } })
  t.strictSame(diffReloadable(running, after), { reloadable: [], needRestart: diff.needRestart })
  t.strictSame(before, good({}), 'the old configuration is as it was')
  for (const prefix of RELOADABLE)
    t.ok(
      KEYS.some(({ path }) => path === prefix),
      `${prefix} is a key`,
    )
})

t.test('a secret shows itself only when asked', async (t) => {
  const canary = 'canary-9c1f'
  const secret = new Secret(canary)
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ a: [secret] }),
    inspect({ a: { b: secret } }, { depth: 9, showHidden: true }),
  ]
  for (const text of shown) {
    t.match(text, '<secret>')
    t.notMatch(text, canary)
  }
  t.equal(JSON.stringify(Object.entries(secret)), '[]')
  t.equal(secret.reveal(), canary)
  t.strictSame(secretValues({ a: 1, b: null, c: [{ d: secret }] }), [canary])
})
