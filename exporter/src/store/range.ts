/** History as points in time: raw rows or minutes, averaged into steps. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database } from 'better-sqlite3'
import { StoreError } from './errors.ts'
import { MINUTE, minuteOf } from './minute.ts'
import type { Tables } from './tables/index.ts'

/** As many as Prometheus gives in one answer. */
export const MAX_POINTS = 11_000
/** Rows read in one go; other work gets its turn in between. */
const PAGE = 1000

/**
 * What can be asked of assessments. In a step: health, confidence, trust, failure, drift and coverage are the mean of
 * its rows, health_min the smallest health, anomaly the largest score (1 = threshold), alarm 1 if any row was in alarm,
 * risk the worst (0 green, 1 yellow, 2 red).
 */
export const ASSESSMENT_FIELDS = [
  'health',
  'health_min',
  'anomaly',
  'confidence',
  'trust',
  'failure',
  'drift',
  'coverage',
  'alarm',
  'risk',
] as const
export type AssessmentField = (typeof ASSESSMENT_FIELDS)[number]

export interface RangeFields {
  readonly assessment?: readonly AssessmentField[]
  readonly signals?: readonly string[]
}

/** A step that has rows. What none of them had is no key: a gap is a gap. */
export interface Point {
  /** Start of the step, a multiple of it, Unix ms. */
  readonly at: number
  readonly assessment: Readonly<Partial<Record<AssessmentField, number>>>
  readonly signals: Readonly<Record<string, number>>
}

export interface Range {
  readonly source: 'raw' | 'minute'
  /** Ms; a minute at least where minutes are the source. */
  readonly step: number
  readonly points: readonly Point[]
}

type How = 'mean' | 'max' | 'min'

/** Column and, in the minute table, the number of rows behind a mean. */
const COLUMNS: Record<AssessmentField, { how: How; raw: string; weight: string }> = {
  health: { how: 'mean', raw: 'health', weight: 'a.count' },
  health_min: { how: 'min', raw: 'health', weight: '1' },
  anomaly: { how: 'max', raw: 'anomaly', weight: '1' },
  confidence: { how: 'mean', raw: 'confidence', weight: 'scored' },
  trust: { how: 'mean', raw: 'trust', weight: 'a.count' },
  failure: { how: 'mean', raw: 'failure', weight: 'failure_count' },
  drift: { how: 'mean', raw: 'drift', weight: 'drift_count' },
  coverage: { how: 'mean', raw: 'coverage', weight: 'a.count' },
  alarm: { how: 'max', raw: 'alarm', weight: '1' },
  risk: { how: 'max', raw: 'risk', weight: '1' },
}

/** One value a step: `total` is the weighted sum, or the extreme. */
class Series {
  readonly #how: How
  readonly #total: Float64Array
  readonly #weight: Float64Array

  constructor(steps: number, how: How) {
    this.#how = how
    this.#total = new Float64Array(steps)
    this.#weight = new Float64Array(steps)
  }

  add(step: number, value: number, weight: number): void {
    const total = this.#total[step] ?? 0
    const before = this.#weight[step] ?? 0
    if (this.#how === 'mean') this.#total[step] = total + value * weight
    else
      this.#total[step] = before === 0 ? value : this.#how === 'max' ? Math.max(total, value) : Math.min(total, value)
    this.#weight[step] = before + weight
  }

  value(step: number): number | undefined {
    const weight = this.#weight[step] ?? 0
    if (weight === 0) return undefined
    const total = this.#total[step] ?? 0
    return this.#how === 'mean' ? total / weight : total
  }
}

/** Which of both answers. Raw rows do for steps below a minute, unless the range begins before they do. */
function sourceOf(tables: Tables, target: number, from: number, step: number): 'raw' | 'minute' {
  if (step >= MINUTE) return 'minute'
  const raw = tables.readings.first(target)
  const minute = tables.readingsMinute.first(target)
  if (raw === null) return 'minute'
  return from < raw && minute !== null && minute < minuteOf(raw) ? 'minute' : 'raw'
}

/**
 * Steps that begin at multiples of `step`, from the one that holds `from` to the one that holds `to` (both Unix ms,
 * inclusive). Reads in pages and lets other work run in between. Throws StoreError `limit` for too many points.
 */
export async function range(
  db: Database,
  tables: Tables,
  target: number,
  from: number,
  to: number,
  step: number,
  fields: RangeFields,
): Promise<Range> {
  if (!(step > 0)) throw new StoreError('limit', `a step of ${step} ms: it must be positive`)
  const source = sourceOf(tables, target, from, step)
  const width = source === 'minute' ? Math.max(step, MINUTE) : step
  const first = Math.floor(from / width)
  const steps = Math.floor(to / width) - first + 1
  if (steps > MAX_POINTS) {
    throw new StoreError(
      'limit',
      `${steps} points asked for, at most ${MAX_POINTS} in one answer: use a larger step or a shorter range`,
    )
  }
  if (!(steps > 0)) return { source, step: width, points: [] }
  const start = source === 'minute' ? minuteOf(from) : from

  const assessment = (fields.assessment ?? []).map((name) => ({ name, series: new Series(steps, COLUMNS[name].how) }))
  if (assessment.length > 0) {
    const columns = assessment.map(({ name }) => {
      const { raw, weight } = COLUMNS[name]
      return source === 'raw' ? `${raw}, 1` : `${name}, ${weight}`
    })
    const page = db
      .prepare<[number, number, number, number], (number | null)[]>(
        `SELECT at, ${columns.join(', ')} FROM ${source === 'raw' ? 'readings JOIN assessments USING (id)' : 'readings_minute r JOIN assessments_minute a USING (id)'}
         WHERE target_id = ? AND at >= ? AND at <= ? ORDER BY at LIMIT ?`,
      )
      .raw()
    for (let next = start; ; ) {
      const rows = page.all(target, next, to, PAGE)
      for (const row of rows) {
        const index = stepOf(Number(row[0]))
        assessment.forEach(({ series }, i) => {
          const value = row[1 + 2 * i]
          if (value !== null && value !== undefined) series.add(index, value, row[2 + 2 * i] ?? 0)
        })
      }
      if (rows.length < PAGE) break
      next = Number(rows.at(-1)?.[0]) + 1
      await nextTurn()
    }
  }

  const signals = (fields.signals ?? []).map((name) => ({ name, series: new Series(steps, 'mean') }))
  if (signals.length > 0) {
    for (let next = start; ; ) {
      const rows =
        source === 'raw'
          ? tables.readings.page(target, next, to, PAGE)
          : tables.readingsMinute.page(target, next, to, PAGE)
      for (const row of rows) {
        const set = tables.signalSets.get(row.set)
        for (const { name, series } of signals) {
          const i = set.index.get(name)
          if (i === undefined) continue
          const blob = 'values' in row ? row.values : row.means
          const value = blob.readDoubleLE(8 * i)
          if (Number.isNaN(value)) continue
          const weight = 'values' in row ? 1 : (row.counts?.readUInt16LE(2 * i) ?? row.count)
          series.add(stepOf(row.at), value, weight)
        }
      }
      if (rows.length < PAGE) break
      next = (rows.at(-1)?.at ?? to) + 1
      await nextTurn()
    }
  }

  const points: Point[] = []
  for (let i = 0; i < steps; i++) {
    const a = present(assessment, i)
    const s = present(signals, i)
    if (a || s) points.push({ at: (first + i) * width, assessment: a ?? {}, signals: s ?? {} })
  }
  return { source, step: width, points }

  function stepOf(at: number): number {
    return Math.max(0, Math.floor(at / width) - first)
  }
}

function present(all: readonly { name: string; series: Series }[], step: number): Record<string, number> | undefined {
  let found: Record<string, number> | undefined
  for (const { name, series } of all) {
    const value = series.value(step)
    if (value === undefined) continue
    found ??= {}
    found[name] = value
  }
  return found
}
