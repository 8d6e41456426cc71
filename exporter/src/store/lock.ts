/**
 * One service a database: an exclusive transaction on a small file beside it, held for as long as the process lives. The
 * kernel lets go of it however the process ends, so nothing is ever left locked. Readers of the database are not concerned.
 */
import Database from 'better-sqlite3'

export interface StoreLock {
  release(): void
}

/** @throws Error naming the database when another process holds it */
export function lockStore(file: string): StoreLock {
  if (file === ':memory:') return { release() {} }
  let db: Database.Database | undefined
  try {
    db = new Database(`${file}.lock`, { timeout: 0 })
    db.exec('BEGIN EXCLUSIVE')
    const held = db
    return { release: () => void held.close() }
  } catch (error) {
    db?.close()
    const busy = (error as { code?: string }).code === 'SQLITE_BUSY'
    const why = busy ? 'is in use by another service' : `cannot be locked: ${(error as Error).message}`
    throw new Error(`store.path: ${file} ${why}`, { cause: error })
  }
}
