/**
 * How far to believe the model now: coverage x history x drift x model state. Guards and sentences use it beside the
 * confidence; a factor that is not a number makes the trust 0.
 */
export interface TrustInputs {
  /** Present share of the bundle's signals. */
  readonly coverage: number
  /** Rows scored so far. */
  readonly rows: number
  readonly intervalSeconds: number
  readonly driftDetected: boolean
  readonly modelActive: boolean
}

export interface Trust {
  readonly value: number
  readonly coverage: number
  readonly history: number
  readonly drift: number
  readonly model: number
}

const FIRST_ROWS = 30
const FULL_SECONDS = 6 * 3600
/** A padded window, the first thirty rows, and the rest of six hours. */
const [START, FILLED, REST] = [0.2, 0.5, 0.3]
const DRIFTED = 0.6

export function trustOf({ coverage, rows, intervalSeconds, driftDetected, modelActive }: TrustInputs): Trust {
  const full = Math.max(FIRST_ROWS + 1, FULL_SECONDS / intervalSeconds)
  const history = START + FILLED * Math.min(1, rows / FIRST_ROWS) + REST * Math.min(1, rows / full)
  const drift = driftDetected ? DRIFTED : 1
  const model = modelActive ? 1 : 0
  const value = coverage * history * drift * model
  return { value: Number.isFinite(value) ? value : 0, coverage, history, drift, model }
}
