/** What the forecaster asks of a model. */
import type { History } from '../history.ts'

/** Bins of one length, and the horizons forecast from them. */
export interface Grid {
  /** Bins of a day. */
  readonly day: number
  /** Horizons in bins, ascending. */
  readonly steps: readonly number[]
}

/** What is known at one moment: the bin in progress and those before. */
export interface Origin {
  readonly bin: number
  /** Newest row. */
  readonly x: number
  /** Exponentially weighted means, shortest memory first. */
  readonly averages: Float64Array
  readonly history: History
}

/** Moments of the past, every `stride` bins, whose outcome a model may learn from. */
export interface Past {
  readonly history: History
  readonly stride: number
  /** Bins [n]. */
  readonly bins: Float64Array
  /** First row of the bin [n]; NaN where it is missing. */
  readonly samples: Float64Array
  /** Averages as they were [n, 6]. */
  readonly averages: Float64Array
  /** Importance [n]: less the older. */
  readonly weights: Float64Array
}

export interface Model {
  readonly name: string
  /** A complete bin, NaN where it is missing. */
  advance(bin: number, mean: number): void
  fit(past: Past): void
  /** Value expected `grid.steps[rung]` bins after the origin; NaN while the model knows nothing. */
  predict(rung: number, origin: Origin): number
}
