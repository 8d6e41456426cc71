/**
 * The web configuration file of the Prometheus exporter-toolkit: TLS, client certificates, users, headers. What other exporters
 * read, read here; what it says and this service cannot do is refused, never ignored.
 */
import { X509Certificate } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { z } from 'zod'
import { didYouMean } from '../config/suggest.ts'
import { type Locate, readYaml } from '../config/yaml.ts'

/** How far a client's certificate is asked for. `verify` is asked for and held against the client CA. */
export type ClientCertificates = 'none' | 'request' | 'require' | 'verify_if_given' | 'verify'

export interface WebTls {
  readonly context: SecureContextOptions
  readonly clientCertificates: ClientCertificates
  /** A client certificate must carry one of these alternative names; empty: any. */
  readonly clientNames: readonly string[]
}

export interface WebConfig {
  /** Null: plain HTTP. */
  readonly tls: WebTls | null
  /** Name -> bcrypt hash. */
  readonly users: ReadonlyMap<string, string>
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, string>>
  /** Every file that was read: a change of one is a change of the configuration. */
  readonly files: readonly string[]
}

export type WebConfigResult =
  | { readonly ok: true; readonly config: WebConfig }
  | { readonly ok: false; readonly errors: readonly string[]; readonly files: readonly string[] }

const CLIENT_AUTH: Readonly<Record<string, ClientCertificates>> = {
  '': 'none',
  NoClientCert: 'none',
  RequestClientCert: 'request',
  RequireClientCert: 'require',
  RequireAnyClientCert: 'require',
  VerifyClientCertIfGiven: 'verify_if_given',
  RequireAndVerifyClientCert: 'verify',
}
const VERSIONS = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const

/** Go's names -> OpenSSL's. Without forward secrecy or authenticated encryption none is offered. */
const CIPHERS: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
}
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
}
/** Those of the toolkit. */
const HEADERS = [
  'Strict-Transport-Security',
  'X-Content-Type-Options',
  'X-Frame-Options',
  'X-XSS-Protection',
  'Content-Security-Policy',
] as const
/** More would take a second and more for every new credential. */
const MOST_BCRYPT_COST = 14

const names = (known: Readonly<Record<string, string>>): [string, ...string[]] =>
  Object.keys(known).filter((name) => name !== '') as [string, ...string[]]
const oneOf = (known: readonly string[]) => `one of ${known.join(', ')}`
const file = z.string({ error: 'a path' }).min(1, { error: 'a path' })
const fromList = (known: Readonly<Record<string, string>>, expected: string) =>
  z
    .array(z.enum(names(known), { error: oneOf(names(known)) }), { error: expected })
    .transform((list) => list.map((name) => known[name] as string))
const version = z.enum(['TLS12', 'TLS13'], { error: 'TLS12 or TLS13 (older ones are not offered)' })
const flag = z.boolean({ error: 'true or false' })
const headerValue = z
  .string({ error: 'the text of a header' })
  .regex(/^[\x20-\x7e]{0,1024}$/, { error: 'the text of a header' })

const schema = z.strictObject(
  {
    tls_server_config: z
      .strictObject(
        {
          cert_file: file,
          key_file: file,
          client_auth_type: z
            .enum(Object.keys(CLIENT_AUTH) as [string, ...string[]], { error: oneOf(names(CLIENT_AUTH)) })
            .optional(),
          client_ca_file: z.string({ error: 'a path' }).optional(),
          client_allowed_sans: z.array(z.string(), { error: 'a list of names' }).optional(),
          cipher_suites: fromList(CIPHERS, 'a list of cipher suites').optional(),
          curve_preferences: fromList(CURVES, 'a list of curves').optional(),
          min_version: version.optional(),
          max_version: version.optional(),
          prefer_server_cipher_suites: flag.optional(),
        },
        { error: 'a mapping with cert_file and key_file' },
      )
      .optional(),
    http_server_config: z
      .strictObject(
        {
          // HTTP/1.1 is what is spoken, to clients that could speak HTTP/2 too.
          http2: flag.optional(),
          headers: z
            .strictObject(Object.fromEntries(HEADERS.map((name) => [name, headerValue.optional()])), {
              error: 'a mapping of headers',
            })
            .optional(),
        },
        { error: 'a mapping' },
      )
      .optional(),
    basic_auth_users: z
      .record(
        z.string().regex(/^[^:\p{C}]{1,128}$/u, { error: 'a name without a colon' }),
        z
          .string({ error: 'a bcrypt hash' })
          .regex(/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/, { error: 'a bcrypt hash' })
          .refine((hash) => Number(hash.slice(4, 6)) <= MOST_BCRYPT_COST && Number(hash.slice(4, 6)) >= 4, {
            error: `a bcrypt hash of cost 4 to ${MOST_BCRYPT_COST}`,
          }),
        { error: 'a mapping of names to bcrypt hashes' },
      )
      .optional(),
  },
  { error: 'a mapping' },
)

type Raw = z.output<typeof schema>

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  '': ['tls_server_config', 'http_server_config', 'basic_auth_users'],
  tls_server_config: Object.keys(schema.shape.tls_server_config.unwrap().shape),
  http_server_config: ['http2', 'headers'],
  'http_server_config.headers': HEADERS,
}

/**
 * Relative paths in the file start at its folder. An empty file means plain HTTP without users. Never throws.
 * @param readFile gives a file's text; throws if it cannot be read
 */
export function loadWebConfig(path: string, readFile: (path: string) => string): WebConfigResult {
  const files = [path]
  const refuse = (...errors: string[]): WebConfigResult => ({ ok: false, errors, files })
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    return refuse(`${path}: cannot be read: ${(error as Error).message}`)
  }
  const yaml = readYaml(text)
  if (!yaml.ok)
    return refuse(...yaml.errors.map(({ line, message }) => `${line === null ? path : `${path}:${line}`}: ${message}`))
  const parsed = schema.safeParse(withoutEmpty(yaml.value))
  if (!parsed.success) return refuse(...parsed.error.issues.flatMap((issue) => explain(issue, path, yaml.lineOf)))
  const { basic_auth_users: users = {}, http_server_config: http, tls_server_config: tls } = parsed.data
  const problem = tls === undefined ? null : contradiction(tls)
  if (problem !== null) return refuse(`${path}: tls_server_config: ${problem}`)
  try {
    const config = {
      tls: tls === undefined ? null : readTls(tls, dirname(path), readFile, files),
      users: new Map(Object.entries(users)),
      headers: Object.fromEntries(
        Object.entries(http?.headers ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
      files,
    }
    return { ok: true, config }
  } catch (error) {
    return refuse(`${path}: tls_server_config: ${(error as Error).message}`)
  }
}

/** A section with nothing in it reads as null. */
function withoutEmpty(value: unknown): unknown {
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null))
}

function contradiction(tls: NonNullable<Raw['tls_server_config']>): string | null {
  const asked = CLIENT_AUTH[tls.client_auth_type ?? ''] ?? 'none'
  const verifies = asked === 'verify' || asked === 'verify_if_given'
  if (verifies && !tls.client_ca_file) return `client_auth_type ${tls.client_auth_type} needs a client_ca_file`
  if (tls.client_ca_file && asked === 'none')
    return 'client_ca_file needs a client_auth_type that asks for certificates'
  if (tls.client_allowed_sans?.length && !verifies) return 'client_allowed_sans needs a client_auth_type that verifies'
  if (tls.min_version === 'TLS13' && tls.max_version === 'TLS12') return 'min_version is above max_version'
  return null
}

function readTls(
  tls: NonNullable<Raw['tls_server_config']>,
  folder: string,
  readFile: (path: string) => string,
  files: string[],
): WebTls {
  const read = (key: string, name: string): string => {
    const path = resolve(folder, name)
    files.push(path)
    try {
      return readFile(path)
    } catch (error) {
      throw new Error(`${key} ${path} cannot be read: ${(error as Error).message}`, { cause: error })
    }
  }
  const clientCertificates = CLIENT_AUTH[tls.client_auth_type ?? ''] ?? 'none'
  const context: SecureContextOptions = {
    cert: read('cert_file', tls.cert_file),
    key: read('key_file', tls.key_file),
    // Never the system's list: anybody can have a certificate from one of those.
    ca: tls.client_ca_file ? [read('client_ca_file', tls.client_ca_file)] : [],
    minVersion: VERSIONS[tls.min_version ?? 'TLS12'],
    ...(tls.max_version && { maxVersion: VERSIONS[tls.max_version] }),
    ...(tls.cipher_suites?.length && { ciphers: tls.cipher_suites.join(':') }),
    ...(tls.curve_preferences?.length && { ecdhCurve: tls.curve_preferences.join(':') }),
    honorCipherOrder: tls.prefer_server_cipher_suites ?? true,
  }
  for (const ca of context.ca as string[]) {
    try {
      new X509Certificate(ca)
    } catch (error) {
      throw new Error(`client_ca_file holds no certificate: ${(error as Error).message}`, { cause: error })
    }
  }
  try {
    createSecureContext(context)
  } catch (error) {
    throw new Error(`cert_file and key_file cannot be used: ${(error as Error).message}`, { cause: error })
  }
  return { context, clientCertificates, clientNames: tls.client_allowed_sans ?? [] }
}

function explain(issue: z.core.$ZodIssue, path: string, lineOf: Locate): string[] {
  const place = (steps: readonly PropertyKey[]) => {
    const line = lineOf(steps)
    return line === null ? path : `${path}:${line}`
  }
  const at = issue.path.join('.')
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((name) => {
      const known = KNOWN[at] ?? []
      return `${place([...issue.path, name])}: ${[at, name].filter(Boolean).join('.')}: unknown key${didYouMean(name, known)}`
    })
  // What was found is not repeated: it may be a password where a hash was expected.
  const expected = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? 'another name') : issue.message
  return [`${place(issue.path)}: ${at === '' ? '' : `${at}: `}expected ${expected}`]
}
