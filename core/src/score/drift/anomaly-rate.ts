/**
 * Sustained anomaly rate: the share of rows over the threshold among the last 200 stays above three times the budget for
 * two minutes. The quickest sign that the model and the target have parted, and the least certain: an ordinary incident
 * gives it too. So it is shown as a sign of its own and never confirms a drift.
 */
export const DRIFT_ROWS = 200
/** Multiple of the budget that the share may reach. */
export const RATE_FACTOR = 3
const SUSTAINED_SECONDS = 120

export class AnomalyRateDrift {
  detected = false
  readonly #over = new Uint8Array(DRIFT_ROWS)
  #next = 0
  #rows = 0
  #count = 0
  #sustained = 0
  readonly #needed: number

  constructor(intervalSeconds: number) {
    this.#needed = Math.max(1, Math.round(SUSTAINED_SECONDS / intervalSeconds))
  }

  step(over: boolean, budget: number): void {
    this.#count += Number(over) - (this.#over[this.#next] as number)
    this.#over[this.#next] = Number(over)
    this.#next = (this.#next + 1) % DRIFT_ROWS
    this.#rows = Math.min(DRIFT_ROWS, this.#rows + 1)
    const high = this.progress === 1 && this.ratio > RATE_FACTOR * budget
    this.#sustained = high ? this.#sustained + 1 : 0
    this.detected = this.#sustained >= this.#needed
  }

  /** Share of the last rows over the threshold. */
  get ratio(): number {
    return this.#rows === 0 ? 0 : this.#count / this.#rows
  }

  /** How far the window is filled, 0-1. */
  get progress(): number {
    return this.#rows / DRIFT_ROWS
  }
}
