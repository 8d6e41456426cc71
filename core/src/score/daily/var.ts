/**
 * Vector autoregression solved again every evening: the newest row from three rows before it, a fast and a slow
 * exponential mean, and a constant. Old days fade, so that a relation that changed, as after a deployment, is forgiven
 * within days; the spread of the residuals stays that of training, or a host that trembles would become its own excuse.
 */
import { mirror, solvePositive } from '../../linalg/symmetric.ts'
import { FadingGram } from './gram.ts'
import { clip, type DailyMember, type DailyRow, restoreInto } from './types.ts'

const CLIP = 10
const LAGS = 3
const ALPHAS = [0.1, 0.02]
const RIDGE = 30
const TOP = 5
/** Every second row enters the sums: rows next to each other say much the same. */
const STRIDE = 2

export class DailyVar implements DailyMember {
  readonly #d: number
  readonly #forget: number
  readonly #residualScale: readonly number[]
  /** Predictors of the next row [P]: lags 3, 2, 1, exponential means, 1. */
  readonly #x: Float64Array
  /** Known since the last evening [P,d]. */
  readonly #coefficients: Float64Array
  /** Days, turn, whether the predictors hold a row. */
  readonly #state = new Float64Array(3)
  /** Of [predictors, newest row]. */
  readonly #gram: FadingGram
  readonly #residual: Float64Array
  readonly #newest: Float64Array

  /** @param residualScale spread of each signal's residual in training [d] */
  constructor(signals: number, forget: number, residualScale: readonly number[]) {
    const p = (LAGS + ALPHAS.length) * signals + 1
    this.#d = signals
    this.#forget = forget
    this.#residualScale = residualScale
    this.#x = new Float64Array(p)
    this.#coefficients = new Float64Array(p * signals)
    this.#gram = new FadingGram(p + signals)
    this.#residual = new Float64Array(signals)
    this.#newest = new Float64Array(signals)
  }

  score(row: DailyRow): number {
    this.#take(row)
    if (this.#state[0] === 0) return Number.NaN
    const d = this.#d
    const x = this.#x
    const b = this.#coefficients
    const off = this.#residual
    off.set(this.#newest)
    // Four predictors at a time: a residual is loaded and stored once for them. P = 5 d + 1 leaves the constant and a few.
    let k = 0
    for (; k + 4 <= x.length; k += 4) {
      const x0 = x[k] as number
      const x1 = x[k + 1] as number
      const x2 = x[k + 2] as number
      const x3 = x[k + 3] as number
      for (let j = 0, at = k * d; j < d; j++, at++) {
        off[j] =
          (off[j] as number) -
          (x0 * (b[at] as number) + x1 * (b[at + d] as number)) -
          (x2 * (b[at + 2 * d] as number) + x3 * (b[at + 3 * d] as number))
      }
    }
    for (; k < x.length; k++) {
      for (let j = 0; j < d; j++) off[j] = (off[j] as number) - (x[k] as number) * (b[k * d + j] as number)
    }
    let present = 0
    for (let j = 0; j < d; j++) {
      const isPresent = row.present[j] === 1
      present += Number(isPresent)
      off[j] = isPresent ? Math.abs(off[j] as number) / (this.#residualScale[j] as number) : 0
    }
    off.sort()
    let sum = 0
    for (let i = 1; i <= Math.min(TOP, d); i++) sum += off[d - i] as number
    return sum / Math.max(1, Math.min(TOP, present))
  }

  learn(row: DailyRow, gate: number): void {
    this.#take(row)
    const turn = (this.#state[1] as number) % STRIDE
    this.#state[1] = turn + 1
    if (turn === 0 && gate > 0) {
      this.#gram.add(gate, (rows, at) => {
        rows.set(this.#x, at)
        rows.set(this.#newest, at + this.#x.length)
      })
    }
    this.#shift()
  }

  endDay(): void {
    this.#gram.flush()
    const p = this.#x.length
    const { width, sums } = this.#gram
    const a = new Float64Array(p * p)
    const b = new Float64Array(p * this.#d)
    for (let i = 0; i < p; i++) {
      a.set(sums.subarray(i * width + i, i * width + p), i * p + i)
      a[i * p + i] = (a[i * p + i] as number) + RIDGE
      b.set(sums.subarray(i * width + p, (i + 1) * width), i * this.#d)
    }
    mirror(a, p)
    this.#coefficients.set(solvePositive(a, b, p))
    this.#gram.fade(this.#forget)
    this.#state[0] = (this.#state[0] as number) + 1
  }

  reset(): void {
    this.#state[2] = 0
  }

  save(): Float64Array[] {
    this.#gram.flush()
    return [this.#x, this.#coefficients, this.#state, this.#gram.sums]
  }

  restore(saved: readonly Float64Array[]): void {
    restoreInto(this.save(), saved)
  }

  /** The newest row; the first one after a hole stands for those before it. */
  #take({ features, present }: DailyRow): void {
    for (let j = 0; j < this.#d; j++) this.#newest[j] = present[j] === 1 ? clip(features[j] as number, CLIP) : 0
    if (this.#state[2] === 1) return
    this.#state[2] = 1
    for (let k = 0; k < LAGS + ALPHAS.length; k++) this.#x.set(this.#newest, k * this.#d)
    this.#x[this.#x.length - 1] = 1
  }

  /** The newest row becomes the last of those before. */
  #shift(): void {
    const d = this.#d
    this.#x.copyWithin(0, d, LAGS * d)
    this.#x.set(this.#newest, (LAGS - 1) * d)
    ALPHAS.forEach((alpha, k) => {
      const at = (LAGS + k) * d
      for (let j = 0; j < d; j++) {
        this.#x[at + j] =
          (this.#x[at + j] as number) + alpha * ((this.#newest[j] as number) - (this.#x[at + j] as number))
      }
    })
  }
}
