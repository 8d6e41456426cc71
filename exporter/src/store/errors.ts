import Database from 'better-sqlite3'

/**
 * What went wrong, as far as the store acts on it:
 * - corrupt: the file is not, or no longer, a sound database
 * - full: no room on the disk, or the size limit of the database is reached
 * - locked: another process held the database for longer than the busy timeout
 * - readonly: the file or its folder cannot be written, or is missing
 * - newer, foreign: the file belongs to a newer version, or to another program; it is left alone
 * - limit: the request asks for more than one answer may hold
 * - closed: the store was closed
 * - failed: anything else, in the words of SQLite
 */
export type StoreErrorKind =
  | 'corrupt'
  | 'full'
  | 'locked'
  | 'readonly'
  | 'newer'
  | 'foreign'
  | 'limit'
  | 'closed'
  | 'failed'

export class StoreError extends Error {
  readonly kind: StoreErrorKind

  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.kind = kind
  }
}

export function kindOf(error: unknown): StoreErrorKind {
  if (error instanceof StoreError) return error.kind
  const code = error instanceof Database.SqliteError ? error.code : ''
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return 'corrupt'
  // The shared memory file cannot be grown on a full disk.
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE') return 'full'
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'locked'
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) return 'readonly'
  return 'failed'
}

const MEANING: Partial<Record<StoreErrorKind, string>> = {
  corrupt: 'is corrupt',
  full: 'has no room left',
  locked: 'is locked by another process',
  readonly: 'cannot be opened for writing',
}

/** The error with what was attempted and on which file. */
export function wrap(error: unknown, doing: string, file: string): StoreError {
  if (error instanceof StoreError) return error
  const kind = kindOf(error)
  const text = error instanceof Error ? error.message : String(error)
  return new StoreError(kind, `${doing}: database ${file} ${MEANING[kind] ?? 'failed'} (${text})`, { cause: error })
}
