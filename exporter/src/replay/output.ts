/** The two files that a replay writes: one line a row, one row a line. */
import type { PrimaryShap } from '../explain/primary.ts'
import type { ReplayedRow } from './replay.ts'

export const SCORE_COLUMNS = [
  'timestamp',
  'score',
  'score_raw',
  'threshold',
  'alarm',
  'confidence',
  'health',
  'drift',
] as const

/** A line with its end. */
export function scoreLine(stamp: string, row: ReplayedRow): string {
  const drift = row.drift === null ? '' : Number(row.drift)
  const { score, scoreRaw, threshold, confidence, health } = row
  return `${stamp},${score},${scoreRaw},${threshold},${Number(row.alarm)},${confidence},${health},${drift}\n`
}

/** SHAP values in the order of the signals; empty cells where there are none. */
export function attributionLine(stamp: string, signals: readonly string[], shap: PrimaryShap | null): string {
  return `${stamp},${signals.map((name) => (shap === null ? '' : shap.signals[name])).join(',')}\n`
}
