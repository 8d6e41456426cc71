/** What a simulated host is: its hardware, its work and its habits. A profile is plain data and never changes. */
import type { Fluctuation } from './draw.ts'

export const ROLES = ['web', 'database', 'batch', 'cache', 'build', 'idle', 'desktop'] as const
export type Role = (typeof ROLES)[number]

export interface HostProfile {
  readonly role: Role
  readonly cores: number
  readonly memoryBytes: number
  /** 0 = no swap: `swap_used` and `swap_io` are absent. */
  readonly swapBytes: number
  /** Whether the kernel tells pressure stall information. */
  readonly pressure: boolean
  /** Celsius at rest, and the rise with every core busy; null = no sensor. */
  readonly temperature: { readonly rest: number; readonly rise: number } | null
  /** Mean share stolen by other guests; 0 on bare metal. */
  readonly steal: number
  /** Further signals that this host does not have. */
  readonly absent: readonly string[]
  /** loopback: the probe asks the monitor itself. service: it asks the host's own service over the network. */
  readonly probe: 'loopback' | 'service'
  readonly demand: DemandProfile
  readonly cpu: CpuProfile
  readonly memory: MemoryProfile
  readonly disk: DiskProfile
  readonly network: NetworkProfile
  readonly service: ServiceProfile
  /** At least one; the first is the one that faults fill. */
  readonly mounts: readonly MountProfile[]
  readonly handles: { readonly limit: number; readonly idle: number; readonly perConnection: number }
  readonly jobs: readonly JobProfile[]
  readonly deploys: {
    readonly perDay: number
    readonly restartSeconds: number
    readonly warmSeconds: number
    /** Share of the requests that fail while it restarts: less than 1 (the default) where parts of it take turns. */
    readonly share?: number
  }
}

/** How much work arrives: 1 = the usual peak of a working day. */
export interface DemandProfile {
  /** Local clock minus UTC. */
  readonly timeZoneSeconds: number
  /** Level at the quietest hour, as a share of the peak. */
  readonly night: number
  /** Local hour of the peak, and the weight (0-1) of a second, smaller one 8 hours before. */
  readonly peakHour: number
  readonly secondPeak: number
  /** Narrowness of the day's hump: 1 = a sine, higher = shorter days. */
  readonly sharpness: number
  /** Level of Saturday and Sunday as a share of a working day. */
  readonly weekend: number
  readonly noise: readonly Fluctuation[]
  readonly burstsPerDay: number
  /** Requests per second at the peak: fewer requests make rougher rows. */
  readonly requestsPeak: number
}

export interface CpuProfile {
  /** Cores busy without any work, and with the peak of it. */
  readonly idleCores: number
  readonly peakCores: number
  /** How far the busiest core stands above the mean of all. */
  readonly imbalance: number
  /** Mean wait of a woken task for a core that is nearly free. */
  readonly wakeSeconds: number
  readonly contextIdle: number
  readonly contextPerRequest: number
  readonly interruptsIdle: number
  readonly interruptsPerRequest: number
  readonly forksIdle: number
  readonly forksPeak: number
  /** Zombies that nobody reaps, for as long as the host is up. */
  readonly zombies: number
}

/** Shares of the memory. */
export interface MemoryProfile {
  readonly base: number
  readonly load: number
  /** Height and period (at full load, seconds) of the garbage collector's sawtooth. */
  readonly sawtooth: number
  readonly sawtoothSeconds: number
  /** What a cold service regains after a restart, and how long it takes. */
  readonly warm: number
  readonly warmSeconds: number
  /** Share of the swap that holds pages nobody asks for. */
  readonly coldSwap: number
  readonly faultsIdle: number
}

/** Bytes and operations per second. */
export interface DiskProfile {
  readonly bandwidth: number
  readonly operations: number
  /** Seconds for one request on an idle disk. */
  readonly latency: number
  readonly readPeak: number
  readonly writePeak: number
  /** Flushes per second of an idle system, and bytes of each. */
  readonly flushes: number
  readonly flushBytes: number
  readonly operationBytes: number
}

/** Bytes per second. */
export interface NetworkProfile {
  readonly capacity: number
  readonly receivePeak: number
  readonly transmitPeak: number
  /** Packets per second of an idle system (broadcasts, clock, monitoring), and bytes of each. */
  readonly idlePackets: number
  readonly idlePacketBytes: number
  /** Share of segments sent again on the usual path. */
  readonly retransmit: number
  /** Errors and drops per second that have always been there. */
  readonly drops: number
}

export interface ServiceProfile {
  /** Seconds the probe takes on a host at rest, and its coefficient of variation. */
  readonly probeSeconds: number
  readonly probeVariation: number
  /** Seconds after which a probe counts as failed. */
  readonly timeoutSeconds: number
  readonly eventLoopSeconds: number
  /** Share of requests that fail on good days. */
  readonly usualErrors: number
  readonly connectionsIdle: number
  readonly connectionsPeak: number
  /** Weight of the disk's latency in the answer. */
  readonly diskShare: number
}

export interface MountProfile {
  readonly path: string
  readonly bytes: number
  readonly inodes: number
  /** Used shares at the start. */
  readonly used: number
  readonly inodesUsed: number
  /** Share of the capacity that a day of full demand adds. */
  readonly growthPerDay: number
  /** Above this level somebody cleans up, down to `cleanTo`. */
  readonly cleanAt: number
  readonly cleanTo: number
}

/** Work that comes by the clock or by chance, on top of the demand. Everything is per second while it runs. */
export interface JobProfile {
  readonly name: string
  /** every: period and offset in seconds of local time. perDay: by chance, more where `followsDemand`. */
  readonly schedule:
    | { readonly every: number; readonly at: number }
    | { readonly perDay: number; readonly followsDemand: boolean }
  readonly medianSeconds: number
  /** Standard deviation of the logarithm of the duration, and of its size. */
  readonly spread: number
  readonly cores: number
  readonly read: number
  readonly write: number
  readonly receive: number
  readonly transmit: number
  readonly forks: number
  readonly memoryBytes: number
  /** Share of the first mount that its files take when it is done; they go with it. */
  readonly scratch?: number
}

/** Kernels since 5.6 set the limit of file handles to the largest number there is: nothing can run out. */
export function limited({ handles }: HostProfile): boolean {
  return handles.limit < 2 ** 53
}

/** The signals of the closed list that this host lacks. */
export function absentSignals(profile: HostProfile): ReadonlySet<string> {
  const absent = new Set(profile.absent)
  if (profile.swapBytes === 0) absent.add('swap_used').add('swap_io')
  if (!limited(profile)) absent.add('file_descriptors_used')
  if (profile.temperature === null) absent.add('temperature')
  if (!profile.pressure) {
    for (const kind of ['cpu_some', 'memory_some', 'memory_full', 'io_some', 'io_full']) absent.add(`pressure_${kind}`)
  }
  return absent
}
