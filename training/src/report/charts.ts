/** Small charts as inline SVG; colours come from the style sheet of the page, so that they follow light and dark. */

export interface Axis {
  /** Values at which a label stands. */
  readonly ticks: readonly number[]
  readonly label: (x: number) => string
  /** 0-1 within the chart. */
  readonly place: (x: number) => number
}

const LEFT = 52
const RIGHT = 24
const TOP = 10
const BOTTOM = 34

export interface Frame {
  readonly title: string
  readonly width: number
  readonly height: number
  readonly x: Axis
  readonly y: Axis
  readonly xTitle: string
}

/** @param draw what stands within the frame, given the places of values in pixels */
export function frame(
  { title, width, height, x, y, xTitle }: Frame,
  draw: (px: (v: number) => number, py: (v: number) => number) => string,
): string {
  const px = (v: number) => LEFT + x.place(v) * (width - LEFT - RIGHT)
  const py = (v: number) => TOP + (1 - y.place(v)) * (height - TOP - BOTTOM)
  const bottom = height - BOTTOM
  const lines = y.ticks
    .map((v) => {
      const at = n(py(v))
      return `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${at}" y2="${at}"/><text x="${LEFT - 6}" y="${at}" dy=".32em" text-anchor="end">${y.label(v)}</text>`
    })
    .join('')
  const labels = x.ticks
    .map((v) => `<text x="${n(px(v))}" y="${bottom + 14}" text-anchor="middle">${x.label(v)}</text>`)
    .join('')
  const name = `<text x="${(LEFT + width - RIGHT) / 2}" y="${height - 4}" text-anchor="middle">${xTitle}</text>`
  const axis = `<line class="axis" x1="${LEFT}" x2="${width - RIGHT}" y1="${bottom}" y2="${bottom}"/>`
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}">${lines}${draw(px, py)}${axis}${labels}${name}</svg>`
}

export function linear(from: number, to: number, ticks: readonly number[], label: Axis['label'] = String): Axis {
  return { ticks, label, place: (v) => Math.min(1, Math.max(0, (v - from) / (to - from))) }
}

export function logarithmic(from: number, to: number, ticks: readonly number[], label: (x: number) => string): Axis {
  const span = Math.log(to / from)
  return { ticks, label, place: (v) => Math.min(1, Math.max(0, Math.log(Math.max(v, from) / from) / span)) }
}

export function path(points: readonly (readonly [number, number])[], className: string): string {
  const d = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${n(x)} ${n(y)}`).join('')
  return `<path class="${className}" d="${d}"/>`
}

/** Bars of a histogram: counts over equal steps of [from, to]. */
export function bars(
  counts: readonly number[],
  from: number,
  to: number,
  px: (v: number) => number,
  py: (v: number) => number,
): string {
  const step = (to - from) / counts.length
  const base = py(0)
  return counts
    .map((count, k) => {
      const x = px(from + k * step)
      const top = py(count)
      const width = Math.max(0.5, px(from + (k + 1) * step) - x - 1)
      return `<rect class="bar" x="${n(x)}" y="${n(top)}" width="${n(width)}" height="${n(Math.max(0, base - top))}"/>`
    })
    .join('')
}

/** Round values for labels: about `count` of them within [from, to]. */
export function ticksOf(from: number, to: number, count: number): number[] {
  const rough = (to - from) / Math.max(1, count)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10) * power
  const ticks: number[] = []
  for (let k = Math.ceil(from / step); k * step <= to + 1e-9 * step; k++) ticks.push(Number((k * step).toPrecision(12)))
  return ticks
}

function n(x: number): string {
  return String(Math.round(x * 10) / 10)
}
