/**
 * Keeps a severity by exhaustion from flapping: what is foreseen moves from minute to minute, across a border as well. A step
 * up counts at once; a step down only once the relaxed border has been kept for ten minutes.
 */
export interface Foreseen {
  readonly resource: string
  /** To the lower bound. */
  readonly seconds: number
  readonly sentence?: string
}

const HOUR = 3600
/** Borders of critical and warning, entered and left. */
const LEVELS = [
  { enter: 4 * HOUR, leave: 5 * HOUR },
  { enter: 24 * HOUR, leave: 30 * HOUR },
] as const
const CALM_SECONDS = 600

export class ExhaustionHold {
  /** Index of LEVELS, or beyond it: nothing. */
  #level: number = LEVELS.length
  #calmSince = Number.NaN
  #last: Foreseen | null = null

  /**
   * What is to be judged: the soonest as it is, or as near as the level that is held.
   * @param at Unix seconds
   */
  step(at: number, foreseen: readonly Foreseen[]): Foreseen[] {
    const next = foreseen.reduce<Foreseen | null>((a, b) => (a === null || b.seconds < a.seconds ? b : a), null)
    const seconds = next?.seconds ?? Number.POSITIVE_INFINITY
    const entered = LEVELS.findIndex(({ enter }) => seconds <= enter)
    const now = entered < 0 ? LEVELS.length : entered
    if (next !== null && now < LEVELS.length) this.#last = next
    if (now <= this.#level) {
      this.#level = now
      this.#calmSince = Number.NaN
      return [...foreseen]
    }
    const held = LEVELS[this.#level]
    if (held === undefined) return [...foreseen]
    if (seconds <= held.leave) this.#calmSince = Number.NaN
    else if (Number.isNaN(this.#calmSince)) this.#calmSince = at
    if (at - this.#calmSince >= CALM_SECONDS || at < this.#calmSince) {
      this.#level = now
      this.#calmSince = Number.NaN
      return [...foreseen]
    }
    const shown = next ?? this.#last
    return shown === null ? [...foreseen] : [{ ...shown, seconds: Math.min(shown.seconds, held.enter) }]
  }
}
