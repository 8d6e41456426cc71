import type { Database } from 'better-sqlite3'
import { alertsTable } from './alerts.ts'
import { apiKeysTable } from './api_keys.ts'
import { assessmentsTable } from './assessments.ts'
import { assessmentsMinuteTable } from './assessments_minute.ts'
import { readingsTable } from './readings.ts'
import { readingsMinuteTable } from './readings_minute.ts'
import { settingsTable } from './settings.ts'
import { signalSetsTable } from './signal_sets.ts'
import { stateTable } from './state.ts'
import { targetsTable } from './targets.ts'

/** Every table with its prepared statements, for one open database. */
export function openTables(db: Database) {
  const signalSets = signalSetsTable(db)
  return {
    targets: targetsTable(db),
    settings: settingsTable(db),
    signalSets,
    readings: readingsTable(db),
    readingsMinute: readingsMinuteTable(db),
    assessments: assessmentsTable(db, signalSets),
    assessmentsMinute: assessmentsMinuteTable(db),
    alerts: alertsTable(db),
    apiKeys: apiKeysTable(db),
    state: stateTable(db),
  }
}

export type Tables = ReturnType<typeof openTables>
