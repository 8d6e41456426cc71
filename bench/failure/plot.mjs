/** The reliability diagram: what was observed over what was said, a panel a horizon. */

const SIZE = 250
const LEFT = 56
const TOP = 54
const GAP = 56

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2430; --pale: #5d6675; --line: #d7dbe2; --back: #fff; --bar: #3b76c4; --hot: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e6ec; --pale: #a2abb9; --line: #353b47; --back: #14171d; --bar: #6ea3e8; --hot: #fb923c; }
}
text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: var(--ink); } .pale { fill: var(--pale); }
.title { font-size: 15px; font-weight: 600; } .back { fill: var(--back); } .grid { stroke: var(--line); fill: none; }
.ideal { stroke: var(--pale); stroke-dasharray: 4 4; } .curve { stroke: var(--bar); stroke-width: 2; fill: none; }
.dot { fill: var(--bar); fill-opacity: .75; }
`
const round = (x) => Math.round(x * 10) / 10

/** @param {{ name: string, horizons: ReturnType<import('./measure.mjs').measure>[] }[]} sets */
export function reliabilityDiagram(sets) {
  const width = LEFT + 3 * (SIZE + GAP)
  const height = sets.length * (SIZE + TOP + 40) + 10
  const panels = sets.flatMap(({ name, horizons }, row) =>
    horizons.map((measured, k) =>
      panel(name, measured, LEFT + k * (SIZE + GAP), row * (SIZE + TOP + 40) + TOP, k === 0),
    ),
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Reliability of the probability of failure"><style>${STYLE}</style><rect class="back" width="${width}" height="${height}"/>${panels.join('')}</svg>\n`
}

function panel(name, { horizon, bins, skill, calibrationErrorTold }, left, top, isFirst) {
  const x = (p) => round(left + p * SIZE)
  const y = (p) => round(top + (1 - p) * SIZE)
  const ticks = [0, 0.25, 0.5, 0.75, 1]
  const grid = ticks.map(
    (p) =>
      `<line class="grid" x1="${x(0)}" x2="${x(1)}" y1="${y(p)}" y2="${y(p)}"/><line class="grid" x1="${x(p)}" x2="${x(p)}" y1="${y(0)}" y2="${y(1)}"/><text class="pale" x="${x(p)}" y="${y(0) + 15}" text-anchor="middle">${p}</text>${isFirst ? `<text class="pale" x="${x(0) - 6}" y="${y(p)}" dy=".35em" text-anchor="end">${p}</text>` : ''}`,
  )
  const points = bins.map((b) => [x(b.meanProbability), y(b.observed), round(2 + Math.log10(1 + b.weight) * 1.6), b])
  const curve = points.map(([a, b]) => `${a},${b}`).join(' ')
  const dots = points.map(
    ([a, b, r, bin]) =>
      `<circle class="dot" cx="${a}" cy="${b}" r="${r}"><title>${Math.round(bin.weight)} samples: said ${bin.meanProbability.toFixed(3)}, observed ${bin.observed.toFixed(3)}</title></circle>`,
  )
  const title = isFirst
    ? `<text class="title" x="16" y="${top - 34}">${name}: observed share over probability</text>`
    : ''
  return `${title}<text x="${x(0)}" y="${top - 12}">within ${horizon / 60} min</text><text class="pale" x="${x(1)}" y="${top - 12}" text-anchor="end">skill ${skill.toFixed(2)}, error ${calibrationErrorTold.toFixed(2)}</text>${grid.join('')}<line class="ideal" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}"/><polyline class="curve" points="${curve}"/>${dots.join('')}`
}
