/** Opens the database file: sound, of this program, not newer, migrated. What is corrupt is put aside, never deleted. */
import { accessSync, constants, existsSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { StoreError, wrap } from './errors.ts'
import { migrate, refuseNewer, schemaVersion } from './migrations.ts'
import { openTables, type Tables } from './tables/index.ts'

export const PAGE_BYTES = 4096
/** Waiting stops the event loop, so a lock is waited for at start and hardly at all while running. */
const OPEN_BUSY_MS = 5000
export const RUN_BUSY_MS = 100

export interface Connection {
  readonly db: Database.Database
  readonly tables: Tables
}

/** Throws StoreError: `corrupt`, `newer`, `foreign`, `readonly`, `locked`, `full`. */
export function connect(file: string, maxBytes: number, now: number): Connection {
  const memory = file === ':memory:'
  if (!memory) checkFolder(file)
  if (!memory && existsSync(file) && statSync(file).size > 0) inspect(file)
  let db: Database.Database | undefined
  try {
    db = new Database(file, { timeout: OPEN_BUSY_MS })
    // Takes effect only before the first table.
    db.pragma(`page_size = ${PAGE_BYTES}`)
    db.pragma('auto_vacuum = INCREMENTAL')
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    // Checkpoints are the business of `maintain`, outside of the cycle; this is for when it is not called.
    db.pragma('wal_autocheckpoint = 16000')
    db.pragma(`journal_size_limit = ${64 << 20}`)
    db.pragma('cache_size = -8000')
    migrate(db, file, now)
    limitPages(db, maxBytes)
    const tables = openTables(db)
    db.pragma(`busy_timeout = ${RUN_BUSY_MS}`)
    return { db, tables }
  } catch (error) {
    db?.close()
    throw wrap(error, 'opening', file)
  }
}

export const limitPages = (db: Database.Database, bytes: number) =>
  db.pragma(`max_page_count = ${Math.max(64, Math.floor(bytes / PAGE_BYTES))}`)

function checkFolder(file: string): void {
  const folder = dirname(file)
  if (!existsSync(folder)) throw new StoreError('readonly', `the folder ${folder} of database ${file} does not exist`)
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw new StoreError('readonly', `the folder ${folder} of database ${file} cannot be written`, { cause: error })
  }
  if (existsSync(file) && !statSync(file).isFile()) throw new StoreError('readonly', `database ${file} is not a file`)
}

/** Reads only, so that a database which is refused stays as it is. */
function inspect(file: string): void {
  let db: Database.Database | undefined
  try {
    db = new Database(file, { readonly: true, fileMustExist: true, timeout: OPEN_BUSY_MS })
    refuseNewer(schemaVersion(db, file), file)
    // The only check that sees a page of zeros.
    const found = db.pragma('quick_check(1)', { simple: true })
    if (found !== 'ok') throw new StoreError('corrupt', `opening: database ${file} is corrupt (${String(found)})`)
  } catch (error) {
    throw wrap(error, 'checking', file)
  } finally {
    db?.close()
  }
}

/** Renames the database with its -wal and -shm. Returns the new name. */
export function putAside(file: string, now: number): string {
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  let aside = `${file}.corrupt-${stamp}`
  for (let i = 1; existsSync(aside) || existsSync(`${aside}-wal`); i++) aside = `${file}.corrupt-${stamp}-${i}`
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix)
  }
  return aside
}
