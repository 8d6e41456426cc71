/** Labelled rows as events: runs of rows without a normal row between them. */

/** Rows from 0, both ends included. */
export interface RowRange {
  readonly start: number
  readonly end: number
}

/** @param labels [n] above 0 where a row is anomalous (or in alarm) */
export function eventsOf(labels: ArrayLike<number>): RowRange[] {
  const events: RowRange[] = []
  let start = -1
  for (let i = 0; i <= labels.length; i++) {
    const inside = i < labels.length && (labels[i] as number) > 0
    if (inside && start < 0) start = i
    if (inside || start < 0) continue
    events.push({ start, end: i - 1 })
    start = -1
  }
  return events
}
