/**
 * Rolling distribution of a target's scores over six days, as hourly sketches.
 *
 * Values fall into bins .05 wide between -4 and 8 (a calibrated score has 0 at the median and 1 at the 95 % quantile) and
 * 5 % wide above; quantiles and ranks are linear within a bin. An hour is a number of rows, not of wall clock, so that a
 * replay is the same as it was live. A seed (quantiles from training) fills the window until live hours take its place.
 * A few kB a target.
 */
const LOW = -4
const LINEAR_HIGH = 8
const WIDTH = 0.05
const GROWTH = 1.05
const LINEAR_BINS = Math.round((LINEAR_HIGH - LOW) / WIDTH)
const GEOMETRIC_BINS = 48
export const BINS = LINEAR_BINS + GEOMETRIC_BINS

const EARLY_HOURS = 6
/** Hours of rows that stay when the distribution is re-based. */
const REBASED_HOURS = 24
/** What must move the way the scores did. */
const REBASED_QUANTILE = 0.99

/** Hours of the rolling window: six days. */
export const WINDOW_HOURS = 144

export function binOf(x: number): number {
  if (x < LINEAR_HIGH) return Math.max(0, Math.floor((x - LOW) / WIDTH))
  return Math.min(BINS - 1, LINEAR_BINS + Math.floor(Math.log(x / LINEAR_HIGH) / Math.log(GROWTH)))
}

export function lowerEdge(bin: number): number {
  return bin <= LINEAR_BINS ? LOW + bin * WIDTH : LINEAR_HIGH * GROWTH ** (bin - LINEAR_BINS)
}

export type Quantiles = readonly (readonly [number, number])[]

/** The value of a distribution given as quantiles that a share p lies below; linear between them. */
export function quantileOf(quantiles: Quantiles, p: number): number {
  let [p0, v0] = quantiles[0] as readonly [number, number]
  if (p <= p0) return v0
  for (const [p1, v1] of quantiles) {
    if (p <= p1) return v0 + ((v1 - v0) * (p - p0)) / (p1 - p0)
    p0 = p1
    v0 = v1
  }
  return v0
}

/** Share of a distribution given as quantiles that lies below x; linear between them. */
function shareBelow(quantiles: Quantiles, x: number): number {
  const last = quantiles[quantiles.length - 1] as readonly [number, number]
  const first = quantiles[0] as readonly [number, number]
  if (x < first[1]) return 0
  if (x >= last[1]) return 1
  for (let i = 1; i < quantiles.length; i++) {
    const [p, v] = quantiles[i] as readonly [number, number]
    if (x >= v) continue
    const [p0, v0] = quantiles[i - 1] as readonly [number, number]
    return p0 + ((p - p0) * (x - v0)) / (v - v0)
  }
  return 1
}

/** Share of the seed in each bin [BINS], computed once for all the targets of a bundle. */
const seeds = new WeakMap<Quantiles, Float64Array>()

function seedOf(quantiles: Quantiles): Float64Array {
  let seed = seeds.get(quantiles)
  if (seed === undefined) {
    seed = new Float64Array(BINS)
    let below = 0
    for (let b = 0; b < BINS; b++) {
      const above = b === BINS - 1 ? 1 : shareBelow(quantiles, lowerEdge(b + 1))
      seed[b] = above - below
      below = above
    }
    seeds.set(quantiles, seed)
  }
  return seed
}

/** A finished block: pairs of bin and count, in one array to spare memory. */
interface Block {
  readonly pairs: Uint16Array
  readonly rows: number
  readonly over: number
}

export interface DistributionOptions {
  readonly intervalSeconds: number
  /** Hours of rows that the seed stands for. */
  readonly seedHours?: number
  /** Hours of rows that leave the window together. */
  readonly blockHours?: number
}

export class RollingDistribution {
  readonly #seed: Float64Array
  #seedRows: number
  readonly #rowsPerHour: number
  readonly #rowsPerBlock: number
  readonly #blocks: Block[] = []
  readonly #maxBlocks: number
  /** Sum of the finished blocks [BINS]. */
  readonly #total = new Uint32Array(BINS)
  /** Rows of the block that is not finished yet, and of the hour that quantiles do not know yet. */
  #block = new Tally()
  #hour = new Tally()
  #finishedRows = 0
  #finishedOver = 0
  /** Cumulative share at the lower edge of each bin [BINS + 1], refreshed as #rowsPerRefresh says. */
  readonly #cumulative = new Float32Array(BINS + 1)

  constructor(seed: Quantiles, { intervalSeconds, seedHours = WINDOW_HOURS, blockHours = 1 }: DistributionOptions) {
    this.#seed = seedOf(seed)
    this.#rowsPerHour = Math.max(1, Math.round(3600 / intervalSeconds))
    this.#rowsPerBlock = blockHours * this.#rowsPerHour
    this.#maxBlocks = Math.ceil(WINDOW_HOURS / blockHours)
    this.#seedRows = seedHours * this.#rowsPerHour
    this.#refresh()
  }

  /**
   * @param x score; the caller caps rows in alarm
   * @param over whether the row counts against the budget
   * @returns true when quantiles changed
   */
  add(x: number, over: boolean): boolean {
    this.#hour.add(binOf(x), over)
    if (this.#hour.rows < this.#rowsPerRefresh) return false
    this.#block.merge(this.#hour)
    this.#hour = new Tally()
    if (this.#block.rows >= this.#rowsPerBlock) {
      this.#push(this.#block)
      this.#block = new Tally()
    }
    this.#refresh()
    return true
  }

  /** The value that a share p of the rows lies below. */
  quantile(p: number): number {
    let low = 0
    let high = BINS
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.#cumulative[middle] as number) <= p) low = middle
      else high = middle
    }
    const from = this.#cumulative[low] as number
    const width = (this.#cumulative[low + 1] as number) - from
    const within = width > 0 ? Math.min(1, Math.max(0, (p - from) / width)) : 0
    return lowerEdge(low) + within * (lowerEdge(low + 1) - lowerEdge(low))
  }

  /** Share of the rows below x, kept half a row away from 0 and 1: nothing is ever certain. */
  rank(x: number): number {
    const bin = binOf(x)
    const edge = lowerEdge(bin)
    const within = Math.min(1, Math.max(0, (x - edge) / (lowerEdge(bin + 1) - edge)))
    const from = this.#cumulative[bin] as number
    const rank = from + within * ((this.#cumulative[bin + 1] as number) - from)
    const halfRow = 0.5 / (this.#known + this.#seedWeight() + 1)
    return Math.min(1 - halfRow, Math.max(halfRow, rank))
  }

  /** Share of the live rows that counted against the budget when they came; 0 before the first. */
  get realised(): number {
    return this.rows === 0 ? 0 : (this.#finishedOver + this.#block.over + this.#hour.over) / this.rows
  }

  /** Live rows in the window. */
  get rows(): number {
    return this.#finishedRows + this.#block.rows + this.#hour.rows
  }

  /**
   * Scores have moved for good: the seed goes, and all rows but those of the last day. If that moved the upper quantiles
   * the other way (a calm day after a rise), all stays as it is.
   */
  rebase(direction: 'up' | 'down'): void {
    if (this.#known === 0) return
    const [before, seedRows] = [this.quantile(REBASED_QUANTILE), this.#seedRows]
    const dropped: Block[] = []
    const enough = REBASED_HOURS * this.#rowsPerHour
    for (let [oldest] = this.#blocks; oldest && this.#known - oldest.rows >= enough; [oldest] = this.#blocks) {
      this.#blocks.shift()
      this.#count(oldest, -1)
      dropped.push(oldest)
    }
    this.#seedRows = 0
    this.#refresh()
    const moved = this.quantile(REBASED_QUANTILE) - before
    if (direction === 'up' ? moved >= 0 : moved <= 0) return
    this.#blocks.unshift(...dropped)
    for (const block of dropped) this.#count(block, 1)
    this.#seedRows = seedRows
    this.#refresh()
  }

  save(): SavedDistribution {
    return {
      ...(this.#seedRows === 0 ? { rebased: true } : {}),
      blocks: this.#blocks.map((b) => ({ pairs: [...b.pairs], over: b.over })),
      block: this.#block.save(),
      hour: this.#hour.save(),
    }
  }

  /** @throws RangeError when what was saved is not a distribution of these bins */
  restore(saved: SavedDistribution): void {
    if (saved.rebased) this.#seedRows = 0
    for (const block of saved.blocks) this.#push(Tally.of(block))
    this.#block = Tally.of(saved.block)
    this.#hour = Tally.of(saved.hour)
    this.#refresh()
  }

  #push({ counts, rows, over }: Tally): void {
    const block: Block = { pairs: Uint16Array.from([...counts].flat(), (x) => Math.min(x, 65535)), rows, over }
    this.#blocks.push(block)
    this.#count(block, 1)
    if (this.#blocks.length > this.#maxBlocks) this.#count(this.#blocks.shift() as Block, -1)
  }

  #count(block: Block, sign: 1 | -1): void {
    this.#finishedRows += sign * block.rows
    this.#finishedOver += sign * block.over
    for (let i = 0; i < block.pairs.length; i += 2) {
      const bin = block.pairs[i] as number
      this.#total[bin] = (this.#total[bin] as number) + sign * (block.pairs[i + 1] as number)
    }
  }

  /** An hour; ten minutes in the first six hours, when a new host differs most from what the seed expects. */
  get #rowsPerRefresh(): number {
    return this.#known < EARLY_HOURS * this.#rowsPerHour ? Math.ceil(this.#rowsPerHour / 6) : this.#rowsPerHour
  }

  /** Rows that quantiles know. */
  get #known(): number {
    return this.#finishedRows + this.#block.rows
  }

  #seedWeight(): number {
    return Math.max(0, this.#seedRows - this.#known)
  }

  #refresh(): void {
    const seed = this.#seedWeight()
    const all = seed + this.#known
    let sum = 0
    for (let b = 0; b < BINS; b++) {
      this.#cumulative[b] = sum / all
      sum += seed * (this.#seed[b] as number) + (this.#total[b] as number) + (this.#block.counts.get(b) ?? 0)
    }
    this.#cumulative[BINS] = 1
  }
}

/** Rows counted by bin. */
class Tally {
  readonly counts = new Map<number, number>()
  rows = 0
  over = 0

  static of({ pairs, over }: SavedTally): Tally {
    const tally = new Tally()
    for (let i = 0; i < pairs.length; i += 2) {
      const bin = pairs[i] as number
      const count = pairs[i + 1] as number
      if (!(bin >= 0 && bin < BINS && count > 0)) throw new RangeError('a saved distribution has a bin out of range')
      tally.counts.set(bin, count)
      tally.rows += count
    }
    tally.over = over
    return tally
  }

  add(bin: number, over: boolean): void {
    this.counts.set(bin, (this.counts.get(bin) ?? 0) + 1)
    this.rows++
    this.over += Number(over)
  }

  merge(other: Tally): void {
    for (const [bin, count] of other.counts) this.counts.set(bin, (this.counts.get(bin) ?? 0) + count)
    this.rows += other.rows
    this.over += other.over
  }

  save(): SavedTally {
    return { pairs: [...this.counts].flat(), over: this.over }
  }
}

export interface SavedTally {
  /** Pairs of bin and count. */
  readonly pairs: readonly number[]
  readonly over: number
}

export interface SavedDistribution {
  /** The seed has no weight any more. */
  readonly rebased?: boolean
  readonly blocks: readonly SavedTally[]
  readonly block: SavedTally
  readonly hour: SavedTally
}
