/** The API keys in a database file, for a command beside a service that runs or does not. */
import { connect } from './connection.ts'
import { wrap } from './errors.ts'
import type { StoredKey } from './tables/api_keys.ts'

/** More would make every refresh of the service slow. */
export const MOST_KEYS = 10_000

const SPARE_BYTES = 16 << 20

export interface KeysFile {
  all(): StoredKey[]
  /** Throws Error where there are MOST_KEYS already. */
  add(key: Omit<StoredKey, 'revokedAt' | 'lastUsedAt'>): void
  /** False if there is no such key, or it is revoked already. */
  revoke(id: string, now: number): boolean
  close(): void
}

/**
 * Opens the file, or makes it; what is written is on the disk on return (synchronous = FULL).
 * @throws StoreError naming the path; a corrupt file is left as it is
 */
export function openKeysFile(file: string, maxBytes: number, now: number): KeysFile {
  // A history that has reached its limit must not keep a key from being revoked.
  const { db, tables } = connect(file, maxBytes + SPARE_BYTES, now)
  db.pragma('synchronous = FULL')
  // There is no event loop to hold up here: a service that writes is waited for.
  db.pragma('busy_timeout = 5000')
  const run = <T>(doing: string, work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw wrap(error, doing, file)
    }
  }
  return {
    all: () => run('listing keys', () => tables.apiKeys.all()),
    add: (key) => {
      if (run('listing keys', () => tables.apiKeys.all()).length >= MOST_KEYS)
        throw new Error(`${file} holds ${MOST_KEYS} keys already, revoked ones included`)
      run('adding a key', () => tables.apiKeys.add(key))
    },
    revoke: (id, at) => run('revoking a key', () => tables.apiKeys.revoke(id, at)),
    close: () => void db.close(),
  }
}
