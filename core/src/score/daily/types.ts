/** A row as the daily members see it. */
export interface DailyRow {
  /** Standardised by the bundle, not centred, 0 where absent [F]; all signals' last, then mean, std, slope, spike, rate. */
  readonly features: Float64Array
  /** 1 = present [d]. */
  readonly present: Uint8Array
}

/**
 * A detector that learns from the rows it scores and answers with what it knew at the end of the day before. Everything
 * it keeps is a sum over rows, old days fading by a factor a day.
 */
export interface DailyMember {
  /** Score of a row by what was known this morning, higher = more anomalous; NaN before the first evening. */
  score(row: DailyRow): number
  /** @param gate weight of the row, 0-1: rows of an incident teach little */
  learn(row: DailyRow, gate: number): void
  /** What was learnt becomes what is known. */
  endDay(): void
  /** A hole in time: what was carried from row to row starts afresh. */
  reset(): void
  /** All state, in a fixed order. */
  save(): Float64Array[]
  /** @throws RangeError when the shapes are others */
  restore(saved: readonly Float64Array[]): void
}

export function clip(x: number, limit: number): number {
  return x > limit ? limit : x < -limit ? -limit : x
}

/** Copies saved arrays into those that are there. */
export function restoreInto(into: readonly Float64Array[], saved: readonly Float64Array[]): void {
  if (saved.length !== into.length || saved.some((x, i) => x.length !== into[i]?.length)) {
    throw new RangeError('the saved state of a daily member has another shape')
  }
  saved.forEach((x, i) => {
    into[i]?.set(x)
  })
}
