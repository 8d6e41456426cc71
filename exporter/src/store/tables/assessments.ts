import type { Database } from 'better-sqlite3'
import {
  type Assessment,
  type Hint,
  type ModelState,
  type Penalty,
  RISKS,
  type Risk,
  SEVERITIES,
  type Severity,
  type Shap,
} from '../../types.ts'
import { decodeShap, shapOf } from '../shap.ts'
import type { SignalSets } from './signal_sets.ts'

/** `id` is that of the reading, which has target and time: a second index would double what a transaction dirties.
 * `shap` is little-endian float32: base, then the values in the order of the signal set. Schema version 1 wrote float64:
 * base, output, values. */
export const ASSESSMENTS = `
CREATE TABLE assessments (
  id INTEGER PRIMARY KEY,
  health REAL NOT NULL,
  risk INTEGER NOT NULL,
  severity INTEGER NOT NULL,
  anomaly REAL,
  raw REAL,
  ranking REAL,
  threshold REAL,
  alarm INTEGER,
  confidence REAL,
  trust REAL,
  failure REAL,
  failure_horizon REAL,
  drift REAL,
  drift_detected INTEGER,
  coverage REAL,
  sensitivity REAL,
  version TEXT,
  shap_set_id INTEGER,
  shap BLOB,
  hints TEXT,
  reasons TEXT
) STRICT;
`

/** Why a row that is not plainly green is what it is; not stored for the others. */
export interface StoredReasons {
  readonly risk: string
  readonly severity: string
  readonly penalties: readonly Penalty[]
  readonly symptoms: readonly string[]
}

export interface StoredAssessment {
  /** Unix ms. */
  readonly at: number
  readonly model: ModelState
  readonly version: string | null
  readonly health: number
  readonly risk: Risk
  readonly severity: Severity
  /** Null in fallback mode. */
  readonly scores: {
    readonly anomaly: number
    readonly raw: number
    readonly ranking: number
    readonly threshold: number
    readonly alarm: boolean
    readonly confidence: number
  } | null
  readonly trust: number
  readonly failure: { readonly horizonSeconds: number; readonly probability: number } | null
  readonly drift: { readonly ratio: number; readonly detected: boolean } | null
  readonly coverage: number
  readonly sensitivity: number
  readonly shap: Shap | null
  readonly hints: readonly Hint[]
  readonly reasons: StoredReasons | null
}

/** The ensemble's score with 1 = threshold. */
export function anomalyOf(a: Assessment): number | null {
  return a.scores ? (a.scores.anomaly.ensemble ?? Math.max(0, a.scores.raw / a.scores.threshold)) : null
}

interface Columns {
  at: number
  health: number
  risk: number
  severity: number
  anomaly: number | null
  raw: number
  ranking: number
  threshold: number
  alarm: number
  confidence: number
  trust: number
  failure: number | null
  failure_horizon: number
  drift: number | null
  drift_detected: number
  coverage: number
  sensitivity: number
  version: string | null
  shap_set_id: number | null
  shap: Buffer | null
  hints: string | null
  reasons: string | null
}

/** What a row says of its explanation. */
export interface ExplainedRow {
  /** Unix ms. */
  at: number
  assessed: 0 | 1
  scored: 0 | 1
  set: number | null
  shap: Buffer | null
}

const NAMES = `health, risk, severity, anomaly, raw, ranking, threshold, alarm, confidence, trust, failure,
  failure_horizon, drift, drift_detected, coverage, sensitivity, version, shap_set_id, shap, hints, reasons`

export function assessmentsTable(db: Database, sets: SignalSets) {
  const insert = db.prepare(
    `INSERT OR REPLACE INTO assessments (id, ${NAMES})
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const page = db.prepare<[number, number, number, number], Columns>(
    `SELECT at, ${NAMES} FROM readings JOIN assessments USING (id)
     WHERE target_id = ? AND at >= ? AND at <= ? ORDER BY at LIMIT ?`,
  )

  const explained = db.prepare<[number, number, number, number], ExplainedRow>(
    `SELECT at, a.id IS NOT NULL AS assessed, a.anomaly IS NOT NULL AS scored, shap_set_id AS "set", shap
     FROM readings r LEFT JOIN assessments a ON a.id = r.id
     WHERE target_id = ? AND at >= ? AND at < ? ORDER BY at LIMIT ?`,
  )

  function read(c: Columns): StoredAssessment {
    const set = c.shap_set_id === null ? null : sets.get(c.shap_set_id)
    return {
      at: c.at,
      model: c.version === null ? 'fallback' : 'active',
      version: c.version,
      health: c.health,
      risk: RISKS[c.risk] ?? 'red',
      severity: SEVERITIES[c.severity] ?? 'none',
      scores:
        c.anomaly === null
          ? null
          : {
              anomaly: c.anomaly,
              raw: c.raw,
              ranking: c.ranking,
              threshold: c.threshold,
              alarm: c.alarm === 1,
              confidence: c.confidence,
            },
      trust: c.trust,
      failure: c.failure === null ? null : { horizonSeconds: c.failure_horizon, probability: c.failure },
      drift: c.drift === null ? null : { ratio: c.drift, detected: c.drift_detected === 1 },
      coverage: c.coverage,
      sensitivity: c.sensitivity,
      shap: c.shap && set ? shapOf({ set, mean: decodeShap(c.shap, set.names.length) }) : null,
      hints: c.hints === null ? [] : (JSON.parse(c.hints) as Hint[]),
      reasons: c.reasons === null ? null : (JSON.parse(c.reasons) as StoredReasons),
    }
  }

  return {
    insert(id: number, a: Assessment, shapSet: number | null, shap: Uint8Array | null): void {
      const { scores: s, drift: d } = a
      const f = a.outlook?.failure?.headline ?? null
      const plain = a.risk === 'green' && a.severity === 'none' && a.penalties.length === 0
      const reasons: StoredReasons | null = plain
        ? null
        : { risk: a.riskReason, severity: a.severityReason, penalties: a.penalties, symptoms: a.symptoms }
      insert.run(
        id,
        a.health,
        RISKS.indexOf(a.risk),
        SEVERITIES.indexOf(a.severity),
        anomalyOf(a),
        s ? s.raw : null,
        s ? s.ranking : null,
        s ? s.threshold : null,
        s ? Number(s.alarm) : null,
        s ? s.confidence : null,
        a.trust,
        f ? f.probability : null,
        f ? f.seconds : null,
        d ? d.ratio : null,
        d ? Number(d.detected) : null,
        a.coverage,
        a.sensitivity,
        a.version,
        shapSet,
        shap,
        a.hints.length > 0 ? JSON.stringify(a.hints) : null,
        reasons && JSON.stringify(reasons),
      )
    },
    page: (target: number, from: number, to: number, limit: number) => page.all(target, from, to, limit).map(read),
    /** Rows of [from, to), oldest first, those without an assessment too. */
    explained: (target: number, from: number, to: number, limit: number) => explained.all(target, from, to, limit),
  }
}
