import type { Database } from 'better-sqlite3'

export const API_KEYS = `
CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  hash BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
`

/** Times are Unix ms; null: never. A revoked key keeps its row, so that it is known that there were keys. */
export interface StoredKey {
  readonly id: string
  readonly name: string
  readonly role: string
  /** SHA-256 of the whole key. */
  readonly hash: Buffer
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  /** To the hour. */
  readonly lastUsedAt: number | null
}

export function apiKeysTable(db: Database) {
  const all = db.prepare<[], StoredKey>(
    `SELECT id, name, role, hash, created_at AS createdAt, expires_at AS expiresAt, revoked_at AS revokedAt,
            last_used_at AS lastUsedAt FROM api_keys ORDER BY created_at, id`,
  )
  const add = db.prepare<[string, string, string, Buffer, number, number | null]>(
    'INSERT INTO api_keys (id, name, role, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const revoke = db.prepare<[number, string]>('UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL')
  const used = db.prepare<[number, string]>('UPDATE api_keys SET last_used_at = ? WHERE id = ?')

  return {
    /** Oldest first, revoked and expired ones included. */
    all: () => all.all(),
    add: ({ id, name, role, hash, createdAt, expiresAt }: Omit<StoredKey, 'revokedAt' | 'lastUsedAt'>) =>
      add.run(id, name, role, hash, createdAt, expiresAt),
    /** False if there is no such key, or it is revoked already. */
    revoke: (id: string, now: number) => revoke.run(now, id).changes > 0,
    used: (id: string, now: number) => used.run(now, id),
  }
}
