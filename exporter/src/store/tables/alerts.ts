import type { Database } from 'better-sqlite3'
import type { AlertEvent, Hint, Severity } from '../../types.ts'

export const ALERTS = `
CREATE TABLE alerts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  target_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  from_severity TEXT NOT NULL,
  severity TEXT NOT NULL,
  health REAL NOT NULL,
  confidence REAL,
  trust REAL NOT NULL,
  message TEXT NOT NULL,
  hints TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_target ON alerts (target_id, id);
`

/** Newest kept; alerts are escalations only, so this is years of a troubled host. */
const KEPT = 100_000

export interface AlertQuery {
  readonly target?: string
  /** Not older than this, Unix ms. */
  readonly from?: number
  /** 1-1000, default 100. */
  readonly limit?: number
  /** Only alerts with a smaller id: the next page. */
  readonly before?: number
}

interface Stored {
  id: number
  target: string
  at: number
  from_severity: Severity
  severity: Severity
  health: number
  confidence: number | null
  trust: number
  message: string
  hints: string
}

export function alertsTable(db: Database) {
  const insert = db.prepare(
    `INSERT INTO alerts (target_id, at, from_severity, severity, health, confidence, trust, message, hints)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const list = db.prepare<unknown[], Stored>(
    `SELECT a.id, t.name AS target, at, from_severity, severity, health, confidence, trust, message, hints
     FROM alerts a JOIN targets t ON t.id = a.target_id AND t.removed_at IS NULL
     WHERE (@target IS NULL OR a.target_id = @target) AND at >= @from AND a.id < @before
     ORDER BY a.id DESC LIMIT @limit`,
  )
  const trim = db.prepare<[number]>(
    `DELETE FROM alerts WHERE id IN
       (SELECT id FROM alerts WHERE id <= (SELECT max(id) FROM alerts) - ? ORDER BY id LIMIT 256)`,
  )
  const drop = db.prepare<[number]>('DELETE FROM alerts WHERE target_id = ?')

  return {
    /** Returns the new id; ids grow and are never used again. */
    add: (target: number, e: Omit<AlertEvent, 'id'>): number =>
      Number(
        insert.run(
          target,
          e.at,
          e.from,
          e.severity,
          e.health,
          e.confidence,
          e.trust,
          e.message,
          JSON.stringify(e.hints),
        ).lastInsertRowid,
      ),
    /** Newest first. */
    list: (target: number | null, { from, limit, before }: AlertQuery): AlertEvent[] =>
      list
        .all({
          target,
          from: from ?? Number.MIN_SAFE_INTEGER,
          before: before ?? Number.MAX_SAFE_INTEGER,
          limit: Math.min(Math.max(Math.trunc(limit ?? 100), 1), 1000),
        })
        .map(({ from_severity, hints, ...rest }) => ({
          ...rest,
          from: from_severity,
          hints: JSON.parse(hints) as Hint[],
        })),
    trim: () => trim.run(KEPT).changes,
    drop: (target: number) => drop.run(target),
  }
}
