/**
 * A workload that stops: a signal that is never exactly 0 falls to exactly 0 and stays there. Detectors measure how far a
 * value is from usual in spreads, and for a signal that is always small, zero is not far. That it never was there is what
 * is unusual.
 */

/** Rows at 0 that count as stopped: a single one may be a reading that was missed. */
const ROWS = 3
const DAY_SECONDS = 86_400

export class Stopped {
  /** Names of the signals that stand still now. */
  signals: readonly string[] = NONE
  readonly #names: readonly string[]
  readonly #neverZero: readonly (boolean | undefined)[]
  readonly #known: number
  /** Rows, and rows at 0 before the present run of them, of each signal. */
  readonly #rows: Float64Array
  readonly #zeros: Float64Array
  readonly #run: Float64Array

  /** @param neverZero whether training ever saw a signal at 0; undefined where it cannot say, and a day has to show it */
  constructor(names: readonly string[], neverZero: readonly (boolean | undefined)[], intervalSeconds: number) {
    this.#names = names
    this.#neverZero = neverZero
    this.#known = DAY_SECONDS / intervalSeconds
    this.#rows = new Float64Array(names.length)
    this.#zeros = new Float64Array(names.length)
    this.#run = new Float64Array(names.length)
  }

  step(values: Readonly<Record<string, number>>): void {
    let found: string[] | null = null
    for (let j = 0; j < this.#names.length; j++) {
      const name = this.#names[j] as string
      const value = values[name]
      if (value === undefined || !Number.isFinite(value)) continue
      this.#rows[j] = (this.#rows[j] as number) + 1
      if (value !== 0) {
        this.#zeros[j] = (this.#zeros[j] as number) + (this.#run[j] as number)
        this.#run[j] = 0
        continue
      }
      const run = (this.#run[j] as number) + 1
      this.#run[j] = run
      if (run < ROWS || !this.#isNeverZero(j, run)) continue
      // After a day at 0 that is what is usual.
      if (run > this.#known) continue
      found ??= []
      found.push(name)
    }
    this.signals = found ?? NONE
  }

  save(): SavedStopped {
    return this.#names.map((name, j) => [
      name,
      [this.#rows[j] as number, this.#zeros[j] as number, this.#run[j] as number],
    ])
  }

  restore(saved: SavedStopped): void {
    for (const [name, [rows, zeros, run]] of saved) {
      const j = this.#names.indexOf(name)
      if (j < 0 || ![rows, zeros, run].every(Number.isFinite)) continue
      this.#rows[j] = rows
      this.#zeros[j] = zeros
      this.#run[j] = run
    }
  }

  #isNeverZero(j: number, run: number): boolean {
    if ((this.#zeros[j] as number) > 0) return false
    return this.#neverZero[j] ?? (this.#rows[j] as number) - run >= this.#known
  }
}

/** Signal, then rows, zeros, present run of zeros. */
export type SavedStopped = readonly (readonly [string, readonly [number, number, number]])[]

const NONE: readonly string[] = []
