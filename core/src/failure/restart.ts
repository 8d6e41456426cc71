/**
 * A restart shows in the memory: it falls at once. What a restart brings (a few errors, cold caches) is then no sign of a
 * failure, for some minutes, once an hour: a service that restarts again and again gets no grace.
 */
const MINUTE = 60
/** A fall counts from here on: share of the memory, and share of what was used. */
const LEAST = 0.03
const RELATIVE = 0.08
const FULL_GRACE = 5 * MINUTE
const GRACE = 12 * MINUTE
const APART = 60 * MINUTE

export class Restarts {
  /** Seconds since the last one that got grace, and since any. */
  #graced = Number.POSITIVE_INFINITY
  #any = Number.POSITIVE_INFINITY

  /** @param level used memory of the bin; @param before short median until then; NaN = unknown */
  step(level: number, before: number, seconds: number): void {
    this.#graced += seconds
    this.#any += seconds
    if (!(before - level > Math.max(LEAST, RELATIVE * before))) return
    // The median follows in some minutes: until then it is the same fall.
    if (this.#any > FULL_GRACE && this.#graced > APART) this.#graced = 0
    this.#any = 0
  }

  /** 0-1: how much a symptom counts. */
  get weight(): number {
    return Math.min(1, Math.max(0, (this.#graced - FULL_GRACE) / (GRACE - FULL_GRACE)))
  }
}
