/**
 * Alert events on escalation only: none repeats while a state lasts. A target's state falls back after six rows in a row
 * that are less severe, so that a score on the border does not alert again and again.
 */
import { SEVERITIES, type Severity } from '../types.ts'

const CALM_ROWS = 6

export class Escalation {
  #level: Severity
  /** Severities of the last rows, worst within the calm rows decides what the state falls back to. */
  readonly #recent: Severity[] = []

  /** @param before of the target's last row, as before a restart */
  constructor(before: Severity = 'none') {
    this.#level = before
  }

  /** @returns the state that was left when this row escalates to warning or critical, else null */
  step(severity: Severity): Severity | null {
    this.#recent.push(severity)
    if (this.#recent.length > CALM_ROWS) this.#recent.shift()
    const from = this.#level
    if (rank(severity) > rank(from)) {
      this.#level = severity
      return rank(severity) >= rank('warning') ? from : null
    }
    if (this.#recent.length === CALM_ROWS) {
      this.#level = this.#recent.reduce((worst, s) => (rank(s) > rank(worst) ? s : worst), 'none')
    }
    return null
  }
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity)
}
