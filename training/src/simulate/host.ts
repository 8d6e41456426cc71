/**
 * One simulated host, row by row. Causes first (work, jobs, faults), then the parts of the machine in the order in which
 * they act on each other; the signals are read off at the end, as the kernel and the probes would show them.
 *
 * The same profile, random stream and interval give the same rows. What is said of hosts in general is said of simulated
 * ones only: the ranges come from Linux servers at hand, not from a survey.
 */
import { HOST_SIGNALS } from '@portent/core'
import type { Random } from '../random.ts'
import { Cpu } from './cpu.ts'
import { Demand } from './demand.ts'
import { Disk } from './disk.ts'
import { between, chance, clamp, DAY, exponential, jitter, meanCount, poisson } from './draw.ts'
import { type Conditions, FailureWatch } from './failures.ts'
import {
  type Disturbance,
  FAILURE_KINDS,
  type FailureKind,
  type FaultKind,
  type FaultPlan,
  FaultRun,
  neutral,
  planFault,
  possibleFaults,
} from './faults.ts'
import { Jobs } from './jobs.ts'
import { Memory } from './memory.ts'
import { Network } from './network.ts'
import { absentSignals, type HostProfile } from './profile.ts'
import { Service } from './service.ts'

export interface HostOptions {
  /** Length of a row in seconds; 10 by default. */
  readonly intervalSeconds?: number
  /** Unix ms at which the first row begins; 2026-01-05 00:00 UTC, a Monday, by default. */
  readonly startsAt?: number
  /** Faults that begin in a day of health; 0 by default. One at a time. */
  readonly faultsPerDay?: number
  /** Only these are drawn; every fault that the host can have by default. */
  readonly faultKinds?: readonly FaultKind[]
}

export interface SimulatedResource {
  readonly resource: string
  /** 0-1. */
  readonly used: number
  readonly capacity?: number
  readonly unit?: 'bytes' | 'inodes' | 'handles'
}

export interface Truth {
  readonly fault: FaultKind | null
  /** 0-1. */
  readonly severity: number
  /** Rows since the onset, 0 in the first and without a fault. */
  readonly sinceRows: number
  readonly failed: boolean
  readonly failureKind: FailureKind | null
}

export interface SimulatedRow {
  /** End of the row, Unix ms. */
  readonly at: number
  /** Present signals only; `response_time` is absent in a row in which no probe was answered. */
  readonly values: Record<string, number>
  readonly resources: readonly SimulatedResource[]
  readonly truth: Truth
}

export const DEFAULT_START = Date.UTC(2026, 0, 5)
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
const RESPONSE_TIME = indexOf('response_time')
const EVENT_LOOP_DELAY = indexOf('event_loop_delay')
const PROCESSES_RUNNING = indexOf('processes_running')
const PROCESSES_BLOCKED = indexOf('processes_blocked')
const PROCESSES_ZOMBIE = indexOf('processes_zombie')
const TCP_CONNECTIONS = indexOf('tcp_connections')
const TEMPERATURE = indexOf('temperature')

/** A share of a capacity that nobody can use the rest of. */
const FULL = 0.9999
/** Times the usual, from which a time to answer counts as blown up. */
const BLOWN_UP = 6

export class SimulatedHost {
  readonly profile: HostProfile
  readonly intervalSeconds: number
  /** 1 = present, in the order of the closed list. */
  readonly mask: Uint8Array
  /**
   * Every signal of the last row in the order of the closed list; NaN = the host lacks it. Where no probe was answered,
   * the last time of an answer stays.
   */
  readonly row = new Float64Array(HOST_SIGNALS.length).fill(Number.NaN)

  readonly #random: Random
  readonly #faultRandom: Random
  readonly #samples: number
  readonly #demand: Demand
  readonly #jobs: Jobs
  readonly #memory: Memory
  readonly #disk: Disk
  readonly #network: Network
  readonly #cpu: Cpu
  readonly #service: Service
  readonly #watch = new FailureWatch()
  readonly #faultsPerDay: number
  readonly #faultKinds: readonly FaultKind[]
  /** Unix seconds. */
  #now: number
  #nextFault: number
  #nextDeploy: number
  #restartUntil = 0
  #planned = false
  #cold = 0
  #slow = 1
  #unanswered = false
  #handles = 0
  #run: FaultRun | null = null
  #since = 0
  #severity = 0
  #failure: FailureKind | null = null
  readonly #conditions = Object.fromEntries(FAILURE_KINDS.map((k) => [k, false])) as Conditions

  constructor(profile: HostProfile, random: Random, options: HostOptions = {}) {
    const { intervalSeconds = 10, startsAt = DEFAULT_START, faultsPerDay = 0 } = options
    if (!(intervalSeconds > 0)) throw new RangeError(`interval of ${intervalSeconds} s: must be above 0`)
    this.profile = profile
    this.intervalSeconds = intervalSeconds
    this.#random = random.fork('rows')
    this.#faultRandom = random.fork('faults')
    this.#samples = Math.max(1, Math.round(intervalSeconds / 2))
    const start = startsAt / 1000
    this.#now = start
    this.#demand = new Demand(profile.demand, intervalSeconds, start, this.#random)
    this.#jobs = new Jobs(profile.jobs, profile.demand.timeZoneSeconds, intervalSeconds, start, this.#random)
    this.#memory = new Memory(profile, intervalSeconds, this.#random)
    this.#disk = new Disk(profile, intervalSeconds)
    this.#network = new Network(profile, intervalSeconds)
    this.#cpu = new Cpu(profile, intervalSeconds, this.#random)
    this.#service = new Service(profile, intervalSeconds)
    this.#faultsPerDay = faultsPerDay
    const possible = possibleFaults(profile)
    this.#faultKinds = (options.faultKinds ?? possible).filter((k) => possible.includes(k))
    this.#nextFault = this.#drawFault(start)
    this.#nextDeploy = start + exponential(this.#random, DAY / profile.deploys.perDay)
    const absent = absentSignals(profile)
    this.mask = Uint8Array.from(SIGNAL_NAMES, (name) => (absent.has(name) ? 0 : 1))
    // The first rows fill what has a memory: load average, connections, temperature.
    for (let t = 0; t < 20 * 60; t += intervalSeconds) this.#advance(start)
  }

  /** Unix ms at the end of the last row. */
  get at(): number {
    return Math.round(this.#now * 1000)
  }

  get truth(): Truth {
    return {
      fault: this.#run?.plan.kind ?? null,
      severity: this.#severity,
      sinceRows: this.#since,
      failed: this.#failure !== null,
      failureKind: this.#failure,
    }
  }

  /** Starts a fault with the next row, in place of one in progress. What `fixed` names is not left to chance. */
  inject(kind: FaultKind, fixed: Partial<Omit<FaultPlan, 'kind'>> = {}): FaultPlan {
    const plan = planFault(kind, this.#faultRandom, fixed)
    this.#begin(plan)
    return plan
  }

  /** Ends the fault in progress: it recovers over the release time of its plan. */
  stopFault(): void {
    this.#run?.release(this.#now)
  }

  /** The next row. */
  next(): SimulatedRow {
    this.step()
    const values: Record<string, number> = {}
    for (let i = 0; i < SIGNAL_NAMES.length; i++) {
      if (this.mask[i] === 1 && !(i === RESPONSE_TIME && this.#unanswered))
        values[SIGNAL_NAMES[i] as string] = this.row[i] as number
    }
    return { at: this.at, values, resources: this.#resources(), truth: this.truth }
  }

  /** Advances by a row; the values are in {@link row}, the truth in {@link truth}. */
  step(): void {
    this.#now += this.intervalSeconds
    if (this.#run === null && this.#now >= this.#nextFault) {
      this.#begin(planFault(this.#faultRandom.choice(this.#faultKinds), this.#faultRandom))
    }
    this.#advance(this.#now)
  }

  #begin(plan: FaultPlan): void {
    const mount = this.#disk.mounts[0]
    this.#run = new FaultRun(plan, this.#now - this.intervalSeconds, {
      ...this.#memory.room(),
      filesystem: 1 - (mount?.own ?? 0),
      inodes: 1 - (mount?.ownInodes ?? 0),
      handles: 1 - this.#handles,
    })
    this.#since = -1
  }

  #drawFault(from: number): number {
    if (this.#faultsPerDay <= 0 || this.#faultKinds.length === 0) return Number.POSITIVE_INFINITY
    return from + exponential(this.#faultRandom, DAY / this.#faultsPerDay)
  }

  #advance(now: number): void {
    const { profile, intervalSeconds: dt } = this
    const random = this.#random
    const d = neutral()
    if (this.#run?.ended(now)) {
      this.#run = null
      this.#nextFault = this.#drawFault(now)
    }
    this.#since = this.#run === null ? 0 : this.#since + 1
    this.#severity = this.#run?.severity(now) ?? 0
    if (this.#run !== null) this.#run.spec.disturb(d, this.#severity, this.#run.plan.variant, profile, this.#run.room)

    const level = this.#demand.step(now, random) * d.demand
    const fault = this.#run
    if (now >= this.#nextDeploy) this.#deploy(now, level)
    const restarting = clamp((this.#restartUntil - (now - dt)) / dt, 0, 1)
    const up = (1 - restarting) * (1 - d.down)
    // Few requests come unevenly.
    const expected = level * profile.demand.requestsPeak * dt
    const requests = expected > 400 ? expected : poisson(random, expected)
    const served = expected > 0 ? (level * requests * up) / expected : 0
    this.#cold *= Math.exp(-dt / profile.deploys.warmSeconds)

    const jobs = this.#jobs.step(now, level, random)
    this.#memory.step(served, jobs.memoryBytes, d, random)
    if (this.#memory.exhausted && fault !== null && !fault.released) {
      // The kernel kills the process that grew, or the host starves until somebody ends it.
      if (fault.plan.variant < 0.75) {
        fault.kill(now)
        if (fault.plan.variant < 0.5) this.#restart(now, between(random, 20, 120), false)
      }
    }
    this.#disk.step(served, this.#cold, jobs, this.#memory, d, random)
    this.#network.step(served, this.#slow, jobs, d, random)
    const net = this.#network
    const disk = this.#disk
    this.#cpu.step(
      {
        served,
        requests: (requests * up) / dt,
        cold: 1 + 0.6 * this.#cold,
        jobCores: jobs.cores,
        single: jobs.single,
        jobForks: jobs.forks + (restarting > 0 ? 8 : 0),
        operations: disk.operations,
        blocked: disk.blocked,
        bytes: disk.read + disk.write + net.receive + net.transmit,
        packets: net.packets,
        stalled: this.#memory.full,
      },
      d,
      random,
    )
    this.#read(d, restarting)
  }

  #deploy(now: number, level: number): void {
    this.#nextDeploy = now + exponential(this.#random, DAY / this.profile.deploys.perDay)
    // People deploy when they are awake, as the work shows.
    if (chance(this.#random, clamp(level, 0.05, 1))) this.#restart(now, this.profile.deploys.restartSeconds, true)
  }

  #restart(now: number, seconds: number, planned: boolean): void {
    this.#planned = planned
    this.#restartUntil = now + seconds
    this.#cold = 1
    this.#memory.restart(this.#random)
    this.#network.restart()
  }

  /** Reads the signals off the parts, and the truth about failures. */
  #read(d: Disturbance, restarting: number): void {
    const { profile, row } = this
    const random = this.#random
    const k = this.#samples
    // Some sources are read every ten seconds only.
    const slow = Math.max(1, Math.round(this.intervalSeconds / 10))
    const cpu = this.#cpu
    const memory = this.#memory
    const disk = this.#disk
    const net = this.#network
    const service = this.#service
    const { limit, idle, perConnection } = profile.handles
    this.#handles = Math.min(0.9, Math.round((idle + perConnection * net.connections) * jitter(random, 0.004)) / limit)
    const handles = Math.min(1, this.#handles + d.handles)
    let fullest = 0
    let inodes = 0
    for (const mount of disk.mounts) {
      if (mount.used > fullest) fullest = mount.used
      if (mount.inodes > inodes) inodes = mount.inodes
    }
    const first = disk.mounts[0]
    const spaceOut = first !== undefined && first.used >= FULL
    const inodesOut = first !== undefined && first.inodes >= FULL
    // No new connection without a file handle; without space or inodes only what is written fails.
    const unwritten = profile.role === 'database' ? 0.85 : 0.3
    const refused = handles >= FULL ? 0.95 : spaceOut || inodesOut ? unwritten : 0
    service.step(cpu, disk, memory, restarting, this.#cold, refused, d, random)

    const conditions = this.#conditions
    const thrashing = memory.full > 0.3
    conditions.memory_exhausted = memory.exhausted || (thrashing && memory.swapIo === 0)
    conditions.filesystem_full = spaceOut
    conditions.inodes_full = inodesOut
    conditions.swap_thrash = thrashing && memory.swapIo > 0
    const overrun = Math.max(cpu.busy + cpu.steal, cpu.utilisation) > 0.97 && service.slowByCpu > BLOWN_UP
    conditions.cpu_saturated = overrun && !thrashing
    const behind = disk.utilisation > 0.97 && (service.slowByDisk > BLOWN_UP || disk.expectedLatency > 0.25)
    conditions.io_saturated = behind && !thrashing
    conditions.network_lost = d.loss >= 0.6
    // A restart that somebody planned is no failure.
    conditions.service_down = service.failing >= 0.5 && !(restarting > 0 && this.#planned)
    this.#failure = this.#watch.step(conditions, this.intervalSeconds)

    const set = (index: number, value: number) => {
      if (this.mask[index] === 1) row[index] = value
    }
    set(CPU_BUSY, cpu.busy)
    set(CPU_IOWAIT, cpu.iowait)
    set(CPU_STEAL, cpu.steal)
    set(CPU_BUSIEST_CORE, cpu.busiest)
    set(LOAD_PER_CORE, cpu.loadPerCore)
    set(MEMORY_USED, memory.used)
    set(SWAP_USED, memory.swapUsed)
    set(DISK_BUSY, disk.busy)
    set(FILESYSTEM_USED, fullest)
    set(INODES_USED, inodes)
    set(TCP_RETRANSMIT, net.retransmit)
    set(FILE_DESCRIPTORS_USED, handles)
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
    this.#unanswered = service.probeFailed === 1
    if (!this.#unanswered || Number.isNaN(row[RESPONSE_TIME] as number)) set(RESPONSE_TIME, service.responseTime)
    set(EVENT_LOOP_DELAY, service.eventLoopDelay)
    set(PROCESSES_RUNNING, cpu.running)
    set(PROCESSES_BLOCKED, meanCount(random, disk.blocked + memory.full * 3, k))
    set(PROCESSES_ZOMBIE, profile.cpu.zombies + meanCount(random, 0.0008 + d.zombies, slow))
    set(TCP_CONNECTIONS, Math.round((net.connections + 0.15 * Math.sqrt(net.connections) * random.normal()) * k) / k)
    set(TEMPERATURE, Math.round((cpu.temperature + 0.25 * random.normal()) * slow) / slow)
    this.#slow = service.slow
  }

  #resources(): SimulatedResource[] {
    const { profile, row, mask } = this
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
    for (const { profile: mount, used, inodes } of this.#disk.mounts) {
      resources.push({ resource: `filesystem:${mount.path}`, used, capacity: mount.bytes, unit: 'bytes' })
      if (mask[INODES_USED] === 1) {
        resources.push({ resource: `inodes:${mount.path}`, used: inodes, capacity: mount.inodes, unit: 'inodes' })
      }
    }
    return resources
  }
}
