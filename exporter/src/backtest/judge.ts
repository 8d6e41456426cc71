/** What became of what a rule said: each firing, and all of them together, against the level that followed. */
import { eventsOf, type Levels, nextAtLimit, timeOf } from './levels.ts'
import type { Rule, Span } from './rules.ts'

/**
 * came_true: in some minute of it the limit was reached within the lead that it states. not: in none was it, which is no
 * proof of a false alarm. open: the history ends before that is known.
 */
export const OUTCOMES = ['came_true', 'not', 'open'] as const
export type Outcome = (typeof OUTCOMES)[number]

export interface Firing {
  readonly resource: string
  /** Unix s. */
  readonly from: number
  readonly to: number
  readonly minutes: number
  readonly outcome: Outcome
  /** When the limit was reached next, in time or not, Unix s; null where it never was. */
  readonly reachedAt: number | null
  /** Seconds from its begin to the limit, where it came true. */
  readonly lead: number | null
  /** Why, in words; null where the rule says nothing but itself. */
  readonly sentence: string | null
}

export interface Judged {
  readonly firings: readonly Firing[]
  /** Minutes in which it fired, by what became of each of them. */
  readonly minutes: Readonly<Record<Outcome, number>>
  /** Seconds from the first firing that came true to each limit that was reached; null = not announced. */
  readonly leads: readonly (number | null)[]
}

export interface Judging {
  readonly resource: string
  readonly levels: Levels
  /** First time that counts, Unix s. */
  readonly countFrom: number
  readonly sentence?: (from: number) => string | null
}

export function judge(rule: Pick<Rule, 'horizon'>, spans: readonly Span[], judging: Judging): Judged {
  const { resource, levels, countFrom, sentence } = judging
  const { step, used } = levels
  const next = nextAtLimit(levels)
  const ahead = rule.horizon / step
  const counts = Math.max(0, Math.ceil((countFrom - levels.from) / step))
  const minutes: Record<Outcome, number> = { came_true: 0, not: 0, open: 0 }
  const firings: Firing[] = []
  const outcomeAt = (k: number): Outcome => {
    if ((next[k] as number) - k <= ahead) return 'came_true'
    return k + ahead >= used.length ? 'open' : 'not'
  }
  for (const span of spans) {
    const from = Math.max(span.from, counts)
    if (from > span.to) continue
    let outcome: Outcome = 'not'
    for (let k = from; k <= span.to; k++) {
      const one = outcomeAt(k)
      minutes[one] += step / 60
      if (one === 'came_true' || (one === 'open' && outcome === 'not')) outcome = one
    }
    const reached = next[from] as number
    firings.push({
      resource,
      from: timeOf(levels, from),
      to: timeOf(levels, span.to),
      minutes: ((span.to - from + 1) * step) / 60,
      outcome,
      reachedAt: Number.isFinite(reached) ? timeOf(levels, reached) : null,
      lead: outcome === 'came_true' ? (reached - from) * step : null,
      sentence: sentence?.(timeOf(levels, from)) ?? null,
    })
  }
  return { firings, minutes, leads: leadsOf(firings, levels, counts) }
}

/** A limit that was already reached when the count began is nobody's to announce. */
function leadsOf(firings: readonly Firing[], levels: Levels, counts: number): (number | null)[] {
  let before = Number.NEGATIVE_INFINITY
  const leads: (number | null)[] = []
  for (const k of eventsOf(levels)) {
    const at = timeOf(levels, k)
    const first = firings.find(
      ({ from, to, reachedAt, outcome }) =>
        outcome === 'came_true' && from < at && (reachedAt === at || (to >= at && from > before)),
    )
    if (k > counts) leads.push(first === undefined ? null : at - first.from)
    before = at
  }
  return leads
}

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return null
  const high = sorted[middle] as number
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] as number)) / 2
}
