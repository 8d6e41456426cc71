/** Batches on their way into the database, and what waits while another process locks it. */
import type { AlertEvent, Row } from '../types.ts'
import { RUN_BUSY_MS } from './connection.ts'
import { kindOf, type StoreError } from './errors.ts'
import { rawHorizon } from './purge.ts'
import type { Session } from './session.ts'
import type { Tables } from './tables/index.ts'
import type { Fate, HistoryEntry, Written } from './writer.ts'

export interface WriteResult extends Written {
  /** Rows held in memory, not durable yet; the next call writes them first. */
  readonly buffered: number
  /** Rows that were given up: no room on the disk, or more than the buffer holds. */
  readonly lost: number
  readonly error?: StoreError
}

const NOTHING: Written = { written: 0, duplicates: 0, late: 0, expired: 0, invalid: 0 }
/** Buffered rows that one call writes besides its own. */
const CATCH_UP = 1000
const BUFFERED_ALERTS = 1000
const CLOSE_BUSY_MS = 1000

export interface PendingOptions {
  readonly bufferRows: number
  readonly rawHours: number
  readonly clock: () => number
  readonly idOf: (tables: Tables, target: string) => number
}

export class Pending {
  readonly #session: Session
  readonly #options: PendingOptions
  #buffer: readonly HistoryEntry[] = []
  #alerts: Omit<AlertEvent, 'id'>[] = []
  lastWriteMs = 0
  readOnly = false
  /** Rows given up since the start. */
  lost = 0

  constructor(session: Session, options: PendingOptions) {
    this.#session = session
    this.#options = options
  }

  get rows(): number {
    return this.#buffer.length
  }

  get waiting(): boolean {
    return this.#buffer.length > 0 || this.#alerts.length > 0
  }

  /** An alert that could not be written; the next batch takes it along. */
  hold(event: Omit<AlertEvent, 'id'>): void {
    if (this.#alerts.length < BUFFERED_ALERTS) this.#alerts.push(event)
  }

  drop(target: string): void {
    this.#buffer = this.#buffer.filter(({ row }) => row.target !== target)
    this.#alerts = this.#alerts.filter((event) => event.target !== target)
  }

  /** Writes all that waits, or as much as the database takes. */
  flush(): void {
    for (let before = -1; this.waiting && this.#buffer.length !== before; ) {
      before = this.#buffer.length
      this.#session.setBusyTimeout(CLOSE_BUSY_MS)
      this.write([])
    }
  }

  /** Never throws: what is not durable is in `buffered` or `lost`, with `error`. */
  write(batch: readonly HistoryEntry[]): WriteResult {
    const started = performance.now()
    const held = this.#buffer.length
    const all = held > 0 ? this.#buffer.concat(batch) : batch
    const now = all.slice(0, batch.length + CATCH_UP)
    const rest = all.slice(now.length)
    let result: Written = NOTHING
    let error: StoreError | undefined
    let lost = 0
    try {
      if (now.length > 0 || this.#alerts.length > 0) result = this.#transaction(now)
      this.#buffer = rest
      this.readOnly = false
      this.#session.setBusyTimeout(RUN_BUSY_MS)
    } catch (caught) {
      error = this.#session.fail(caught, `writing ${now.length} rows`)
      if (error.kind === 'readonly') this.readOnly = true
      if (error.kind === 'locked') {
        lost = Math.max(0, all.length - this.#options.bufferRows)
        this.#buffer = all.slice(lost)
        // Later batches do not wait for the same lock again.
        this.#session.setBusyTimeout(0)
      } else {
        lost = now.length
        this.#buffer = rest
      }
    }
    this.lost += lost
    this.lastWriteMs = performance.now() - started
    return { ...result, buffered: this.#buffer.length, lost, ...(error && { error }) }
  }

  /** Rows without assessments, in one transaction. Throws StoreError: then none of them is stored. */
  ingest(rows: readonly Row[]): Fate[] {
    const now = this.#options.clock()
    try {
      return this.#withRoom(rows.length, () =>
        this.#session.run('ingesting', ({ db, writer }) =>
          db.transaction(() => writer.ingest(rows, now, rawHorizon(now, this.#options.rawHours))).immediate(),
        ),
      )
    } catch (error) {
      throw this.#session.fail(error, `ingesting ${rows.length} rows`)
    }
  }

  #transaction(entries: readonly HistoryEntry[]): Written {
    const now = this.#options.clock()
    const result = this.#withRoom(entries.length, () =>
      this.#session.run('writing', ({ db, tables, writer }) =>
        db
          .transaction(() => {
            for (const event of this.#alerts) tables.alerts.add(this.#options.idOf(tables, event.target), event)
            return writer.write(entries, now, rawHorizon(now, this.#options.rawHours))
          })
          .immediate(),
      ),
    )
    this.#alerts = []
    return result
  }

  /** Writes; where there is no room, purges for so many rows and tries once more. */
  #withRoom<T>(rows: number, write: () => T): T {
    try {
      return write()
    } catch (error) {
      if (kindOf(error) !== 'full') throw error
      this.#session.fail(error, 'writing')
      this.#session.makeRoom(rows)
      return write()
    }
  }
}
