/** Where the signal stands, plus what the same hours of earlier days brought. */
import { MEMORIES } from '../averages.ts'
import { SEASONAL, seasonalChange } from '../season.ts'
import type { Grid, Model, Origin, Past } from './model.ts'

const LEVELS = MEMORIES.length + 1
/** Every so many moments of the past are looked at. */
const EVERY = 2

/**
 * The mean change of up to 7 earlier days over the same hours, from a level that has served the horizon best: one of the
 * exponentially weighted means, or the mean of those days at this time.
 */
export class Profile implements Model {
  readonly name = 'profile'
  readonly #grid: Grid
  readonly #level: Uint8Array
  readonly #season = new Float64Array(SEASONAL)

  constructor(grid: Grid) {
    this.#grid = grid
    this.#level = new Uint8Array(grid.steps.length)
  }

  advance(): void {}

  fit(past: Past): void {
    const { history, bins, samples, averages, weights } = past
    const { steps, day } = this.#grid
    const season = this.#season
    steps.forEach((step, rung) => {
      const losses = new Float64Array(LEVELS)
      for (let i = 0; i < bins.length; i += EVERY) {
        const bin = bins[i] as number
        const x = samples[i] as number
        const y = history.sample(bin + step)
        if (Number.isNaN(x) || Number.isNaN(y)) continue
        if (seasonalChange(history, bin, step, day, x, season) === 0) continue
        for (let j = 0; j < LEVELS; j++) {
          const level = levelOf(j, x, averages, i * MEMORIES.length, season)
          losses[j] = (losses[j] as number) + (weights[i] as number) * Math.abs(y - level - (season[2] as number))
        }
      }
      this.#level[rung] = losses.indexOf(Math.min(...losses))
    })
  }

  predict(rung: number, origin: Origin): number {
    const { history, bin, x, averages } = origin
    const season = this.#season
    const days = seasonalChange(history, bin, this.#grid.steps[rung] as number, this.#grid.day, x, season)
    return days === 0
      ? Number.NaN
      : levelOf(this.#level[rung] as number, x, averages, 0, season) + (season[2] as number)
  }
}

function levelOf(j: number, x: number, averages: Float64Array, from: number, season: Float64Array): number {
  return j < MEMORIES.length ? (averages[from + j] as number) : x + (season[3] as number)
}
