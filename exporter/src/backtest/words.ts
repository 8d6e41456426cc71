/** Words and numbers that the table and the page share. */
import { duration } from '../outlook/words.ts'
import type { Backtest, RuleTotal } from './backtest.ts'
import type { Firing } from './judge.ts'

/** `2026-11-18 14:20`, UTC. @param at Unix s */
export const instant = (at: number): string => new Date(at * 1000).toISOString().slice(0, 16).replace('T', ' ')

export const minutesText = (minutes: number): string => duration(minutes * 60)

/** Three figures, no exponent. */
export const plain = (x: number): string => (x >= 100 ? String(Math.round(x)) : String(Number(x.toPrecision(2))))

export const percent = (x: number): string => `${Math.round(100 * x)} %`

/** A limit that is reached later than this after a firing has nothing to do with it, seconds. */
const LATE = 3 * 86_400

export function outcomeText({ outcome, lead, from, reachedAt }: Firing): string {
  if (outcome === 'came_true') return lead === 0 ? 'at the limit' : `came true, ${duration(lead ?? 0)} before`
  if (outcome === 'open') return 'not known yet'
  const late = reachedAt !== null && reachedAt - from <= LATE
  return late ? `not in time: limit reached ${duration(reachedAt - from)} later` : 'did not come true'
}

/** The usual rules and ours side by side: one row a rule. */
export const RULE_COLUMNS = [
  'rule',
  'firings',
  'minutes',
  'a day',
  'came true',
  'did not',
  'not known',
  'minutes that did not',
  'limits announced',
  'median lead',
] as const

export function ruleCells(total: RuleTotal): string[] {
  const { rule, firings, outcomes, minutes, minutesADay, limits, announced, medianLead } = total
  const all = minutes.came_true + minutes.not + minutes.open
  return [
    rule.name,
    String(firings),
    plain(all),
    plain(minutesADay),
    String(outcomes.came_true),
    String(outcomes.not),
    String(outcomes.open),
    plain(minutes.not),
    `${announced} of ${limits}`,
    medianLead === null ? '-' : duration(medianLead),
  ]
}

/** What the history was, in a sentence. */
export function headOf({ name, rows, intervalSeconds, from, to, countFrom }: Backtest): string {
  const days = plain((to - from) / 86_400)
  return `${name}: ${rows} rows of ${intervalSeconds} s, ${instant(from)} to ${instant(to)} UTC (${days} days). Counted from ${instant(countFrom)} on; before that is warm-up.`
}

export function intervalText({ intervals }: Backtest): string {
  const { predictions, held } = intervals
  if (predictions === 0)
    return 'No prediction of a limit that was then reached: nothing says whether the 80 % intervals hold.'
  return `80 % intervals: ${predictions} were given before a limit that was reached, ${percent(held / predictions)} of them held it.`
}

export function anomalyText({ anomalies, trainedUntil, failure }: Backtest): string {
  if (anomalies === null || trainedUntil === null) {
    return failure === null
      ? 'No model of this host: exhaustion and rules only.'
      : 'No model of this host: no anomaly scores, and the failure probability rests on the raw signals alone.'
  }
  const { alarms, minutes, days, unscored } = anomalies
  const said = `Trained on the rows before ${instant(trainedUntil)}, scored the ${plain(days)} days after: ${alarms.length} ${alarms.length === 1 ? 'alarm' : 'alarms'}, ${plain(minutes)} minutes in alarm, ${plain(minutes / Math.max(days, 1e-9))} a day.`
  return unscored > 0 ? `${said} ${unscored} rows held values that the models cannot take.` : said
}

/** What no history can tell. */
export const UNKNOWN = [
  'A firing after which the limit was not reached is not proven false: somebody may have acted, or acted because of it. It "did not come true".',
  'Came true: in some minute of the firing the limit (99 % used, memory 98 %) was reached within the lead that the rule states. Not known: the history ends before that lead is over.',
  'Levels are means of a minute of the share used as df counts it: space that is reserved for root is neither used nor free. A limit that was reached for seconds only, as by memory that the kernel freed by killing a process, is not always seen.',
  'Whether an alarm or a failure probability was right is written nowhere in a history: they are told, not judged.',
] as const
