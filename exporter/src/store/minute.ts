/**
 * The running aggregate of one target's minute. It is put into the minute tables in the transaction of the rows it
 * holds, so the tables are right at every commit; after a restart, or for a late row, it goes on from what is stored.
 */
import { type Assessment, RISKS } from '../types.ts'
import { type KeptShap, ShapTotals } from './shap.ts'
import { anomalyOf } from './tables/assessments.ts'
import type { AssessmentMinute } from './tables/assessments_minute.ts'
import type { StoredReadingMinute } from './tables/readings_minute.ts'
import type { SignalSet } from './tables/signal_sets.ts'
import { bytesOf } from './values.ts'

export const MINUTE = 60_000
export const minuteOf = (at: number) => Math.floor(at / MINUTE) * MINUTE

export class Minute {
  readonly at: number
  /** In the minute tables, null before it is stored. */
  id: number | null = null
  changed = false
  readonly shap = new ShapTotals()
  #set: SignalSet
  #sums: Float64Array
  #counts: Uint16Array
  #rows = 0
  #assessed: AssessmentMinute | null = null

  /** Goes on from what is stored, if anything is. */
  constructor(at: number, set: SignalSet, readings?: StoredReadingMinute, assessed?: AssessmentMinute) {
    this.at = at
    this.#set = set
    this.#sums = new Float64Array(set.names.length)
    this.#counts = new Uint16Array(set.names.length)
    if (readings) this.#restore(readings)
    if (assessed) this.#assessed = assessed
  }

  get set(): SignalSet {
    return this.#set
  }

  #restore({ id, count, means, counts }: StoredReadingMinute): void {
    this.id = id
    this.#rows = count
    for (let i = 0; i < this.#sums.length; i++) {
      const mean = means.readDoubleLE(8 * i)
      if (Number.isNaN(mean)) continue
      const n = counts ? counts.readUInt16LE(2 * i) : count
      this.#counts[i] = n
      this.#sums[i] = mean * n
    }
  }

  /** Takes over a set that holds all names of the present one. */
  widen(set: SignalSet): void {
    if (set === this.#set) return
    const sums = new Float64Array(set.names.length)
    const counts = new Uint16Array(set.names.length)
    this.#set.names.forEach((name, i) => {
      const j = set.index.get(name) ?? -1
      sums[j] = this.#sums[i] ?? 0
      counts[j] = this.#counts[i] ?? 0
    })
    this.#set = set
    this.#sums = sums
    this.#counts = counts
  }

  /** `values` in the order of the minute's set, NaN for absent. */
  addReading(values: Float64Array): void {
    this.changed = true
    this.#rows++
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? Number.NaN
      if (Number.isNaN(value)) continue
      this.#sums[i] = (this.#sums[i] ?? 0) + value
      this.#counts[i] = (this.#counts[i] ?? 0) + 1
    }
  }

  /** @param shap as it is kept of the row, null where it has none */
  addAssessment(a: Assessment, shap: KeptShap | null): void {
    this.changed = true
    if (shap) this.shap.add(shap)
    this.#assessed = addAssessment(this.#assessed, a)
  }

  readings(): { set: number; count: number; means: Buffer; counts: Buffer | null } {
    const means = new Float64Array(this.#sums.length)
    let even = true
    for (let i = 0; i < means.length; i++) {
      const n = this.#counts[i] ?? 0
      means[i] = n === 0 ? Number.NaN : (this.#sums[i] ?? 0) / n
      if (n !== 0 && n !== this.#rows) even = false
    }
    return {
      set: this.#set.id,
      count: this.#rows,
      means: bytesOf(means),
      counts: even ? null : bytesOf(this.#counts),
    }
  }

  assessed(): AssessmentMinute | null {
    return this.#assessed
  }
}

/** The mean of n - 1 values, taken to n. */
const towards = (mean: number | null, value: number, n: number) => (mean === null ? value : mean + (value - mean) / n)

function addAssessment(before: AssessmentMinute | null, a: Assessment): AssessmentMinute {
  const m: AssessmentMinute = before ?? {
    count: 0,
    health: 0,
    health_min: Number.POSITIVE_INFINITY,
    health_max: Number.NEGATIVE_INFINITY,
    risk: 0,
    trust: 0,
    coverage: 0,
    scored: 0,
    anomaly: null,
    alarm: null,
    confidence: null,
    failure_count: 0,
    failure: null,
    drift_count: 0,
    drift: null,
  }
  m.count++
  m.health = towards(m.health, a.health, m.count)
  m.health_min = Math.min(m.health_min, a.health)
  m.health_max = Math.max(m.health_max, a.health)
  m.risk = Math.max(m.risk, RISKS.indexOf(a.risk))
  m.trust = towards(m.trust, a.trust, m.count)
  m.coverage = towards(m.coverage, a.coverage, m.count)
  const anomaly = anomalyOf(a)
  if (a.scores && anomaly !== null) {
    m.scored++
    m.anomaly = Math.max(m.anomaly ?? 0, anomaly)
    m.alarm = Math.max(m.alarm ?? 0, Number(a.scores.alarm))
    m.confidence = towards(m.confidence, a.scores.confidence, m.scored)
  }
  const failure = a.outlook?.failure?.headline
  if (failure) m.failure = towards(m.failure, failure.probability, ++m.failure_count)
  if (a.drift) m.drift = towards(m.drift, a.drift.ratio, ++m.drift_count)
  return m
}
