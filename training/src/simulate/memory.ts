/** Memory: working set, collector's sawtooth, warm caches; shortage, swapping and the out-of-memory killer. */
import type { Random } from '../random.ts'
import { clamp, HOUR, Ou, poisson } from './draw.ts'
import type { Disturbance } from './faults.ts'
import type { HostProfile } from './profile.ts'

/** The kernel starts to swap here, and kills where memory and swap together cannot hold the demand. Shares of memory. */
const SWAPPING = 0.95
const KILLING = 1
/** Organic use stays below this level, approached smoothly. */
const KNEE = 0.78
const CEILING = 0.91

export class Memory {
  /** Shares. `demand` is what is asked for, in units of the memory; `used` what /proc/meminfo shows. */
  demand = 0
  organic = 0
  used = 0
  swapUsed = 0
  /** Bytes per second. */
  swapIo = 0
  readBack = 0
  majorFaults = 0
  /** Share of time in which some task, and all tasks, wait for memory. */
  some = 0
  full = 0

  readonly #profile: HostProfile
  readonly #interval: number
  readonly #swap: number
  readonly #drift: Ou
  readonly #cold: Ou
  #load = 0
  #saw: number
  #warm = 1
  #swapped = 0
  #step = 1

  constructor(profile: HostProfile, intervalSeconds: number, random: Random) {
    this.#profile = profile
    this.#interval = intervalSeconds
    this.#swap = profile.swapBytes / profile.memoryBytes
    this.#drift = new Ou({ sd: 0.015, tau: 20 * HOUR }, intervalSeconds, random)
    this.#cold = new Ou({ sd: 0.06, tau: 30 * HOUR }, intervalSeconds, random)
    this.#saw = random.uniform()
  }

  /** A restart: caches are cold, the heap is small; a new release needs a little more or less than the old one. */
  restart(random: Random): void {
    this.#warm = 0
    this.#saw = 0
    this.#load = 0
    this.#step = clamp(this.#step * (1 + 0.02 * random.normal()), 0.92, 1.08)
  }

  /** Free shares of the memory: without and with the swap. */
  room(): { ram: number; memory: number } {
    const ram = Math.max(0.02, SWAPPING - this.organic)
    return { ram, memory: Math.max(0.02, KILLING - this.organic + this.#swap) }
  }

  get exhausted(): boolean {
    return this.demand >= KILLING + this.#swap
  }

  step(level: number, jobBytes: number, d: Disturbance, random: Random): void {
    const { memory, memoryBytes, swapBytes, disk } = this.#profile
    const dt = this.#interval
    this.#load += (level - this.#load) * (1 - Math.exp(-dt / 150))
    this.#warm += (1 - this.#warm) * (1 - Math.exp(-dt / memory.warmSeconds))
    this.#saw += (dt * (0.05 + level)) / memory.sawtoothSeconds
    if (this.#saw >= 1) this.#saw = 0.15 * random.uniform()
    const organic =
      memory.base * this.#step * (1 + this.#drift.step(random)) +
      memory.load * this.#load +
      memory.sawtooth * this.#saw +
      memory.warm * this.#warm +
      jobBytes / memoryBytes
    this.organic =
      organic <= KNEE ? organic : KNEE + (CEILING - KNEE) * (1 - Math.exp((KNEE - organic) / (CEILING - KNEE)))
    this.demand = this.organic + d.memory

    const over = Math.max(0, this.demand - SWAPPING)
    const swapped = Math.min(over, this.#swap)
    const moved = Math.abs(swapped - this.#swapped) * memoryBytes
    this.#swapped = swapped
    // Pages that are out and in use come back and push others out: the disk sets the pace.
    const cycling = Math.min(disk.bandwidth * 0.6, (d.hot * swapped * memoryBytes) / 4)
    const cold = this.#swap > 0 ? memory.coldSwap * Math.exp(this.#cold.step(random)) : 0
    const strayPages = cold > 0 ? poisson(random, 0.004 * dt * (0.2 + level)) * (1 + 20 * random.uniform()) : 0
    this.swapIo =
      swapBytes === 0 ? 0 : Math.round((Math.min(disk.bandwidth, moved / dt) + cycling) / 4096 + strayPages / dt) * 4096
    this.swapUsed = swapBytes === 0 ? 0 : Math.min(1, cold * (1 - swapped / this.#swap) + swapped / this.#swap)

    // Without room for the page cache, programs themselves are read again and again.
    const squeeze = clamp((this.demand - swapped - 0.94) / 0.055, 0, 1) ** 2
    this.used = Math.min(this.demand - swapped, 0.985 - 0.006 * random.uniform())
    const reread = squeeze * Math.min(3000, disk.operations * 0.5)
    this.readBack = reread * 32_768
    this.majorFaults =
      poisson(
        random,
        (memory.faultsIdle * (0.3 + level) + reread + this.swapIo / 8192 + (1 - this.#warm) ** 4 * 3) * dt,
      ) / dt
    const paging = Math.max(squeeze * 0.5, cycling / (disk.bandwidth * 0.6))
    const stall = paging > 0 ? 1 - Math.exp(-2.2 * paging) : moved / dt > 1e6 ? 0.01 : 0
    this.some = stall > 1e-4 ? clamp(stall * (0.9 + 0.2 * random.uniform()), 0, 1) : 0
    this.full = this.some * clamp(0.4 + 0.4 * stall, 0, 1)
  }
}
