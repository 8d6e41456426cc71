/** Exponential smoothing with a damped trend (Holt 1957, Gardner and McKenzie 1985). */
import type { Grid, Model, Origin, Past } from './model.ts'

interface Gains {
  readonly level: number
  readonly trend: number
  /** Share of the trend left after a bin. */
  readonly damping: number
}

const SETTINGS: readonly Gains[] = [0.05, 0.2, 0.5].flatMap((level) => [
  { level, trend: 0.1, damping: 0.98 },
  { level, trend: 0.01, damping: 0.98 },
  { level, trend: 0.01, damping: 0.998 },
])

class State {
  readonly #gains: Gains
  #level = Number.NaN
  #trend = 0

  constructor(gains: Gains) {
    this.#gains = gains
  }

  /** @param mean of the bin; NaN = missing: the trend goes on */
  advance(mean: number): void {
    const { level, trend, damping } = this.#gains
    if (Number.isNaN(this.#level)) {
      this.#level = mean
      return
    }
    this.#trend *= damping
    this.#level += this.#trend
    if (Number.isNaN(mean)) return
    const error = mean - this.#level
    this.#level += level * error
    this.#trend += level * trend * error
  }

  /**
   * As if the bin in progress were complete.
   * @param current its mean so far
   */
  predict(current: number, steps: number): number {
    const { level, trend, damping } = this.#gains
    const moved = this.#trend * damping
    const error = current - this.#level - moved
    const sum = (damping * (1 - damping ** steps)) / (1 - damping)
    return this.#level + moved + level * error + sum * (moved + level * trend * error)
  }
}

/** All settings of a small grid run side by side; the last fit says which of them serves a horizon. */
export class Holt implements Model {
  readonly name = 'holt'
  readonly #grid: Grid
  readonly #states = SETTINGS.map((one) => new State(one))
  readonly #chosen: Uint8Array

  constructor(grid: Grid) {
    this.#grid = grid
    this.#chosen = new Uint8Array(grid.steps.length)
  }

  advance(_bin: number, mean: number): void {
    for (const state of this.#states) state.advance(mean)
  }

  fit(past: Past): void {
    const { history, bins, samples, weights } = past
    const { steps } = this.#grid
    const states = SETTINGS.map((one) => new State(one))
    const losses = steps.map(() => new Float64Array(states.length))
    let i = 0
    for (let bin = history.oldest; bin < history.newest; bin++) {
      if (bins[i] === bin) {
        const x = samples[i] as number
        for (let r = 0; r < steps.length && !Number.isNaN(x); r++) {
          const step = steps[r] as number
          addLosses(losses[r] as Float64Array, states, x, weights[i] as number, step, history.sample(bin + step))
        }
        i++
      }
      const mean = history.mean(bin)
      for (const state of states) state.advance(mean)
    }
    losses.forEach((own, r) => {
      this.#chosen[r] = own.indexOf(Math.min(...own))
    })
  }

  predict(rung: number, origin: Origin): number {
    const state = this.#states[this.#chosen[rung] as number] as State
    return state.predict(origin.averages[0] as number, this.#grid.steps[rung] as number)
  }
}

function addLosses(
  own: Float64Array,
  states: readonly State[],
  x: number,
  weight: number,
  step: number,
  y: number,
): void {
  if (Number.isNaN(y)) return
  for (let s = 0; s < states.length; s++) {
    const error = Math.abs(y - (states[s] as State).predict(x, step))
    if (!Number.isNaN(error)) own[s] = (own[s] as number) + weight * error
  }
}
