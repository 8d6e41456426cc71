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
import { between, chance, clamp, DAY, exponential, poisson } from './draw.ts'
import { FailureWatch, type Tolerance } from './failures.ts'
import { type FaultPlan, FaultRun, planFault } from './fault-run.ts'
import { type FailureKind, type FaultKind, faultSpec, neutral, possibleFaults } from './faults.ts'
import { Jobs } from './jobs.ts'
import { Memory } from './memory.ts'
import { Network } from './network.ts'
import { absentSignals, type HostProfile } from './profile.ts'
import {
  type Parts,
  RESPONSE_TIME,
  readResources,
  readSignals,
  SIGNAL_NAMES,
  type SimulatedResource,
} from './readings.ts'
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
  /** What counts as a failure; strict by default. */
  readonly tolerance?: Tolerance
}

export interface Truth {
  readonly fault: FaultKind | null
  /** 0-1. */
  readonly severity: number
  /** Rows since the onset, 0 in the first and without a fault. */
  readonly sinceRows: number
  /** May outlast the fault by 90 seconds: that long the host must be well again. */
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
  readonly #demand: Demand
  readonly #jobs: Jobs
  readonly #memory: Memory
  readonly #disk: Disk
  readonly #network: Network
  readonly #cpu: Cpu
  readonly #service: Service
  readonly #parts: Parts
  readonly #watch: FailureWatch
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
  #run: FaultRun | null = null
  #since = 0
  #severity = 0
  #failure: FailureKind | null = null

  constructor(profile: HostProfile, random: Random, options: HostOptions = {}) {
    const { intervalSeconds = 10, startsAt = DEFAULT_START, faultsPerDay = 0 } = options
    if (!(intervalSeconds > 0)) throw new RangeError(`interval of ${intervalSeconds} s: must be above 0`)
    this.profile = profile
    this.intervalSeconds = intervalSeconds
    this.#random = random.fork('rows')
    this.#faultRandom = random.fork('faults')
    const start = startsAt / 1000
    this.#now = start
    this.#demand = new Demand(profile.demand, intervalSeconds, start, this.#random)
    this.#jobs = new Jobs(profile.jobs, profile.demand.timeZoneSeconds, intervalSeconds, start, this.#random)
    this.#memory = new Memory(profile, intervalSeconds, this.#random)
    this.#disk = new Disk(profile, intervalSeconds)
    this.#network = new Network(profile, intervalSeconds)
    this.#cpu = new Cpu(profile, intervalSeconds, this.#random)
    this.#service = new Service(profile, intervalSeconds)
    this.#parts = {
      cpu: this.#cpu,
      memory: this.#memory,
      disk: this.#disk,
      network: this.#network,
      service: this.#service,
    }
    this.#faultsPerDay = faultsPerDay
    this.#watch = new FailureWatch(options.tolerance)
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

  /**
   * Starts a fault with the next row, in place of one in progress. What `fixed` names is not left to chance.
   * Throws a RangeError where the host cannot have it (no swap to thrash, say).
   */
  inject(kind: FaultKind, fixed: Partial<Omit<FaultPlan, 'kind'>> = {}): FaultPlan {
    if (faultSpec(kind).possible?.(this.profile) === false)
      throw new RangeError(`this host cannot have the fault ${kind}`)
    const plan = planFault(kind, this.#faultRandom, fixed)
    this.#begin(plan, this.#now)
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
      if (this.mask[i] === 1 && (i !== RESPONSE_TIME || this.#service.answered))
        values[SIGNAL_NAMES[i] as string] = this.row[i] as number
    }
    return {
      at: this.at,
      values,
      resources: readResources(this.#parts, this.profile, this.mask, this.row),
      truth: this.truth,
    }
  }

  /** Advances by a row; the values are in {@link row}, the truth in {@link truth}. */
  step(): void {
    this.#now += this.intervalSeconds
    if (this.#run === null && this.#now >= this.#nextFault) {
      const kind = this.#faultRandom.choice(this.#faultKinds)
      this.#begin(planFault(kind, this.#faultRandom), this.#now - this.intervalSeconds)
    }
    this.#advance(this.#now)
  }

  #begin(plan: FaultPlan, onset: number): void {
    const mount = this.#disk.mounts[0]
    this.#run = new FaultRun(plan, onset, {
      ...this.#memory.room(),
      filesystem: 1 - (mount?.own ?? 0),
      inodes: 1 - (mount?.ownInodes ?? 0),
      handles: 1 - this.#service.ownHandles,
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
    const restarting =
      clamp((this.#restartUntil - (now - dt)) / dt, 0, 1) * (this.#planned ? (profile.deploys.share ?? 1) : 1)
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
    this.#service.step(this.#cpu, disk, this.#memory, net, restarting, this.#cold, d, random)
    this.#slow = this.#service.slow
    // A restart that somebody planned is no failure.
    const planned = restarting > 0 && this.#planned
    this.#failure = this.#watch.step(this.#parts, d, planned, dt)
    readSignals(this.#parts, profile, d, dt, this.mask, this.row, random)
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
}
