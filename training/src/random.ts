/**
 * A seeded generator of random numbers: xoshiro128** (Blackman and Vigna 2018, public domain), seeded by splitmix32.
 *
 * The same seed gives the same numbers on every machine. Not for secrets.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number
  #spare = Number.NaN

  /** A number and its decimal digits are the same seed. */
  constructor(seed: number | string) {
    const text = String(seed)
    // Two words of seed, so that thousands of streams stay apart.
    const left = splitmix(hash(text, 0x811c9dc5))
    const right = splitmix(hash(text, 0x2f0b4c47))
    this.#a = left()
    this.#b = right()
    this.#c = left()
    this.#d = right() | 1
  }

  /** 32 random bits as an unsigned integer. */
  bits(): number {
    const b = this.#b
    const scrambled = Math.imul(b, 5)
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9)
    const shifted = b << 9
    this.#c ^= this.#a
    this.#d ^= b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result >>> 0
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.bits() >>> 5) * 67108864 + (this.bits() >>> 6)) / 9007199254740992
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    const spare = this.#spare
    if (!Number.isNaN(spare)) {
      this.#spare = Number.NaN
      return spare
    }
    for (;;) {
      const x = this.bits() / 2147483648 - 1
      const y = this.bits() / 2147483648 - 1
      const s = x * x + y * y
      if (s >= 1 || s === 0) continue
      const factor = Math.sqrt((-2 * Math.log(s)) / s)
      this.#spare = y * factor
      return x * factor
    }
  }

  /** Uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  /** One element of a list that is not empty. */
  choice<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('cannot choose from an empty list')
    return list[this.integer(list.length)] as T
  }

  /**
   * An independent stream named by `label`. Depends on this generator's present state and leaves it as it is, so that
   * two forks with different labels are independent of each other and of the order in which they are made.
   */
  fork(label: string): Random {
    return new Random(this.seedOf(label))
  }

  /** Seed of the stream that {@link fork} gives, to make it elsewhere. */
  seedOf(label: string): string {
    return `${this.#a},${this.#b},${this.#c},${this.#d}:${label}`
  }
}

function splitmix(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) | 0
  }
}

/** FNV-1a over the code units. */
function hash(text: string, basis: number): number {
  let h = basis
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h | 0
}
