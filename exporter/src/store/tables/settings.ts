import type { Database } from 'better-sqlite3'

export const SETTINGS = `
CREATE TABLE settings (
  target_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (target_id, key)
) STRICT, WITHOUT ROWID;
`

/** Values are JSON: a settings key means what its reader says. */
export function settingsTable(db: Database) {
  const all = db.prepare<[number], { key: string; value: string }>(
    'SELECT key, value FROM settings WHERE target_id = ? ORDER BY key',
  )
  const put = db.prepare<[number, string, string, number]>(
    `INSERT INTO settings (target_id, key, value, updated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
  )
  const drop = db.prepare<[number]>('DELETE FROM settings WHERE target_id = ?')

  return {
    all: (target: number): Record<string, unknown> =>
      Object.fromEntries(all.all(target).map(({ key, value }) => [key, JSON.parse(value) as unknown])),
    put: (target: number, key: string, value: unknown, now: number) => put.run(target, key, JSON.stringify(value), now),
    drop: (target: number) => drop.run(target),
  }
}
