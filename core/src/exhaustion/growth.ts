import type { BinRing } from './levels.ts'
import { type DailyProfile, PROFILE_SECONDS } from './profile.ts'

/** Means of the first, middle and last third of a window: growth, whether it lasts, and how it bends, robust to what is in between. */
export interface Thirds {
  first: number
  middle: number
  last: number
}

const SHARE_KNOWN = 0.34

/**
 * @param end newest bin of the window
 * @param bins length of the window, bins
 * @returns false where a third of it has too few values
 */
export function thirdsOf(
  ring: BinRing,
  profile: DailyProfile | null,
  end: number,
  bins: number,
  into: Thirds,
): boolean {
  const third = Math.max(1, Math.floor(bins / 3))
  const start = end - bins + 1
  if (start < ring.oldest || end > ring.newest + 1) return false
  const middle = start + ((bins - third) >> 1)
  const last = end - third + 1
  const fewest = third * SHARE_KNOWN
  if (
    ring.count(start, start + third - 1) < fewest ||
    ring.count(middle, middle + third - 1) < fewest ||
    ring.count(last, end) < fewest
  )
    return false
  into.first = ring.mean(start, start + third - 1)
  into.middle = ring.mean(middle, middle + third - 1)
  into.last = ring.mean(last, end)
  if (profile?.inUse) {
    into.first -= profileMean(ring, profile, start, third)
    into.middle -= profileMean(ring, profile, middle, third)
    into.last -= profileMean(ring, profile, last, third)
  }
  return true
}

function profileMean(ring: BinRing, profile: DailyProfile, start: number, bins: number): number {
  const scale = ring.seconds / PROFILE_SECONDS
  return profile.mean(Math.floor(start * scale), Math.floor((start + bins - 1) * scale))
}

/** Bins between the centres of the first and the last third. */
export function spanOf(bins: number): number {
  return bins - Math.max(1, Math.floor(bins / 3))
}

/**
 * How far the level rose within windows of several lengths, in the past week: the precedents that growth of today is held
 * against. A maximum for each block of time and each length.
 */
export class Precedents {
  readonly windows: readonly number[]
  readonly #blockBins: number
  readonly #blocks: number
  readonly #ring: BinRing
  /** [block, window], a ring; NaN = nothing known. */
  readonly #rise: Float32Array
  #newest = -1
  readonly #thirds: Thirds = { first: 0, middle: 0, last: 0 }

  constructor(ring: BinRing, windows: readonly number[], blockBins: number, blocks: number) {
    this.#ring = ring
    this.windows = windows
    this.#blockBins = blockBins
    this.#blocks = blocks
    this.#rise = new Float32Array(blocks * windows.length).fill(Number.NaN)
  }

  /** Takes in the windows that end at this bin. */
  add(bin: number, profile: DailyProfile | null): void {
    const block = Math.floor(bin / this.#blockBins)
    const width = this.windows.length
    if (this.#newest < 0 || block - this.#newest >= this.#blocks) {
      this.#rise.fill(Number.NaN)
      this.#newest = block
    }
    for (let b = this.#newest + 1; b <= block; b++)
      this.#rise.fill(Number.NaN, (b % this.#blocks) * width, (b % this.#blocks) * width + width)
    this.#newest = Math.max(block, this.#newest)
    const row = (block % this.#blocks) * width
    const thirds = this.#thirds
    for (let w = 0; w < width; w++) {
      if (!thirdsOf(this.#ring, profile, bin, this.windows[w] as number, thirds)) continue
      const rise = thirds.last - thirds.first
      if (!(rise <= (this.#rise[row + w] as number))) this.#rise[row + w] = rise
    }
  }

  clear(): void {
    this.#newest = -1
  }

  /** The largest rise within a window of this index that ended in a block before `bin`; 0 where none is known. */
  largest(w: number, bin: number): number {
    const last = Math.min(this.#newest, Math.floor(bin / this.#blockBins) - 1)
    let largest = 0
    for (let b = last; b > this.#newest - this.#blocks && b >= 0; b--) {
      const rise = this.#rise[(b % this.#blocks) * this.windows.length + w] as number
      if (rise > largest) largest = rise
    }
    return largest
  }
}
