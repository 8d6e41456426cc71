/**
 * Residual of the window features after the components that hold half of the variance of recent days, about a mean that
 * follows by the day. Half, not nine tenths as in the frozen detector: fewer components leave more of what is unusual in
 * the residual, and change less from day to day.
 */
import { leadingEigenvectors } from '../../linalg/leading.ts'
import { mirror } from '../../linalg/symmetric.ts'
import { FadingGram } from './gram.ts'
import { clip, type DailyMember, type DailyRow, restoreInto } from './types.ts'

const CLIP = 30
const KINDS = 6
const SHARE = 0.5
/** More components are not looked for: on 38 signals half the variance is in some fifteen. */
const MOST = 24
/** Every fourth row enters the covariance: windows next to each other share nine rows. */
const STRIDE = 4

export class DailyPca implements DailyMember {
  readonly #d: number
  readonly #forget: number
  /** Known since the last evening: mean [F], components [F,MOST]. */
  readonly #mean: Float64Array
  readonly #vectors: Float64Array
  /** Days, how many components count, turn. */
  readonly #state = new Float64Array(3)
  /** Sums about the mean: products, features, weights. */
  readonly #gram: FadingGram
  readonly #sum: Float64Array
  readonly #weight: Float64Array
  readonly #off: Float64Array
  readonly #along = new Float64Array(MOST)

  constructor(signals: number, forget: number) {
    const width = KINDS * signals
    this.#d = signals
    this.#forget = forget
    this.#mean = new Float64Array(width)
    this.#vectors = new Float64Array(width * MOST)
    this.#gram = new FadingGram(width)
    this.#sum = new Float64Array(width)
    this.#weight = new Float64Array(signals)
    this.#off = new Float64Array(width)
  }

  score(row: DailyRow): number {
    const components = this.#state[1] as number
    if (this.#state[0] === 0) return Number.NaN
    const off = this.#off
    this.#centre(row, off, 0)
    const along = this.#along.fill(0)
    for (let f = 0; f < off.length; f++) {
      const x = off[f] as number
      if (x === 0) continue
      for (let c = 0, at = f * MOST; c < components; c++) {
        along[c] = (along[c] as number) + x * (this.#vectors[at + c] as number)
      }
    }
    let sum = 0
    let count = 0
    for (let f = 0; f < off.length; f++) {
      if (row.present[f % this.#d] !== 1) continue
      let residual = off[f] as number
      for (let c = 0, at = f * MOST; c < components; c++) {
        residual -= (along[c] as number) * (this.#vectors[at + c] as number)
      }
      sum += residual * residual
      count++
    }
    return sum / Math.max(1, count)
  }

  learn(row: DailyRow, gate: number): void {
    const turn = (this.#state[2] as number) % STRIDE
    this.#state[2] = turn + 1
    if (turn !== 0 || gate === 0) return
    for (let j = 0; j < this.#d; j++) {
      if (row.present[j] === 1) this.#weight[j] = (this.#weight[j] as number) + gate
    }
    this.#centre(row, this.#off, 0)
    for (let f = 0; f < this.#off.length; f++) {
      this.#sum[f] = (this.#sum[f] as number) + gate * (this.#off[f] as number)
    }
    this.#gram.add(gate, (rows, at) => rows.set(this.#off, at))
  }

  endDay(): void {
    this.#gram.flush()
    const width = this.#mean.length
    const moved = this.#off
    const total = Math.max(...this.#weight)
    for (let f = 0; f < width; f++) {
      const weight = this.#weight[f % this.#d] as number
      moved[f] = weight > 0 ? (this.#sum[f] as number) / weight : 0
      this.#mean[f] = (this.#mean[f] as number) + (moved[f] as number)
      this.#sum[f] = 0
    }
    const { sums } = this.#gram
    for (let i = 0; i < width; i++) {
      for (let j = i; j < width; j++) {
        sums[i * width + j] = (sums[i * width + j] as number) - total * (moved[i] as number) * (moved[j] as number)
      }
    }
    const full = sums.slice()
    mirror(full, width)
    let trace = 0
    for (let f = 0; f < width; f++) trace += full[f * width + f] as number
    const { vectors, values } = leadingEigenvectors(full, width, MOST, this.#vectors)
    this.#vectors.set(vectors)
    let held = 0
    let components = 0
    while (components < Math.min(MOST, width - 1) && held < SHARE * trace) held += values[components++] as number
    this.#gram.fade(this.#forget)
    for (let j = 0; j < this.#d; j++) this.#weight[j] = (this.#weight[j] as number) * this.#forget
    this.#state[0] = (this.#state[0] as number) + 1
    this.#state[1] = components
  }

  reset(): void {
    // Nothing goes from row to row.
  }

  save(): Float64Array[] {
    this.#gram.flush()
    return [this.#mean, this.#vectors, this.#state, this.#gram.sums, this.#sum, this.#weight]
  }

  restore(saved: readonly Float64Array[]): void {
    restoreInto(this.save(), saved)
  }

  /** Features less their mean, clipped; 0 where absent. */
  #centre({ features, present }: DailyRow, to: Float64Array, at: number): void {
    const d = this.#d
    for (let f = 0; f < features.length; f++) {
      to[at + f] = present[f % d] === 1 ? clip((features[f] as number) - (this.#mean[f] as number), CLIP) : 0
    }
  }
}
