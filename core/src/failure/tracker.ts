/**
 * What the failure model needs to know of one target, row by row: bins of a minute (or of a row, where rows are longer),
 * so that rows of 10, 15 and 60 s give nearly the same features. Pure: no clock, no input but the rows.
 */
import { type KindOrOther, SIGNAL_KINDS, type SignalKind } from '../outlook/kinds.ts'
import { FAILURE_HORIZONS, RISK_COLUMN, RISK_FEATURES, type RiskFeature } from './features.ts'
import { Recent } from './recent.ts'
import { Restarts } from './restart.ts'
import { OwnScore, ownHealth } from './score.ts'
import { FAST, KindSeries, SLOW } from './series.ts'
import { BAD, FAST_KINDS, RESOURCES, SYMPTOMS } from './symptoms.ts'

const MINUTE = 60
const HOUR = 3600
const K = RISK_FEATURES.length
/** Samples of the past, one in five minutes, from which on a level is said to be usual or not. */
const WARM_SAMPLES = 6
/** The time that they take; where rows were missing it takes longer. */
const WARM_SECONDS = HOUR
const ALMOST = 0.99
/** Samples that earn full trust: five hours. */
const TRUSTED_SAMPLES = 60
/** A hole as long as this leaves nothing that trends could be drawn through. */
const HOLE_SECONDS = 2 * HOUR

/** Trust in a host of which nothing but its past is known. */
const LEAST_COVERAGE = 0.4

/** A release brings symptoms for minutes: what lasts is told apart. */
const LASTING = 10 * MINUTE

export interface FailureContext {
  /** Ensemble score, 1 = threshold, and health 0-100, where a bundle scores the target. */
  readonly anomaly: number | null
  readonly health: number | null
  /** 0-1, how far the bundle is to be believed (drift, coverage); 1 where left out. */
  readonly trust?: number
}

interface Sum {
  sum: number
  n: number
}

export class FailureTracker {
  readonly #binSeconds: number
  readonly #intervalSeconds: number
  readonly #series: ReadonlyMap<SignalKind, KindSeries>
  readonly #sums = new Map<SignalKind, Sum>()
  readonly #score = new OwnScore()
  readonly #recent: Recent
  readonly #restarts = new Restarts()
  readonly #anomaly: Sum = { sum: 0, n: 0 }
  readonly #health: Sum = { sum: 0, n: 0 }
  #over = 0
  #bin = Number.NaN
  #bins = 0
  #last = Number.NEGATIVE_INFINITY
  #first = Number.NaN
  #given = 1

  /** @param options.kinds the kinds the target has: others are ignored */
  constructor({ intervalSeconds, kinds }: { intervalSeconds: number; kinds: readonly SignalKind[] }) {
    this.#intervalSeconds = intervalSeconds
    this.#binSeconds = Math.max(MINUTE, intervalSeconds)
    const known = SIGNAL_KINDS.filter((kind) => kinds.includes(kind))
    this.#series = new Map(
      known.map((kind) => [kind, new KindSeries(this.#binSeconds, FAST_KINDS.has(kind) ? FAST : SLOW)]),
    )
    for (const kind of known) this.#sums.set(kind, { sum: 0, n: 0 })
    this.#recent = new Recent(this.#binSeconds)
  }

  /**
   * The next row: a row that is not after the one before is left out. Microseconds a call.
   * @param at Unix seconds; @param values by kind, absent or NaN = missing
   */
  push(at: number, values: Partial<Record<SignalKind, number>>, context: FailureContext): void {
    if (!(at > this.#last) || !Number.isFinite(at)) return
    this.#last = at
    if (Number.isNaN(this.#first)) this.#first = at
    const bin = Math.floor(at / this.#binSeconds)
    if (Number.isNaN(this.#bin)) this.#bin = bin
    // A row may arrive late in a bin that has been closed: it counts with the next one.
    if (bin > this.#bin) this.#advance(bin)
    for (const [kind, sum] of this.#sums) {
      const value = values[kind]
      if (value === undefined || !Number.isFinite(value)) continue
      sum.sum += value
      sum.n++
    }
    const { anomaly, health, trust = 1 } = context
    if (anomaly !== null && Number.isFinite(anomaly)) {
      add(this.#anomaly, anomaly)
      if (anomaly > 1) this.#over++
    }
    if (health !== null && Number.isFinite(health)) add(this.#health, health)
    this.#given = Number.isFinite(trust) ? Math.min(1, Math.max(0, trust)) : 0
    // The last row of a bin closes it: nothing waits for the next one.
    if (at + this.#intervalSeconds >= (this.#bin + 1) * this.#binSeconds) this.#close()
  }

  /** 0-1, how much of what the features need has been seen; they are null below 1. */
  get progress(): number {
    if (this.#past >= WARM_SAMPLES) return 1
    return Math.min(ALMOST, (this.#last - this.#first + this.#intervalSeconds) / WARM_SECONDS || 0)
  }

  /** 0-1, how far the probability is to be believed: length of the past, symptoms that can be seen, the bundle's own trust. */
  get trust(): number {
    const seen = SYMPTOMS.filter((kinds) => kinds.some((kind) => !Number.isNaN(this.#short(kind)))).length
    const coverage = LEAST_COVERAGE + ((1 - LEAST_COVERAGE) * seen) / SYMPTOMS.length
    return Math.min(1, this.#past / TRUSTED_SAMPLES) * coverage * this.#given
  }

  /** Samples of the past of the kind that has most. */
  get #past(): number {
    let past = 0
    for (const series of this.#series.values()) past = Math.max(past, series.past)
    return past
  }

  /**
   * Features of every horizon [H,K], columns of {@link RISK_FEATURES}; null until an hour or so has been seen.
   * @param exhaustions newest of each resource
   */
  features(
    exhaustions: readonly {
      readonly kind: KindOrOther
      readonly exhaustion: { within(seconds: number): number }
    }[],
  ): Float64Array | null {
    if (this.progress < 1) return null
    const out = new Float64Array(FAILURE_HORIZONS.length * K)
    FAILURE_HORIZONS.forEach((horizon, h) => {
      const set = (feature: RiskFeature, value: number) => {
        const at = h * K + RISK_COLUMN[feature]
        if (value > (out[at] as number)) out[at] = value
      }
      this.#setState(set)
      this.#setSymptoms(set)
      this.#setReaches(set, horizon, h)
      for (const { kind, exhaustion } of exhaustions)
        this.#setExhaustion(set, kind, Math.min(1, exhaustion.within(horizon)))
      set('trust', this.trust)
    })
    return out
  }

  #setState(set: (feature: RiskFeature, value: number) => void): void {
    const recent = this.#recent
    set('anomaly', recent.mean('anomaly', 5 * MINUTE) * this.#restarts.weight)
    set('anomaly_frequency', recent.mean('over', HOUR))
    const health = recent.mean('health', 15 * MINUTE)
    set('health_deficit', 100 - health)
    set('health_worst', 100 - recent.least('health', HOUR))
    set('health_fall', recent.mean('health', HOUR) - health)
  }

  #setSymptoms(set: (feature: RiskFeature, value: number) => void): void {
    const cpu = this.#short('cpu_busy_ratio')
    const iowait = this.#short('cpu_iowait_ratio')
    const busy = this.#short('disk_busy_ratio')
    set('cpu_level', cpu)
    set('load_level', this.#short('load_per_core'))
    set('memory_level', this.#short('memory_used_ratio'))
    set('swap_level', this.#short('swap_used_ratio'))
    set('storage_level', this.#short('disk_used_ratio'))
    set('storage_level', this.#short('inodes_used_ratio'))
    set('handles_level', this.#short('file_descriptors_used_ratio'))
    set('iowait_level', iowait)
    set('disk_busy_level', busy)
    const network = this.#excess('network_error_ratio', 0)
    const counts = this.#restarts.weight
    const errors = this.#excess('error_ratio', 0) * counts
    set('network_errors_lasting', this.#excess('network_error_ratio', LASTING))
    set('errors_lasting', this.#excess('error_ratio', LASTING))
    set('network_errors', network)
    set('errors', errors)
    const response = this.#series.get('response_time')
    const growthOf = (x: number) => (response && response.usual > 0 ? Math.max(0, Math.log2(x / response.usual)) : 0)
    const growth = growthOf(response?.short ?? Number.NaN) * counts
    set('response_growth', growth)
    set('response_growth_lasting', growthOf(response?.medianOf(this.#recent.bins(LASTING)) ?? Number.NaN))
    // Eight times the usual response time is bad, whatever it was.
    const slow = way(growth, 0.3, Math.log2(BAD.response))
    set('cpu_and_response', Math.sqrt(way(cpu, 0.6, 1) * slow))
    set('io_and_response', Math.sqrt(Math.max(way(iowait, 0.05, BAD.iowait), way(busy, 0.6, 1)) * slow))
    set('errors_and_response', Math.sqrt(way(errors, 0, 0.25) * slow))
    const rate = this.#series.get('network_rate')
    const before = rate?.medianBetween(this.#recent.bins(15 * MINUTE), this.#recent.bins(HOUR)) ?? Number.NaN
    const silence = before > 0 ? 1 - (rate?.short ?? Number.NaN) / before : 0
    set('network_errors_and_silence', Math.sqrt(way(network, 0, 0.1) * way(silence, 0.1, 0.9)))
  }

  #setReaches(set: (feature: RiskFeature, value: number) => void, horizon: number, h: number): void {
    const reach = (feature: RiskFeature, kind: SignalKind, bad: number, share = 1) => {
      const series = this.#series.get(kind)
      if (series !== undefined) set(feature, (share * horizon) / (horizon + series.reaches(bad, h)))
    }
    if (this.#swaps) reach('memory_reach', 'swap_used_ratio', BAD.stock, this.#tight)
    else reach('memory_reach', 'memory_used_ratio', BAD.memory)
    reach('storage_reach', 'disk_used_ratio', BAD.stock)
    reach('storage_reach', 'inodes_used_ratio', BAD.stock)
    reach('handles_reach', 'file_descriptors_used_ratio', BAD.stock)
    reach('cpu_reach', 'cpu_busy_ratio', BAD.cpu)
    reach('io_reach', 'cpu_iowait_ratio', BAD.iowait)
    reach('io_reach', 'disk_busy_ratio', BAD.diskBusy)
    reach('network_reach', 'network_error_ratio', BAD.network)
    const counts = this.#restarts.weight
    reach('errors_reach', 'error_ratio', BAD.errors, counts)
    const usual = this.#series.get('response_time')?.usual ?? Number.NaN
    if (usual > 0) reach('response_reach', 'response_time', BAD.response * usual, counts)
  }

  #setExhaustion(set: (feature: RiskFeature, value: number) => void, kind: KindOrOther, within: number): void {
    const feature = RESOURCES[kind]
    if (feature) set(feature, within)
    // Where there is swap, memory is at its end when both are; swap alone may hold what nobody asks for.
    if (kind === 'memory_used_ratio') set(this.#swaps ? 'swapping_ahead' : 'memory_exhaustion', within)
    if (kind === 'swap_used_ratio') set('memory_exhaustion', within * this.#tight)
  }

  get #swaps(): boolean {
    return !Number.isNaN(this.#short('swap_used_ratio'))
  }

  /** How far memory is from where the kernel begins to swap, 0-1 = there. */
  get #tight(): number {
    return way(this.#short('memory_used_ratio'), 0.7, 0.95)
  }

  #short(kind: SignalKind): number {
    return this.#series.get(kind)?.short ?? Number.NaN
  }

  /** Above the usual, 0 while that is unknown. @param seconds of the median; 0 = the short one */
  #excess(kind: SignalKind, seconds: number): number {
    const series = this.#series.get(kind)
    if (series === undefined) return 0
    const level = seconds > 0 ? series.medianOf(this.#recent.bins(seconds)) : series.short
    return Math.max(0, level - series.usual) || 0
  }

  /** Closes the bin in progress and, as missing, those up to `bin`. */
  #advance(bin: number): void {
    this.#close()
    const holes = Math.min(bin - this.#bin, Math.ceil(HOLE_SECONDS / this.#binSeconds))
    for (let i = 0; i < holes; i++) this.#take()
    this.#bin = bin
  }

  #close(): void {
    this.#take()
    this.#bin++
  }

  #take(): void {
    for (const [kind, series] of this.#series) {
      const mean = take(this.#sums.get(kind) as Sum)
      if (kind === 'memory_used_ratio') this.#restarts.step(mean, series.short, this.#binSeconds)
      series.push(mean)
    }
    const isSample = this.#bins % Math.max(1, Math.round((5 * MINUTE) / this.#binSeconds)) === 0
    this.#bins++
    const own = this.#score.step(this.#series, isSample)
    const rows = this.#anomaly.n
    const anomaly = take(this.#anomaly)
    const health = take(this.#health)
    const score = Number.isNaN(anomaly) ? own : anomaly
    this.#recent.push({
      anomaly: score,
      over: rows > 0 ? this.#over / rows : Number(own > 1),
      health: Number.isNaN(health) ? ownHealth(score, this.#series) : health,
    })
    this.#over = 0
  }
}

function add(to: Sum, value: number): void {
  to.sum += value
  to.n++
}

/** The mean, and the sum starts afresh. */
function take(sum: Sum): number {
  const mean = sum.n === 0 ? Number.NaN : sum.sum / sum.n
  sum.sum = 0
  sum.n = 0
  return mean
}

/** Share of the way from `from` to `to`, 0-1; 0 where nothing is known. */
function way(x: number, from: number, to: number): number {
  const share = (x - from) / (to - from)
  return share > 0 ? Math.min(1, share) : 0
}
