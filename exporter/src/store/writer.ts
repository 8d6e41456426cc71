/**
 * One transaction for a batch of rows and their assessments, with the minute aggregates. Rows that others send come first
 * without an assessment, which joins the row of its target and time later.
 */
import type { Assessment, Row } from '../types.ts'
import { Minute, minuteOf } from './minute.ts'
import { decodeShap, type KeptShap } from './shap.ts'
import type { Tables } from './tables/index.ts'
import type { SignalSet } from './tables/signal_sets.ts'
import type { TargetKind } from './tables/targets.ts'
import { bytesOf, isMount } from './values.ts'

export interface HistoryEntry {
  readonly row: Row
  readonly assessment: Assessment
}

/**
 * What became of a row that came without an assessment: stored; stored although a newer one of its target was there
 * before; there already; older than the raw history reaches, and not stored.
 */
export type Fate = 'stored' | 'late' | 'duplicate' | 'expired'

export interface Written {
  /** Rows that are durable now, with their assessments. */
  written: number
  /** Rows of a target and time that the history has already; ignored. */
  duplicates: number
  /** Of those written: rows older than the newest of their target. */
  late: number
  /** Rows older than the raw history reaches; ignored, since a repeat could not be told from a new row. */
  expired: number
  /** Rows without a time or with a health that is no number; ignored. */
  invalid: number
}

/** What the writer remembers of a target between batches. Nothing of it is lost when it is dropped. */
interface Known {
  readonly id: number
  newest: number
  set: SignalSet | undefined
  shapSet: SignalSet | undefined
  values: Float64Array
  valueBytes: Buffer
  minute: Minute | undefined
}

const EMPTY = new Float64Array(0)

export class Writer {
  readonly #tables: Tables
  readonly #kinds: ReadonlyMap<string, TargetKind>
  readonly #known = new Map<string, Known>()
  #shap = new Float32Array(0)
  #shapBytes = bytesOf(this.#shap)

  /** `kinds`: of the targets that were ensured; any other is a host. */
  constructor(tables: Tables, kinds: ReadonlyMap<string, TargetKind>) {
    this.#tables = tables
    this.#kinds = kinds
  }

  /** Must follow a transaction that was rolled back, the removal of a target, and a purge of minutes. */
  forget(): void {
    this.#known.clear()
    this.#tables.signalSets.clear()
  }

  /** Call within a transaction. `now`: Unix ms; rows before `horizon` are expired. */
  write(batch: readonly HistoryEntry[], now: number, horizon: number): Written {
    const result: Written = { written: 0, duplicates: 0, late: 0, expired: 0, invalid: 0 }
    const touched = new Set<Known>()
    for (const { row, assessment } of batch) {
      if (!Number.isSafeInteger(row.at) || !Number.isFinite(assessment.health)) result.invalid++
      else if (row.at < horizon) result.expired++
      else {
        const target = this.#target(row.target, now)
        const set = this.#encode(target, row)
        const resources = row.resources.length > 0 ? JSON.stringify(row.resources) : null
        const inserted = this.#tables.readings.insert(target.id, row.at, set.id, target.valueBytes, resources)
        const id = inserted ?? this.#tables.readings.unassessed(target.id, row.at)
        if (id === null) {
          result.duplicates++
          continue
        }
        const shap = this.#assess(target, id, assessment)
        if (inserted !== null) {
          this.#addReading(target, set, row.at)
          if (row.at < target.newest) result.late++
          else target.newest = row.at
        }
        this.#minuteOf(target, row.at, set).addAssessment(assessment, shap)
        touched.add(target)
        result.written++
      }
    }
    for (const target of touched) this.#putMinute(target)
    return result
  }

  /** Call within a transaction. Rows without assessments; their fates in the same order. */
  ingest(rows: readonly Row[], now: number, horizon: number): Fate[] {
    const touched = new Set<Known>()
    const fates = rows.map((row): Fate => {
      if (row.at < horizon) return 'expired'
      const target = this.#target(row.target, now)
      const set = this.#encode(target, row)
      const resources = row.resources.length > 0 ? JSON.stringify(row.resources) : null
      const id = this.#tables.readings.insert(target.id, row.at, set.id, target.valueBytes, resources)
      if (id === null) return 'duplicate'
      this.#addReading(target, set, row.at)
      touched.add(target)
      if (row.at < target.newest) return 'late'
      target.newest = row.at
      return 'stored'
    })
    for (const target of touched) this.#putMinute(target)
    return fates
  }

  #target(name: string, now: number): Known {
    const known = this.#known.get(name)
    if (known) return known
    const id = this.#tables.targets.ensure(name, this.#kinds.get(name), now)
    const fresh: Known = {
      id,
      newest: this.#tables.readings.last(id) ?? Number.NEGATIVE_INFINITY,
      set: undefined,
      shapSet: undefined,
      values: EMPTY,
      valueBytes: bytesOf(EMPTY),
      minute: undefined,
    }
    this.#known.set(name, fresh)
    return fresh
  }

  /** Fills the target's values in the order of the returned set. */
  #encode(target: Known, row: Row): SignalSet {
    let { set } = target
    if (!set || !fill(target.values, set, row)) {
      set = this.#tables.signalSets.cover(set, [...Object.keys(row.values), ...mountsOf(row)])
      if (set !== target.set) {
        target.set = set
        target.values = new Float64Array(set.names.length)
        target.valueBytes = bytesOf(target.values)
      }
      fill(target.values, set, row)
    }
    return set
  }

  /** Returns the explanation as it is kept; its numbers are those of this row until the next. */
  #assess(target: Known, id: number, assessment: Assessment): KeptShap | null {
    const { shap } = assessment
    if (!shap) {
      this.#tables.assessments.insert(id, assessment, null, null)
      return null
    }
    const names = Object.keys(shap.signals)
    const set =
      target.shapSet?.names.length === names.length && names.every((name) => target.shapSet?.index.has(name))
        ? target.shapSet
        : this.#tables.signalSets.of(names)
    target.shapSet = set
    if (this.#shap.length !== set.names.length + 1) {
      this.#shap = new Float32Array(set.names.length + 1)
      this.#shapBytes = bytesOf(this.#shap)
    }
    this.#shap[0] = finite(shap.base)
    set.names.forEach((name, i) => {
      this.#shap[i + 1] = finite(shap.signals[name])
    })
    this.#tables.assessments.insert(id, assessment, set.id, this.#shapBytes)
    return { set, mean: this.#shap }
  }

  /** The minute that holds `at`; `set` is that of a minute without rows. */
  #minuteOf(target: Known, at: number, set: SignalSet): Minute {
    const start = minuteOf(at)
    if (target.minute?.at === start) return target.minute
    this.#putMinute(target)
    const { readingsMinute, assessmentsMinute, signalSets } = this.#tables
    const stored = readingsMinute.get(target.id, start)
    const storedSet = stored ? signalSets.get(stored.set) : set
    const minute = new Minute(start, storedSet, stored, stored && assessmentsMinute.get(stored.id))
    const { shap_count, shap_set_id, shap } = (stored && assessmentsMinute.shap(stored.id)) ?? {}
    if (shap && shap_set_id) {
      const shapSet = signalSets.get(shap_set_id)
      minute.shap.add({ set: shapSet, mean: decodeShap(shap, shapSet.names.length) }, shap_count)
    }
    target.minute = minute
    return minute
  }

  /** The row that was encoded last. */
  #addReading(target: Known, set: SignalSet, at: number): void {
    const minute = this.#minuteOf(target, at, set)
    if (minute.set === set) {
      minute.addReading(target.values)
      return
    }
    const both = this.#tables.signalSets.of([...minute.set.names, ...set.names])
    minute.widen(both)
    const values = new Float64Array(both.names.length).fill(Number.NaN)
    set.names.forEach((name, i) => {
      values[both.index.get(name) ?? -1] = target.values[i] ?? Number.NaN
    })
    minute.addReading(values)
  }

  #putMinute({ id, minute }: Known): void {
    if (!minute?.changed) return
    minute.id = this.#tables.readingsMinute.put(minute.id, id, minute.at, minute.readings())
    const assessed = minute.assessed()
    if (assessed) {
      const kept = minute.shap.kept(this.#tables.signalSets)
      this.#tables.assessmentsMinute.put(minute.id, assessed, {
        shap_count: minute.shap.rows,
        shap_set_id: kept?.set.id ?? null,
        shap: kept && bytesOf(kept.mean),
      })
    }
    minute.changed = false
  }
}

/** Also as a float32. */
const finite = (x: number | undefined) => (x !== undefined && Number.isFinite(Math.fround(x)) ? x : 0)

/**
 * Resources that are one of several (`filesystem:/var`): kept beside the signals, so that each has a history. The others
 * are signals already.
 */
const mountsOf = ({ resources }: Row): string[] => resources.map((r) => r.resource).filter(isMount)

/** False if a name is not of the set. */
function fill(into: Float64Array, set: SignalSet, { values, resources }: Row): boolean {
  into.fill(Number.NaN)
  for (const name in values) {
    const i = set.index.get(name)
    if (i === undefined) return false
    const value = values[name]
    if (value !== undefined && Number.isFinite(value)) into[i] = value
  }
  for (const { resource, used } of resources) {
    if (!isMount(resource)) continue
    const i = set.index.get(resource)
    if (i === undefined) return false
    if (Number.isFinite(used)) into[i] = used
  }
  return true
}
