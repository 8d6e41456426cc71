/** The report for people: one HTML file that needs no network and no script. The same history gives the same bytes. */
import { escapeHtml, STYLE } from '@portent/core/report'
import { actionFor } from '../outlook/words.ts'
import type { Backtest, ResourceResult } from './backtest.ts'
import type { Firing } from './judge.ts'
import { anomalyPlots, failurePlot, resourcePlot } from './plots.ts'
import {
  anomalyText,
  headOf,
  instant,
  intervalText,
  minutesText,
  outcomeText,
  percent,
  RULE_COLUMNS,
  ruleCells,
  UNKNOWN,
} from './words.ts'

const OWN_STYLE = `
:root { --warm: #f1f3f6; --usual: #a0a7b4; --soft: #3b76c433; }
@media (prefers-color-scheme: dark) { :root { --warm: #1d212a; --usual: #6b7484; --soft: #6ea3e840; } }
path.level { stroke: var(--bar); stroke-width: 1.3; } path.interval { fill: var(--soft); }
rect.warm { fill: var(--warm); } rect.own { fill: var(--hot); } rect.usual { fill: var(--usual); }
line.reached { stroke: var(--hot); stroke-width: 1.5; }
path.horizon { stroke: var(--bar); stroke-width: .7; opacity: .8; } path.h1 { stroke-width: 1.5; } path.h2 { stroke-width: 2.3; opacity: .5; }
section { overflow-x: auto; } section svg { max-width: none; } td.why { white-space: normal; min-width: 44ch; } .why { text-align: left; }
details { margin: 4px 0 16px; } summary { cursor: pointer; color: var(--pale); }
.box { display: inline-block; width: 14px; height: 10px; margin: 0 4px 0 12px; background: var(--hot); } .box.usual { background: var(--usual); } .box.warm { background: var(--warm); outline: 1px solid var(--line); }
tr.own th, tr.own td { font-weight: 700; }
`

export function htmlOf(result: Backtest): string {
  const { name, resources, rules, anomalies, failure, notes } = result
  const title = `Backtest: ${escapeHtml(name)}`
  const said = notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('')
  const quiet = resources.filter((one) => !isTold(one))
  const told = resources.filter(isTold).sort((a, b) => weight(b) - weight(a))
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}${OWN_STYLE}</style>
<main>
<h1>${title}</h1>
<p>${escapeHtml(headOf(result))}</p>
${said === '' ? '' : `<ul class="notes">${said}</ul>`}
<h2>What runs out: Portent and the usual rules on the same history</h2>
${resources.length === 0 ? '<p>Nothing in it has a capacity: no rule applies.</p>' : ruleTable(result)}
${resources.length === 0 ? '' : `<ul class="notes">${rules.map(({ rule }) => `<li><b>${escapeHtml(rule.name)}</b>: ${escapeHtml(rule.says)}</li>`).join('')}</ul><p>${escapeHtml(intervalText(result))}</p>`}
<p><span class="box"></span>Portent fired <span class="box usual"></span>another rule fired <span class="box warm"></span>warm-up, not counted. A pointer
on a span shows when, for how long, and why.</p>
${told.map((one) => resourceSection(one, result)).join('\n')}
${quiet.length === 0 ? '' : `<details><summary>${quiet.length} on which nothing fired: ${escapeHtml(quiet.map((one) => one.title).join(', '))}</summary>${quiet.map((one) => resourceSection(one, result)).join('\n')}</details>`}
<h2>Anomalies</h2>
<p>${escapeHtml(anomalyText(result))}</p>
${anomalies === null ? '' : `<section>${anomalyPlots(anomalies, result)}</section>${alarmTable(result)}`}
<h2>Failure</h2>
${failure === null ? '<p>No failure probability: no model of it, or too little is known of the host.</p>' : `<p>A probability of a half or more within an hour, for 5 min, is told here. What failed is written in no history: it is not judged.</p><section>${failurePlot(failure, result)}</section>${failureTable(failure.firings)}`}
<h2>What is not known</h2>
<ul>${UNKNOWN.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>
</main>
</html>
`
}

const isTold = ({ rules, reached }: ResourceResult): boolean =>
  reached.length > 0 || rules.some(({ judged }) => judged.firings.length > 0)

/** What reached its limit first, then what Portent foresaw. */
const weight = ({ reached, rules }: ResourceResult): number =>
  1000 * reached.length + rules.reduce((n, { rule, judged }) => n + (rule.own ? judged.firings.length : 0), 0)

function ruleTable({ rules }: Backtest): string {
  const head = RULE_COLUMNS.map((name) => `<th>${name}</th>`).join('')
  const rows = rules.map((total) => {
    const [name = '', ...cells] = ruleCells(total)
    const rest = cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')
    return `<tr${total.rule.own ? ' class="own"' : ''}><th scope="row">${escapeHtml(name)}</th>${rest}</tr>`
  })
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

function resourceSection(one: ResourceResult, result: Backtest): string {
  const { title, kind, reached, rules } = one
  const action = actionFor({ kind, limit: { capacity: 1, direction: 'up' } })
  const known = one.levels.used.filter(Number.isFinite)
  const range = `${percent(known.reduce((a, b) => Math.min(a, b), 1))} to ${percent(known.reduce((a, b) => Math.max(a, b), 0))} used`
  const when = reached.length === 0 ? 'limit not reached' : `limit reached at ${reached.map(instant).join(', ')}`
  const own = rules
    .filter(({ rule }) => rule.own)
    .flatMap(({ rule, judged }) => judged.firings.map((f) => [rule.name, f] as const))
  const fired = own.length > 0 ? `${firingTable(own)}<p class="pale">What to do: ${escapeHtml(action)}.</p>` : ''
  const others = rules
    .filter(({ rule }) => !rule.own)
    .flatMap(({ rule, judged }) => judged.firings.map((f) => [rule.name, f] as const))
  const folded =
    others.length > 0
      ? `<details><summary>${others.length} firings of the other rules</summary>${firingTable(others)}</details>`
      : ''
  return `<h3>${escapeHtml(title)}</h3><p>${escapeHtml(`${range}; ${when}`)}</p><section>${resourcePlot(one, result)}</section>${fired}${folded}`
}

/** A rule that flaps would fill the page; report.json has all. */
const MOST_ROWS = 200

function rowsOf<T>(all: readonly T[], row: (one: T) => string): string {
  const more = all.length > MOST_ROWS ? `<tr><td>and ${all.length - MOST_ROWS} more</td></tr>` : ''
  return all.slice(0, MOST_ROWS).map(row).join('') + more
}

function firingTable(firings: readonly (readonly [string, Firing])[]): string {
  const sorted = firings.toSorted(([, a], [, b]) => a.from - b.from)
  const rows = rowsOf(sorted, ([name, one]) => {
    const cells = [instant(one.from), name, minutesText(one.minutes), outcomeText(one)]
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}<td class="why">${escapeHtml(one.sentence ?? '')}</td></tr>`
  })
  return `<div class="wide"><table><thead><tr><th>since (UTC)</th><th>rule</th><th>for</th><th>outcome</th><th class="why">why</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

function alarmTable({ anomalies }: Backtest): string {
  if (anomalies === null || anomalies.alarms.length === 0) return ''
  const rows = rowsOf(anomalies.alarms, ({ from, minutes, peak, health, signals }) => {
    const why = signals.map(({ signal, shap }) => `${signal} ${shap.toPrecision(2)}`).join(', ')
    const cells = [instant(from), minutesText(minutes), peak.toPrecision(2), String(Math.round(health))]
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}<td class="why">${escapeHtml(why)}</td></tr>`
  })
  return `<div class="wide"><table><thead><tr><th>since (UTC)</th><th>for</th><th>peak, 1 = threshold</th><th>lowest health</th><th class="why">signals, with their SHAP values</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

function failureTable(firings: readonly Firing[]): string {
  if (firings.length === 0) return '<p>It never was.</p>'
  const rows = rowsOf(
    firings,
    (one) =>
      `<tr><td>${instant(one.from)}</td><td>${minutesText(one.minutes)}</td><td class="why">${escapeHtml(one.sentence ?? '')}</td></tr>`,
  )
  return `<div class="wide"><table><thead><tr><th>since (UTC)</th><th>for</th><th class="why">why</th></tr></thead><tbody>${rows}</tbody></table></div>`
}
