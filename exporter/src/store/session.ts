/** The open database and what happens to it while running: failures counted, corruption put aside, the disk full. */
import { existsSync } from 'node:fs'
import { Ballast } from './ballast.ts'
import { type Connection, connect, putAside, RUN_BUSY_MS } from './connection.ts'
import { kindOf, StoreError, wrap } from './errors.ts'
import { type Purger, purger, type Retention } from './purge.ts'
import type { TargetKind } from './tables/targets.ts'
import { Writer } from './writer.ts'

/** The part of a pino logger that is used. */
export interface StoreLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface Open extends Connection {
  readonly writer: Writer
  readonly purger: Purger
}

export interface SessionOptions {
  readonly file: string
  readonly ballastBytes: number
  readonly retention: Retention
  readonly clock: () => number
  readonly log: StoreLog
  /** Of the targets that were ensured. */
  readonly kinds: ReadonlyMap<string, TargetKind>
}

export class Session {
  readonly #options: SessionOptions
  readonly #ballast: Ballast
  #open: Open | null = null
  #closed = false
  #busyMs = RUN_BUSY_MS
  #released = false
  readonly errors: Record<string, number> = {}
  putAside = 0

  /** Throws StoreError naming the path if the file cannot be opened. */
  constructor(options: SessionOptions) {
    this.#options = options
    this.#ballast = new Ballast(options.file, options.ballastBytes)
    this.#connect()
    try {
      this.#ballast.ensure()
    } catch (error) {
      this.fail(error, 'allocating the ballast')
    }
    this.#released = options.ballastBytes > 0 && !this.#ballast.present
  }

  /** Null while the file cannot be opened again, and once closed. */
  get current(): Open | null {
    return this.#open
  }

  get closed(): boolean {
    return this.#closed
  }

  get ballast(): 'present' | 'released' | 'off' {
    if (this.#options.ballastBytes === 0) return 'off'
    return this.#released ? 'released' : 'present'
  }

  /** Runs with an open database; corruption costs what was stored, not the operation. Throws StoreError. */
  run<T>(doing: string, work: (open: Open) => T): T {
    const { file } = this.#options
    if (this.#closed) throw new StoreError('closed', `${doing}: the store is closed`)
    try {
      return work(this.#open ?? this.#connect())
    } catch (error) {
      this.#open?.writer.forget()
      if (kindOf(error) !== 'corrupt') throw wrap(error, doing, file)
      this.#count(error)
    }
    try {
      return work(this.recover())
    } catch (error) {
      throw wrap(error, doing, file)
    }
  }

  /** The same, with failures counted and logged instead of thrown. */
  attempt<T>(doing: string, work: (open: Open) => T): T | undefined {
    try {
      return this.run(doing, work)
    } catch (error) {
      this.fail(error, doing)
      return undefined
    }
  }

  /** Counts and logs a failure that goes no further. */
  fail(error: unknown, doing: string): StoreError {
    const wrapped = wrap(error, doing, this.#options.file)
    this.#count(wrapped)
    this.#options.log.warn({ err: wrapped, file: this.#options.file, kind: wrapped.kind }, wrapped.message)
    return wrapped
  }

  /** After corruption was found while running: the file is put aside, a fresh one opened. */
  recover(): Open {
    const open = this.#open
    this.#open = null
    try {
      open?.db.close()
    } catch {
      // It is the file that is given up.
    }
    if (this.#options.file !== ':memory:') this.#setAside()
    return this.#connect()
  }

  /** A file that was removed under the open database takes rows until the end of the process, and then is gone. */
  reopenIfRemoved(): void {
    const { file, log } = this.#options
    if (file === ':memory:' || !this.#open || existsSync(file)) return
    log.error({ file }, `database ${file} was removed; a new one is begun`)
    const { db } = this.#open
    this.#open = null
    db.close()
    this.attempt('opening', () => undefined)
  }

  /** After SQLITE_FULL: purges the oldest rows to write so many. Throws StoreError where that is not possible. */
  makeRoom(rows: number): void {
    this.run('making room', ({ db, purger }) => {
      if (!purger.atLimit()) this.#release()
      // Lets the write-ahead log start over instead of growing.
      this.attempt('checkpointing', () => db.pragma('wal_checkpoint(PASSIVE)'))
      purger.makeRoom(this.#options.clock(), rows)
    })
  }

  /** Puts the ballast back where there is room for it. Never rejects. */
  async restoreBallast(): Promise<void> {
    const { file, log, ballastBytes } = this.#options
    try {
      if (await this.#ballast.restore()) log.info({ file }, 'the ballast is back in place')
    } catch (error) {
      this.fail(error, 'restoring the ballast')
    }
    this.#released = ballastBytes > 0 && !this.#ballast.present
  }

  /** How long a statement waits, with the event loop, for another process's lock. */
  setBusyTimeout(ms: number): void {
    if (ms === this.#busyMs) return
    this.#busyMs = ms
    this.#open?.db.pragma(`busy_timeout = ${ms}`)
  }

  close(): void {
    this.attempt('closing', ({ db }) => db.pragma('wal_checkpoint(TRUNCATE)'))
    this.#closed = true
    this.#open?.db.close()
    this.#open = null
  }

  #connect(): Open {
    const { file, retention, kinds, clock } = this.#options
    const once = () => connect(file, retention.maxBytes, clock())
    let connection: Connection
    try {
      connection = once()
    } catch (error) {
      const kind = kindOf(error)
      if (kind === 'corrupt') this.#setAside(error)
      else if (kind !== 'full' || !this.#release()) throw error
      connection = once()
    }
    const { db, tables } = connection
    const open = { db, tables, writer: new Writer(tables, kinds), purger: purger(db, tables, retention) }
    this.#open = open
    this.#busyMs = RUN_BUSY_MS
    return open
  }

  #setAside(error?: unknown): void {
    const { file, clock, log } = this.#options
    const aside = putAside(file, clock())
    this.putAside++
    log.error(
      { err: error, file, aside },
      `database ${file} is corrupt and was put aside as ${aside}; history, settings and state begin afresh`,
    )
  }

  #count(error: unknown): void {
    const kind = kindOf(error)
    this.errors[kind] = (this.errors[kind] ?? 0) + 1
  }

  /** True if the ballast gave room. */
  #release(): boolean {
    if (!this.#ballast.release()) return false
    const { file, log } = this.#options
    this.#released = true
    log.warn({ file }, `the disk of ${file} is full: the ballast was released to purge old rows`)
    return true
  }
}
