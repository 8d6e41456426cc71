/** Rows of one host in the order of time, as training takes them from wherever they come. */
import type { FleetHost } from '../simulate/index.ts'

export interface Recording {
  readonly name: string
  /** Columns of `values`. */
  readonly signals: readonly string[]
  /** End of each row, Unix ms. */
  readonly at: Float64Array
  /** rows x signals, natural units; NaN = absent. */
  readonly values: Float64Array
}

export function recordingOf({ index, signals, at, values }: FleetHost): Recording {
  return { name: `host ${index}`, signals, at, values }
}

/** The present values of row t by name. */
export function rowValues({ signals, values }: Recording, t: number): Record<string, number> {
  const d = signals.length
  const row: Record<string, number> = {}
  for (let j = 0; j < d; j++) {
    const value = values[t * d + j] as number
    if (Number.isFinite(value)) row[signals[j] as string] = value
  }
  return row
}

/** The columns of a recording put in the order of `signals`; what it lacks is NaN. */
export function alignColumns(recording: Recording, signals: readonly string[]): Float64Array {
  const from = signals.map((name) => recording.signals.indexOf(name))
  const width = recording.signals.length
  if (width === signals.length && from.every((column, j) => column === j)) return recording.values.slice()
  const rows = recording.at.length
  const out = new Float64Array(rows * signals.length).fill(Number.NaN)
  for (let t = 0; t < rows; t++) {
    from.forEach((column, j) => {
      if (column >= 0) out[t * signals.length + j] = recording.values[t * width + column] as number
    })
  }
  return out
}
