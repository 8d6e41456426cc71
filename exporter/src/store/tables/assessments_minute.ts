import type { Database } from 'better-sqlite3'

/** `id` is that of the minute's readings. A mean that not every row has (scores, failure, drift) carries the number of rows behind it. */
export const ASSESSMENTS_MINUTE = `
CREATE TABLE assessments_minute (
  id INTEGER PRIMARY KEY,
  count INTEGER NOT NULL,
  health REAL NOT NULL,
  health_min REAL NOT NULL,
  health_max REAL NOT NULL,
  risk INTEGER NOT NULL,
  trust REAL,
  coverage REAL,
  scored INTEGER NOT NULL,
  anomaly REAL,
  alarm INTEGER,
  confidence REAL,
  failure_count INTEGER NOT NULL,
  failure REAL,
  drift_count INTEGER NOT NULL,
  drift REAL
) STRICT;
`

export interface AssessmentMinute {
  /** Rows of the minute. */
  count: number
  health: number
  health_min: number
  health_max: number
  /** The worst, as its index in RISKS. */
  risk: number
  trust: number
  coverage: number
  /** Rows that a model scored. */
  scored: number
  /** The largest. */
  anomaly: number | null
  /** 1 if any row was in alarm. */
  alarm: number | null
  confidence: number | null
  failure_count: number
  failure: number | null
  drift_count: number
  drift: number | null
}

const NAMES = [
  'count',
  'health',
  'health_min',
  'health_max',
  'risk',
  'trust',
  'coverage',
  'scored',
  'anomaly',
  'alarm',
  'confidence',
  'failure_count',
  'failure',
  'drift_count',
  'drift',
] as const satisfies readonly (keyof AssessmentMinute)[]

export function assessmentsMinuteTable(db: Database) {
  const put = db.prepare(
    `INSERT OR REPLACE INTO assessments_minute (id, ${NAMES.join(', ')})
     VALUES (?, ${NAMES.map(() => '?').join(', ')})`,
  )
  const get = db.prepare<[number], AssessmentMinute>(`SELECT ${NAMES.join(', ')} FROM assessments_minute WHERE id = ?`)
  return {
    put: (id: number, m: AssessmentMinute) => put.run(id, ...NAMES.map((name) => m[name])),
    get: (id: number) => get.get(id),
  }
}
