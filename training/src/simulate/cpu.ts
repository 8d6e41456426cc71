/** Cores: who wants them, who waits, what the kernel counts while it serves them. */
import type { Random } from '../random.ts'
import { clamp, jitter, meanCount, Ou, poisson } from './draw.ts'
import type { Disturbance } from './faults.ts'
import type { HostProfile } from './profile.ts'

/** Ticks a second in which the kernel accounts CPU time. */
const TICKS = 100
/** Seconds a runnable task waits for its turn behind each other one on its core. */
export const SLICE = 0.004
/** Organic demand stays below this share of the cores; jobs are throttled to what is left. */
const ORGANIC = 0.88

export interface CpuInput {
  /** Level of the work served, and requests per second. */
  readonly served: number
  readonly requests: number
  /** Factor on the cost of a request while the service is cold. */
  readonly cold: number
  readonly jobCores: number
  readonly single: number
  readonly jobForks: number
  readonly operations: number
  readonly blocked: number
  readonly bytes: number
  readonly packets: number
  /** Share of time in which tasks wait for memory instead of running. */
  readonly stalled: number
}

export class Cpu {
  busy = 0
  iowait = 0
  steal = 0
  busiest = 0
  loadPerCore = 0
  /** Means of readings. */
  running = 0
  /** Share of time in which some task waits for a core. */
  pressure = 0
  /** Per second. */
  context = 0
  interrupts = 0
  forks = 0
  temperature: number
  /** Mean wait in units of the service time (Sakasegawa 1977), tasks in the way on each core, and seconds of work behind. */
  queue = 0
  crowd = 0
  backlog = 0
  /** Organic demand as a share of what is left of the cores. */
  utilisation = 0

  readonly #profile: HostProfile
  readonly #interval: number
  readonly #samples: number
  readonly #exponent: number
  readonly #remember: number
  readonly #steal: Ou
  #load: number

  constructor(profile: HostProfile, intervalSeconds: number, random: Random) {
    this.#profile = profile
    this.#interval = intervalSeconds
    this.#samples = Math.max(1, Math.round(intervalSeconds / 2))
    this.#exponent = Math.sqrt(2 * (profile.cores + 1)) - 1
    this.#remember = Math.exp(-intervalSeconds / 60)
    this.#steal = new Ou({ sd: 0.8, tau: 400 }, intervalSeconds, random)
    this.#load = profile.cpu.idleCores
    this.temperature = profile.temperature?.rest ?? 0
  }

  step(input: CpuInput, d: Disturbance, random: Random): void {
    const { cores, cpu, steal, temperature } = this.#profile
    const dt = this.#interval
    const organic = Math.min(
      cpu.idleCores * jitter(random, 0.2) +
        cpu.peakCores * input.served * input.cold * jitter(random, 0.03) +
        input.bytes / 4e9 +
        input.operations * 8e-6 +
        d.forks * 2e-4,
      cores * ORGANIC * jitter(random, 0.01),
    )
    const jobs = Math.min(input.jobCores, Math.max(0.02 * cores, cores * 0.97 - organic))
    const wanted = organic + jobs + d.cores

    const noise = steal > 0 ? steal * Math.exp(this.#steal.step(random)) * (0.2 + wanted / cores) : 0
    const ticks = cores * dt * TICKS
    const stolen = Math.min(0.95, noise + d.steal * Math.min(1, 0.25 + (1.5 * wanted) / cores))
    this.steal = meanTicks(random, stolen, ticks)
    // What others take is missing whether it shows as stolen or not.
    const available = Math.max(0.03 * cores, cores * (1 - Math.max(noise, d.steal))) * (1 - 0.8 * input.stalled)
    const used = Math.min(wanted, available)
    this.busy = clamp(meanTicks(random, used / cores, ticks), 0, 1 - this.steal)
    const waiting = 1 - Math.exp((-0.8 * input.blocked) / cores)
    this.iowait = meanTicks(random, Math.max(0, 1 - this.busy - this.steal) * waiting, ticks)
    const pinned =
      1 -
      (1 - Math.min(1, this.busy * cpu.imbalance * jitter(random, 0.08))) * (1 - input.single * 0.9) * (1 - d.pinned)
    this.busiest =
      cores === 1 ? this.busy : clamp(Math.round(Math.max(pinned, this.busy) * dt * TICKS) / (dt * TICKS), this.busy, 1)

    // Jobs run at low priority and hinder the service by a part of what they take.
    this.crowd = d.tasks / cores
    this.utilisation = (organic + 0.3 * jobs + d.cores * 0.5) / available
    const u = Math.min(this.utilisation, 0.985)
    const waits = u ** this.#exponent
    this.queue = waits / (cores * (1 - u))
    this.backlog = clamp(this.backlog + (this.utilisation - 1) * dt * (this.utilisation > 1 ? 0.3 : 1), 0, 30)

    const late = Math.min(this.backlog * 2, 12) * cores
    const runnable =
      used +
      Math.min(this.queue * organic, 3 * cores) +
      d.tasks +
      late +
      Math.max(0, d.cores - (available - organic)) * 0.5
    this.running = 1 + meanCount(random, runnable, this.#samples)
    const readings = Math.max(1, Math.round(dt / 5))
    const seen = meanCount(random, runnable + input.blocked, readings)
    this.#load = this.#load * this.#remember + seen * (1 - this.#remember)
    this.loadPerCore = Math.round(this.#load * 100) / 100 / cores

    this.forks = poisson(random, (cpu.forksIdle + cpu.forksPeak * input.served + input.jobForks + d.forks) * dt) / dt
    const contended = Math.min(cores, Math.max(0, runnable - used)) * 120
    const context =
      cpu.contextIdle +
      input.requests * cpu.contextPerRequest +
      used * 60 +
      input.operations * 2 +
      input.packets * 0.4 +
      this.forks * 12 +
      contended
    this.context = Math.round(context * jitter(random, 0.05) * dt) / dt
    const interrupts =
      cpu.interruptsIdle +
      input.requests * cpu.interruptsPerRequest +
      used * 250 +
      input.operations +
      input.packets * 0.3 +
      this.forks * 4
    this.interrupts = Math.round(interrupts * jitter(random, 0.04) * dt) / dt

    const crowded = 1 - Math.exp(-Math.max(0, runnable - used) / cores - 0.5 * d.steal)
    const brief = 0.35 * (1 - Math.exp((-context * cpu.wakeSeconds * jitter(random, 0.3)) / 0.35))
    this.pressure = clamp(
      1 - (1 - brief) * (1 - crowded) * (1 - Math.min(0.9, (used / cores) ** 2 * 0.5 * waits)),
      0,
      1,
    )
    if (temperature !== null) {
      const aim = temperature.rest + temperature.rise * this.busy ** 0.8
      this.temperature += (aim - this.temperature) * (1 - Math.exp(-dt / 80))
    }
  }
}

/** A share of time counted in whole ticks, rounded up or down by chance. */
function meanTicks(random: Random, share: number, ticks: number): number {
  return share <= 0 ? 0 : Math.floor(share * ticks + random.uniform()) / ticks
}
