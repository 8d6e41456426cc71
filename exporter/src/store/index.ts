/**
 * The store: history, alerts, settings and adaptive state of all targets in one SQLite file.
 *
 * Nothing of it stops the cycle: `history.write` reports what it could not do, and a database that turns out to be
 * corrupt is put aside and begun afresh.
 */
import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AlertEvent, Row } from '../types.ts'
import { type Connection, limitPages, PAGE_BYTES } from './connection.ts'
import { kindOf, wrap } from './errors.ts'
import { type Explained, explained } from './explained.ts'
import { Pending, type WriteResult } from './pending.ts'
import type { Retention } from './purge.ts'
import { type Range, type RangeFields, range } from './range.ts'
import { Session, type StoreLog } from './session.ts'
import type { AlertQuery } from './tables/alerts.ts'
import type { StoredKey } from './tables/api_keys.ts'
import type { StoredAssessment } from './tables/assessments.ts'
import type { SavedState } from './tables/state.ts'
import type { Target, TargetKind } from './tables/targets.ts'
import { decode } from './values.ts'
import type { Fate, HistoryEntry } from './writer.ts'

export { StoreError, type StoreErrorKind } from './errors.ts'
export type { Explained } from './explained.ts'
export { type KeysFile, openKeysFile } from './keys-file.ts'
export { lockStore, type StoreLock } from './lock.ts'
export {
  ASSESSMENT_FIELDS,
  type AssessmentField,
  MAX_POINTS,
  type Point,
  type Range,
  type RangeFields,
} from './range.ts'
export type { StoreLog } from './session.ts'
export type { AlertQuery } from './tables/alerts.ts'
export type { StoredKey } from './tables/api_keys.ts'
export type { StoredAssessment, StoredReasons } from './tables/assessments.ts'
export type { SavedState } from './tables/state.ts'
export type { Target, TargetKind } from './tables/targets.ts'
export type { Fate, HistoryEntry } from './writer.ts'

export interface StoreOptions {
  /** Path, or `:memory:`. The folder must exist. */
  readonly file: string
  /** Default 16 MiB; 0 for none. */
  readonly ballastBytes?: number
  /** Of the database file without its write-ahead log; default 1 GiB. */
  readonly maxBytes?: number
  /** Default 24. */
  readonly rawHours?: number
  /** Default 30. */
  readonly minuteDays?: number
  /** Rows held in memory while another process locks the database; default 5000. */
  readonly bufferRows?: number
  /** Wall clock, Unix ms. */
  readonly clock?: () => number
  readonly log?: StoreLog
}

export interface StoreStats {
  /** Of the database file. */
  readonly bytes: number
  readonly walBytes: number
  readonly pages: number
  readonly freePages: number
  /** How long the last write took, ms; 0 before the first. */
  readonly lastWriteMs: number
  /** Failed operations since the start, by kind. */
  readonly errors: Readonly<Record<string, number>>
  readonly corruptFilesPutAside: number
  readonly ballast: 'present' | 'released' | 'off'
  /** The last write was refused because the file cannot be written. */
  readonly readOnly: boolean
  readonly bufferedRows: number
  /** Since the start. */
  readonly lostRows: number
}

/** Of one purge transaction, with its commit a little more. */
const SLICE_MS = 3
const QUIET: StoreLog = { info() {}, warn() {}, error() {} }

/** Opens the file, or a new one. Throws StoreError naming the path: `newer`, `foreign`, `readonly`, `locked`, `full`. */
export function openStore(options: StoreOptions): Store {
  return new Store(options)
}

export class Store {
  readonly #file: string
  readonly #clock: () => number
  readonly #retention: { -readonly [K in keyof Retention]: Retention[K] }
  readonly #session: Session
  readonly #pending: Pending
  /** Also of targets that the database does not know any more: it may have to be begun afresh. */
  readonly #kinds = new Map<string, TargetKind>()
  #maintaining: Promise<void> | null = null

  constructor(options: StoreOptions) {
    this.#file = options.file
    this.#clock = options.clock ?? Date.now
    this.#retention = {
      rawHours: options.rawHours ?? 24,
      minuteDays: options.minuteDays ?? 30,
      maxBytes: options.maxBytes ?? 2 ** 30,
    }
    this.#session = new Session({
      file: this.#file,
      ballastBytes: this.#file === ':memory:' ? 0 : (options.ballastBytes ?? 16 << 20),
      retention: this.#retention,
      clock: this.#clock,
      log: options.log ?? QUIET,
      kinds: this.#kinds,
    })
    const retention = this.#retention
    this.#pending = new Pending(this.#session, {
      bufferRows: options.bufferRows ?? 5000,
      get rawHours() {
        return retention.rawHours
      },
      clock: this.#clock,
      idOf: (tables, target) => this.#id(tables, target),
    })
  }

  readonly targets = {
    /** Makes the target known; an existing one takes the kind. A failure is made up for by the next write. */
    ensure: (name: string, kind: TargetKind): void => {
      this.#kinds.set(name, kind)
      this.#session.attempt('adding a target', ({ tables }) => tables.targets.ensure(name, kind, this.#clock()))
    },
    /** By name. */
    list: (): Target[] => this.#session.run('listing targets', ({ tables }) => tables.targets.list()),
    /** Gone at once; its rows go with the next `maintain`. False if there is no such target. */
    remove: (name: string): boolean => {
      this.#kinds.delete(name)
      this.#pending.drop(name)
      return this.#session.run('removing a target', ({ tables, writer }) => {
        writer.forget()
        return tables.targets.remove(name, this.#clock())
      })
    },
  }

  readonly settings = {
    /** All that were put, by key. */
    get: (target: string): Record<string, unknown> =>
      this.#session.run('reading settings', ({ tables }) => {
        const found = tables.targets.find(target)
        return found ? tables.settings.all(found.id) : {}
      }),
    put: (target: string, key: string, value: unknown): void => {
      this.#session.run('writing settings', ({ tables }) =>
        tables.settings.put(this.#id(tables, target), key, value, this.#clock()),
      )
    },
  }

  readonly state = {
    load: (target: string, name: string): SavedState | undefined =>
      this.#session.run('loading state', ({ tables }) => {
        const found = tables.targets.find(target)
        return found && tables.state.load(found.id, name)
      }),
    /** False, logged and counted, if it could not be written; the next save makes up for it. */
    save: (target: string, name: string, data: Uint8Array): boolean =>
      this.#session.attempt('saving state', ({ tables }) =>
        tables.state.save(this.#id(tables, target), name, data, this.#clock()),
      ) !== undefined,
  }

  readonly alerts = {
    /** The alert with its id, or null if it could not be written yet: it is then written with the next batch. */
    add: (event: Omit<AlertEvent, 'id'>): AlertEvent | null => {
      const id = this.#session.attempt('adding an alert', ({ tables }) =>
        tables.alerts.add(this.#id(tables, event.target), event),
      )
      if (id !== undefined) return { ...event, id }
      this.#pending.hold(event)
      return null
    },
    /** Newest first. An unknown target has none. */
    list: (query: AlertQuery = {}): AlertEvent[] =>
      this.#session.run('listing alerts', ({ tables }) => {
        if (query.target === undefined) return tables.alerts.list(null, query)
        const found = tables.targets.find(query.target)
        return found ? tables.alerts.list(found.id, query) : []
      }),
  }

  readonly keys = {
    /** Every API key, revoked and expired ones included. Throws StoreError. */
    all: (): StoredKey[] => this.#session.run('reading API keys', ({ tables }) => tables.apiKeys.all()),
    /** Notes when a key was used; what fails is logged and counted. */
    used: (id: string, now: number): void => {
      this.#session.attempt('noting the use of a key', ({ tables }) => tables.apiKeys.used(id, now))
    },
  }

  readonly history = {
    /**
     * One transaction for the batch, the minute aggregates included; a large fleet writes slices of some 250 targets.
     * Never throws: what is not durable is in `buffered` or `lost`, with `error`.
     */
    write: (batch: readonly HistoryEntry[]): WriteResult => this.#pending.write(batch),

    /**
     * Rows whose assessments come later, with `write` of a row of the same target and time: it then keeps the values that
     * are stored. One transaction, durable on return; the fates are in the order of the rows.
     * @throws StoreError when they could not be stored; then none is
     */
    ingest: (rows: readonly Row[]): Fate[] => this.#pending.ingest(rows),

    /** See {@link Range}: raw rows or minutes in steps of `step` ms. An unknown target has no points. */
    range: (target: string, from: number, to: number, step: number, fields: RangeFields): Promise<Range> =>
      this.#inPages(({ db, tables }) =>
        range(db, tables, tables.targets.find(target)?.id ?? -1, from, to, step, fields),
      ),

    /** The mean explanation of the rows of [from, to) (Unix ms). An unknown target has no rows. */
    explained: (target: string, from: number, to: number): Promise<Explained> =>
      this.#inPages(({ tables }) => explained(tables, tables.targets.find(target)?.id ?? -1, from, to)),

    /** Raw rows of [from, to] (Unix ms), oldest first. */
    rows: (target: string, from: number, to: number, limit = 1000): Row[] =>
      this.#session.run('reading rows', ({ tables }) => {
        const found = tables.targets.find(target)
        if (!found) return []
        return tables.readings.page(found.id, from, to, limit).map((r) => ({
          target,
          at: r.at,
          values: decode(r.values, tables.signalSets.get(r.set).names),
          resources: r.resources === null ? [] : (JSON.parse(r.resources) as Row['resources']),
        }))
      }),

    /** Raw assessments of [from, to] (Unix ms), oldest first. */
    assessments: (target: string, from: number, to: number, limit = 1000): StoredAssessment[] =>
      this.#session.run('reading assessments', ({ tables }) => {
        const found = tables.targets.find(target)
        return found ? tables.assessments.page(found.id, from, to, limit) : []
      }),
  }

  /**
   * About once a minute: writes what is buffered, purges in slices of a few ms with other work in between, checkpoints,
   * puts the ballast back. Never rejects. A call during another returns that one's promise.
   */
  maintain(): Promise<void> {
    this.#maintaining ??= this.#maintain().finally(() => {
      this.#maintaining = null
    })
    return this.#maintaining
  }

  /** How long rows are kept from the next `maintain` on. */
  setRetention({ rawHours, minuteDays }: Pick<Retention, 'rawHours' | 'minuteDays'>): void {
    this.#retention.rawHours = rawHours
    this.#retention.minuteDays = minuteDays
  }

  stats(): StoreStats {
    const pages = this.#pragma('page_count')
    return {
      bytes: this.#size('') || pages * PAGE_BYTES,
      walBytes: this.#size('-wal'),
      pages,
      freePages: this.#pragma('freelist_count'),
      lastWriteMs: this.#pending.lastWriteMs,
      errors: { ...this.#session.errors },
      corruptFilesPutAside: this.#session.putAside,
      ballast: this.#session.ballast,
      readOnly: this.#pending.readOnly,
      bufferedRows: this.#pending.rows,
      lostRows: this.#pending.lost,
    }
  }

  /** Writes what is buffered, checkpoints, closes. Returns the rows that could not be written. */
  close(): number {
    if (this.#session.closed) return 0
    this.#pending.flush()
    this.#session.close()
    return this.#pending.rows
  }

  async #inPages<T>(read: (open: Connection) => Promise<T>): Promise<T> {
    const doing = 'reading history'
    try {
      return await this.#session.run(doing, read)
    } catch (error) {
      // Found between two pages, where `run` does not see it.
      if (kindOf(error) === 'corrupt' && !this.#session.closed) this.#session.recover()
      throw wrap(error, doing, this.#file)
    }
  }

  #pragma(name: string): number {
    const db = this.#session.current?.db
    if (!db) return 0
    return this.#session.attempt('reading statistics', () => Number(db.pragma(name, { simple: true }))) ?? 0
  }

  #size(suffix: string): number {
    if (this.#file === ':memory:') return 0
    return statSync(this.#file + suffix, { throwIfNoEntry: false })?.size ?? 0
  }

  #id(tables: Connection['tables'], target: string): number {
    return tables.targets.ensure(target, this.#kinds.get(target), this.#clock())
  }

  /**
   * A checkpoint begins with an fsync of the log, on the event loop; done here first, it finds little left to do.
   * Only the log may be opened so: closing a descriptor of the database or its -shm drops SQLite's locks on them.
   */
  async #syncLog(): Promise<void> {
    if (this.#file === ':memory:') return
    try {
      const log = await open(`${this.#file}-wal`, 'r')
      await log.datasync().finally(() => log.close())
    } catch {
      // No log yet, or a platform that syncs files open for writing only: the checkpoint does it.
    }
  }

  async #maintain(): Promise<void> {
    if (this.#session.closed) return
    this.#session.reopenIfRemoved()
    if (this.#pending.waiting) this.#pending.write([])
    const current = this.#session.attempt('opening', (open) => open)
    if (!current) return
    const steps = current.purger.steps(this.#clock())
    const slice = (): boolean => {
      const end = performance.now() + SLICE_MS
      while (!steps.next().done) if (performance.now() > end) return false
      return true
    }
    for (let done: boolean | undefined = false; !done; await nextTurn()) {
      if (this.#session.current !== current) return
      done = this.#session.attempt('purging', ({ db }) => db.transaction(slice).immediate())
      // A failed slice was rolled back, the steps were not: the next call begins again.
      if (done === undefined) break
    }
    await this.#syncLog()
    if (this.#session.current !== current) return
    this.#session.attempt('checkpointing', ({ db }) => {
      limitPages(db, this.#retention.maxBytes)
      return db.pragma('wal_checkpoint(PASSIVE)')
    })
    await this.#session.restoreBallast()
  }
}
