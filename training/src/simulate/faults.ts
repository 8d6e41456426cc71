/**
 * The faults, one entry each. A fault changes causes (memory held, cores wanted, segments lost), never signals: what the
 * signals show, and whether the host fails, follows from the host.
 */
import { clamp, HOUR, MIB } from './draw.ts'
import { type HostProfile, limited } from './profile.ts'

// biome-ignore format: a list
export const FAULT_KINDS = [
  'memory_leak', 'disk_filling', 'inode_exhaustion', 'cpu_runaway', 'io_saturation', 'network_loss', 'error_burst',
  'service_down', 'swap_thrash', 'fork_storm', 'workload_stopped', 'fd_leak', 'noisy_neighbour',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** The stated events that count as a failure of the host. */
// biome-ignore format: a list
export const FAILURE_KINDS = [
  'memory_exhausted', 'filesystem_full', 'inodes_full', 'swap_thrash', 'cpu_saturated', 'io_saturated', 'network_lost',
  'service_down',
] as const
export type FailureKind = (typeof FAILURE_KINDS)[number]

/** What faults do to the causes during one row. Neutral values: 1 for factors, 0 for the rest. */
export interface Disturbance {
  /** Factor on the work that arrives. */
  demand: number
  /** Cores wanted by tasks that are not the host's work, tasks that wait beside them, and the share of one pinned core. */
  cores: number
  tasks: number
  pinned: number
  forks: number
  zombies: number
  /** Share of the memory held, and how much of it is touched all the time (0-1). */
  memory: number
  hot: number
  /** Shares of the first mount taken. */
  fill: number
  inodes: number
  /** Bytes per second of further disk work, and a factor on what the disk can do. */
  read: number
  write: number
  diskSpeed: number
  /** Share of segments lost, interface errors per second. */
  loss: number
  networkErrors: number
  /** Share of answers that are errors, share of the service that is gone, factor on its time to answer. */
  errors: number
  down: number
  slow: number
  connections: number
  /** Share of the file handle limit. */
  handles: number
  steal: number
  /** Not a byte passes the network, or reaches the disk. */
  networkSilent: boolean
  diskSilent: boolean
}

export function neutral(): Disturbance {
  // biome-ignore format: a list
  return {
    demand: 1, cores: 0, tasks: 0, pinned: 0, forks: 0, zombies: 0, memory: 0, hot: 0, fill: 0, inodes: 0, read: 0, write: 0,
    diskSpeed: 1, loss: 0, networkErrors: 0, errors: 0, down: 0, slow: 1, connections: 0, handles: 0, steal: 0, networkSilent: false, diskSilent: false,
  }
}

/** What was free at the onset, as shares of the capacity (memory counts swap): a severity of 1 takes a little more. */
export interface Headroom {
  readonly memory: number
  readonly ram: number
  readonly filesystem: number
  readonly inodes: number
  readonly handles: number
}

export type Shape = 'linear' | 'accelerating' | 'steps' | 'sudden'
type Range = readonly [number, number]

export interface FaultSpec {
  readonly kind: FaultKind
  readonly about: string
  /** Failure events that it can end in; empty: it always ends in recovery. */
  readonly failures: readonly FailureKind[]
  /** Seconds from the onset to full severity, drawn uniformly in the logarithm. */
  readonly leadSeconds: Range
  readonly shapes: readonly Shape[]
  /** Whether a host can have it. */
  readonly possible?: (profile: HostProfile) => boolean
  /** `s`: severity 0-1 (1 = full); `v`: what distinguishes one case from another, 0-1, fixed for a run. */
  readonly disturb: (d: Disturbance, s: number, v: number, profile: HostProfile, room: Headroom) => void
}

/** Taken of what is free at full severity: enough to end in failure although load falls at night. */
const OVERSHOOT = 1.06
const MINUTE = 60

export const FAULTS: readonly FaultSpec[] = [
  {
    kind: 'memory_leak',
    about: 'a process holds more and more memory until the kernel kills it or the host starves',
    failures: ['memory_exhausted', 'swap_thrash', 'service_down'],
    leadSeconds: [8 * MINUTE, 36 * HOUR],
    shapes: ['linear', 'linear', 'accelerating', 'steps'],
    disturb: (d, s, _v, _p, room) => {
      d.memory += s * (room.memory * OVERSHOOT + 0.03)
      d.hot = 0.02
    },
  },
  {
    kind: 'disk_filling',
    about: 'a log, a dump or a forgotten job fills a file system',
    failures: ['filesystem_full', 'service_down'],
    leadSeconds: [10 * MINUTE, 40 * HOUR],
    shapes: ['linear', 'linear', 'accelerating', 'steps'],
    disturb: (d, s, _v, _p, room) => {
      d.fill += s * (room.filesystem * OVERSHOOT + 0.01)
    },
  },
  {
    kind: 'inode_exhaustion',
    about: 'a flood of small files (sessions, a mail queue, a cache without limit)',
    failures: ['inodes_full', 'service_down'],
    leadSeconds: [20 * MINUTE, 40 * HOUR],
    shapes: ['linear', 'accelerating'],
    possible: (p) => !p.absent.includes('inodes_used'),
    disturb: (d, s, v, _p, room) => {
      d.inodes += s * (room.inodes * OVERSHOOT + 0.01)
      d.fill += s * room.filesystem * 0.3 * v
    },
  },
  {
    kind: 'cpu_runaway',
    about: 'a loop that never ends: one core, or thread after thread until all cores are taken',
    failures: ['cpu_saturated', 'service_down'],
    leadSeconds: [5 * MINUTE, 2 * HOUR],
    shapes: ['linear', 'linear', 'steps', 'steps', 'sudden'],
    disturb: (d, s, v, { cores }) => {
      if (v < 0.35) {
        d.pinned = Math.max(d.pinned, Math.min(1, s * 4))
        d.cores += Math.min(1, s * 4)
        return
      }
      d.cores += cores * s * 1.1
      d.pinned = Math.max(d.pinned, Math.min(1, s * 2))
      d.tasks += cores * s * s * (6 + 10 * v)
    },
  },
  {
    kind: 'io_saturation',
    about: 'more disk work than the disk can do, or a disk that does less and less',
    failures: ['io_saturated', 'service_down'],
    leadSeconds: [5 * MINUTE, 3 * HOUR],
    shapes: ['linear', 'linear', 'accelerating', 'steps', 'steps', 'sudden'],
    disturb: (d, s, v, { disk }) => {
      const share = s * (1.2 + v) * Math.min(disk.bandwidth, disk.operations * 256 * 1024)
      d.read += share * v
      d.write += share * (1 - v)
      d.diskSpeed *= 1 - 0.9 * s * s * (v > 0.5 ? 1 : 0.5)
    },
  },
  {
    kind: 'network_loss',
    about: 'segments are lost on a bad link until nothing passes',
    failures: ['network_lost', 'service_down'],
    leadSeconds: [5 * MINUTE, 2 * HOUR],
    shapes: ['linear', 'linear', 'accelerating', 'steps', 'steps', 'sudden'],
    disturb: (d, s, v) => {
      d.loss = Math.max(d.loss, s < 0.9 ? 0.6 * s * s : 0.6 * s * s + (s - 0.9) * 5)
      d.networkErrors += s * (2 + 60 * v)
    },
  },
  {
    kind: 'error_burst',
    about: 'the service answers with errors: a bad release, a broken dependency',
    failures: ['service_down'],
    leadSeconds: [2 * MINUTE, HOUR],
    shapes: ['linear', 'steps', 'sudden'],
    disturb: (d, s, v, { disk }) => {
      d.errors = Math.max(d.errors, s * (0.15 + 0.6 * v))
      // A broken dependency is waited for; a bad release fails fast. Either is written to a log.
      d.slow *= v > 0.5 ? 1 + 6 * s : 1 - 0.4 * s
      d.write += s * Math.min(disk.bandwidth * 0.05, 2 * MIB)
      d.demand *= 1 - 0.3 * s
    },
  },
  {
    kind: 'service_down',
    about: 'the service grows slow, fails now and then, and is gone',
    failures: ['service_down'],
    leadSeconds: [5 * MINUTE, 2 * HOUR],
    shapes: ['linear', 'linear', 'accelerating', 'accelerating', 'sudden'],
    disturb: (d, s, v, p) => {
      d.slow *= 1 + 8 * s * s
      d.connections += s < 0.95 ? s * p.service.connectionsPeak * 0.5 : 0
      d.errors = Math.max(d.errors, 0.25 * s * s)
      d.cores += s < 0.95 ? s * v * p.cpu.peakCores * 0.4 : 0
      d.down = Math.max(d.down, s < 0.95 ? 0 : 1)
    },
  },
  {
    kind: 'swap_thrash',
    about: 'more memory in use than there is, and all of it in use',
    failures: ['swap_thrash', 'memory_exhausted', 'service_down'],
    leadSeconds: [5 * MINUTE, 3 * HOUR],
    shapes: ['linear', 'accelerating', 'steps'],
    possible: (p) => p.swapBytes >= p.memoryBytes * 0.05,
    disturb: (d, s, v, p, room) => {
      const swap = p.swapBytes / p.memoryBytes
      d.memory += s * (room.ram + Math.min(swap * 0.75, 0.15 + 0.3 * v))
      d.hot = Math.max(d.hot, 0.5 + 0.5 * v)
    },
  },
  {
    kind: 'fork_storm',
    about: 'processes that start processes',
    failures: ['cpu_saturated', 'memory_exhausted', 'service_down'],
    leadSeconds: [MINUTE, 45 * MINUTE],
    shapes: ['accelerating', 'linear', 'linear', 'sudden'],
    disturb: (d, s, v, { cores }, room) => {
      d.forks += s * cores * (150 + 900 * v)
      d.cores += cores * s * 0.9
      d.tasks += cores * s * s * (5 + 15 * v)
      d.memory += s * room.ram * 0.4 * v
      d.zombies += s * 40 * v * v
    },
  },
  {
    kind: 'workload_stopped',
    about:
      'the work no longer arrives: a stopped consumer, a removed route; no error, only silence on the network, the disk or both',
    failures: [],
    leadSeconds: [5, 120],
    shapes: ['sudden', 'linear'],
    disturb: (d, s, v) => {
      d.demand *= s > 0.98 ? 0 : 1 - s
      d.networkSilent = s > 0.98 && v < 0.55
      d.diskSilent = s > 0.98 && v > 0.4
    },
  },
  {
    kind: 'fd_leak',
    about: 'files and sockets are opened and never closed',
    failures: ['service_down'],
    leadSeconds: [30 * MINUTE, 24 * HOUR],
    shapes: ['linear', 'accelerating'],
    possible: limited,
    disturb: (d, s, v, p, room) => {
      d.handles += s * (room.handles * OVERSHOOT + 0.01)
      d.connections += v > 0.5 ? s * Math.min(p.handles.limit * 0.5, 20_000) : 0
      d.memory += s * 0.04 * v
    },
  },
  {
    kind: 'noisy_neighbour',
    about: 'other guests of the same hypervisor take the cores',
    failures: ['cpu_saturated', 'service_down'],
    leadSeconds: [MINUTE, HOUR],
    shapes: ['linear', 'steps', 'sudden'],
    possible: (p) => p.temperature === null,
    disturb: (d, s, v) => {
      d.steal = clamp(d.steal + s * (0.15 + 0.7 * v), 0, 0.95)
    },
  },
]

const SPECS: ReadonlyMap<FaultKind, FaultSpec> = new Map(FAULTS.map((f) => [f.kind, f]))

export function faultSpec(kind: FaultKind): FaultSpec {
  const spec = SPECS.get(kind)
  if (spec === undefined) throw new RangeError(`no such fault: ${kind} (known: ${FAULT_KINDS.join(', ')})`)
  return spec
}

export function possibleFaults(profile: HostProfile): FaultKind[] {
  return FAULTS.filter((f) => f.possible?.(profile) ?? true).map((f) => f.kind)
}
