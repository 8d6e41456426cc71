import type { Database } from 'better-sqlite3'

/** `counts` (uint16 a signal) is null where every signal that is present was present in all `count` rows. */
export const READINGS_MINUTE = `
CREATE TABLE readings_minute (
  id INTEGER PRIMARY KEY,
  target_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  signal_set_id INTEGER NOT NULL,
  count INTEGER NOT NULL,
  means BLOB NOT NULL,
  counts BLOB,
  UNIQUE (target_id, at)
) STRICT;
`

export interface StoredReadingMinute {
  id: number
  /** Start of the minute, Unix ms. */
  at: number
  set: number
  count: number
  means: Buffer
  counts: Buffer | null
}

export function readingsMinuteTable(db: Database) {
  const columns = 'id, at, signal_set_id AS "set", count, means, counts'
  const update = db.prepare<[number, number, Uint8Array, Uint8Array | null, number, number, number]>(
    'UPDATE readings_minute SET signal_set_id = ?, count = ?, means = ?, counts = ? WHERE id = ? AND target_id = ? AND at = ?',
  )
  const insert = db.prepare<[number, number, number, number, Uint8Array, Uint8Array | null]>(
    `INSERT INTO readings_minute (target_id, at, signal_set_id, count, means, counts) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET signal_set_id = excluded.signal_set_id, count = excluded.count,
       means = excluded.means, counts = excluded.counts`,
  )
  const get = db.prepare<[number, number], StoredReadingMinute>(
    `SELECT ${columns} FROM readings_minute WHERE target_id = ? AND at = ?`,
  )
  const page = db.prepare<[number, number, number, number], StoredReadingMinute>(
    `SELECT ${columns} FROM readings_minute WHERE target_id = ? AND at >= ? AND at <= ? ORDER BY at LIMIT ?`,
  )
  const first = db.prepare<[number], number | null>('SELECT min(at) FROM readings_minute WHERE target_id = ?').pluck()

  return {
    /** `id` null: not stored yet. Returns the id: another one if the row was purged, and its id perhaps used again. */
    put(id: number | null, target: number, at: number, row: Omit<StoredReadingMinute, 'id' | 'at'>): number {
      const { set, count, means, counts } = row
      if (id !== null && update.run(set, count, means, counts, id, target, at).changes > 0) return id
      return Number(insert.run(target, at, set, count, means, counts).lastInsertRowid)
    },
    get: (target: number, at: number) => get.get(target, at),
    page: (target: number, from: number, to: number, limit: number) => page.all(target, from, to, limit),
    first: (target: number) => first.get(target) ?? null,
  }
}
