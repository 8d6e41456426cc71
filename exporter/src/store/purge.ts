/** What makes the history end: age, the removal of a target, the size limit. All in chunks of bounded work. */
import type { Database } from 'better-sqlite3'
import { limitPages, PAGE_BYTES } from './connection.ts'
import type { Tables } from './tables/index.ts'

const CHUNK = 256
const HOUR = 3_600_000
const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0)

/** A purge for size begins above the first share of the limit and ends below the second. */
const FULL = 0.9
const ROOMY = 0.85
/** Free pages are used again; they go back to the disk once they are this share of the file. */
const SLACK = 0.25
const VACUUM_PAGES = 64

export interface Retention {
  readonly rawHours: number
  readonly minuteDays: number
  readonly maxBytes: number
}

/** Rows before it are not kept. */
export const rawHorizon = (now: number, rawHours: number) => now - rawHours * HOUR

export function purger(db: Database, tables: Tables, retention: Retention) {
  /** `assessed` shares its ids with `table`, so it goes first. */
  const pair = (table: string, assessed: string) => ({
    nth: db
      .prepare<[number, number, number], number>(
        `SELECT at FROM ${table} WHERE target_id = ? AND at < ? ORDER BY at LIMIT 1 OFFSET ?`,
      )
      .pluck(),
    upTo: [
      db.prepare<[number, number]>(
        `DELETE FROM ${assessed} WHERE id IN (SELECT id FROM ${table} WHERE target_id = ? AND at <= ?)`,
      ),
      db.prepare<[number, number]>(`DELETE FROM ${table} WHERE target_id = ? AND at <= ?`),
    ],
    oldest: db.prepare<[number], { id: number | null; at: number }>(
      `SELECT max(id) AS id, max(at) AS at FROM (SELECT id, at FROM ${table} ORDER BY id LIMIT ?)`,
    ),
    upToId: [assessed, table].map((t) => db.prepare<[number]>(`DELETE FROM ${t} WHERE id <= ?`)),
  })
  const raw = pair('readings', 'assessments')
  const minutes = pair('readings_minute', 'assessments_minute')
  const pragma = (name: string) => Number(db.pragma(name, { simple: true }))
  const pages = () => pragma('page_count')
  const used = () => (pages() - pragma('freelist_count')) * PAGE_BYTES

  /** Rows of a target before a time, a chunk at a time. */
  function* before({ nth, upTo }: typeof raw, target: number, time: number): Generator<number> {
    for (let more = true; more; ) {
      const last = nth.get(target, time, CHUNK - 1)
      more = last !== undefined
      yield sum(upTo.map((s) => s.run(target, last ?? time - 1).changes))
    }
  }

  /** The rows inserted first, of all targets. 0 if there are none, or they are younger than `time`. */
  const oldest = db.transaction(({ oldest, upToId }: typeof raw, time: number): number => {
    const chunk = oldest.get(CHUNK)
    if (!chunk || chunk.id === null || chunk.at >= time) return 0
    const { id } = chunk
    return sum(upToId.map((s) => s.run(id).changes))
  })

  /**
   * Oldest raw rows, but the last hour of them; oldest minutes; then the rest of the raw rows. Minutes must go before
   * the newest raw rows, else a small limit would leave no raw row at all for as long as minutes are kept.
   */
  const shrink = (now: number): number =>
    oldest(raw, now - HOUR) ||
    oldest(minutes, now - HOUR) ||
    oldest(raw, Number.POSITIVE_INFINITY) ||
    oldest(minutes, Number.POSITIVE_INFINITY)

  function* steps(now: number): Generator<number> {
    for (const target of tables.targets.ids()) {
      yield* before(raw, target, rawHorizon(now, retention.rawHours))
      yield* before(minutes, target, now - retention.minuteDays * 24 * HOUR)
    }
    for (const target of tables.targets.removed()) {
      yield* before(raw, target, Number.MAX_SAFE_INTEGER)
      yield* before(minutes, target, Number.MAX_SAFE_INTEGER)
      for (const table of [tables.settings, tables.state, tables.alerts]) table.drop(target)
      tables.targets.drop(target)
    }
    yield tables.alerts.trim()
    if (used() > FULL * retention.maxBytes) {
      while (used() > ROOMY * retention.maxBytes) {
        const deleted = shrink(now)
        yield deleted
        if (deleted === 0) break
      }
    }
    const slack = () => pragma('freelist_count') > Math.max(1024, SLACK * pages())
    const over = () => pages() * PAGE_BYTES > retention.maxBytes && pragma('freelist_count') > 0
    while (over() || slack()) {
      const before = pages()
      db.pragma(`incremental_vacuum(${VACUUM_PAGES})`)
      yield 0
      if (pages() === before) break
    }
  }

  return {
    /** Yields the rows deleted after each chunk. */
    steps,

    /** The pages allowed are all in use, as opposed to a full disk. */
    atLimit: () => pages() >= Number(pragma('max_page_count')),

    /** After SQLITE_FULL: frees pages for a batch of so many rows at once. Throws where even that finds no room. */
    makeRoom(now: number, rows: number): void {
      // A DELETE may need a few pages more before it gives pages back.
      limitPages(db, Math.max(retention.maxBytes, (pages() + 64) * PAGE_BYTES))
      try {
        const wanted = Math.min(64 + rows, retention.maxBytes / PAGE_BYTES / 4)
        while (pragma('freelist_count') < wanted && shrink(now) > 0);
      } finally {
        limitPages(db, retention.maxBytes)
      }
    },
  }
}

export type Purger = ReturnType<typeof purger>
