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

/** The mean explanation of the `shap_count` rows that have one, as a row's is kept; null for minutes of schema version 1. */
export const ASSESSMENTS_MINUTE_SHAP = `
ALTER TABLE assessments_minute ADD COLUMN shap_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE assessments_minute ADD COLUMN shap_set_id INTEGER;
ALTER TABLE assessments_minute ADD COLUMN shap BLOB;
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

/** Of the explanations of a minute. */
export interface ShapMinute {
  /** Rows that have one. */
  shap_count: number
  shap_set_id: number | null
  shap: Buffer | null
}

/** What a minute says of its explanations. */
export interface ExplainedMinute {
  /** Start of the minute, Unix ms. */
  at: number
  /** Rows, of these assessed, of these scored by a model, and of these with an explanation. */
  count: number
  assessed: number
  scored: number
  explained: number
  set: number | null
  shap: Buffer | null
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
const SHAP = ['shap_count', 'shap_set_id', 'shap'] as const satisfies readonly (keyof ShapMinute)[]

export function assessmentsMinuteTable(db: Database) {
  const all = [...NAMES, ...SHAP]
  const put = db.prepare(
    `INSERT OR REPLACE INTO assessments_minute (id, ${all.join(', ')}) VALUES (?, ${all.map(() => '?').join(', ')})`,
  )
  const get = db.prepare<[number], AssessmentMinute>(`SELECT ${NAMES.join(', ')} FROM assessments_minute WHERE id = ?`)
  const shap = db.prepare<[number], ShapMinute>(`SELECT ${SHAP.join(', ')} FROM assessments_minute WHERE id = ?`)
  const explained = db.prepare<[number, number, number, number], ExplainedMinute>(
    `SELECT at, r.count, coalesce(a.count, 0) AS assessed, coalesce(scored, 0) AS scored,
       coalesce(shap_count, 0) AS explained, shap_set_id AS "set", shap
     FROM readings_minute r LEFT JOIN assessments_minute a ON a.id = r.id
     WHERE target_id = ? AND at >= ? AND at < ? ORDER BY at LIMIT ?`,
  )
  return {
    put: (id: number, m: AssessmentMinute, shap: ShapMinute) =>
      put.run(id, ...NAMES.map((name) => m[name]), ...SHAP.map((name) => shap[name])),
    get: (id: number) => get.get(id),
    shap: (id: number) => shap.get(id),
    /** Minutes that begin in [from, to), oldest first, those without an assessment too. */
    explained: (target: number, from: number, to: number, limit: number) => explained.all(target, from, to, limit),
  }
}
