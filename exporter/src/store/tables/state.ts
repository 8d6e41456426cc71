import type { Database } from 'better-sqlite3'

export const STATE = `
CREATE TABLE state (
  target_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  data BLOB NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (target_id, name)
) STRICT;
`

export interface SavedState {
  readonly data: Uint8Array
  /** Unix ms. */
  readonly updatedAt: number
}

/** Adaptive state of a target (rolling thresholds, centre): bytes whose meaning only their owner knows. */
export function stateTable(db: Database) {
  const load = db.prepare<[number, string], SavedState>(
    'SELECT data, updated_at AS updatedAt FROM state WHERE target_id = ? AND name = ?',
  )
  const save = db.prepare<[number, string, Uint8Array, number]>(
    `INSERT INTO state (target_id, name, data, updated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`,
  )
  const drop = db.prepare<[number]>('DELETE FROM state WHERE target_id = ?')

  return {
    load: (target: number, name: string) => load.get(target, name),
    save: (target: number, name: string, data: Uint8Array, now: number) => save.run(target, name, data, now),
    drop: (target: number) => drop.run(target),
  }
}
