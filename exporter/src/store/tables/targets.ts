import type { Database } from 'better-sqlite3'

export const TARGETS = `
CREATE TABLE targets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('host', 'service')),
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX targets_name ON targets (name) WHERE removed_at IS NULL;
`

export type TargetKind = 'host' | 'service'

export interface Target {
  readonly id: number
  readonly name: string
  readonly kind: TargetKind
  /** Unix ms. */
  readonly createdAt: number
}

/** A removed target keeps its id until its history is purged; its name is free at once. */
export function targetsTable(db: Database) {
  const columns = 'id, name, kind, created_at AS createdAt'
  const find = db.prepare<[string], Target>(`SELECT ${columns} FROM targets WHERE name = ? AND removed_at IS NULL`)
  const list = db.prepare<[], Target>(`SELECT ${columns} FROM targets WHERE removed_at IS NULL ORDER BY name`)
  const ids = db.prepare<[], number>('SELECT id FROM targets ORDER BY id').pluck()
  const removed = db.prepare<[], number>('SELECT id FROM targets WHERE removed_at IS NOT NULL ORDER BY id').pluck()
  const insert = db.prepare<[string, string, number]>('INSERT INTO targets (name, kind, created_at) VALUES (?, ?, ?)')
  const setKind = db.prepare<[string, number]>('UPDATE targets SET kind = ? WHERE id = ?')
  const remove = db.prepare<[number, string]>('UPDATE targets SET removed_at = ? WHERE name = ? AND removed_at IS NULL')
  const drop = db.prepare<[number]>('DELETE FROM targets WHERE id = ?')

  return {
    find: (name: string) => find.get(name),
    list: () => list.all(),
    /** Of all targets, removed ones included. */
    ids: () => ids.all(),
    removed: () => removed.all(),
    /** The target's id; made, or given the new kind, where needed. Without a kind an existing one is kept. */
    ensure(name: string, kind: TargetKind | undefined, now: number): number {
      const found = find.get(name)
      if (!found) return Number(insert.run(name, kind ?? 'host', now).lastInsertRowid)
      if (kind && found.kind !== kind) setKind.run(kind, found.id)
      return found.id
    },
    /** False if there is no such target. */
    remove: (name: string, now: number) => remove.run(now, name).changes > 0,
    drop: (id: number) => drop.run(id),
  }
}
