/** Bearer tokens of an identity provider: signature, issuer, audience, expiry, and the role that a claim maps to. */
import { createPublicKey } from 'node:crypto'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import type { Config } from '../config/index.ts'
import { KeysUnavailable } from './keys-unavailable.ts'
import { type Caller, isRole, most, type Role } from './roles.ts'

export type JwtConfig = Config['auth']['jwt']

/** After a failed fetch none is tried for so long: a provider that is down costs a request nothing but a refusal. */
const RETRY_MS = 5_000
/** Least time between two fetches for key ids that nobody knows. */
const COOLDOWN_MS = 30_000
const MOST_BYTES = 1 << 20
const MOST_TOKEN = 12_288

export interface TokenVerifierOptions {
  /** Unix ms. */
  readonly now: () => number
  /** ms. */
  readonly monotonic: () => number
  /** Text of the key file; null where keys come from a URL. */
  readonly keyFile: string | null
  readonly onUnavailable: (error: Error) => void
}

export class TokenVerifier {
  readonly #config: JwtConfig
  readonly #options: TokenVerifierOptions
  readonly #key: JWTVerifyGetKey

  /** Throws Error, naming the key of the configuration, where the keys of the file do not fit the algorithms. */
  constructor(config: JwtConfig, options: TokenVerifierOptions) {
    this.#config = config
    this.#options = options
    this.#key = options.keyFile === null ? remoteKeys(config, options) : fileKeys(config, options.keyFile)
  }

  /**
   * Null for a token that is not valid, for whatever reason.
   * @throws KeysUnavailable
   */
  async verify(token: string): Promise<Caller | null> {
    const { issuer, audience, algorithms, clock_tolerance, roles_claim, roles } = this.#config
    if (token.length > MOST_TOKEN || issuer === undefined || audience === undefined) return null
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        issuer,
        audience,
        algorithms: [...algorithms],
        requiredClaims: ['exp'],
        clockTolerance: clock_tolerance / 1000,
        currentDate: new Date(this.#options.now()),
      })
      const id = idOf(payload)
      return { kind: 'token', id, name: id, role: roleOf(payload, roles_claim, roles) }
    } catch (error) {
      const unavailable =
        error instanceof KeysUnavailable || error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid
      if (!unavailable) return null
      this.#options.onUnavailable(error)
      throw error instanceof KeysUnavailable ? error : new KeysUnavailable(error.message, { cause: error })
    }
  }
}

/** Who a token is about, as it may be logged. */
function idOf({ sub, client_id, azp }: JWTPayload): string {
  const id = [sub, client_id, azp].find((value) => typeof value === 'string' && value !== '')
  return typeof id === 'string' ? id.replaceAll(/\p{C}/gu, '').slice(0, 128) : ''
}

/** The most that the values of the claim give; null where they give nothing. */
export function roleOf(payload: JWTPayload, claim: string, map: JwtConfig['roles']): Role | null {
  const value = claimOf(payload, claim)
  const words = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
  const given = words.filter((word): word is string => typeof word === 'string')
  if (map.length === 0) return most(given.filter(isRole))
  return most(map.filter((entry) => given.includes(entry.value)).map((entry) => entry.role))
}

/** `a.b` is the claim of that name, else `b` within `a`. */
function claimOf(payload: JWTPayload, claim: string): unknown {
  if (Object.hasOwn(payload, claim)) return payload[claim]
  return claim
    .split('.')
    .reduce<unknown>(
      (place, step) =>
        typeof place === 'object' && place !== null && Object.hasOwn(place, step)
          ? (place as Record<string, unknown>)[step]
          : undefined,
      payload,
    )
}

const isSymmetric = (algorithm: string): boolean => algorithm.startsWith('HS')

/** A public key or certificate in PEM, a JWK or JWK set, or, for HS algorithms, the secret itself. */
function fileKeys({ algorithms }: JwtConfig, text: string): JWTVerifyGetKey {
  const refuse = (why: string): never => {
    throw new Error(`auth.jwt.keys: ${why}`)
  }
  const pem = text.includes('-----BEGIN ')
  const json = /^\s*[{[]/.test(text)
  if (algorithms.some(isSymmetric)) {
    if (pem || json) refuse('expected a secret for an HS algorithm, found what looks like a public key')
    const secret = new TextEncoder().encode(text.trim())
    const least = Math.max(...algorithms.map((algorithm) => Number(algorithm.slice(2)) / 8))
    if (secret.length < least) refuse(`expected a secret of at least ${least} bytes, found ${secret.length}`)
    return async () => secret
  }
  if (pem) {
    if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) refuse('expected a public key, found a private one')
    try {
      const key = createPublicKey(text)
      return async () => key
    } catch (error) {
      return refuse(`expected a public key in PEM: ${(error as Error).message}`)
    }
  }
  if (!json) refuse('expected a public key in PEM or a JWK set')
  try {
    const parsed = JSON.parse(text) as JSONWebKeySet | Record<string, unknown>
    const set = ('keys' in parsed ? parsed : { keys: [parsed] }) as JSONWebKeySet
    const secret = set.keys.find((key) => key.kty === 'oct' || 'd' in key)
    if (secret !== undefined) refuse('expected public keys, found a secret one')
    return createLocalJWKSet(set)
  } catch (error) {
    if (error instanceof SyntaxError) return refuse('expected a JWK set, found broken JSON')
    throw error instanceof errors.JOSEError || error instanceof TypeError
      ? new Error('auth.jwt.keys: expected a JWK set')
      : error
  }
}

/** One fetch in flight, a deadline, no redirect, a bounded answer; kept for a while, fetched again for an unknown key id. */
function remoteKeys(config: JwtConfig, { monotonic }: TokenVerifierOptions): JWTVerifyGetKey {
  const { keys: url = '', jwks_timeout, jwks_max_age } = config
  let retryAt = Number.NEGATIVE_INFINITY
  let reason = ''
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: jwks_timeout,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: jwks_max_age,
    [customFetch]: async (address, options) => {
      if (monotonic() < retryAt) throw new KeysUnavailable(reason)
      try {
        return Response.json(
          await within(jwks_timeout, async (signal) =>
            readKeys(await fetch(address, { ...options, redirect: 'error', signal })),
          ),
        )
      } catch (error) {
        retryAt = monotonic() + RETRY_MS
        const { message, cause } = error as Error
        reason = `the keys of ${address} cannot be had: ${cause instanceof Error ? cause.message : message}`
        throw new KeysUnavailable(reason, { cause: error })
      }
    },
  })
}

/**
 * A deadline of our own: that of a signal of `AbortSignal.timeout`, which only the request holds, can be lost to the garbage
 * collector while the body is read.
 */
async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`no answer within ${ms} ms`)
      reject(error)
      controller.abort(error)
    }, ms)
  })
  try {
    return await Promise.race([work(controller.signal), late])
  } finally {
    clearTimeout(timer)
  }
}

async function readKeys(response: Response): Promise<unknown> {
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`status ${response.status}`)
  }
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  let json: unknown
  try {
    json = JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw new Error('no JSON')
  }
  const { keys } = (json ?? {}) as { keys?: unknown }
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null))
    throw new Error('no JWK set')
  return json
}
