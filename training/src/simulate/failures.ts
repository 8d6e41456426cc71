/** Ground truth of failures: conditions a person on call would name, held long enough to be one. */
import { type Disturbance, FAILURE_KINDS, type FailureKind } from './faults.ts'
import type { Parts } from './readings.ts'

/** From where on those who run a host speak of a failure. */
export interface Tolerance {
  /** Times the usual, from which a time to answer counts as blown up. */
  readonly slower: number
  /** Share of the requests that fail. */
  readonly failing: number
  /** Share of the segments that are lost. */
  readonly loss: number
  /** Factor on the seconds for which a condition must hold. */
  readonly patience: number
}

export const STRICT: Tolerance = { slower: 6, failing: 0.5, loss: 0.6, patience: 1 }

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
  readonly #tolerance: Tolerance
  #kind: FailureKind | null = null

  constructor(tolerance: Tolerance = STRICT) {
    this.#tolerance = tolerance
  }

  /**
   * The failure in progress at the end of a row of `seconds`, or null. The first one to be reached keeps its name.
   * `planned`: the service is being restarted on purpose.
   */
  step({ cpu, memory, disk, service }: Parts, d: Disturbance, planned: boolean, seconds: number): FailureKind | null {
    const conditions = this.#conditions
    const { slower, failing, loss, patience } = this.#tolerance
    const thrashing = memory.full > 0.3
    conditions.memory_exhausted = memory.exhausted || (thrashing && memory.swapIo === 0)
    conditions.filesystem_full = disk.spaceOut
    conditions.inodes_full = disk.inodesOut
    conditions.swap_thrash = thrashing && memory.swapIo > 0
    const overrun = Math.max(cpu.busy + cpu.steal, cpu.utilisation) > 0.97 && service.slowByCpu > slower
    conditions.cpu_saturated = overrun && !thrashing
    const behind = disk.utilisation > 0.97 && (service.slowByDisk > slower || disk.expectedLatency > 0.25)
    conditions.io_saturated = behind && !thrashing
    conditions.network_lost = d.loss >= loss
    conditions.service_down = service.failing >= failing && !planned
    let reached: FailureKind | null = null
    for (let i = 0; i < FAILURE_KINDS.length; i++) {
      const kind = FAILURE_KINDS[i] as FailureKind
      if (conditions[kind]) {
        this.#held[i] = (this.#held[i] as number) + seconds
        this.#clear[i] = 0
        if (reached === null && (this.#held[i] as number) >= SUSTAIN[kind] * patience) reached = kind
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
