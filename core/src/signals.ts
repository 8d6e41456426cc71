/**
 * The closed list of host signals: name, unit and how a value enters the feature graph.
 *
 * A signal that a host lacks is absent. It is masked in the graph and never shown or stored.
 */

export type Unit = 'ratio' | 'bytes_per_second' | 'per_second' | 'seconds' | 'count' | 'celsius'

/** `log1p`: log(1 + scale * max(x, 0)); `linear`: scale * x. The result is what the features are computed from. */
export interface Transform {
  readonly kind: 'linear' | 'log1p'
  readonly scale: number
}

export interface SignalSpec {
  readonly name: string
  readonly unit: Unit
  /** The level at which the resource is exhausted, in the signal's unit. */
  readonly capacity?: number
  /** One of the five headline signals, or a part of one. */
  readonly headline?: true
  readonly help: string
}

const ratio = (name: string, help: string, more: Partial<SignalSpec> = {}): SignalSpec => ({
  name,
  unit: 'ratio',
  help,
  ...more,
})
const of =
  (unit: Unit) =>
  (name: string, help: string, more: Partial<SignalSpec> = {}): SignalSpec => ({ name, unit, help, ...more })
const bytes = of('bytes_per_second')
const perSecond = of('per_second')
const seconds = of('seconds')
const count = of('count')

const full = { capacity: 1 } as const
const headline = { headline: true } as const

export const HOST_SIGNALS: readonly SignalSpec[] = [
  ratio('cpu_busy', 'Share of CPU time spent in anything but idle and waiting for I/O', headline),
  ratio('cpu_iowait', 'Share of CPU time spent idle while I/O was outstanding'),
  ratio('cpu_steal', 'Share of CPU time taken by other guests of the hypervisor'),
  ratio('cpu_busiest_core', 'Busy share of the busiest core'),
  ratio('load_per_core', 'One-minute load average divided by the number of cores; may exceed 1'),
  ratio('memory_used', 'Share of memory that is not available to new programs', { ...full, ...headline }),
  ratio('swap_used', 'Share of swap in use', full),
  ratio('disk_busy', 'Share of time in which the busiest disk had I/O in flight', headline),
  ratio('filesystem_used', 'Used share of the fullest mounted file system', full),
  ratio('inodes_used', 'Used share of the inodes of the file system closest to running out', full),
  ratio('tcp_retransmit', 'Retransmitted share of the TCP segments sent'),
  ratio('file_descriptors_used', 'Share of the system-wide file handle limit in use', full),
  ratio('pressure_cpu_some', 'Share of time in which some task waited for a CPU'),
  ratio('pressure_memory_some', 'Share of time in which some task waited for memory'),
  ratio('pressure_memory_full', 'Share of time in which all tasks waited for memory'),
  ratio('pressure_io_some', 'Share of time in which some task waited for I/O'),
  ratio('pressure_io_full', 'Share of time in which all tasks waited for I/O'),
  ratio('probe_failed', 'Share of the response time probes that failed'),
  bytes('disk_read', 'Bytes read from all disks'),
  bytes('disk_write', 'Bytes written to all disks'),
  bytes('swap_io', 'Bytes swapped in and out'),
  bytes('network_receive', 'Bytes received on all physical interfaces', headline),
  bytes('network_transmit', 'Bytes sent on all physical interfaces', headline),
  perSecond('context_switches', 'Context switches'),
  perSecond('interrupts', 'Interrupts served'),
  perSecond('forks', 'Processes and threads created'),
  perSecond('major_page_faults', 'Page faults that needed I/O'),
  perSecond('network_errors', 'Receive and transmit errors and drops on all physical interfaces'),
  seconds('disk_latency', 'Mean time an I/O request took on the slowest disk'),
  seconds('response_time', 'Mean time the response probes took', headline),
  seconds('event_loop_delay', "Mean delay of the service's own event loop"),
  count('processes_running', 'Runnable tasks'),
  count('processes_blocked', 'Tasks blocked in uninterruptible sleep'),
  count('processes_zombie', 'Zombie processes'),
  count('tcp_connections', 'TCP sockets in use'),
  { name: 'temperature', unit: 'celsius', help: 'Highest temperature sensor' },
]

/** The transform of each unit: ratios as they are, rates and counts by log1p, times by log1p of milliseconds. */
export function transformOf(unit: Unit): Transform {
  switch (unit) {
    case 'ratio':
      return { kind: 'linear', scale: 1 }
    case 'celsius':
      return { kind: 'linear', scale: 0.01 }
    case 'seconds':
      return { kind: 'log1p', scale: 1000 }
    default:
      return { kind: 'log1p', scale: 1 }
  }
}

/** Natural value -> feature scale. */
export function applyTransform({ kind, scale }: Transform, x: number): number {
  return kind === 'log1p' ? Math.log(1 + scale * Math.max(x, 0)) : scale * x
}

/** Feature scale -> natural value: the inverse of {@link applyTransform} for x >= 0. */
export function invertTransform({ kind, scale }: Transform, y: number): number {
  return kind === 'log1p' ? Math.expm1(y) / scale : y / scale
}
