/** A recording as rows of a target. */
import type { CsvTable, TimedRow } from '@portent/core'

/**
 * The rows of a table, present values only; a row's time is its place times the interval where the file has none.
 */
export function* rowsOf({ at, columns, rows, values }: CsvTable, intervalSeconds: number): Generator<TimedRow> {
  const k = columns.length
  for (let i = 0; i < rows; i++) {
    const row: Record<string, number> = {}
    for (let c = 0; c < k; c++) {
      const value = values[i * k + c] as number
      if (!Number.isNaN(value)) row[columns[c] as string] = value
    }
    yield { at: at === null ? i * intervalSeconds * 1000 : (at[i] as number), values: row }
  }
}
