/**
 * The closed list of signal kinds that forecasts, exhaustion and failures know: what a signal measures, whoever measured it.
 * A recording names a kind for each of its columns; the signals of a host have theirs here.
 */

export const SIGNAL_KINDS = [
  'cpu_busy_ratio',
  'cpu_iowait_ratio',
  'load_per_core',
  'memory_used_ratio',
  'swap_used_ratio',
  'disk_used_ratio',
  'inodes_used_ratio',
  'file_descriptors_used_ratio',
  'disk_busy_ratio',
  'network_rate',
  'network_error_ratio',
  'response_time',
  'error_ratio',
] as const
export type SignalKind = (typeof SIGNAL_KINDS)[number]

/** `other`: a signal of which nothing is known but its values and, perhaps, its limit. */
export type KindOrOther = SignalKind | 'other'

export interface KindSpec {
  /** Natural bounds of a value; a forecast stays within them. */
  readonly floor: number
  readonly ceiling: number
  /** What is used up when the limit is reached: only such a signal has a time to exhaustion. */
  readonly exhaustible: boolean
}

const share = { floor: 0, ceiling: 1, exhaustible: false } as const
const stock = { floor: 0, ceiling: 1, exhaustible: true } as const
const amount = { floor: 0, ceiling: Number.POSITIVE_INFINITY, exhaustible: false } as const

export const KIND_SPECS: Readonly<Record<KindOrOther, KindSpec>> = {
  cpu_busy_ratio: share,
  cpu_iowait_ratio: share,
  load_per_core: amount,
  memory_used_ratio: stock,
  swap_used_ratio: stock,
  disk_used_ratio: stock,
  inodes_used_ratio: stock,
  file_descriptors_used_ratio: stock,
  disk_busy_ratio: share,
  network_rate: amount,
  network_error_ratio: share,
  response_time: amount,
  error_ratio: share,
  other: { floor: Number.NEGATIVE_INFINITY, ceiling: Number.POSITIVE_INFINITY, exhaustible: true },
}

/** Kinds of the signals of a host. network_rate is the sum of its two. */
export const HOST_SIGNAL_KINDS: Readonly<Record<string, SignalKind>> = {
  cpu_busy: 'cpu_busy_ratio',
  cpu_iowait: 'cpu_iowait_ratio',
  load_per_core: 'load_per_core',
  memory_used: 'memory_used_ratio',
  swap_used: 'swap_used_ratio',
  filesystem_used: 'disk_used_ratio',
  inodes_used: 'inodes_used_ratio',
  file_descriptors_used: 'file_descriptors_used_ratio',
  disk_busy: 'disk_busy_ratio',
  network_receive: 'network_rate',
  network_transmit: 'network_rate',
  tcp_retransmit: 'network_error_ratio',
  response_time: 'response_time',
  probe_failed: 'error_ratio',
}

/** The level at which something runs out, in the unit of its signal, and from which side it is reached. */
export interface Limit {
  readonly capacity: number
  /** up: used up at or above the capacity; down: at or below it (free bytes have a capacity of 0). */
  readonly direction: 'up' | 'down'
}
