/** The backtest as a text for a terminal. */
import type { Backtest, ResourceResult } from './backtest.ts'
import type { Firing } from './judge.ts'
import {
  anomalyText,
  headOf,
  instant,
  intervalText,
  minutesText,
  outcomeText,
  plain,
  RULE_COLUMNS,
  ruleCells,
  UNKNOWN,
} from './words.ts'

/** Firings and alarms of a kind that are listed; the report has all. */
const LISTED = 10

export function textOf(result: Backtest): string {
  const { resources, rules, anomalies, failure, notes } = result
  const lines = [headOf(result), ...notes.map((note) => `note: ${note}`), '']
  if (resources.length === 0) lines.push('Nothing in it has a capacity: no rule applies.')
  else {
    const reached = resources.filter((one) => one.reached.length > 0)
    const which = reached.map((one) => `${one.title} ${one.reached.length} x`).join(', ')
    lines.push(
      `What can run out: ${resources.length}; reached its limit: ${which === '' ? 'nothing' : which}`,
      '',
      ...tableOf([RULE_COLUMNS, ...rules.map(ruleCells)]),
      '',
      ...rules.map(({ rule }) => `${rule.name}: ${rule.says}`),
      '',
      intervalText(result),
    )
    const own = resources.flatMap(ownFirings).sort((a, b) => a.firing.from - b.firing.from)
    lines.push('', own.length === 0 ? 'Portent foresaw nothing running out.' : 'What Portent would have said:')
    lines.push(...listed(own, ({ title, name, firing }) => sayFiring(title, name, firing)))
  }
  lines.push('', `Anomalies. ${anomalyText(result)}`)
  lines.push(
    ...listed(
      anomalies?.alarms ?? [],
      ({ from, minutes, sentence }) => `  ${instant(from)}  ${minutesText(minutes)}: ${sentence}`,
    ),
  )
  if (failure === null) lines.push('', 'Failure. No probability: no model of it, or too little is known of the host.')
  else {
    const minutes = failure.firings.reduce((sum, one) => sum + one.minutes, 0)
    lines.push(
      '',
      `Failure. A probability of a half or more within an hour, for 5 min: ${failure.firings.length} x, ${plain(minutes)} minutes.`,
      ...listed(failure.firings, (one) => `  ${instant(one.from)}  ${minutesText(one.minutes)}: ${one.sentence ?? ''}`),
    )
  }
  lines.push('', 'What is not known:', ...UNKNOWN.map((text) => `- ${text}`))
  return `${lines.join('\n')}\n`
}

interface OwnFiring {
  readonly title: string
  readonly name: string
  readonly firing: Firing
}

const ownFirings = ({ title, rules }: ResourceResult): OwnFiring[] =>
  rules
    .filter(({ rule }) => rule.own)
    .flatMap(({ rule, judged }) => judged.firings.map((firing) => ({ title, name: rule.name, firing })))

const sayFiring = (title: string, name: string, firing: Firing): string =>
  `  ${instant(firing.from)}  ${name}, ${minutesText(firing.minutes)}, ${outcomeText(firing)}: ${firing.sentence ?? title}`

function listed<T>(all: readonly T[], say: (one: T) => string): string[] {
  const more = all.length > LISTED ? [`  and ${all.length - LISTED} more: see the report`] : []
  return [...all.slice(0, LISTED).map(say), ...more]
}

function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] as readonly string[]).map((_, k) => Math.max(...rows.map((row) => (row[k] as string).length)))
  return rows.map((row) =>
    row
      .map((cell, k) => (k === 0 ? cell.padEnd(widths[k] as number) : cell.padStart(widths[k] as number)))
      .join('  ')
      .trimEnd(),
  )
}
