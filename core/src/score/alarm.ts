/**
 * The one alarm policy: open above the threshold, close after ten rows below it. The budget b is the share of normal rows
 * in alarm; as an alarm outlasts the rows that open it, the threshold is the 1 - {@link OPEN_SHARE} b quantile of the
 * rolling distribution.
 */
/**
 * Share of the budget that rows over the threshold may use; the rest goes to the ten rows that an alarm stays open. A
 * bundle may state its own: the less its scores are smoothed, the shorter what opens an alarm, the more goes to those ten.
 */
export const OPEN_SHARE = 0.8
export const CLOSE_AFTER_ROWS = 10
/** Rows in alarm enter the rolling distribution capped this far above the threshold. */
export const ALARM_CAP = 0.5
const BUDGET_AT_5 = 0.005
const STEP = 1.6

/** Share of rows that may be in alarm: .005 at sensitivity 5, times 1.6 a step. */
export function budgetOf(sensitivity: number): number {
  return BUDGET_AT_5 * STEP ** (sensitivity - 5)
}

export class AlarmPolicy {
  active = false
  #quiet = 0

  step(score: number, threshold: number): boolean {
    if (score > threshold) {
      this.active = true
      this.#quiet = 0
    } else if (this.active) {
      if (++this.#quiet >= CLOSE_AFTER_ROWS) this.active = false
    }
    return this.active
  }
}
