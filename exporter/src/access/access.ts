/** Access control of a running service: the gate, and the keys, users, certificates and settings behind it, kept current. */
import { stat } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { type Config, parseListenAddress } from '../config/index.ts'
import { BasicUsers } from './basic.ts'
import { Gate } from './gate.ts'
import type { TokenVerifier } from './jwt.ts'
import { KeyRing, type StoredKey } from './key-ring.ts'
import { isLoopbackHost } from './local.ts'
import type { WebConfig, WebTls } from './web-config.ts'

export interface AccessLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type AccessConfig = Pick<Config, 'auth' | 'web' | 'limits'>

export interface AccessOptions {
  readonly config: AccessConfig
  readonly log: AccessLog
  /** Every API key, revoked and expired ones included. */
  readonly keys: () => readonly StoredKey[]
  readonly used: (id: string, now: number) => void
  /** Gives a file's text; throws if it cannot be read. */
  readonly readFile: (path: string) => string
  /** What changes with a file, null where there is none. Default: inode, size and time of change. */
  readonly stamp?: (path: string) => Promise<string | null>
  /** Unix ms. */
  readonly now?: () => number
  /** ms. */
  readonly monotonic?: () => number
}

/** What is read from files; put in force together or not at all. */
interface Files {
  readonly web: WebConfig
  readonly tokens: TokenVerifier | null
  readonly paths: readonly string[]
}

const PLAIN: WebConfig = { tls: null, users: new Map(), headers: {}, files: [] }
/** An error that lasts is told so often. */
const TELL_EVERY_MS = 60_000

export class Access {
  readonly gate: Gate
  readonly #options: AccessOptions & Required<Pick<AccessOptions, 'stamp' | 'now' | 'monotonic'>>
  readonly #keys: KeyRing
  #config: AccessConfig
  #files: Files = { web: PLAIN, tokens: null, paths: [] }
  #stamps = ''
  #polling: Promise<void> | null = null
  /** One reading after the other: what was asked for last stays in force. */
  #reading: Promise<unknown> = Promise.resolve()
  #onTls: (tls: WebTls) => void = () => {}
  readonly #toldAt = new Map<string, number>()

  /** Rejects with an Error, naming file or key, for a web configuration or key file that cannot be used. */
  static async open(options: AccessOptions): Promise<Access> {
    const access = new Access(options)
    access.#files = await access.#read(options.config)
    return access
  }

  private constructor(options: AccessOptions) {
    this.#options = { stamp: stampOf, now: Date.now, monotonic: () => performance.now(), ...options }
    this.#config = options.config
    const { keys, used } = options
    const { now, monotonic } = this.#options
    this.#keys = new KeyRing({
      read: keys,
      used,
      now,
      monotonic,
      onError: (err) => this.#tell('keys', { err }, 'the API keys cannot be read: those known are valid for a minute'),
    })
    this.#keys.refresh()
    this.gate = new Gate({
      loopback: isLoopbackHost(parseListenAddress(options.config.web.listen_address)?.host ?? null),
      settings: () => {
        const { auth, web, limits } = this.#config
        return {
          openReads: web.open_reads,
          required: auth.required,
          requestsPerSecond: limits.requests_per_second,
          requestBurst: limits.request_burst,
          failedLoginsPerMinute: limits.failed_logins_per_minute,
        }
      },
      keys: this.#keys,
      tokens: () => this.#files.tokens,
      users: new BasicUsers(() => this.#files.web.users),
      certificates: () => verifies(this.#files.web.tls),
      monotonic,
    })
  }

  /** Null: plain HTTP. */
  get tls(): WebTls | null {
    return this.#files.web.tls
  }

  /** Headers that the web configuration adds to every answer. */
  get headers(): Readonly<Record<string, string>> {
    return this.#files.web.headers
  }

  get corsOrigins(): readonly string[] {
    return this.#config.web.cors_origins
  }

  /** Calls back when certificates or what is asked of clients have changed. */
  onTls(callback: (tls: WebTls) => void): void {
    this.#onTls = callback
  }

  /** Says in the log, once, what is open. */
  tellStart(): void {
    const { log } = this.#options
    const { gate } = this
    if (gate.guarded && !gate.configured)
      log.warn(
        { reads_open: gate.readsOpen },
        'there is no credential yet: requests that change something are refused until there is one (portent keys create)',
      )
  }

  /** To be called every two seconds: reads keys again, and files that have changed. Never rejects. */
  poll(): Promise<void> {
    this.#polling ??= this.#serially(() => this.#poll()).finally(() => {
      this.#polling = null
    })
    return this.#polling
  }

  /** Puts other settings in force. Rejects, naming file or key, and changes nothing, where they cannot be used. */
  reconfigure(config: AccessConfig): Promise<void> {
    return this.#serially(async () => {
      this.#use(await this.#read(config))
      this.#config = config
      this.#keys.refresh()
    })
  }

  #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#reading.then(work)
    this.#reading = done.catch(() => undefined)
    return done
  }

  async #poll(): Promise<void> {
    const { stamp, log } = this.#options
    this.#keys.refresh()
    const stamps = (await Promise.all(this.#files.paths.map(stamp))).join('\n')
    if (stamps === this.#stamps) return
    const first = this.#stamps === ''
    this.#stamps = stamps
    try {
      // The first time too: a file may have changed since the start.
      this.#use(await this.#read(this.#config))
      if (!first) log.info({ files: this.#files.paths }, 'access files read again')
    } catch (err) {
      // Written half, perhaps: what was read before stays in force, and it is looked at again.
      this.#stamps = 'unread'
      this.#tell('files', { err }, 'access files cannot be used: the old ones stay in force')
    }
  }

  /** What is not configured is not loaded: bcrypt, jose and TLS take a few megabytes together. */
  async #read({ web, auth }: AccessConfig): Promise<Files> {
    const { readFile, now, monotonic } = this.#options
    let config = PLAIN
    if (web.config_file !== undefined) {
      const { loadWebConfig } = await import('./web-config.ts')
      const loaded = loadWebConfig(web.config_file, readFile)
      if (!loaded.ok) throw new Error(loaded.errors.join('; '))
      config = loaded.config
    }
    const { jwt } = auth
    const path = jwt.keys?.startsWith('/') ? jwt.keys : null
    const keyFile = path === null ? null : this.#keyFile(path)
    const onUnavailable = (err: Error) => this.#tell('jwks', { err }, 'tokens cannot be checked')
    const verifier = jwt.keys === undefined ? null : (await import('./jwt.ts')).TokenVerifier
    return {
      web: config,
      tokens: verifier && new verifier(jwt, { now, monotonic, keyFile, onUnavailable }),
      paths: [...config.files, ...(path === null ? [] : [path])],
    }
  }

  #keyFile(path: string): string {
    try {
      return this.#options.readFile(path)
    } catch (error) {
      throw new Error(`auth.jwt.keys: ${path} cannot be read: ${(error as Error).message}`, { cause: error })
    }
  }

  #use(files: Files): void {
    const before = this.#files.web.tls
    const after = files.web.tls
    if ((before === null) !== (after === null))
      throw new Error('web.config_file: TLS is switched on and off by a restart only')
    this.#files = files
    if (after !== null && !isDeepStrictEqual(before, after)) this.#onTls(after)
  }

  #tell(what: string, fields: object, message: string): void {
    const now = this.#options.monotonic()
    if (now - (this.#toldAt.get(what) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return
    this.#toldAt.set(what, now)
    this.#options.log.error(fields, message)
  }
}

const verifies = (tls: WebTls | null): boolean =>
  tls?.clientCertificates === 'verify' || tls?.clientCertificates === 'verify_if_given'

async function stampOf(path: string): Promise<string | null> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path)
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    return null
  }
}
