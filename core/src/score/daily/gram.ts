/** Weighted sums of products of rows, upper triangle, which fade by the day. Rows wait until a block of them is full. */
import { addGram } from '../../linalg/symmetric.ts'

const BLOCK = 32

export class FadingGram {
  readonly width: number
  /** [width,width], upper triangle. */
  readonly sums: Float64Array
  readonly #rows: Float64Array
  #held = 0

  constructor(width: number) {
    this.width = width
    this.sums = new Float64Array(width * width)
    this.#rows = new Float64Array(BLOCK * width)
  }

  /** @param fill writes the row's numbers from `at` on */
  add(weight: number, fill: (rows: Float64Array, at: number) => void): void {
    const at = this.#held * this.width
    fill(this.#rows, at)
    const root = Math.sqrt(weight)
    for (let i = at; i < at + this.width; i++) this.#rows[i] = (this.#rows[i] as number) * root
    if (++this.#held === BLOCK) this.flush()
  }

  flush(): void {
    addGram(this.#rows.subarray(0, this.#held * this.width), this.width, this.sums)
    this.#held = 0
  }

  fade(forget: number): void {
    for (let i = 0; i < this.sums.length; i++) this.sums[i] = (this.sums[i] as number) * forget
  }
}
