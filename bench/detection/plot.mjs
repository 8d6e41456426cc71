/** The figures as one picture: VUS-PR of each machine, what each detector is worth, and what others have published. */

import { choicesOf, labelOf } from './choices.mjs'
import { GOALS, PUBLISHED } from './goals.mjs'
import { mean, share, signed } from './table.mjs'

const WIDTH = 940
const LABELS = 290
const BARS = 390
const ROW = 21
const RIGHT = { from: 745, to: 905 }

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2430; --pale: #5d6675; --line: #d7dbe2; --back: #fff; --bar: #3b76c4; --soft: #a9b4c4; --hot: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e6ec; --pale: #a2abb9; --line: #353b47; --back: #14171d; --bar: #6ea3e8; --soft: #566073; --hot: #fb923c; }
}
text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: var(--ink); } .pale { fill: var(--pale); }
.title { font-size: 15px; font-weight: 600; } .strong { font-weight: 600; } .back { fill: var(--back); }
.bar { fill: var(--bar); } .soft { fill: var(--soft); } .grid { stroke: var(--line); } .zero { stroke: var(--pale); }
.goal { stroke: var(--hot); stroke-width: 2; } .whisker { stroke: var(--bar); stroke-width: 2; } .dot { fill: var(--bar); }
.key { fill: var(--hot); } .value { paint-order: stroke; stroke: var(--back); stroke-width: 4px; }
`

/** @param {{ machines?: object[], ablation?: object[] }} results */
export function plot({ machines, ablation }) {
  const sections = [
    ...(machines ? [machinesSection(machines)] : []),
    ...(ablation ? [ablationSection(ablation)] : []),
    publishedSection(),
  ]
  let y = 16
  const drawn = sections.map((section) => {
    const text = `<g transform="translate(0 ${y})">${section.draw}</g>`
    y += section.height + 26
    return text
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="VUS-PR of Portent on public recordings of servers"><style>${STYLE}</style><rect class="back" width="${WIDTH}" height="${y}"/>${drawn.join('')}</svg>\n`
}

function machinesSection(machines) {
  const sets = [...new Set(machines.map((x) => x.set))]
  const rows = sets.flatMap((set) => {
    const own = machines.filter((x) => x.set === set)
    const goal = GOALS.vusPr[set].goal
    return [
      ...own.map((x) => ({ label: `${set} ${x.machine}`, value: x.vusPr, className: 'bar' })),
      { label: `mean ${set}`, value: mean(own.map((x) => x.vusPr)), className: 'bar', isStrong: true, goal },
    ]
  })
  return section('VUS-PR of each machine, fitted on its own past', 'stroke: goal of the mean', rows)
}

function ablationSection(ablation) {
  const rows = choicesOf(ablation).map((choice) => ({
    label: labelOf(choice),
    value: mean(choice.values),
    className: choice.kind === 'mix' ? 'bar' : 'soft',
    isStrong: choice.kind === 'mix',
    difference: choice.difference,
  }))
  const reach = Math.max(
    0.05,
    ...rows.map((x) => Math.abs(x.difference?.mean ?? 0) + (x.difference?.standardError || 0)),
  )
  const { draw, height } = section(
    `VUS-PR of other choices of detectors, mean of ${ablation.length} machines`,
    '',
    rows,
  )
  return { draw: draw + differences(rows, reach), height }
}

/** Right of the bars: the paired difference from the mix, with its standard error. */
function differences(rows, reach) {
  const x = (v) => round(RIGHT.from + ((v + reach) / (2 * reach)) * (RIGHT.to - RIGHT.from))
  const bottom = top(rows.length)
  const marks = rows.map(({ difference }, k) => {
    if (!difference) return ''
    const { mean: gain, standardError } = difference
    const y = middle(k)
    const whisker = Number.isNaN(standardError)
      ? ''
      : `<line class="whisker" x1="${x(gain - standardError)}" x2="${x(gain + standardError)}" y1="${y}" y2="${y}"/>`
    return `${whisker}<circle class="dot" cx="${x(gain)}" cy="${y}" r="4"/>`
  })
  const edges = [-reach, 0, reach].map(
    (v) => `<text class="pale" x="${x(v)}" y="${bottom + 14}" text-anchor="middle">${v === 0 ? '0' : signed(v)}</text>`,
  )
  return `<text class="pale" x="${(RIGHT.from + RIGHT.to) / 2}" y="24" text-anchor="middle">less the mix, +- standard error</text><line class="zero" x1="${x(0)}" x2="${x(0)}" y1="${top(0)}" y2="${bottom}"/>${marks.join('')}${edges.join('')}`
}

function publishedSection() {
  const rows = PUBLISHED.flatMap(({ what, values }) => [
    { label: what, isStrong: true },
    ...values.map(([label, value]) => ({ label, value, className: 'soft' })),
  ])
  return section('Published with TSB-AD, on other machines', '', rows)
}

/** Bars of values of 0-1, one a row, with labels left and numbers right of them. */
function section(title, key, rows) {
  const x = (v) => round(LABELS + v * BARS)
  const bottom = top(rows.length)
  const grid = [0, 0.2, 0.4, 0.6, 0.8, 1].map(
    (v) =>
      `<line class="${v === 0 ? 'zero' : 'grid'}" x1="${x(v)}" x2="${x(v)}" y1="${top(0)}" y2="${bottom}"/><text class="pale" x="${x(v)}" y="${bottom + 14}" text-anchor="middle">${v}</text>`,
  )
  const bars = rows.map(({ label, value, className, isStrong, goal }, k) => {
    const y = middle(k)
    const weight = isStrong ? ' class="strong"' : ''
    if (value === undefined) return `<text class="strong" x="16" y="${y}" dy=".35em">${label}</text>`
    const mark =
      goal === undefined ? '' : `<line class="goal" x1="${x(goal)}" x2="${x(goal)}" y1="${y - 9}" y2="${y + 9}"/>`
    // Beside the goal's stroke where the two would touch.
    const after = goal !== undefined && goal >= value - 0.01 && goal < value + 0.1 ? goal : value
    return `<text${weight} x="${LABELS - 8}" y="${y}" dy=".35em" text-anchor="end">${label}</text><rect class="${className}" x="${LABELS}" y="${y - 7}" width="${round(Math.max(0, value) * BARS)}" height="14" rx="2"/>${mark}<text class="value${isStrong ? ' strong' : ''}" x="${x(after) + 6}" y="${y}" dy=".35em">${share(value)}</text>`
  })
  const note = key === '' ? '' : `<text class="key" x="${LABELS + BARS}" y="10" text-anchor="end">${key}</text>`
  return {
    draw: `<text class="title" x="16" y="10">${title}</text>${note}${grid.join('')}${bars.join('')}`,
    height: bottom + 18,
  }
}

const top = (k) => 30 + k * ROW
const middle = (k) => top(k) + ROW / 2

function round(x) {
  return Math.round(x * 10) / 10
}
