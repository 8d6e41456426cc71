/** Many hosts, one after the other: matrices of signals with the truth beside them. */
import { HOST_SIGNALS } from '@portent/core'
import { Random } from '../random.ts'
import { FAILURE_KINDS, FAULT_KINDS, type FaultKind } from './faults.ts'
import { DEFAULT_START, SimulatedHost } from './host.ts'
import type { HostProfile, Role } from './profile.ts'
import { randomProfile } from './random-profile.ts'
import { SIGNAL_NAMES } from './readings.ts'

export interface FleetOptions {
  readonly hosts: number
  readonly days: number
  /** 10 s by default. */
  readonly intervalSeconds?: number
  readonly seed: number | string
  /** Faults that begin in a day of health, a host; 0 (the default) = healthy hosts only. */
  readonly faultsPerDay?: number
  readonly faultKinds?: readonly FaultKind[]
  /** Drawn by their share among hosts by default. */
  readonly roles?: readonly Role[]
  /** Unix ms; by default each host begins at an hour of its own within four weeks, so that short recordings see all days. */
  readonly startsAt?: number
}

/** Truth of n rows, one element a row. */
export interface TruthArrays {
  /** 0 = none, else 1 + index into FAULT_KINDS. */
  readonly fault: Uint8Array
  /** 0-1. */
  readonly severity: Float32Array
  /** Rows since the onset of the fault. */
  readonly sinceRows: Float64Array
  /** 1 while a failure is in progress. */
  readonly failed: Uint8Array
  /** 0 = none, else 1 + index into FAILURE_KINDS. */
  readonly failure: Uint8Array
  /** Rows until the next row in failure: 0 in one, Infinity where none follows within the recording. */
  readonly timeToFailure: Float64Array
}

export interface FleetHost {
  readonly index: number
  readonly profile: HostProfile
  readonly intervalSeconds: number
  /** Columns of `values`. */
  readonly signals: readonly string[]
  readonly rows: number
  /** End of each row, Unix ms. */
  readonly at: Float64Array
  /** rows x signals, natural units, row by row; NaN = the host lacks the signal. */
  readonly values: Float64Array
  /** 1 = present, by signal. */
  readonly mask: Uint8Array
  readonly truth: TruthArrays
}

/** Generates one host at a time, so that memory holds one (288 bytes a row) however many there are. */
export function* generateFleet(options: FleetOptions): Generator<FleetHost, void, undefined> {
  const { hosts, days, intervalSeconds = 10, seed, roles } = options
  const rows = Math.round((days * 86_400) / intervalSeconds)
  if (!(rows >= 1) || !Number.isSafeInteger(rows)) {
    throw new RangeError(`${days} days of rows of ${intervalSeconds} s: at least one row is needed`)
  }
  const random = new Random(seed)
  for (let index = 0; index < hosts; index++) {
    const own = random.fork(`host ${index}`)
    const profile = randomProfile(own.fork('profile'), roles === undefined ? undefined : own.fork('role').choice(roles))
    const startsAt = options.startsAt ?? DEFAULT_START + own.fork('start').integer(28 * 24) * 3_600_000
    const host = new SimulatedHost(profile, own.fork('life'), { ...options, intervalSeconds, startsAt })
    yield { index, ...record(host, rows) }
  }
}

/** The next `rows` rows of a host as arrays. */
export function record(host: SimulatedHost, rows: number): Omit<FleetHost, 'index'> {
  const d = HOST_SIGNALS.length
  const at = new Float64Array(rows)
  const values = new Float64Array(rows * d)
  const fault = new Uint8Array(rows)
  const severity = new Float32Array(rows)
  const sinceRows = new Float64Array(rows)
  const failed = new Uint8Array(rows)
  const failure = new Uint8Array(rows)
  for (let i = 0; i < rows; i++) {
    host.step()
    at[i] = host.at
    values.set(host.row, i * d)
    const { truth } = host
    if (truth.fault !== null) {
      fault[i] = 1 + FAULT_KINDS.indexOf(truth.fault)
      severity[i] = truth.severity
      sinceRows[i] = truth.sinceRows
    }
    if (truth.failureKind !== null) {
      failed[i] = 1
      failure[i] = 1 + FAILURE_KINDS.indexOf(truth.failureKind)
    }
  }
  const { profile, intervalSeconds, mask } = host
  const truth = { fault, severity, sinceRows, failed, failure, timeToFailure: timeToFailure(failed) }
  return { profile, intervalSeconds, signals: SIGNAL_NAMES, rows, at, values, mask, truth }
}

/** Rows until the next row in failure: 0 in one, Infinity where none follows. */
export function timeToFailure(failed: Uint8Array): Float64Array {
  const rows = new Float64Array(failed.length)
  let next = Number.POSITIVE_INFINITY
  for (let i = failed.length - 1; i >= 0; i--) {
    next = failed[i] === 1 ? 0 : next + 1
    rows[i] = next
  }
  return rows
}

/**
 * Labels for a model of failure: 1 where a failure begins within the next `horizonRows` rows. Rows in failure are 1 too
 * (leave them out by `truth.failed` where only the prediction counts); the last `horizonRows` rows may be 0 only because
 * the recording ends.
 */
export function failsWithin(truth: Pick<TruthArrays, 'timeToFailure'>, horizonRows: number): Uint8Array {
  return Uint8Array.from(truth.timeToFailure, (rows) => (rows <= horizonRows ? 1 : 0))
}
