/** The spread of hosts: from the virtual machine that sleeps all day to the build server that never does. */
import type { Random } from '../random.ts'
import { between, chance, clamp, DAY, GIB, HOUR, KIB, logUniform, MIB } from './draw.ts'
import type { HostProfile, MountProfile, Role } from './profile.ts'
import { randomJobs } from './random-jobs.ts'

type Range = readonly [number, number]

/** Ranges that differ by role; drawn uniformly in the logarithm. */
interface RoleRanges {
  /** Share of hosts. */
  readonly weight: number
  readonly cores: readonly number[]
  readonly gibPerCore: Range
  /** Utilisation at the usual peak, all cores. */
  readonly peak: Range
  readonly requests: Range
  /** Bytes a second per busy core at the peak. */
  readonly receive: Range
  readonly transmit: Range
  readonly read: Range
  readonly write: Range
  readonly connections: Range
  /** Shares of memory at rest and added at the peak. */
  readonly memory: Range
  readonly memoryLoad: Range
  /** Level at night as a share of the peak. */
  readonly night: Range
  readonly bursts: Range
  readonly deploys: Range
}

// biome-ignore format: a table of ranges
const RANGES: Readonly<Record<Role, RoleRanges>> = {
  web: {
    weight: 0.22, cores: [1, 2, 2, 4, 4, 8, 16], gibPerCore: [1, 4], peak: [0.03, 0.7], requests: [2, 2000],
    receive: [5e4, 2e6], transmit: [2e5, 2e7], read: [100, 2e5], write: [5e3, 5e5], connections: [10, 3000],
    memory: [0.15, 0.7], memoryLoad: [0.005, 0.12], night: [0.06, 0.7], bursts: [0.5, 40], deploys: [0.02, 1.5],
  },
  database: {
    weight: 0.15, cores: [2, 4, 4, 8, 16, 32, 64], gibPerCore: [2, 8], peak: [0.03, 0.6], requests: [20, 5000],
    receive: [5e4, 3e6], transmit: [1e5, 8e6], read: [1e4, 2e7], write: [1e5, 1e7], connections: [10, 800],
    memory: [0.3, 0.85], memoryLoad: [0.002, 0.05], night: [0.08, 0.8], bursts: [0.5, 20], deploys: [0.01, 0.1],
  },
  batch: {
    weight: 0.1, cores: [2, 4, 8, 16, 32, 64], gibPerCore: [1, 8], peak: [0.005, 0.15], requests: [0.2, 20],
    receive: [1e4, 2e6], transmit: [1e4, 2e6], read: [1e3, 2e6], write: [1e4, 2e6], connections: [5, 100],
    memory: [0.08, 0.4], memoryLoad: [0.002, 0.05], night: [0.3, 1], bursts: [0.3, 10], deploys: [0.01, 0.3],
  },
  cache: {
    weight: 0.08, cores: [1, 2, 4, 8, 16], gibPerCore: [4, 16], peak: [0.02, 0.35], requests: [50, 20000],
    receive: [2e5, 1e7], transmit: [5e5, 4e7], read: [10, 1e4], write: [1e3, 3e5], connections: [20, 5000],
    memory: [0.3, 0.75], memoryLoad: [0.002, 0.04], night: [0.1, 0.7], bursts: [0.5, 20], deploys: [0.01, 0.1],
  },
  build: {
    weight: 0.1, cores: [2, 4, 8, 16, 32], gibPerCore: [1, 4], peak: [0.005, 0.1], requests: [0.1, 10],
    receive: [1e4, 1e6], transmit: [5e3, 5e5], read: [1e3, 5e5], write: [1e4, 1e6], connections: [4, 80],
    memory: [0.06, 0.35], memoryLoad: [0.002, 0.05], night: [0.02, 0.3], bursts: [1, 20], deploys: [0.01, 0.2],
  },
  idle: {
    weight: 0.25, cores: [1, 1, 2, 2, 2, 4, 8], gibPerCore: [0.5, 12], peak: [0.0002, 0.015], requests: [0.01, 2],
    receive: [1e3, 2e5], transmit: [1e3, 2e5], read: [1, 1e4], write: [10, 2e5], connections: [2, 40],
    memory: [0.007, 0.5], memoryLoad: [0.0005, 0.01], night: [0.3, 1], bursts: [0.1, 6], deploys: [0.005, 0.05],
  },
  desktop: {
    weight: 0.1, cores: [2, 4, 4, 8, 12, 16], gibPerCore: [1, 4], peak: [0.02, 0.35], requests: [0.3, 20],
    receive: [1e4, 2e6], transmit: [3e3, 3e5], read: [1e4, 3e6], write: [2e4, 2e6], connections: [10, 200],
    memory: [0.15, 0.6], memoryLoad: [0.02, 0.15], night: [0.003, 0.1], bursts: [10, 120], deploys: [0.05, 0.6],
  },
}

/** A realistic host: a role drawn by its share among hosts unless one is asked for. */
export function randomProfile(random: Random, role: Role = drawRole(random)): HostProfile {
  const r = RANGES[role]
  const draw = (range: Range) => logUniform(random, range[0], range[1])
  const cores = random.choice(r.cores)
  const memoryBytes = Math.round(clamp(cores * draw(r.gibPerCore), 0.5, 512) * 8) * (GIB / 8)
  const peakCores = cores * draw(r.peak)
  const quiet = role === 'idle'
  const capacity = random.choice(quiet ? [1.25e7, 1.25e8, 1.25e8] : [1.25e8, 1.25e8, 1.25e9, 3.1e9])
  // A request costs no less than 30 microseconds, else the wheel would turn without weight.
  const requestsPeak = Math.min(draw(r.requests), peakCores / 3e-5)
  const rotating = chance(random, quiet || role === 'cache' ? 0.05 : 0.15)
  const bandwidth = rotating ? logUniform(random, 8e7, 2e8) : logUniform(random, 1e8, 3e9)
  const virtual = chance(random, quiet ? 0.95 : 0.75)
  const probe = chance(random, quiet ? 0.15 : 0.55) ? 'service' : 'loopback'
  const limit = chance(random, 0.45) ? 2 ** 63 : Math.round(memoryBytes / KIB / 10)
  const idleHandles = Math.min(logUniform(random, 400, quiet ? 2500 : 12_000), limit / 10)
  const operationBytes = logUniform(random, 6, 64) * KIB
  const operations = rotating ? between(random, 90, 220) : Math.max(2000, bandwidth / logUniform(random, 6e3, 5e4))
  // The usual peak leaves the disk and the card at most half full, as hosts that live are.
  const ioPeak = Math.min(bandwidth * 0.35, operations * operationBytes * 0.35)
  return {
    role,
    cores,
    memoryBytes,
    swapBytes: chance(random, 0.45)
      ? Math.round(Math.min(memoryBytes / GIB, random.choice([0.5, 1, 2, 4, 8])) * GIB)
      : 0,
    pressure: chance(random, 0.8),
    temperature: chance(random, virtual ? 0.04 : 0.85)
      ? { rest: between(random, 28, 52), rise: between(random, 12, 40) }
      : null,
    steal: virtual && chance(random, 0.5) ? logUniform(random, 1e-5, 8e-3) : 0,
    absent: [
      ...(chance(random, 0.03) ? ['disk_read', 'disk_write', 'disk_busy', 'disk_latency'] : []),
      ...(chance(random, 0.06) ? ['inodes_used'] : []),
    ],
    probe,
    demand: {
      timeZoneSeconds: Math.round(between(random, -11, 12)) * HOUR,
      night: draw(r.night),
      peakHour: role === 'desktop' || role === 'build' ? between(random, 10, 16) : between(random, 10, 22),
      secondPeak: chance(random, 0.4) ? between(random, 0.2, 0.8) : 0,
      sharpness: between(random, 0.8, 3),
      weekend: chance(random, 0.2) ? between(random, 0.9, 1.3) : between(random, role === 'build' ? 0.05 : 0.25, 0.95),
      noise: [
        { sd: between(random, 0.03, 0.12), tau: DAY },
        { sd: between(random, 0.03, 0.15), tau: between(random, 1, 4) * HOUR },
        { sd: between(random, 0.03, 0.2), tau: between(random, 120, 1200) },
        { sd: logUniform(random, 0.03, 0.3), tau: between(random, 10, 60) },
      ],
      burstsPerDay: draw(r.bursts),
      requestsPeak,
    },
    cpu: {
      idleCores: quiet
        ? cores * logUniform(random, 0.001, 0.012)
        : Math.max(0.002, cores * logUniform(random, 0.001, 0.02)),
      peakCores,
      imbalance: between(random, 1.1, 2.2),
      wakeSeconds: logUniform(random, 5e-6, 1.2e-4),
      contextIdle: quiet ? logUniform(random, 25, 900) : logUniform(random, 150, 2500) * Math.sqrt(cores),
      contextPerRequest: logUniform(random, 3, 40),
      interruptsIdle: quiet ? logUniform(random, 18, 500) : logUniform(random, 100, 1200) * Math.sqrt(cores),
      interruptsPerRequest: logUniform(random, 1, 12),
      forksIdle: logUniform(random, 0.02, quiet ? 2 : 8),
      forksPeak: chance(random, 0.15) && !quiet ? logUniform(random, 1, 60) : logUniform(random, 0.01, 0.5),
      zombies: chance(random, 0.06) ? 1 + random.integer(3) : 0,
    },
    memory: {
      base: draw(r.memory),
      load: draw(r.memoryLoad),
      sawtooth: chance(random, 0.5) ? logUniform(random, quiet ? 5e-4 : 0.003, quiet ? 0.01 : 0.12) : 0,
      sawtoothSeconds: logUniform(random, 40, 6 * HOUR),
      warm:
        role === 'cache' ? between(random, 0.05, 0.18) : logUniform(random, quiet ? 5e-4 : 0.005, quiet ? 0.02 : 0.08),
      warmSeconds: logUniform(random, 600, role === 'cache' ? 12 * HOUR : 2 * HOUR),
      coldSwap: chance(random, 0.5) ? 0 : logUniform(random, 0.001, 0.4),
      faultsIdle: logUniform(random, 1e-4, 0.2),
    },
    disk: {
      bandwidth,
      operations,
      latency: rotating ? between(random, 0.004, 0.012) : logUniform(random, 1e-4, 2e-3),
      readPeak: Math.min(peakCores * draw(r.read), ioPeak),
      writePeak: Math.min(peakCores * draw(r.write), ioPeak),
      flushes: quiet ? logUniform(random, 0.03, 1.5) : logUniform(random, 0.1, 6),
      flushBytes: logUniform(random, 4, 24) * KIB,
      operationBytes,
    },
    network: {
      capacity,
      receivePeak: Math.min(peakCores * draw(r.receive), capacity * 0.45),
      transmitPeak: Math.min(peakCores * draw(r.transmit), capacity * 0.45),
      idlePackets: chance(random, quiet ? 0.15 : 0) ? 0 : logUniform(random, 0.05, quiet ? 12 : 30),
      idlePacketBytes: between(random, 60, 220),
      retransmit:
        probe === 'service' || chance(random, 0.3) ? logUniform(random, 1e-5, 8e-3) : logUniform(random, 1e-6, 1e-4),
      drops: chance(random, 0.12) ? logUniform(random, 0.005, 1) : 0,
    },
    service: {
      probeSeconds: probe === 'loopback' ? logUniform(random, 0.0004, 0.003) : logUniform(random, 0.002, 0.25),
      probeVariation: between(random, 0.05, 0.5),
      timeoutSeconds: 5,
      eventLoopSeconds: logUniform(random, 5e-5, 1.5e-3),
      usualErrors: probe === 'service' && chance(random, 0.6) ? logUniform(random, 1e-6, 3e-4) : 0,
      connectionsIdle: Math.round(logUniform(random, 2, quiet ? 20 : 60)),
      connectionsPeak: draw(r.connections),
      diskShare: role === 'database' ? between(random, 1, 6) : between(random, 0, 1),
    },
    mounts: randomMounts(random, role),
    handles: { limit, idle: idleHandles, perConnection: between(random, 1, 3) },
    jobs: randomJobs(random, role, { cores, memoryBytes, bandwidth, capacity, peakCores }),
    deploys: {
      perDay: draw(r.deploys),
      restartSeconds: logUniform(random, 2, 45),
      warmSeconds: logUniform(random, 30, 600),
    },
  }
}

function drawRole(random: Random): Role {
  let rest = random.uniform()
  for (const [role, { weight }] of Object.entries(RANGES)) {
    rest -= weight
    if (rest < 0) return role as Role
  }
  return 'idle'
}

function randomMounts(random: Random, role: Role): MountProfile[] {
  const paths = random.choice([['/'], ['/'], ['/var', '/'], ['/data', '/'], ['/srv', '/var', '/']])
  return paths.map((path, index) => {
    const bytes = logUniform(random, index === 0 ? 8 : 6, role === 'database' && index === 0 ? 4000 : 300) * GIB
    const cleanAt = between(random, 0.5, 0.88)
    const used = between(random, 0.05, cleanAt)
    return {
      path,
      bytes: Math.round(bytes / MIB) * MIB,
      inodes: Math.round(bytes / (16 * KIB)),
      used,
      inodesUsed: clamp(used * logUniform(random, 0.02, 1.5), 0.001, 0.85),
      growthPerDay:
        index === 0 ? logUniform(random, 2e-4, role === 'idle' ? 5e-3 : 0.04) : logUniform(random, 1e-5, 2e-3),
      cleanAt,
      cleanTo: cleanAt * between(random, 0.4, 0.9),
    }
  })
}
