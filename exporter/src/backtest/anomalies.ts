/** The part of the history that a model scored: every row, and its alarms with the signals that explain them. */
import type { TimedRow } from '@portent/core'
import { type ReplayModel, replay } from '../replay/index.ts'

/** Signals named for an alarm. */
const NAMED = 3

export interface ScoredRows {
  /** Unix s. */
  readonly at: number[]
  /** 1 = threshold. */
  readonly anomaly: number[]
  readonly health: number[]
  readonly alarm: boolean[]
  readonly drift: boolean[]
}

export interface Alarm {
  /** Unix s, of its first and last row. */
  readonly from: number
  readonly to: number
  readonly minutes: number
  /** Largest score, 1 = threshold. */
  readonly peak: number
  /** Lowest health, 0-100. */
  readonly health: number
  /** Those that explain most of it, with their mean SHAP value over its rows. */
  readonly signals: readonly { readonly signal: string; readonly shap: number }[]
  readonly sentence: string
}

export interface Anomalies {
  readonly rows: ScoredRows
  readonly alarms: readonly Alarm[]
  readonly minutes: number
  readonly days: number
  /** Rows that the models could not take. */
  readonly unscored: number
}

interface Open {
  readonly from: number
  to: number
  rows: number
  peak: number
  health: number
  explained: number
  readonly shap: Map<string, number>
}

/** @param rows of what the model has not seen, in order of time */
export async function findAnomalies(
  model: ReplayModel,
  rows: Iterable<TimedRow>,
  intervalSeconds: number,
): Promise<Anomalies> {
  const scored: ScoredRows = { at: [], anomaly: [], health: [], alarm: [], drift: [] }
  const alarms: Alarm[] = []
  const times: number[] = []
  const noting = function* () {
    for (const row of rows) {
      times.push(row.at / 1000)
      yield row
    }
  }
  let open: Open | null = null
  let unscored = 0
  let alarmRows = 0
  const close = () => {
    if (open !== null) alarms.push(alarmOf(open, intervalSeconds))
    open = null
  }
  for await (const block of replay(model, noting())) {
    for (const { scoreRaw, threshold, health, alarm, drift, shap, unscored: failed } of block) {
      const at = times[scored.at.length] as number
      const anomaly = Math.max(0, scoreRaw / threshold)
      scored.at.push(at)
      scored.anomaly.push(anomaly)
      scored.health.push(health)
      scored.alarm.push(alarm)
      scored.drift.push(drift === true)
      if (failed) unscored++
      if (!alarm) {
        close()
        continue
      }
      alarmRows++
      open ??= { from: at, to: at, rows: 0, peak: 0, health, explained: 0, shap: new Map() }
      open.to = at
      open.rows++
      open.peak = Math.max(open.peak, anomaly)
      open.health = Math.min(open.health, health)
      if (shap === null) continue
      open.explained++
      for (const signal in shap.signals) {
        open.shap.set(signal, (open.shap.get(signal) ?? 0) + (shap.signals[signal] as number))
      }
    }
  }
  close()
  const perDay = 86_400 / intervalSeconds
  return {
    rows: scored,
    alarms,
    minutes: (alarmRows * intervalSeconds) / 60,
    days: scored.at.length / perDay,
    unscored,
  }
}

function alarmOf({ from, to, rows, peak, health, explained, shap }: Open, intervalSeconds: number): Alarm {
  const signals = [...shap]
    .map(([signal, sum]) => ({ signal, shap: sum / Math.max(1, explained) }))
    .filter((one) => one.shap > 0)
    .sort((a, b) => b.shap - a.shap)
    .slice(0, NAMED)
  const why = signals.map(({ signal, shap: value }) => `${signal} ${value.toPrecision(2)}`).join(', ')
  const high = `score up to ${peak.toPrecision(2)} times its threshold, health down to ${Math.round(health)}`
  const sentence = why === '' ? high : `${high}: ${why}`
  return { from, to, minutes: (rows * intervalSeconds) / 60, peak, health, signals, sentence }
}
