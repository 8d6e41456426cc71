import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { HOST_SIGNALS } from '@portent/core'
import { z } from 'zod'
import {
  boolean,
  checked,
  choice,
  duration,
  filePath,
  httpUrl,
  integer,
  keysPlace,
  list,
  listenAddress,
  optionalText,
  origin,
  printable,
  regularExpression,
  section,
  size,
  text,
} from './leaves.ts'
import { formatDuration, formatSize } from './values.ts'

/**
 * Every key of the configuration: its type, limits, default and description. The file, the environment, the flags,
 * `--help` and the example are all derived from here. Decoded durations are milliseconds, sizes are bytes.
 */

/**
 * Exporters are given ports from 9100 upwards, one by one, in the Prometheus wiki's list of default port allocations,
 * which has passed 10000. 21710 lies far beyond that run, is none of the list's ports outside of it (19091, 19999,
 * 24231, 42004 ...), and is below both the Kubernetes node ports (30000) and Linux's ephemeral
 * ports (32768), so nothing takes it by accident.
 */
export const DEFAULT_PORT = 21710

/** The host name without anything that a label or a log line could not show. */
export const defaultTargetName = (name: string = hostname()): string =>
  name.replaceAll(/\p{C}/gu, '').trim().slice(0, 128) || 'localhost'

/** Where the package keeps the bundle it ships. */
export const shippedBundle = (): string => fileURLToPath(new URL('../../bundle', import.meta.url))

const probeName = checked(
  (value) => /^[a-z0-9][a-z0-9_.-]{0,62}$/i.test(value),
  'a name of 1 to 63 letters, digits, dots, dashes and underscores',
)
const probeTimeout = duration('1s', ['10ms', '60s'], 'Time after which the probe has failed')
const port = z.int({ error: 'a port from 1 to 65535' })
const status = z.int({ error: 'an HTTP status from 100 to 599' })

/** From least to most. */
export const ROLES = ['viewer', 'operator', 'admin'] as const

export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'HS256',
  'HS384',
  'HS512',
] as const

const roleOfValue = z.strictObject(
  {
    value: printable(256),
    role: z.enum(ROLES, { error: `one of ${ROLES.join(', ')}` }),
  },
  { error: 'value and role' },
)

const limit = z.strictObject(
  {
    signal: checked((value) => /^[a-z][a-z0-9_]{0,62}$/.test(value), 'the name of a signal'),
    capacity: z.number({ error: 'a number' }),
    direction: z.enum(['up', 'down'], { error: 'up or down' }).prefault('up'),
  },
  { error: 'signal, capacity and direction' },
)

const probe = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      name: probeName,
      type: z.literal('http'),
      url: httpUrl,
      expected_status: status
        .min(100, { error: 'an HTTP status from 100 to 599' })
        .max(599, { error: 'an HTTP status from 100 to 599' })
        .exactOptional(),
      timeout: probeTimeout,
    }),
    z.strictObject({
      name: probeName,
      type: z.literal('tcp'),
      host: checked((value) => /^[A-Za-z0-9._:%-]{1,253}$/.test(value), 'a host name or an IP address'),
      port: port.min(1, { error: 'a port from 1 to 65535' }).max(65_535, { error: 'a port from 1 to 65535' }),
      timeout: probeTimeout,
    }),
  ],
  { error: (issue) => (issue.code === 'invalid_union' ? 'one of http, tcp' : 'a probe with name, type and timeout') },
)

export const configSchema = z
  .strictObject(
    {
      target: section('What is watched.', {
        name: text(printable(128), () => defaultTargetName(), {
          description: 'Name of this host in the label target and in the API',
          default: '(the host name)',
          example: 'web-1',
        }),
        kind: choice(['host'], 'host', 'Kind of the target'),
      }),
      sample_interval: duration('2s', ['100ms', '5m'], 'Time between two collections'),
      score_interval: duration(
        '10s',
        ['100ms', '1h'],
        'Time between two scores, a whole multiple of sample_interval; a bundle is used only at its own',
      ),
      sensitivity: integer(5, [1, 10], 'Alarm sensitivity: each step multiplies the false alarm budget by 1.6'),
      collectors: section('Where the signals come from.', {
        disabled: list(
          checked((value) => /^[a-z][a-z0-9_]{0,62}$/.test(value), 'the name of a collector'),
          'a list of collector names',
          'Names of collectors that do not run',
        ),
        deadline: duration(
          '1500ms',
          ['10ms', '5m'],
          'Time after which a collector has failed, less than sample_interval',
        ),
        response: section('Response time of what this host serves.', {
          probes: list(
            probe,
            'a list of probes',
            "HTTP and TCP probes; without any, the service's own loopback answer is timed",
            {
              notes: [
                'probes:',
                '  - { name: shop, type: http, url: "http://127.0.0.1:8080/health", expected_status: 200, timeout: 1s }',
                '  - { name: database, type: tcp, host: 127.0.0.1, port: 5432, timeout: 500ms }',
              ],
            },
          ),
        }),
        filesystem: section('Which mounts count.', {
          exclude_mounts: list(
            regularExpression,
            'a list of regular expressions',
            'Regular expressions of mount points to leave out, besides pseudo file systems',
          ),
          exclude_types: list(
            checked((value) => /^[A-Za-z0-9_.-]{1,64}$/.test(value), 'the type of a file system'),
            'a list of file system types',
            'File system types to leave out, besides pseudo file systems',
          ),
        }),
      }),
      bundle: section('The models.', {
        path: text(filePath, shippedBundle, {
          kind: 'path',
          description: 'Folder of the model bundle',
          default: '(the bundle shipped with the package)',
          example: 'bundle',
        }),
      }),
      store: section('The history on disk.', {
        path: text(filePath, 'data/portent.db', {
          kind: 'path',
          description: 'SQLite database',
          default: '(data/portent.db under the current directory)',
          example: '/var/lib/portent/portent.db',
        }),
        raw_retention: duration('24h', ['1m', '90d'], 'How long every sample and assessment is kept'),
        minute_retention: duration('30d', ['1m', '3650d'], 'How long means of one minute are kept'),
        max_size: size('1GiB', ['1MiB', '1TiB'], 'Size of the database at which the oldest rows are removed'),
        ballast: size('16MiB', ['0B', '1GiB'], 'File that is given up to make room when the disk is full; 0 for none'),
      }),
      web: section('The HTTP server.', {
        listen_address: text(listenAddress, `127.0.0.1:${DEFAULT_PORT}`, {
          description: 'Address to listen on; :PORT is all interfaces',
        }),
        telemetry_path: text(
          checked(
            (value) => value.length <= 128 && /^(\/[A-Za-z0-9._~-]+)+$/.test(value) && !/^\/(api|-)(\/|$)/.test(value),
            'a path such as /metrics, outside of /api and /-',
          ),
          '/metrics',
          { description: 'Path of the metrics' },
        ),
        max_body: size('1MiB', ['1KiB', '64MiB'], 'Largest request body'),
        headers_timeout: duration('10s', ['1s', '5m'], 'Time in which the headers of a request must have arrived'),
        request_timeout: duration('30s', ['1s', '10m'], 'Time in which a whole request must have arrived'),
        open_reads: boolean(
          true,
          'Whether reading routes need no credential; users in web.config_file close them all the same',
        ),
        cors_origins: list(
          origin,
          'a list of origins',
          'Origins whose pages may call this service, as in https://portal.example.org',
        ),
        config_file: optionalText(filePath, {
          kind: 'path',
          description: 'TLS, client certificates, users and headers, in the format of the Prometheus exporter-toolkit',
          example: '/etc/portent/web.yml',
          flag: 'web.config.file',
        }),
        external_url: optionalText(httpUrl, {
          description: 'URL under which people reach this service, for links',
          example: 'https://portent.example.org/',
        }),
      }),
      auth: section('Who may change something, besides the API keys of portent keys.', {
        required: boolean(false, 'Whether changes need a credential even on loopback and before there is one'),
        jwt: section('Bearer tokens of an identity provider: taken where keys is set.', {
          keys: optionalText(keysPlace, {
            description:
              "URL of the provider's JWK set, or a file: a public key in PEM, a JWK set, the secret of an HS algorithm",
            example: 'https://id.example.org/.well-known/jwks.json',
          }),
          issuer: optionalText(printable(512), {
            description: 'What iss of a token must be',
            example: 'https://id.example.org/',
          }),
          audience: optionalText(printable(512), {
            description: 'What aud of a token must hold',
            example: 'portent',
          }),
          algorithms: list(
            z.enum(ALGORITHMS, { error: `one of ${ALGORITHMS.join(', ')}` }),
            'a list of algorithms',
            `Algorithms of signatures that are taken: ${ALGORITHMS.join(', ')}; those of HS with a file only`,
            {},
            ['RS256', 'PS256', 'ES256', 'EdDSA'],
          ),
          roles_claim: text(printable(128), 'roles', {
            description: 'Claim that gives the role; a.b is b within a',
          }),
          roles: list(
            roleOfValue,
            'a list of values and roles',
            'What the values of that claim mean; without any, the values are viewer, operator and admin themselves',
            { notes: ['roles:', '  - { value: sre, role: operator }', '  - { value: platform, role: admin }'] },
          ),
          clock_tolerance: duration('30s', ['0s', '5m'], "Difference between the provider's clock and this one"),
          jwks_timeout: duration('3s', ['100ms', '30s'], 'Time after which fetching the keys has failed'),
          jwks_max_age: duration('10m', ['10s', '24h'], 'How long fetched keys are used'),
        }),
      }),
      forecast: section('What is to come.', {
        limits: list(
          limit,
          'a list of limits',
          'Signals that others push and the level at which each runs out; host resources have theirs',
          { notes: ['limits:', '  - { signal: queue_depth, capacity: 10000, direction: up }'] },
        ),
      }),
      collector_raw: boolean(false, 'Export every raw signal, not only the headline and capacity signals', {
        flag: 'collector.raw',
      }),
      shap_features: boolean(false, 'Export SHAP values of every feature, not only of every signal'),
      simulate: section('Simulated hosts, as further targets sim-1 to sim-N.', {
        hosts: integer(0, [0, 10_000], 'Number of simulated hosts, at most limits.targets', { flag: 'simulate' }),
        faults_per_day: integer(1, [0, 1000], 'Faults that begin in a day of health of each simulated host'),
      }),
      log: section('The log: JSON lines on standard error.', {
        level: choice(
          ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
          'info',
          'Least severe level that is logged',
        ),
        format: choice(['json'], 'json', 'Form of a line'),
        file: section('A rotated copy of the log in a file.', {
          path: optionalText(filePath, {
            kind: 'path',
            description: 'File to log to as well',
            example: '/var/log/portent/portent.log',
          }),
          max_size: size('10MiB', ['4KiB', '10GiB'], 'Size at which the file is rotated'),
          max_files: integer(5, [2, 100], 'Number of files kept, the current one included'),
        }),
      }),
      limits: section('Bounds on what is kept and exported.', {
        forecasts: integer(
          2000,
          [0, 1_000_000],
          'Most signals and resources, of all targets together, that are forecast; each takes some 150 kB',
        ),
        targets: integer(1000, [1, 10_000], 'Most targets; more are refused'),
        requests_per_second: integer(
          100,
          [1, 1_000_000],
          'Requests a second of one address, and of one credential; this host itself is not limited while there are none',
        ),
        request_burst: integer(1000, [1, 1_000_000], 'Requests that may come at once before that'),
        failed_logins_per_minute: integer(10, [1, 10_000], 'Refused credentials of one address a minute'),
        series_per_target: integer(150, [50, 10_000], 'Most series of one target in the metrics; more are dropped'),
      }),
    },
    { error: 'a mapping of keys' },
  )
  // Runs although a key may be wrong, so that all errors are told at once: values may be missing here.
  .superRefine(
    (config, context) => {
      for (const { path, related, message } of contradictions(config as Config))
        context.addIssue({ code: 'custom', path: steps(path), message, params: { related } })
    },
    { when: () => true },
  )

export type Config = z.output<typeof configSchema>
export type LogConfig = Config['log']
export type Probe = Config['collectors']['response']['probes'][number]

const steps = (path: string): (string | number)[] =>
  path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step))

/** Signals of a host that are full at 1. */
const OWN_LIMITS = new Set(HOST_SIGNALS.filter((s) => s.capacity !== undefined).map((s) => s.name))

interface Contradiction {
  readonly path: string
  readonly related: string
  readonly message: string
}

/** Comparisons with a missing value (NaN) are false, which says nothing. */
const number = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN)

function* contradictions(config: Config): Generator<Contradiction> {
  const sample = number(config?.sample_interval)
  const score = number(config?.score_interval)
  if (score < sample || score % sample > 0)
    yield {
      path: 'score_interval',
      related: 'sample_interval',
      message: `a whole multiple of sample_interval (${formatDuration(sample)})`,
    }
  const deadline = number(config?.collectors?.deadline)
  if (deadline >= sample)
    yield {
      path: 'collectors.deadline',
      related: 'sample_interval',
      message: `less than sample_interval (${formatDuration(sample)})`,
    }
  const probes: unknown = config?.collectors?.response?.probes
  const names = new Set<string>()
  for (const [index, entry] of (Array.isArray(probes) ? (probes as Probe[]) : []).entries()) {
    const path = `collectors.response.probes.${index}.name`
    if (typeof entry?.name === 'string' && names.has(entry.name))
      yield { path, related: path, message: 'a name that no other probe has' }
    names.add(entry?.name)
  }
  const limits: unknown = config?.forecast?.limits
  const limited = new Set<string>()
  for (const [index, entry] of (Array.isArray(limits)
    ? (limits as { signal: string; capacity: number; direction: string }[])
    : []
  ).entries()) {
    const path = `forecast.limits.${index}.signal`
    if (OWN_LIMITS.has(entry?.signal)) yield { path, related: path, message: 'a signal without a limit of its own' }
    if (entry?.direction !== 'down' && entry?.capacity <= 0)
      yield {
        path: `forecast.limits.${index}.capacity`,
        related: path,
        message: 'a number above 0, unless direction is down',
      }
    if (limited.has(entry?.signal)) yield { path, related: path, message: 'a signal that has no limit yet' }
    limited.add(entry?.signal)
  }
  const simulated = number(config?.simulate?.hosts)
  const targets = number(config?.limits?.targets)
  if (simulated > targets)
    yield { path: 'simulate.hosts', related: 'limits.targets', message: `at most limits.targets (${targets})` }
  const own = /^sim-([1-9]\d*)$/.exec(String(config?.target?.name))
  if (Number(own?.[1]) <= simulated)
    yield { path: 'target.name', related: 'simulate.hosts', message: 'a name that no simulated host has' }
  const raw = number(config?.store?.raw_retention)
  if (number(config?.store?.minute_retention) < raw)
    yield {
      path: 'store.minute_retention',
      related: 'store.raw_retention',
      message: `at least store.raw_retention (${formatDuration(raw)})`,
    }
  yield* tokenContradictions(config?.auth?.jwt)
  const ballast = number(config?.store?.ballast)
  if (number(config?.store?.max_size) < 2 * ballast)
    yield {
      path: 'store.max_size',
      related: 'store.ballast',
      message: `at least twice store.ballast (${formatSize(ballast)})`,
    }
  const headers = number(config?.web?.headers_timeout)
  if (number(config?.web?.request_timeout) < headers)
    yield {
      path: 'web.request_timeout',
      related: 'web.headers_timeout',
      message: `at least web.headers_timeout (${formatDuration(headers)})`,
    }
}

function* tokenContradictions(jwt: Config['auth']['jwt'] | undefined): Generator<Contradiction> {
  if (jwt?.keys === undefined) return
  const related = 'auth.jwt.keys'
  for (const key of ['issuer', 'audience'] as const)
    if (jwt[key] === undefined) yield { path: `auth.jwt.${key}`, related, message: `a value, since ${related} is set` }
  const algorithms: readonly string[] = Array.isArray(jwt.algorithms) ? jwt.algorithms : []
  const secret = algorithms.filter((algorithm) => String(algorithm).startsWith('HS'))
  const path = 'auth.jwt.algorithms'
  if (algorithms.length === 0) yield { path, related, message: `at least one algorithm, since ${related} is set` }
  else if (secret.length > 0 && !String(jwt.keys).startsWith('/'))
    yield { path, related, message: 'none of HS: published keys are no secrets' }
  else if (secret.length > 0 && secret.length < algorithms.length)
    yield { path, related, message: 'either HS algorithms or others: a public key must never be taken for a secret' }
}
