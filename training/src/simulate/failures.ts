/** Ground truth of failures: conditions a person on call would name, held long enough to be one. */
import { type Disturbance, FAILURE_KINDS, type FailureKind } from './faults.ts'
import type { Parts } from './readings.ts'

/** Times the usual, from which a time to answer counts as blown up. */
const BLOWN_UP = 6

/** Seconds for which a condition must hold before it is a failure. */
const SUSTAIN: Readonly<Record<FailureKind, number>> = {
  memory_exhausted: 0,
  filesystem_full: 0,
  inodes_full: 0,
  swap_thrash: 60,
  cpu_saturated: 60,
  io_saturated: 60,
  network_lost: 30,
  service_down: 30,
}

/** A condition that was a failure is over once it has been absent for this long, seconds. */
const CLEAR = 90

export class FailureWatch {
  readonly #held = new Float64Array(FAILURE_KINDS.length)
  readonly #clear = new Float64Array(FAILURE_KINDS.length)
  readonly #conditions = Object.fromEntries(FAILURE_KINDS.map((k) => [k, false])) as Record<FailureKind, boolean>
  #kind: FailureKind | null = null

  /**
   * The failure in progress at the end of a row of `seconds`, or null. The first one to be reached keeps its name.
   * `planned`: the service is being restarted on purpose.
   */
  step({ cpu, memory, disk, service }: Parts, d: Disturbance, planned: boolean, seconds: number): FailureKind | null {
    const conditions = this.#conditions
    const thrashing = memory.full > 0.3
    conditions.memory_exhausted = memory.exhausted || (thrashing && memory.swapIo === 0)
    conditions.filesystem_full = disk.spaceOut
    conditions.inodes_full = disk.inodesOut
    conditions.swap_thrash = thrashing && memory.swapIo > 0
    const overrun = Math.max(cpu.busy + cpu.steal, cpu.utilisation) > 0.97 && service.slowByCpu > BLOWN_UP
    conditions.cpu_saturated = overrun && !thrashing
    const behind = disk.utilisation > 0.97 && (service.slowByDisk > BLOWN_UP || disk.expectedLatency > 0.25)
    conditions.io_saturated = behind && !thrashing
    conditions.network_lost = d.loss >= 0.6
    conditions.service_down = service.failing >= 0.5 && !planned
    let reached: FailureKind | null = null
    for (let i = 0; i < FAILURE_KINDS.length; i++) {
      const kind = FAILURE_KINDS[i] as FailureKind
      if (conditions[kind]) {
        this.#held[i] = (this.#held[i] as number) + seconds
        this.#clear[i] = 0
        if (reached === null && (this.#held[i] as number) >= SUSTAIN[kind]) reached = kind
      } else {
        this.#clear[i] = (this.#clear[i] as number) + seconds
        this.#held[i] = 0
      }
    }
    if (this.#kind === null) this.#kind = reached
    else if ((this.#clear[FAILURE_KINDS.indexOf(this.#kind)] as number) >= CLEAR) this.#kind = reached
    return this.#kind
  }
}
