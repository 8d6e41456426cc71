/** What the users of the host notice, and what the probes measure of it. */
import type { Random } from '../random.ts'
import { type Cpu, SLICE } from './cpu.ts'
import { type Disk, FULL } from './disk.ts'
import { clamp, jitter, meanShare, pareto } from './draw.ts'
import type { Disturbance } from './faults.ts'
import type { Memory } from './memory.ts'
import type { Network } from './network.ts'
import type { HostProfile } from './profile.ts'

/** Seconds an answer of the service takes at rest, where no probe of the profile says. */
const USUAL = 0.02
/** Seconds until a lost segment is sent again. */
const RESEND = 0.25

export class Service {
  /** How many times longer than at rest an answer takes. */
  slow = 1
  /** The same, as far as waiting for cores, and for disks, explains it. */
  slowByCpu = 1
  slowByDisk = 1
  /** Share of the requests that fail, for whatever reason. */
  failing = 0
  /** What the probes say: seconds, and the share that failed. */
  responseTime = 0
  probeFailed = 0
  eventLoopDelay = 0
  /** Shares of the file handle limit: without what a fault takes, and with it. */
  ownHandles = 0
  handles = 0

  readonly #profile: HostProfile
  readonly #samples: number

  constructor(profile: HostProfile, intervalSeconds: number) {
    this.#profile = profile
    this.#samples = Math.max(1, Math.round(intervalSeconds / 2))
  }

  /** Whether at least one probe was answered: else nobody knows how long an answer takes. */
  get answered(): boolean {
    return this.probeFailed < 1
  }

  /** `restarting`: share of the row; `cold`: 0-1, high after a restart. */
  step(
    cpu: Cpu,
    disk: Disk,
    memory: Memory,
    network: Network,
    restarting: number,
    cold: number,
    d: Disturbance,
    random: Random,
  ): void {
    const { service, probe, role, handles, disk: hardware } = this.#profile
    const { timeoutSeconds, probeSeconds } = service
    const open = handles.idle + handles.perConnection * network.connections
    this.ownHandles = Math.min(0.9, Math.round(open * jitter(random, 0.004)) / handles.limit)
    this.handles = Math.min(1, this.ownHandles + d.handles)
    // No new connection without a file handle; without space or inodes only what is written fails.
    const unwritten = disk.spaceOut || disk.inodesOut ? (role === 'database' ? 0.85 : 0.3) : 0
    const refused = this.handles >= FULL ? 0.95 : unwritten

    const base = probe === 'service' ? probeSeconds : USUAL
    const lent = 1 / (1 - Math.min(0.95, Math.max(d.steal, cpu.steal)))
    const turns = (1 + cpu.crowd) * lent
    const waits = SLICE * cpu.crowd + memory.full * memory.full * 1.5
    const stalls = 1 + 8 * memory.some + 50 * memory.full * memory.full
    const late = Math.max(0, disk.expectedLatency - 1.3 * hardware.latency)
    const answer =
      base * (1 + cpu.queue) * turns * (1 + 0.7 * cold) * d.slow * stalls +
      waits +
      late * (0.3 + service.diskShare) +
      cpu.backlog +
      (d.loss < 1 ? (RESEND * d.loss) / (1 - Math.min(0.9, d.loss)) : 0)
    this.slow = answer / base
    this.slowByCpu = (1 + cpu.queue) * turns + (SLICE * cpu.crowd + cpu.backlog) / base
    this.slowByDisk = 1 + (late * (0.3 + service.diskShare)) / base
    const timeouts = clamp(answer / timeoutSeconds - 0.5, 0, 1)
    const lost = d.loss * d.loss
    const gone = clamp(Math.max(d.down, restarting), 0, 1)
    this.failing =
      1 - (1 - d.errors) * (1 - service.usualErrors) * (1 - gone) * (1 - timeouts) * (1 - lost) * (1 - refused)

    const k = this.#samples
    const variation = service.probeVariation / Math.sqrt(k)
    const outlier = random.uniform() < 0.004 ? 1 + (pareto(random, 1.5) * 2) / k : 1
    const noise = jitter(random, variation) * outlier
    if (probe === 'service') {
      this.probeFailed = meanShare(random, this.failing > 0.999 ? 1 : this.failing, k)
      this.responseTime = Math.min(timeoutSeconds, answer * noise)
    } else {
      const own = probeSeconds * (1 + 0.5 * cpu.queue) * turns * stalls * noise + waits * 0.5
      this.probeFailed = meanShare(random, clamp(own / timeoutSeconds - 0.5, 0, 1), k)
      this.responseTime = Math.min(timeoutSeconds, own)
    }
    this.eventLoopDelay = service.eventLoopSeconds * jitter(random, 0.15) * lent + waits * 0.5
  }
}
