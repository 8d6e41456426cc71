/** Last value, and simple exponential smoothing. */
import { MEMORIES } from '../averages.ts'
import type { Grid, Model, Origin, Past } from './model.ts'

export class Naive implements Model {
  readonly name = 'naive'
  advance(): void {}
  fit(): void {}
  predict(_rung: number, origin: Origin): number {
    return origin.x
  }
}

/** The exponentially weighted mean whose memory has served each horizon best. */
export class ExponentialSmoothing implements Model {
  readonly name = 'ses'
  readonly #grid: Grid
  readonly #memory: Uint8Array

  constructor(grid: Grid) {
    this.#grid = grid
    this.#memory = new Uint8Array(grid.steps.length)
  }

  advance(): void {}

  fit(past: Past): void {
    const m = MEMORIES.length
    this.#grid.steps.forEach((step, rung) => {
      const losses = new Float64Array(m)
      past.bins.forEach((bin, i) => {
        const y = past.history.sample(bin + step)
        if (Number.isNaN(y) || Number.isNaN(past.samples[i] as number)) return
        for (let j = 0; j < m; j++) {
          losses[j] =
            (losses[j] as number) + (past.weights[i] as number) * Math.abs(y - (past.averages[i * m + j] as number))
        }
      })
      this.#memory[rung] = losses.indexOf(Math.min(...losses))
    })
  }

  predict(rung: number, origin: Origin): number {
    return origin.averages[this.#memory[rung] as number] as number
  }
}
