import type { Database } from 'better-sqlite3'
import { StoreError } from './errors.ts'
import { ALERTS } from './tables/alerts.ts'
import { API_KEYS } from './tables/api_keys.ts'
import { ASSESSMENTS } from './tables/assessments.ts'
import { ASSESSMENTS_MINUTE, ASSESSMENTS_MINUTE_SHAP } from './tables/assessments_minute.ts'
import { READINGS } from './tables/readings.ts'
import { READINGS_MINUTE } from './tables/readings_minute.ts'
import { SETTINGS } from './tables/settings.ts'
import { SIGNAL_SETS } from './tables/signal_sets.ts'
import { STATE } from './tables/state.ts'
import { TARGETS } from './tables/targets.ts'

export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
}

/**
 * Append only: a migration that has been released is never edited, since databases exist that ran it. A change to a
 * table is a new entry with ALTER TABLE, beside the changed statements in the table's file.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'history, settings and state of targets',
    sql: [
      TARGETS,
      SETTINGS,
      SIGNAL_SETS,
      READINGS,
      READINGS_MINUTE,
      ASSESSMENTS,
      ASSESSMENTS_MINUTE,
      ALERTS,
      STATE,
    ].join('\n'),
  },
  { version: 2, name: 'explanations of minutes', sql: ASSESSMENTS_MINUTE_SHAP },
  { version: 3, name: 'API keys', sql: API_KEYS },
]

const hasTable = (db: Database, name: string) =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined

/** The newest migration the database has, 0 for an empty one. Throws `foreign` for another program's database. */
export function schemaVersion(db: Database, file: string): number {
  if (hasTable(db, 'schema_migrations')) {
    return db.prepare<[], number>('SELECT coalesce(max(version), 0) FROM schema_migrations').pluck().get() ?? 0
  }
  if (db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined) return 0
  throw new StoreError('foreign', `${file} is a database of another program; it was left as it is`)
}

/** Throws `newer` for a database that a newer version has migrated. */
export function refuseNewer(version: number, file: string, migrations: readonly Migration[] = MIGRATIONS): void {
  const known = migrations.at(-1)?.version ?? 0
  if (version > known) {
    throw new StoreError(
      'newer',
      `${file} has schema version ${version}, this version knows up to ${known}: ` +
        'start the newer version, or name another file; the database was left as it is',
    )
  }
}

/** Runs the missing migrations in order, each in a transaction of its own. Returns the versions that were run. */
export function migrate(
  db: Database,
  file: string,
  now: number,
  migrations: readonly Migration[] = MIGRATIONS,
): number[] {
  const version = schemaVersion(db, file)
  refuseNewer(version, file, migrations)
  const missing = migrations.filter((m) => m.version > version)
  for (const migration of missing) {
    db.transaction(() => {
      db.exec(
        'CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL)',
      )
      db.exec(migration.sql)
      db.prepare('INSERT INTO schema_migrations (version, name, at) VALUES (?, ?, ?)').run(
        migration.version,
        migration.name,
        now,
      )
    }).immediate()
  }
  return missing.map((m) => m.version)
}
