/**
 * The training report: one HTML file that needs no network. What the scores of held-out rows look like, whether thresholds
 * hold on rows that did not set them, what each detector finds, and what the features are. Same bundle, same bytes.
 */
import { budgetOf, FEATURE_KINDS, type Manifest, OPEN_SHARE } from '@portent/core'
import { bars, escapeHtml, frame, linear, logarithmic, path, STYLE, ticksOf } from '@portent/core/report'
import type { Validation } from '../bundle/disturb.ts'
import { BLOCKS } from '../bundle/folds.ts'
import type { HeldOut } from '../bundle/own.ts'
import { sortedQuantile } from '../bundle/statistics.ts'

export interface Report {
  readonly manifest: Manifest
  readonly version: string
  readonly rows: number | null
  readonly gaps: number
  readonly notes: readonly string[]
  /** Null where the bundle was calibrated on other hosts. */
  readonly heldOut: HeldOut | null
  readonly validation: Validation | null
}

export function reportHtml(report: Report): string {
  const { manifest } = report
  const title = `Training report: ${escapeHtml(manifest.name)}`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
<main>
<h1>${title}</h1>
${summary(report)}
<h2>Scores of normal rows</h2>
<p>Each score is smoothed, put on a logarithmic scale and calibrated: 0 is the median of normal rows, 1 their 95 % quantile.
${report.heldOut ? `The rows are held out: ${BLOCKS} contiguous blocks, each scored by models fitted on the other ${BLOCKS - 1}.` : 'The rows are of hosts that no model was fitted on.'}</p>
<div class="charts">${distributions(report)}</div>
${report.heldOut ? calibration(report.heldOut) : ''}
<h2>Detectors</h2>
${detectors(report)}
<h2>Features</h2>
<p>Mean and spread of each window feature over the training rows, in feature scale: what a value is measured against. A pale
spread is the floor: the feature hardly moved.</p>
${features(manifest)}
<h2>Evidence</h2>
<pre>${escapeHtml(JSON.stringify(manifest.evidence, null, 2))}</pre>
</main>
</html>
`
}

function summary({ manifest, version, rows, gaps, notes }: Report): string {
  const days = rows === null ? null : (rows * manifest.interval_seconds) / 86_400
  const facts: [string, string][] = [
    ['version', version],
    ['signals', String(manifest.signals.length)],
    ['interval', `${manifest.interval_seconds} s`],
    ['centre', manifest.center.mode === 'frozen' ? "the host's own mean" : 'follows each host'],
  ]
  if (rows !== null && days !== null) {
    facts.push(['rows', `${rows.toLocaleString('en')} (${days.toFixed(1)} days)`], ['gaps in time', String(gaps)])
  }
  const list = facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')
  const said = notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('')
  return `<dl>${list}</dl>${said === '' ? '' : `<ul class="notes">${said}</ul>`}`
}

const BINS = 48

function distributions({ manifest, heldOut }: Report): string {
  const all = [
    { name: 'ensemble', values: heldOut?.ensemble, quantiles: manifest.ensemble.distribution },
    ...manifest.detectors.map((x, k) => ({
      name: x.name,
      values: heldOut?.detectors[k],
      quantiles: x.distribution,
    })),
  ]
  const open = 1 - (manifest.ensemble.open_share ?? OPEN_SHARE) * budgetOf(5)
  return all.map(({ name, values, quantiles }) => distribution(name, values, quantiles, open)).join('')
}

/** @param open quantile that is the threshold */
function distribution(
  name: string,
  values: Float64Array | undefined,
  quantiles: [number, number][],
  open: number,
): string {
  const at = (p: number) => (quantiles.find(([q]) => q >= p) as [number, number])[1]
  const threshold = at(open)
  // The farthest tails would squeeze all else into a few bars; they are in the last ones.
  const from = Math.min(at(0.001), -0.5)
  const to = Math.max(at(0.998), threshold + 0.5, 1.5)
  const shares = values ? histogram(values, from, to) : histogramOfQuantiles(quantiles, from, to)
  const most = Math.max(...shares)
  const x = linear(from, to, ticksOf(from, to, 6))
  const y = linear(0, most * 1.05, ticksOf(0, most, 3), (v) => `${Number((v * 100).toPrecision(3))} %`)
  const chart = frame(
    { title: `Distribution of ${name}`, width: 360, height: 180, x, y, xTitle: 'calibrated score' },
    (px, py) => {
      const line = `<line class="threshold" x1="${px(threshold)}" x2="${px(threshold)}" y1="${py(0)}" y2="${py(most)}"/>`
      return `${bars(shares, from, to, px, py)}${line}`
    },
  )
  const caption = `${name}<small>threshold at sensitivity 5: ${threshold.toFixed(2)}, largest: ${at(1).toFixed(1)}</small>`
  return `<figure><figcaption>${caption}</figcaption>${chart}</figure>`
}

function histogram(values: Float64Array, from: number, to: number): number[] {
  const counts = new Array<number>(BINS).fill(0)
  for (const x of values) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(((x - from) / (to - from)) * BINS)))
    counts[bin] = (counts[bin] as number) + 1 / values.length
  }
  return counts
}

function histogramOfQuantiles(quantiles: readonly [number, number][], from: number, to: number): number[] {
  const below = (x: number): number => {
    let [p0, v0] = quantiles[0] as [number, number]
    if (x <= v0) return 0
    for (const [p, v] of quantiles) {
      if (x < v) return p0 + ((p - p0) * (x - v0)) / (v - v0)
      p0 = p
      v0 = v
    }
    return 1
  }
  const edge = (k: number) => from + (k * (to - from)) / BINS
  return Array.from({ length: BINS }, (_, k) => {
    const low = k === 0 ? 0 : below(edge(k))
    return Math.max(0, (k === BINS - 1 ? 1 : below(edge(k + 1))) - low)
  })
}

const SHARES = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2] as const

/** Share of each block's rows above the 1 - p quantile of the other blocks, and of all blocks together. */
export function calibrationOf({ pieces, ensemble }: HeldOut): { blocks: number[][]; all: number[] } {
  const scores: number[][] = Array.from({ length: BLOCKS }, () => [])
  let at = 0
  for (const { block, rows } of pieces) {
    for (let t = at; t < at + rows; t++) scores[block]?.push(ensemble[t] as number)
    at += rows
  }
  const above = scores.map((own, block) => {
    const others = Float64Array.from(scores.flatMap((x, b) => (b === block ? [] : x))).sort()
    return SHARES.map((p) => {
      const threshold = sortedQuantile(others, 1 - p)
      return own.reduce((count, x) => count + Number(x > threshold), 0)
    })
  })
  return {
    blocks: above.map((counts, block) => counts.map((c) => c / Math.max(1, scores[block]?.length ?? 1))),
    all: SHARES.map((_, k) => above.reduce((sum, counts) => sum + (counts[k] as number), 0) / ensemble.length),
  }
}

function calibration(heldOut: HeldOut): string {
  const { blocks, all } = calibrationOf(heldOut)
  const [from, to] = [0.0003, 1]
  const ticks = [0.001, 0.01, 0.1, 1]
  const percent = (v: number) => `${Number((v * 100).toPrecision(2))} %`
  const axis = logarithmic(from, to, ticks, percent)
  const chart = frame(
    {
      title: 'Share of held-out rows above a threshold against the share it was set for',
      width: 460,
      height: 300,
      x: axis,
      y: axis,
      xTitle: 'share p that the threshold was set for',
    },
    (px, py) => {
      const line = (shares: readonly number[], name: string) =>
        path(
          shares.map((v, k) => [px(SHARES[k] as number), py(v)] as const),
          name,
        )
      const ideal = path(
        [
          [px(from), py(from)],
          [px(to), py(to)],
        ],
        'ideal',
      )
      return `${ideal}${blocks.map((shares) => line(shares, 'block')).join('')}${line(all, 'all')}`
    },
  )
  const rows = SHARES.map((p, k) => {
    const worst = Math.max(...blocks.map((shares) => shares[k] as number))
    return `<tr><td>${percent(p)}</td><td>${percent(all[k] as number)}</td><td>${percent(worst)}</td></tr>`
  }).join('')
  return `<h2>Calibration</h2>
<p>A threshold set on three blocks for a share p, and the share of the fourth block's rows that is above it. On the dotted line
a threshold keeps its promise. Where blocks lie far above, the host's usual behaviour moves from day to day: in service the
threshold therefore rolls over the last six days instead of standing still.</p>
<div class="charts"><figure><figcaption><span class="key all"></span>all blocks <span class="key block"></span>each block
<span class="key ideal"></span>as promised</figcaption>${chart}</figure>
<table><thead><tr><th>promised</th><th>all blocks</th><th>worst block</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

function detectors({ manifest, validation }: Report): string {
  const kinds = validation ? (Object.keys(validation.tried) as (keyof Validation['tried'])[]) : []
  const percent = (x: number | undefined) => (x === undefined ? '' : `${Math.round(100 * x)} %`)
  const found = (name: string) => kinds.map((kind) => `<td>${percent(validation?.found[name]?.[kind])}</td>`).join('')
  const head = kinds.map((kind) => `<th>${kind} found</th>`).join('')
  const rows = manifest.detectors.map((x) => {
    const { median, q95 } = x.calibration
    return `<tr><th scope="row">${x.name}</th><td>${x.weight}</td><td>${median.toFixed(2)}</td><td>${q95.toFixed(2)}</td>${found(x.name)}</tr>`
  })
  const all = `<tr class="total"><th scope="row">ensemble</th><td></td><td></td><td></td>${found('ensemble')}</tr>`
  const tried = validation ? Object.values(validation.tried).reduce((sum, x) => sum + x, 0) : 0
  const said =
    tried > 0
      ? `<p>${tried} disturbances were put into held-out rows: for thirty rows a random third of the signals steps aside by three
spreads, ramps up to that, or gets noise of that size. Found is what passes the detector's own threshold at sensitivity 5. It
says that a detector answers on this host, not how well it finds real incidents. A detector of weight 0 has its own score and no
say in the ensemble.</p>`
      : '<p>Median and 95 % quantile are of the logarithm of the smoothed score. A detector of weight 0 has its own score and no say in the ensemble.</p>'
  return `${said}<table><thead><tr><th>detector</th><th>weight</th><th>median</th><th>q95</th>${head}</tr></thead><tbody>${rows.join('')}${tried > 0 ? all : ''}</tbody></table>`
}

function features({ signals, features: { mean, scale } }: Manifest): string {
  const d = signals.length
  const floor = FEATURE_KINDS.map((_, k) => Math.min(...scale.slice(k * d, (k + 1) * d)))
  const rows = signals.map(({ name, unit, transform }, j) => {
    const cells = FEATURE_KINDS.map((_, k) => {
      const s = scale[k * d + j] as number
      const pale = s <= (floor[k] as number) && s <= 0.02 ? ' class="pale"' : ''
      return `<td>${short(mean[k * d + j] as number)} <span${pale}>± ${short(s)}</span></td>`
    })
    const how = transform.kind === 'log1p' ? `log(1 + ${transform.scale === 1 ? '' : `${transform.scale} `}x)` : 'x'
    return `<tr><th scope="row">${escapeHtml(name)}</th><td>${unit === 'none' ? '' : unit.replaceAll('_', ' ')}</td><td>${how}</td>${cells.join('')}</tr>`
  })
  const head = FEATURE_KINDS.map((kind) => `<th>${kind}</th>`).join('')
  return `<div class="wide"><table><thead><tr><th>signal</th><th>unit</th><th>scale</th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

function short(x: number): string {
  return x === 0 ? '0' : Math.abs(x) < 0.0005 ? x.toExponential(0) : String(Number(x.toPrecision(3)))
}
