/** Disks and file systems: bytes, operations, queueing, blocked tasks; growth and clean-up of every mount. */
import type { Random } from '../random.ts'
import { clamp, DAY, jitter, pareto, poisson } from './draw.ts'
import type { Disturbance } from './faults.ts'
import type { JobLoad } from './jobs.ts'
import type { Memory } from './memory.ts'
import type { HostProfile, MountProfile } from './profile.ts'

/** Bytes of one request of a job that reads or writes in sequence. */
const SEQUENTIAL = 256 * 1024
const BLOCK = 4096
/** From here on nothing more fits. */
export const FULL = 0.9999
/** Organic work stays below this share of what the disk can do. */
const ORGANIC = 0.7

export interface Mount {
  readonly profile: MountProfile
  /** Shares, organic and with what a fault took. */
  own: number
  ownInodes: number
  used: number
  inodes: number
  cleaning: boolean
}

export class Disk {
  /** Bytes per second. */
  read = 0
  write = 0
  /** Requests per second. */
  operations = 0
  /** Work asked for as a share of what the disk can do; above 1 it falls behind. */
  utilisation = 0
  busy = 0
  /** Seconds a request; 0 in a row without any. */
  latency = 0
  /** What a request would take, whether there was one or not. */
  expectedLatency: number
  /** Mean number of tasks that wait for the disk. */
  blocked = 0
  readonly mounts: readonly Mount[]

  readonly #profile: HostProfile
  readonly #interval: number

  constructor(profile: HostProfile, intervalSeconds: number) {
    this.#profile = profile
    this.#interval = intervalSeconds
    this.expectedLatency = profile.disk.latency
    this.mounts = profile.mounts.map((m) => ({
      profile: m,
      own: m.used,
      ownInodes: m.inodesUsed,
      used: m.used,
      inodes: m.inodesUsed,
      cleaning: false,
    }))
  }

  /** `cold`: 0-1, how much of what a warm cache would serve is read from disk. */
  step(level: number, cold: number, jobs: JobLoad, memory: Memory, d: Disturbance, random: Random): void {
    const { disk } = this.#profile
    const dt = this.#interval
    this.#fill(level, jobs.scratch, d, random)

    const weight = (disk.operationBytes / disk.bandwidth + 1 / disk.operations) / disk.operationBytes
    const reading = disk.readPeak * level * (1 + 4 * cold)
    const writing = disk.writePeak * level
    // Whoever runs a host gives it a disk that its own work does not fill.
    const fits = Math.min(1, ORGANIC / Math.max(1e-12, (reading + writing) * weight))
    const readOps = poisson(random, (reading * fits * dt) / disk.operationBytes)
    const writeOps = poisson(random, (writing * fits * dt) / disk.operationBytes)
    const flushes = poisson(random, disk.flushes * dt)
    // Now and then one flush carries all that was held back.
    const held = flushes === 0 ? 0 : flushes + Math.min(pareto(random, 1.4), 800) - 1
    const flushed = Math.min(held * disk.flushBytes, 0.1 * disk.bandwidth * dt)
    // Jobs take what the work leaves: they run at low priority.
    const own =
      (reading + writing) * fits * weight + disk.flushes * (1 / disk.operations + disk.flushBytes / disk.bandwidth)
    const asked = (jobs.read + jobs.write) * (1 / SEQUENTIAL / disk.operations + 1 / disk.bandwidth)
    const granted = asked > 0 ? Math.min(1, Math.max(0.03, 0.85 - own) / asked) : 1
    const sequentialRead = (jobs.read * granted + d.read) * dt
    const sequentialWrite = (jobs.write * granted + d.write) * dt
    const paging = (memory.swapIo + memory.readBack) * dt
    let read = readOps * disk.operationBytes * jitter(random, 0.05) + sequentialRead + paging * 0.6
    let write = writeOps * disk.operationBytes * jitter(random, 0.05) + flushed + sequentialWrite + paging * 0.4
    if (this.spaceOut || this.inodesOut) write *= 0.15
    if (d.diskSilent) read = write = 0
    let n = d.diskSilent
      ? 0
      : readOps + writeOps + flushes + (sequentialRead + sequentialWrite) / SEQUENTIAL + paging / 16_384

    const speed = d.diskSpeed
    const utilisation = (n / disk.operations + (read + write) / disk.bandwidth) / (dt * speed)
    if (utilisation > 1) {
      read /= utilisation
      write /= utilisation
      n /= utilisation
    }
    this.utilisation = utilisation
    this.read = (Math.round(read / BLOCK) * BLOCK) / dt
    this.write = (Math.round(write / BLOCK) * BLOCK) / dt
    n = Math.ceil(n)
    this.operations = n / dt
    // The queue of a single server, and past its capacity the queue that the tasks in flight can build up.
    const u = Math.min(utilisation, 0.97)
    const queue = (u * u) / (1 - u) + Math.max(0, utilisation - 0.97) * 60
    this.expectedLatency = Math.min(2.5, (disk.latency / speed) * (1 + Math.min(queue, 120)) * jitter(random, 0.08))
    // The kernel counts whole milliseconds.
    this.latency = n === 0 ? 0 : Math.round(this.expectedLatency * 1000 * n + random.uniform() - 0.5) / 1000 / n
    const busy = utilisation < 0.5 ? utilisation : 1 - 0.5 * Math.exp(1 - 2 * utilisation)
    this.busy = n === 0 ? 0 : clamp(Math.round(busy * dt * 1000 * jitter(random, 0.04)) / (dt * 1000), 0, 1)
    // Little's law over the requests that somebody waits for: reads, and a third of the writes.
    this.blocked = Math.min(64, this.operations * this.expectedLatency * (read > write ? 0.8 : 0.35))
  }

  /** Used share of the fullest mount, and of the inodes of the one closest to running out. */
  get fullest(): number {
    return this.mounts.reduce((most, { used }) => Math.max(most, used), 0)
  }

  get fewestInodes(): number {
    return this.mounts.reduce((most, { inodes }) => Math.max(most, inodes), 0)
  }

  /** Whether the first mount has no space, or no inodes. */
  get spaceOut(): boolean {
    return (this.mounts[0]?.used ?? 0) >= FULL
  }

  get inodesOut(): boolean {
    return (this.mounts[0]?.inodes ?? 0) >= FULL
  }

  /** Grows every mount; faults fill the first. */
  #fill(level: number, scratch: number, d: Disturbance, random: Random): void {
    for (let i = 0; i < this.mounts.length; i++) {
      const mount = this.mounts[i] as Mount
      const { profile } = mount
      const grown = (profile.growthPerDay * level * this.#interval) / DAY
      // Files come in lumps: what is added in a row is exponential around its mean.
      const share = grown * -Math.log(1 - random.uniform())
      mount.own += share
      mount.ownInodes = Math.min(0.9, mount.ownInodes + share * 0.3)
      if (mount.own >= profile.cleanAt) mount.cleaning = true
      if (mount.cleaning) {
        const gone = Math.min(mount.own - profile.cleanTo, (this.#interval / 600) * (profile.cleanAt - profile.cleanTo))
        mount.own -= Math.max(0, gone)
        mount.ownInodes = Math.max(0.001, mount.ownInodes - Math.max(0, gone) * 0.3)
        if (mount.own <= profile.cleanTo + 1e-9) mount.cleaning = false
      }
      const block = BLOCK / profile.bytes
      mount.used = Math.min(1, Math.ceil((mount.own + (i === 0 ? d.fill + scratch : 0)) / block) * block)
      mount.inodes = Math.min(
        1,
        Math.ceil((mount.ownInodes + (i === 0 ? d.inodes : 0)) * profile.inodes) / profile.inodes,
      )
    }
  }
}
