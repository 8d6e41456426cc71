/**
 * Members of the ensemble that are updated every day beside the frozen detectors. A model that is frozen knows what this
 * host was; one that is updated knows what it has become. Either alone loses on some hosts: the updated one takes a slow
 * failure for a new normal, the frozen one takes a new normal for a failure. So they vote half and half.
 *
 * A member joins after two days of rows of its own; until then, and in a bundle without them, the frozen detectors speak
 * alone. A day is a number of rows, as an hour of the rolling threshold is.
 */
import type { Manifest } from '../../manifest.ts'
import { DailyPca } from './pca.ts'
import type { DailyMember } from './types.ts'
import { DailyVar } from './var.ts'
import { DailyZ } from './z.ts'

export { DailyPca } from './pca.ts'
export type { DailyMember, DailyRow } from './types.ts'
export { DailyVar } from './var.ts'
export { DailyZ } from './z.ts'

const DAY_SECONDS = 86_400
const KINDS = 6

type DailyManifest = NonNullable<Manifest['daily']>

/** Those a manifest may name, in the order of the manifest. */
function memberOf(
  { kind, residual_scale }: DailyManifest['members'][number],
  signals: number,
  forget: number,
): DailyMember {
  if (kind === 'z') return new DailyZ(signals, forget)
  if (kind === 'pca') return new DailyPca(signals, forget)
  return new DailyVar(signals, forget, residual_scale ?? new Array(signals).fill(1))
}

export class DailyMembers {
  /** Raw scores of the newest row, in the order of the manifest; NaN of a member that has not joined yet. */
  readonly scores: Float64Array
  readonly #members: readonly DailyMember[]
  readonly #readyDays: number
  readonly #rowsPerDay: number
  readonly #row: { features: Float64Array; readonly present: Uint8Array }
  #rows = 0
  #days = 0

  constructor(daily: DailyManifest, signals: number, intervalSeconds: number) {
    this.#members = daily.members.map((x) => memberOf(x, signals, daily.forget))
    this.#readyDays = daily.ready_days
    this.#rowsPerDay = Math.max(1, Math.round(DAY_SECONDS / intervalSeconds))
    this.scores = new Float64Array(this.#members.length).fill(Number.NaN)
    this.#row = { features: new Float64Array(KINDS * signals), present: new Uint8Array(signals) }
  }

  /** How far the members are from joining, 0-1. */
  get progress(): number {
    return Math.min(1, (this.#days * this.#rowsPerDay + this.#rows) / (this.#readyDays * this.#rowsPerDay))
  }

  /**
   * Scores a row.
   * @param features of a batch [N,F]; this row's begin at `offset`
   */
  score(features: Float64Array, offset: number, isPresent: (j: number) => boolean): void {
    const row = this.#row
    row.features = features.subarray(offset, offset + KINDS * row.present.length)
    for (let j = 0; j < row.present.length; j++) row.present[j] = Number(isPresent(j))
    const joined = this.#days >= this.#readyDays
    this.#members.forEach((member, k) => {
      const score = member.score(row)
      this.scores[k] = joined ? score : Number.NaN
    })
  }

  /**
   * What each feature adds to the z score about the daily mean, of the row that was scored last.
   * @returns false, and nothing written, until that member has joined
   */
  explain(to: Float64Array, at: number): boolean {
    const z = this.#members.find((x) => x instanceof DailyZ)
    if (z === undefined || this.#days < this.#readyDays) return false
    z.contributions(this.#row, to, at)
    return true
  }

  /** Learns from the row that was scored last. */
  learn(gate: number): void {
    for (const member of this.#members) member.learn(this.#row, gate)
    if (++this.#rows < this.#rowsPerDay) return
    for (const member of this.#members) member.endDay()
    this.#rows = 0
    this.#days++
  }

  /** A hole in time. */
  reset(): void {
    for (const member of this.#members) member.reset()
  }

  save(): SavedDaily {
    return { rows: this.#rows, days: this.#days, members: this.#members.map((x) => x.save().map(encode)) }
  }

  /** @throws RangeError when what was saved does not fit */
  restore({ rows, days, members }: SavedDaily): void {
    if (members.length !== this.#members.length) throw new RangeError('a saved state has other daily members')
    this.#members.forEach((x, k) => {
      x.restore((members[k] as readonly string[]).map(decode))
    })
    this.#rows = rows
    this.#days = days
  }
}

export interface SavedDaily {
  readonly rows: number
  readonly days: number
  /** Arrays of each member as base64 of little-endian doubles. */
  readonly members: readonly (readonly string[])[]
}

function encode(x: Float64Array): string {
  return Buffer.from(x.buffer, x.byteOffset, x.byteLength).toString('base64')
}

function decode(text: string): Float64Array {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
  if (bytes.length % 8 !== 0) throw new RangeError('a saved state is cut off')
  const numbers = new Float64Array(bytes.buffer)
  if (!numbers.every(Number.isFinite)) throw new RangeError('a saved state holds what is no number')
  return numbers
}
