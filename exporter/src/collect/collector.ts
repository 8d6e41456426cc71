import type { Resource, SignalValues } from '../types.ts'

/**
 * One source of signals. Its name is its file, its metric label and its key in the configuration.
 *
 * "No data" is an outcome, not an error: on a host without the kernel file a collector returns no values. It throws only
 * when the source is there and cannot be read.
 */
export interface Collector {
  readonly name: string
  /** Minimum seconds between calls; the last reading is reused between (default 0: every tick). */
  readonly everySeconds?: number
  /** `signal` is aborted at the deadline; what is returned afterwards is discarded. */
  collect(signal: AbortSignal): Promise<Reading> | Reading
  /** Frees what is kept open between calls. The collector may be called again afterwards. */
  close?(): void
}

export interface Reading {
  /** Non-finite values are dropped by the sampler. */
  readonly values: SignalValues
  readonly resources?: readonly Resource[]
  /** Counters that ran backwards since the last reading: their signals are missing from `values`. */
  readonly resets?: number
}

export const NO_DATA: Reading = Object.freeze({ values: Object.freeze({}) })

/**
 * `everySeconds` of collectors of rates: far below any interval, but enough that two calls in a row (a tick and a "collect
 * now") do not compute a rate over a few milliseconds.
 */
export const RATE_SECONDS = 0.25
