/** One case of a fault: drawn, then played through ramp, hold and release. */
import type { Random } from '../random.ts'
import { between, chance, clamp, HOUR, logUniform } from './draw.ts'
import { type FaultKind, type FaultSpec, faultSpec, type Headroom, type Shape } from './faults.ts'

const MINUTE = 60

/** One case of a fault: when it grows, how far, how long it stays, and how it goes. Seconds. */
export interface FaultPlan {
  readonly kind: FaultKind
  /** From the onset to full severity. */
  readonly leadSeconds: number
  /** At the top until somebody ends it. */
  readonly holdSeconds: number
  readonly releaseSeconds: number
  readonly shape: Shape
  /** Severity at the top: 1, or less in a near miss. */
  readonly peak: number
  readonly variant: number
}

/** Share of faults that stop on the way. */
const NEAR_MISSES = 0.35

/** Draws a case; whatever `fixed` names is kept. */
export function planFault(kind: FaultKind, random: Random, fixed: Partial<Omit<FaultPlan, 'kind'>> = {}): FaultPlan {
  const { leadSeconds, shapes } = faultSpec(kind)
  return {
    kind,
    leadSeconds: logUniform(random, leadSeconds[0], leadSeconds[1]),
    holdSeconds: logUniform(random, 3 * MINUTE, HOUR),
    releaseSeconds: logUniform(random, 15, 180),
    shape: random.choice(shapes),
    peak: chance(random, NEAR_MISSES) ? between(random, 0.25, 0.8) : 1,
    variant: random.uniform(),
    ...fixed,
  }
}

/** Share of the peak reached `x` (0-1) of the lead after the onset. */
function rise(shape: Shape, x: number): number {
  switch (shape) {
    case 'linear':
      return x
    case 'accelerating':
      return x ** 2.5
    case 'steps':
      return Math.ceil(x * 6) / 6
    case 'sudden':
      return x < 0.02 ? x * 50 : 1
  }
}

/** A fault on its way through ramp, hold and release. Times are seconds of the host's clock. */
export class FaultRun {
  readonly plan: FaultPlan
  readonly spec: FaultSpec
  readonly onset: number
  readonly room: Headroom
  #releasedAt = Number.POSITIVE_INFINITY
  #releasedFrom = 0
  #gone = false

  constructor(plan: FaultPlan, onset: number, room: Headroom) {
    this.plan = plan
    this.spec = faultSpec(plan.kind)
    this.onset = onset
    this.room = room
  }

  /** Severity at time `t`, 0-1. */
  severity(t: number): number {
    if (this.#gone) return 0
    const { leadSeconds, holdSeconds, releaseSeconds } = this.plan
    if (!this.released && t - this.onset > leadSeconds + holdSeconds) this.release(t)
    if (t < this.#releasedAt) return this.#risen(t)
    return this.#releasedFrom * Math.max(0, 1 - (t - this.#releasedAt) / releaseSeconds)
  }

  /** Somebody ends the fault: what it took is given back over `releaseSeconds`. */
  release(t: number): void {
    if (this.released) return
    this.#releasedFrom = this.#risen(t)
    this.#releasedAt = t
  }

  #risen(t: number): number {
    const { leadSeconds, shape, peak } = this.plan
    return peak * rise(shape, clamp((t - this.onset) / leadSeconds, 0, 1))
  }

  /** What it took is given back at once, as when the kernel kills the process. */
  kill(t: number): void {
    this.release(t)
    this.#gone = true
  }

  get released(): boolean {
    return this.#releasedAt !== Number.POSITIVE_INFINITY
  }

  ended(t: number): boolean {
    return t >= this.#releasedAt + this.plan.releaseSeconds
  }
}
