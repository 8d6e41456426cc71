/** Decides on every request: who sends it, how often, and whether they may. */
import type { BasicUsers } from './basic.ts'
import { addressOf, Buckets } from './buckets.ts'
import type { TokenVerifier } from './jwt.ts'
import type { KeyRing } from './key-ring.ts'
import { KeysUnavailable } from './keys-unavailable.ts'
import { isLoopbackAddress, notLocalBecause } from './local.ts'
import { Refusal } from './refusal.ts'
import { ANONYMOUS, allows, type Caller, LOCAL, type Scope } from './roles.ts'

/** What the gate sees of a request. */
export interface RequestFacts {
  /** Address of the socket's other end; undefined where there is no socket. */
  readonly address: string | undefined
  readonly header: (name: string) => string | undefined
  /** Whom a verified client certificate names; null without one. */
  readonly certificate: string | null
}

export interface GateSettings {
  /** Whether reading routes need no credential. */
  readonly openReads: boolean
  /** Changes need a credential even where there is none yet. */
  readonly required: boolean
  /** Of one address, and of one credential. */
  readonly requestsPerSecond: number
  readonly requestBurst: number
  readonly failedLoginsPerMinute: number
}

export interface GateOptions {
  /** Whether the service listens on loopback only. */
  readonly loopback: boolean
  readonly settings: () => GateSettings
  readonly keys: KeyRing
  /** Null: no tokens are taken. */
  readonly tokens: () => TokenVerifier | null
  readonly users: BasicUsers
  /** Whether client certificates are verified. */
  readonly certificates: () => boolean
  /** ms. */
  readonly monotonic: () => number
}

export class Gate {
  readonly #options: GateOptions
  readonly #requests: Buckets
  readonly #failures: Buckets

  constructor(options: GateOptions) {
    this.#options = options
    const { settings } = options
    this.#requests = new Buckets(() => ({ perSecond: settings().requestsPerSecond, burst: settings().requestBurst }))
    this.#failures = new Buckets(() => {
      const { failedLoginsPerMinute: perMinute } = settings()
      return { perSecond: perMinute / 60, burst: perMinute }
    })
  }

  /** Whether any credential could be valid here, or once was. */
  get configured(): boolean {
    const { keys, tokens, users, certificates } = this.#options
    return keys.configured || tokens() !== null || users.configured || certificates()
  }

  /** Whether credentials decide, rather than where a request comes from. */
  get guarded(): boolean {
    const { loopback, settings } = this.#options
    return !loopback || settings().required || this.configured
  }

  /** Whether anybody may read. As with every exporter, users of the web configuration close the reading routes too. */
  get readsOpen(): boolean {
    return this.#options.settings().openReads && !this.#options.users.configured
  }

  /**
   * The caller, if they may.
   * @param scope `open`: answered to anybody, credentials are not looked at
   * @throws Refusal 401, 403, 429, 503
   */
  authorize(scope: Scope | 'open', request: RequestFacts): Caller | Promise<Caller> {
    const { guarded } = this
    const free = scope === 'open' || (scope === 'read' && !guarded && this.readsOpen)
    // This host is not limited while it may do everything anyway.
    if (guarded || !isLoopbackAddress(request.address))
      this.#limit(this.#requests, `address ${addressOf(request.address)}`)
    if (free) return ANONYMOUS
    if (!guarded) return this.#local(scope, request)
    const given = request.header('authorization')
    if (given === undefined) return this.#permit(scope, this.#without(scope, request))
    const caller = this.#authenticate(given, request)
    return caller instanceof Promise ? caller.then((known) => this.#permit(scope, known)) : this.#permit(scope, caller)
  }

  /** Entries held, for tests of its bounds. */
  get held(): number {
    return this.#requests.size + this.#failures.size
  }

  #local(scope: Scope, { address, header }: RequestFacts): Caller {
    const reason = notLocalBecause(address, header)
    if (reason === null) return LOCAL
    throw scope === 'read'
      ? new Refusal(403, 'reads_are_local', `reading is open to this host only (web.open_reads is off): ${reason}`)
      : new Refusal(403, 'changes_are_local', `a request that changes state must come from this host itself: ${reason}`)
  }

  #without(scope: Scope, { certificate }: RequestFacts): Caller {
    if (certificate !== null && this.#options.certificates())
      return { kind: 'certificate', id: certificate, name: certificate, role: 'viewer' }
    if (scope === 'read' && this.readsOpen) return ANONYMOUS
    const hint = this.configured ? '' : '; there is none yet: see portent keys create'
    throw this.#unauthorized('credential_required', `this needs a credential${hint}`)
  }

  #permit(scope: Scope, caller: Caller): Caller {
    if (caller.kind !== 'anonymous') this.#limit(this.#requests, `${caller.kind} ${caller.id}`)
    if (allows(caller.role, scope)) return caller
    const what = caller.role === null ? 'no role' : `the role ${caller.role}`
    throw new Refusal(403, 'insufficient_scope', `this needs the scope ${scope}; the credential has ${what}`)
  }

  #authenticate(given: string, request: RequestFacts): Caller | Promise<Caller> {
    const { keys, tokens, users } = this.#options
    const [, scheme = '', text = ''] = /^([A-Za-z]+) +([\x21-\x7e]+) *$/.exec(given) ?? []
    const address = addressOf(request.address)
    const kind = scheme.toLowerCase()
    if (kind === 'basic' && users.configured) return this.#user(text, address)
    if (kind !== 'bearer') throw this.#refused(address)
    if (text.startsWith('ptk_')) {
      if (!keys.readable) throw unavailable('the API keys cannot be read at the moment')
      const caller = keys.verify(text)
      if (caller === null) throw this.#refused(address)
      return caller
    }
    const verifier = tokens()
    if (verifier === null) throw this.#refused(address)
    return verifier.verify(text).then(
      (caller) => {
        if (caller === null) throw this.#refused(address)
        return caller
      },
      (error: unknown) => {
        throw error instanceof KeysUnavailable ? unavailable('tokens cannot be checked at the moment') : error
      },
    )
  }

  /** A password is compared only if the address has guesses left: each costs one, a right one gives it back. */
  #user(text: string, address: string): Caller | Promise<Caller> {
    const { users, monotonic } = this.#options
    const credential = Buffer.from(text, 'base64').toString()
    const colon = credential.indexOf(':')
    if (colon < 0) throw this.#refused(address)
    const user = credential.slice(0, colon)
    const password = credential.slice(colon + 1)
    const caller: Caller = { kind: 'user', id: user, name: user, role: 'viewer' }
    if (users.remembers(user, password)) return caller
    this.#limit(this.#failures, address)
    const verified = users.verify(user, password)
    if (verified === null) throw tooMany(1)
    return verified.then((good) => {
      if (!good) throw this.#unauthorized('credential_invalid', 'the credential is not valid')
      this.#failures.give(address, monotonic())
      return caller
    })
  }

  /** What every refused credential is told, and what it costs the address. */
  #refused(address: string): Refusal {
    const wait = this.#failures.take(address, this.#options.monotonic())
    if (wait > 0) return tooMany(wait)
    return this.#unauthorized('credential_invalid', 'the credential is not valid')
  }

  #unauthorized(code: 'credential_required' | 'credential_invalid', message: string): Refusal {
    const bearer =
      code === 'credential_invalid' ? 'Bearer realm="portent", error="invalid_token"' : 'Bearer realm="portent"'
    const challenge = this.#options.users.configured ? `Basic realm="portent", charset="UTF-8", ${bearer}` : bearer
    return new Refusal(401, code, message, { 'WWW-Authenticate': challenge })
  }

  #limit(buckets: Buckets, name: string): void {
    const wait = buckets.take(name, this.#options.monotonic())
    if (wait > 0) throw tooMany(wait)
  }
}

const tooMany = (seconds: number): Refusal =>
  new Refusal(429, 'too_many_requests', 'too many requests; try again later', {
    'Retry-After': String(Math.max(1, Math.ceil(seconds))),
  })

const unavailable = (message: string): Refusal =>
  new Refusal(503, 'credentials_unavailable', message, { 'Retry-After': '5' })
