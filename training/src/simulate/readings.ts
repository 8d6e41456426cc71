/** The signals, read off the parts of a host as the kernel's files and the probes would show them. */
import { HOST_SIGNALS } from '@portent/core'
import type { Random } from '../random.ts'
import type { Cpu } from './cpu.ts'
import type { Disk } from './disk.ts'
import { clamp, jitter, meanCount } from './draw.ts'
import type { Disturbance } from './faults.ts'
import type { Memory } from './memory.ts'
import type { Network } from './network.ts'
import type { HostProfile } from './profile.ts'
import type { Service } from './service.ts'

export interface Parts {
  readonly cpu: Cpu
  readonly memory: Memory
  readonly disk: Disk
  readonly network: Network
  readonly service: Service
}

export interface SimulatedResource {
  /** `memory`, `swap`, `file_descriptors`, `filesystem:/var`, `inodes:/var`. */
  readonly resource: string
  /** 0-1. */
  readonly used: number
  readonly capacity?: number
  readonly unit?: 'bytes' | 'inodes' | 'handles'
}

/** Columns of every row. */
export const SIGNAL_NAMES: readonly string[] = HOST_SIGNALS.map((s) => s.name)

const indexOf = (name: string): number => {
  const index = SIGNAL_NAMES.indexOf(name)
  if (index < 0) throw new Error(`not on the list of host signals: ${name}`)
  return index
}
const CPU_BUSY = indexOf('cpu_busy')
const CPU_IOWAIT = indexOf('cpu_iowait')
const CPU_STEAL = indexOf('cpu_steal')
const CPU_BUSIEST_CORE = indexOf('cpu_busiest_core')
const LOAD_PER_CORE = indexOf('load_per_core')
const MEMORY_USED = indexOf('memory_used')
const SWAP_USED = indexOf('swap_used')
const DISK_BUSY = indexOf('disk_busy')
const FILESYSTEM_USED = indexOf('filesystem_used')
const INODES_USED = indexOf('inodes_used')
const TCP_RETRANSMIT = indexOf('tcp_retransmit')
const FILE_DESCRIPTORS_USED = indexOf('file_descriptors_used')
const PRESSURE_CPU_SOME = indexOf('pressure_cpu_some')
const PRESSURE_MEMORY_SOME = indexOf('pressure_memory_some')
const PRESSURE_MEMORY_FULL = indexOf('pressure_memory_full')
const PRESSURE_IO_SOME = indexOf('pressure_io_some')
const PRESSURE_IO_FULL = indexOf('pressure_io_full')
const PROBE_FAILED = indexOf('probe_failed')
const DISK_READ = indexOf('disk_read')
const DISK_WRITE = indexOf('disk_write')
const SWAP_IO = indexOf('swap_io')
const NETWORK_RECEIVE = indexOf('network_receive')
const NETWORK_TRANSMIT = indexOf('network_transmit')
const CONTEXT_SWITCHES = indexOf('context_switches')
const INTERRUPTS = indexOf('interrupts')
const FORKS = indexOf('forks')
const MAJOR_PAGE_FAULTS = indexOf('major_page_faults')
const NETWORK_ERRORS = indexOf('network_errors')
const DISK_LATENCY = indexOf('disk_latency')
export const RESPONSE_TIME = indexOf('response_time')
const EVENT_LOOP_DELAY = indexOf('event_loop_delay')
const PROCESSES_RUNNING = indexOf('processes_running')
const PROCESSES_BLOCKED = indexOf('processes_blocked')
const PROCESSES_ZOMBIE = indexOf('processes_zombie')
const TCP_CONNECTIONS = indexOf('tcp_connections')
const TEMPERATURE = indexOf('temperature')

/** Writes the present signals of a row of `intervalSeconds` into `row`. */
export function readSignals(
  { cpu, memory, disk, network: net, service }: Parts,
  profile: HostProfile,
  d: Disturbance,
  intervalSeconds: number,
  mask: Uint8Array,
  row: Float64Array,
  random: Random,
): void {
  // Counts are read every two seconds, from some sources every ten only.
  const k = Math.max(1, Math.round(intervalSeconds / 2))
  const slow = Math.max(1, Math.round(intervalSeconds / 10))
  const set = (index: number, value: number) => {
    if (mask[index] === 1) row[index] = value
  }
  set(CPU_BUSY, cpu.busy)
  set(CPU_IOWAIT, cpu.iowait)
  set(CPU_STEAL, cpu.steal)
  set(CPU_BUSIEST_CORE, cpu.busiest)
  set(LOAD_PER_CORE, cpu.loadPerCore)
  set(MEMORY_USED, memory.used)
  set(SWAP_USED, memory.swapUsed)
  set(DISK_BUSY, disk.busy)
  set(FILESYSTEM_USED, disk.fullest)
  set(INODES_USED, disk.fewestInodes)
  set(TCP_RETRANSMIT, net.retransmit)
  set(FILE_DESCRIPTORS_USED, service.handles)
  set(PRESSURE_CPU_SOME, cpu.pressure)
  set(PRESSURE_MEMORY_SOME, memory.some)
  set(PRESSURE_MEMORY_FULL, memory.full)
  const waiting = disk.blocked > 1e-4 ? clamp((1 - Math.exp(-0.7 * disk.blocked)) * jitter(random, 0.08), 0, 1) : 0
  set(PRESSURE_IO_SOME, waiting)
  set(PRESSURE_IO_FULL, clamp(waiting * (1 - cpu.busy) * jitter(random, 0.05) * 0.9, 0, waiting))
  set(PROBE_FAILED, service.probeFailed)
  set(DISK_READ, disk.read)
  set(DISK_WRITE, disk.write)
  set(SWAP_IO, memory.swapIo)
  set(NETWORK_RECEIVE, net.receive)
  set(NETWORK_TRANSMIT, net.transmit)
  set(CONTEXT_SWITCHES, cpu.context)
  set(INTERRUPTS, cpu.interrupts)
  set(FORKS, cpu.forks)
  set(MAJOR_PAGE_FAULTS, memory.majorFaults)
  set(NETWORK_ERRORS, net.errors)
  set(DISK_LATENCY, disk.latency)
  // The time of the probes that were answered; where none was, `row` keeps the last one.
  if (service.answered || Number.isNaN(row[RESPONSE_TIME] as number)) set(RESPONSE_TIME, service.responseTime)
  set(EVENT_LOOP_DELAY, service.eventLoopDelay)
  set(PROCESSES_RUNNING, cpu.running)
  set(PROCESSES_BLOCKED, meanCount(random, disk.blocked + memory.full * 3, k))
  set(PROCESSES_ZOMBIE, profile.cpu.zombies + meanCount(random, 0.0008 + d.zombies, slow))
  set(TCP_CONNECTIONS, Math.round((net.connections + 0.15 * Math.sqrt(net.connections) * random.normal()) * k) / k)
  set(TEMPERATURE, Math.round((cpu.temperature + 0.25 * random.normal()) * slow) / slow)
}

export function readResources(
  { disk }: Parts,
  profile: HostProfile,
  mask: Uint8Array,
  row: Float64Array,
): SimulatedResource[] {
  const resources: SimulatedResource[] = [
    { resource: 'memory', used: row[MEMORY_USED] as number, capacity: profile.memoryBytes, unit: 'bytes' },
  ]
  if (mask[SWAP_USED] === 1) {
    resources.push({ resource: 'swap', used: row[SWAP_USED] as number, capacity: profile.swapBytes, unit: 'bytes' })
  }
  if (mask[FILE_DESCRIPTORS_USED] === 1) {
    const used = row[FILE_DESCRIPTORS_USED] as number
    resources.push({ resource: 'file_descriptors', used, capacity: profile.handles.limit, unit: 'handles' })
  }
  for (const { profile: mount, used, inodes } of disk.mounts) {
    resources.push({ resource: `filesystem:${mount.path}`, used, capacity: mount.bytes, unit: 'bytes' })
    if (mask[INODES_USED] === 1) {
      resources.push({ resource: `inodes:${mount.path}`, used: inodes, capacity: mount.inodes, unit: 'inodes' })
    }
  }
  return resources
}
