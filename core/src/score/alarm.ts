/**
 * The one alarm policy: open above the 1 - b quantile of the rolling distribution, close after ten rows below the
 * 1 - 4b quantile.
 */
export const CLOSE_AFTER_ROWS = 10
/** Rows in alarm enter the rolling distribution capped this far above the threshold. */
export const ALARM_CAP = 0.5
const BUDGET_AT_5 = 0.005
const STEP = 1.6

/** Share of rows that may be over the threshold: .005 at sensitivity 5, times 1.6 a step. */
export function budgetOf(sensitivity: number): number {
  return BUDGET_AT_5 * STEP ** (sensitivity - 5)
}

export class AlarmPolicy {
  active = false
  #quiet = 0

  step(score: number, open: number, close: number): boolean {
    if (score > open) {
      this.active = true
      this.#quiet = 0
    } else if (this.active) {
      this.#quiet = score < close ? this.#quiet + 1 : 0
      if (this.#quiet >= CLOSE_AFTER_ROWS) this.active = false
    }
    return this.active
  }
}
