/** Ground truth of failures: conditions a person on call would name, held long enough to be one. */
import { FAILURE_KINDS, type FailureKind } from './faults.ts'

export type Conditions = Record<FailureKind, boolean>

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
  #kind: FailureKind | null = null

  /** The failure in progress at the end of a row of `seconds`, or null. The first one to be reached keeps its name. */
  step(conditions: Conditions, seconds: number): FailureKind | null {
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
