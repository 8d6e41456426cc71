/**
 * Rows that others push, as a source of rows like this host's own.
 *
 * What comes is in the store before anybody is told so. Of each target the samples are averaged over the score interval by
 * their timestamps, on a grid of the target's own: its first sample lies in the middle of the first interval, so that a
 * sender who pushes once an interval has one sample in each, however its clock and the network jitter. The assessment of a
 * row joins its newest sample in the history. An interval is over when a sample of a later one has come, or when as much
 * time has passed here as was left of it at its newest sample; clocks of senders that are wrong do no harm so.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { IngestOutcome, PushedRow, Rejection } from '../api/index.ts'
import type { Store } from '../store/index.ts'
import type { Row } from '../types.ts'
import { RowBuilder } from '../window/row-builder.ts'

export interface PushedSourceOptions {
  readonly intervalMs: number
  readonly store: Pick<Store, 'history' | 'targets' | 'state'>
  /** Targets that this service collects itself: nobody else may push them. */
  readonly isOwn: (target: string) => boolean
  /** Most targets that may push. */
  readonly mostTargets: () => number
  /** Rows that will not be scored because too many wait already; they are in the history. */
  readonly onDropped: (rows: number) => void
  /** A target has fallen silent for long, or gave up its place to another: what memory holds of it can go. */
  readonly onAsleep: (target: string) => void
  /** ms. */
  readonly monotonic?: () => number
}

/** Signals of one target. */
const MOST_SIGNALS = 256
/** Rows and values written in one transaction, and before other work gets its turn: a few milliseconds. */
const SLICE_ROWS = 250
const SLICE_VALUES = 5000
/** Rows that wait to be scored, of one target and of all. */
const MOST_WAITING = 360
const MOST_WAITING_IN_ALL = 20_000
/** Rows taken at once beyond the first of each target: a backlog must not hold up the present. */
const MOST_BACKLOG = 500
/** A target that is silent for so long is forgotten but for its name and history. */
const SLEEP_MS = 3_600_000
/** Marks a target in the store as one that is pushed. */
const MARK = 'source'

interface Open {
  /** Interval of the target's grid. */
  readonly index: number
  /** Of the newest sample, Unix ms. */
  at: number
  /** Monotonic ms at which nothing more is waited for. */
  closes: number
}

interface Pushed {
  readonly name: string
  readonly builder: RowBuilder
  readonly signals: Set<string>
  /** Start of the grid, Unix ms; NaN before the first sample. */
  origin: number
  open: Open | null
  waiting: Row[]
  /** Monotonic ms. */
  heard: number
  asleep: boolean
}

export class PushedSource {
  readonly #options: PushedSourceOptions
  readonly #monotonic: () => number
  readonly #targets = new Map<string, Pushed>()
  #waiting = 0

  constructor(options: PushedSourceOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  /** Knows the targets again that pushed before the restart. */
  restore(): void {
    const { store, isOwn } = this.#options
    for (const { name } of store.targets.list()) {
      if (isOwn(name) || store.state.load(name, MARK) === undefined) continue
      this.#targets.set(name, this.#made(name, true))
    }
  }

  has(target: string): boolean {
    return this.#targets.has(target)
  }

  names(): Iterable<string> {
    return this.#targets.keys()
  }

  /**
   * Resolves when the rows are durable.
   * @throws StoreError when the store takes none; the slices before that stay, and count as duplicates when sent again
   */
  async ingest(given: readonly PushedRow[]): Promise<IngestOutcome> {
    const rejected: Rejection[] = []
    const made: Pushed[] = []
    const rows = given.filter((row) => {
      const reason = this.#refuse(row, made)
      if (reason !== null) rejected.push({ row: row.index, ...reason })
      return reason === null
    })
    // Rows of one batch are never late for each other.
    if (rows.some((row, i) => row.at < (rows[i - 1]?.at ?? 0))) rows.sort((a, b) => a.at - b.at)
    const outcome = { accepted: 0, duplicates: 0, late: 0 }
    try {
      for (let i = 0; i < rows.length; ) {
        if (i > 0) await nextTurn()
        const end = endOfSlice(rows, i)
        this.#store(rows.slice(i, end), outcome, rejected)
        i = end
      }
    } finally {
      for (const target of made) if (Number.isNaN(target.origin)) this.#targets.delete(target.name)
    }
    return { ...outcome, rejected }
  }

  /**
   * Rows of the intervals that are over, oldest first; each batch has at most one row a target. Call it once an interval.
   */
  take(): Row[][] {
    const now = this.#monotonic()
    const batches: Row[][] = []
    let backlog = 0
    for (const target of this.#targets.values()) {
      if (target.open !== null && now >= target.open.closes) this.#close(target)
      if (target.waiting.length === 0) {
        if (!target.asleep && now - target.heard > SLEEP_MS) this.#sleep(target)
        continue
      }
      const n = Math.max(1, Math.min(target.waiting.length, MOST_BACKLOG - backlog))
      backlog += n - 1
      target.waiting.splice(0, n).forEach((row, i) => {
        batches[i] ??= []
        batches[i]?.push(row)
      })
      this.#waiting -= n
    }
    return batches
  }

  #made(name: string, asleep: boolean): Pushed {
    return {
      name,
      builder: new RowBuilder(name),
      signals: new Set(),
      origin: Number.NaN,
      open: null,
      waiting: [],
      heard: this.#monotonic(),
      asleep,
    }
  }

  /** Why a row is not taken; a target that is new is made, and added to `made`. */
  #refuse({ target: name, values, index }: PushedRow, made: Pushed[]): Omit<Rejection, 'row'> | null {
    const field = `rows[${index}]`
    let target = this.#targets.get(name)
    if (target === undefined) {
      if (this.#options.isOwn(name)) {
        const message = 'is a target that this service collects itself; push under another name'
        return { field: `${field}.target`, message }
      }
      const most = this.#options.mostTargets()
      if (this.#targets.size >= most && !this.#makePlace()) {
        const message = `would be one more than the ${most} targets that limits.targets leaves to pushed ones`
        return { field: `${field}.target`, message, limit: 'limits.targets' }
      }
      target = this.#made(name, false)
      this.#targets.set(name, target)
      made.push(target)
    }
    const { signals } = target
    let added = 0
    for (const signal in values) if (!signals.has(signal)) added++
    if (added === 0) return null
    if (signals.size + added > MOST_SIGNALS) {
      const message = `would bring the target to ${signals.size + added} signals, at most ${MOST_SIGNALS} are kept`
      return { field: `${field}.values`, message, limit: 'signals' }
    }
    for (const signal in values) signals.add(signal)
    return null
  }

  /** The target that has been silent longest, if that is long, gives up its place. */
  #makePlace(): boolean {
    let longest: Pushed | undefined
    for (const target of this.#targets.values()) {
      if (target.asleep && (longest === undefined || target.heard < longest.heard)) longest = target
    }
    return longest !== undefined && this.#targets.delete(longest.name)
  }

  /** One transaction. */
  #store(
    rows: readonly PushedRow[],
    outcome: { accepted: number; duplicates: number; late: number },
    rejected: Rejection[],
  ) {
    const { store } = this.#options
    for (const { target, kind } of rows) if (kind !== undefined) this.#setKind(target, kind)
    const fates = store.history.ingest(rows)
    rows.forEach((row, i) => {
      const fate = fates[i]
      if (fate === 'expired') {
        const message = 'is older than the history of single rows reaches (store.raw_retention)'
        rejected.push({ row: row.index, field: `rows[${row.index}].timestamp`, message })
        return
      }
      if (fate === 'duplicate') outcome.duplicates++
      else outcome.accepted++
      if (fate === 'late') outcome.late++
      const target = this.#targets.get(row.target)
      if (target === undefined) return
      target.heard = this.#monotonic()
      if (Number.isNaN(target.origin)) {
        target.origin = row.at - this.#options.intervalMs / 2
        store.state.save(target.name, MARK, Buffer.from('push'))
      }
      target.asleep = false
      if (fate === 'stored') this.#add(target, row)
    })
  }

  readonly #kinds = new Map<string, string>()

  #setKind(target: string, kind: 'host' | 'service'): void {
    if (this.#kinds.get(target) === kind) return
    this.#options.store.targets.ensure(target, kind)
    if (this.#kinds.size > 2 * this.#targets.size + 1000) this.#kinds.clear()
    this.#kinds.set(target, kind)
  }

  #add(target: Pushed, { target: name, at, values, resources }: PushedRow): void {
    const { intervalMs } = this.#options
    const index = Math.floor((at - target.origin) / intervalMs)
    if (target.open !== null && target.open.index !== index) this.#close(target)
    const left = target.origin + (index + 1) * intervalMs - at
    const closes = this.#monotonic() + left
    if (target.open === null) target.open = { index, at, closes }
    else {
      target.open.at = at
      target.open.closes = closes
    }
    target.builder.add({ target: name, at, values, resources })
  }

  /** The open row waits to be scored from now on. */
  #close(target: Pushed): void {
    const row = target.open === null ? null : target.builder.take(target.open.at)
    target.open = null
    if (row === null) return
    target.waiting.push(row)
    this.#waiting++
    if (target.waiting.length <= MOST_WAITING && this.#waiting <= MOST_WAITING_IN_ALL) return
    target.waiting.shift()
    this.#waiting--
    this.#options.onDropped(1)
  }

  #sleep(target: Pushed): void {
    target.asleep = true
    target.open = null
    target.signals.clear()
    this.#options.onAsleep(target.name)
  }
}

/** Position after as many rows as one transaction takes; at least one. */
function endOfSlice(rows: readonly PushedRow[], start: number): number {
  let values = 0
  let end = start
  while (end < rows.length && end - start < SLICE_ROWS) {
    for (const _ in rows[end]?.values) values++
    if (values > SLICE_VALUES && end > start) break
    end++
  }
  return end
}
