/**
 * One kind of signal as the failure model sees it: short medians, how they stand to the rolling past, and how fast they
 * near a bad level. Everything counts bins of one length, which stand for seconds.
 */
import { SortedWindow } from './sorted.ts'

const MINUTE = 60
/** The past is sampled as often as this. */
const SAMPLE = 5 * MINUTE
/** Past of usual levels and rises. */
const PAST = 24 * 60 * MINUTE
/** A fault that begins is not its own past. */
const DELAY = 30 * MINUTE
/** Rank of the past rises above which a rise is news. */
const PRECEDENT = 0.9

interface Pace {
  /** Seconds of a short median. */
  readonly short: number
  /** Spans of a rise, one a horizon. */
  readonly spans: readonly number[]
}
/** What fills up or follows the work. */
export const SLOW: Pace = { short: 5 * MINUTE, spans: [10 * MINUTE, 30 * MINUTE, 120 * MINUTE] }
/** Symptoms that come within minutes. */
export const FAST: Pace = { short: 3 * MINUTE, spans: [5 * MINUTE, 15 * MINUTE, 60 * MINUTE] }

interface Span {
  readonly seconds: number
  readonly bins: number
  /** Rises of the past. */
  readonly past: SortedWindow
}

export class KindSeries {
  /** Median of the last few minutes; NaN while nothing is known of them. */
  short = Number.NaN
  /** Median and spread (of a normal distribution with the same 10 % and 90 % quantiles) of the day before. */
  usual = Number.NaN
  spread = Number.NaN
  /** Bins kept. */
  readonly #bins: number
  readonly #shortBins: number
  readonly #every: number
  readonly #spans: readonly Span[]
  /** Bin means, and short medians: rings. */
  readonly #means: Float64Array
  readonly #shorts: Float64Array
  readonly #past = new SortedWindow(PAST / SAMPLE)
  /** Samples too young to be past: a ring. */
  readonly #young: Float64Array
  #count = 0
  #samples = 0
  readonly #scratch: number[] = []

  /** @param binSeconds length of a bin */
  constructor(binSeconds: number, pace: Pace) {
    const bins = (seconds: number) => Math.max(1, Math.round(seconds / binSeconds))
    this.#shortBins = bins(pace.short)
    this.#every = bins(SAMPLE)
    this.#spans = pace.spans.map((seconds) => ({
      seconds: bins(seconds) * binSeconds,
      bins: bins(seconds),
      past: new SortedWindow(PAST / SAMPLE),
    }))
    this.#bins = bins(60 * MINUTE) + 1
    for (const span of this.#spans) this.#bins = Math.max(this.#bins, span.bins + 1)
    this.#means = new Float64Array(this.#bins).fill(Number.NaN)
    this.#shorts = new Float64Array(this.#bins).fill(Number.NaN)
    this.#young = new Float64Array(Math.max(1, Math.round(bins(DELAY) / this.#every))).fill(Number.NaN)
  }

  /** Number of samples of the past. */
  get past(): number {
    return this.#past.size
  }

  /** The mean of the next bin, NaN where nothing was seen in it. */
  push(mean: number): void {
    const at = this.#count % this.#bins
    this.#means[at] = mean
    this.#count++
    this.short = this.#medianOf(this.#means, 0, this.#shortBins - 1)
    this.#shorts[at] = this.short
    if (this.#count % this.#every === 0) this.#sample()
  }

  /**
   * Seconds until `bad` is reached along a straight line through the last span, as far as it rises more than it usually
   * does; Infinity where it does not. @param k index of the span
   */
  reaches(bad: number, k: number): number {
    if (this.short >= bad) return 0
    const { seconds, past } = this.#spans[k] as Span
    const usual = past.quantile(PRECEDENT)
    const rise = this.#rise(k) - (usual > 0 ? usual : 0)
    return rise > 0 ? ((bad - this.short) / rise) * seconds : Number.POSITIVE_INFINITY
  }

  /** Median of the last bins. */
  medianOf(bins: number): number {
    return this.#medianOf(this.#means, 0, bins - 1)
  }

  /** Median of the short medians between two ages in bins, NaN where there is none. */
  medianBetween(from: number, to: number): number {
    return this.#medianOf(this.#shorts, from, to)
  }

  #rise(k: number): number {
    const { bins } = this.#spans[k] as Span
    if (this.#count <= bins) return Number.NaN
    return this.short - (this.#shorts[(this.#count - 1 - bins) % this.#bins] as number)
  }

  #sample(): void {
    const slot = this.#samples++ % this.#young.length
    const aged = this.#young[slot] as number
    if (!Number.isNaN(aged)) {
      this.#past.push(aged)
      this.usual = this.#past.quantile(0.5)
      this.spread = (this.#past.quantile(0.9) - this.#past.quantile(0.1)) / 2.563
    }
    this.#young[slot] = this.short
    this.#spans.forEach(({ past }, k) => {
      const rise = this.#rise(k)
      if (!Number.isNaN(rise)) past.push(rise)
    })
  }

  #medianOf(ring: Float64Array, from: number, to: number): number {
    const list = this.#scratch
    list.length = 0
    const last = Math.min(to, this.#bins - 1, this.#count - 1)
    for (let age = from; age <= last; age++) {
      const x = ring[(this.#count - 1 - age) % this.#bins] as number
      if (!Number.isNaN(x)) list.push(x)
    }
    return medianOf(list)
  }
}

/** Sorts the list in place; NaN of an empty one. */
function medianOf(list: number[]): number {
  const n = list.length
  for (let i = 1; i < n; i++) {
    const x = list[i] as number
    let j = i - 1
    for (; j >= 0 && (list[j] as number) > x; j--) list[j + 1] = list[j] as number
    list[j + 1] = x
  }
  const upper = list[n >> 1] as number
  return n === 0 ? Number.NaN : n % 2 === 1 ? upper : ((list[(n >> 1) - 1] as number) + upper) / 2
}
