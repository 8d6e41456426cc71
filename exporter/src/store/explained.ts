/**
 * The mean explanation of a time range. Minutes hold the sums of their rows, so a range costs a minute what it otherwise
 * would cost a row; raw rows answer for minutes that the range holds in part, and for those of before minutes held them.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Shap } from '../types.ts'
import { MINUTE, minuteOf } from './minute.ts'
import { decodeShap, ShapTotals } from './shap.ts'
import type { ExplainedMinute } from './tables/assessments_minute.ts'
import type { Tables } from './tables/index.ts'

/** Minutes, or rows, read in one go; other work gets its turn in between. */
const PAGE = 250

export interface Explained {
  /** Unix ms: what was counted. Wider than what was asked for where an end lies in a minute whose rows are gone. */
  readonly from: number
  readonly to: number
  /** The mean over the rows that have one; null where none has. */
  readonly shap: Shap | null
  readonly rows: {
    readonly explained: number
    /** Assessed by rules, without a model. */
    readonly rulesAlone: number
    /** Stored, but never assessed: samples within an interval, and rows that came too late. */
    readonly unassessed: number
    /** Scored, but the explanation was not kept. */
    readonly notKept: number
  }
}

/** Of the rows of [from, to), both Unix ms. The caller bounds the range. */
export async function explained(tables: Tables, target: number, from: number, to: number): Promise<Explained> {
  const { readings, assessments, assessmentsMinute, signalSets } = tables
  const totals = new ShapTotals()
  const rows = { rulesAlone: 0, unassessed: 0, notKept: 0 }
  let [start, end] = [from, to]
  let turn = 0

  const add = (set: number, blob: Buffer, count: number) => {
    const found = signalSets.get(set)
    totals.add({ set: found, mean: decodeShap(blob, found.names.length) }, count)
  }
  async function addRows(low: number, high: number): Promise<void> {
    for (let next = low; next < high; ) {
      const page = assessments.explained(target, next, high, PAGE)
      for (const { assessed, scored, set, shap } of page) {
        if (!assessed) rows.unassessed++
        else if (shap !== null && set !== null) add(set, shap, 1)
        else if (scored) rows.notKept++
        else rows.rulesAlone++
      }
      turn += page.length
      if (page.length < PAGE) break
      next = (page.at(-1)?.at ?? high) + 1
      await nextTurn()
    }
  }
  function addMinute({ at, count, assessed, scored, explained, set, shap }: ExplainedMinute): void {
    if (shap !== null && set !== null) add(set, shap, explained)
    rows.notKept += Math.max(0, scored - explained)
    rows.rulesAlone += assessed - Math.max(scored, explained)
    rows.unassessed += count - assessed
    start = Math.min(start, at)
    end = Math.max(end, at + MINUTE)
  }

  let done = from
  for (let next = minuteOf(from); next < to; ) {
    const page = assessmentsMinute.explained(target, next, to, PAGE)
    for (const minute of page) {
      const { at, count, scored, explained } = minute
      // Rows of minutes that are gone, where raw rows are kept for longer.
      if (at > done) await addRows(done, at)
      const whole = at >= from && at + MINUTE <= to
      if (whole && explained >= scored) addMinute(minute)
      else if (readings.count(target, at, at + MINUTE) < count) addMinute(minute)
      else await addRows(Math.max(from, at), Math.min(to, at + MINUTE))
      done = at + MINUTE
      if (++turn >= PAGE) {
        turn = 0
        await nextTurn()
      }
    }
    if (page.length < PAGE) break
    next = done
  }
  await addRows(done, to)
  return { from: start, to: end, shap: totals.mean(), rows: { explained: totals.rows, ...rows } }
}
