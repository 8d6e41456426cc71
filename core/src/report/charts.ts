/** Small charts as inline SVG; colours come from the style sheet of the page, so that they follow light and dark. */
import { escapeHtml } from './html.ts'

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
  /** Pixels left of the frame, where the labels of y stand. Charts of one width with one margin lie above each other. */
  readonly left?: number
}

/** @param draw what stands within the frame, given the places of values in pixels */
export function frame(
  { title, width, height, x, y, xTitle, left = LEFT }: Frame,
  draw: (px: (v: number) => number, py: (v: number) => number) => string,
): string {
  const px = (v: number) => left + x.place(v) * (width - left - RIGHT)
  const py = (v: number) => TOP + (1 - y.place(v)) * (height - TOP - BOTTOM)
  const bottom = height - BOTTOM
  const lines = y.ticks
    .map((v) => {
      const at = n(py(v))
      return `<line class="grid" x1="${left}" x2="${width - RIGHT}" y1="${at}" y2="${at}"/><text x="${left - 6}" y="${at}" dy=".32em" text-anchor="end">${y.label(v)}</text>`
    })
    .join('')
  const labels = x.ticks
    .map((v) => `<text x="${n(px(v))}" y="${bottom + 14}" text-anchor="middle">${x.label(v)}</text>`)
    .join('')
  const name = `<text x="${(left + width - RIGHT) / 2}" y="${height - 4}" text-anchor="middle">${escapeHtml(xTitle)}</text>`
  const axis = `<line class="axis" x1="${left}" x2="${width - RIGHT}" y1="${bottom}" y2="${bottom}"/>`
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeHtml(title)}">${lines}${draw(px, py)}${axis}${labels}${name}</svg>`
}

export function linear(from: number, to: number, ticks: readonly number[], label: Axis['label'] = String): Axis {
  return { ticks, label, place: (v) => Math.min(1, Math.max(0, (v - from) / (to - from))) }
}

export function logarithmic(from: number, to: number, ticks: readonly number[], label: (x: number) => string): Axis {
  const span = Math.log(to / from)
  return { ticks, label, place: (v) => Math.min(1, Math.max(0, Math.log(Math.max(v, from) / from) / span)) }
}

/** A line through points in pixels; it is broken where y is not a number. */
export function path(points: readonly (readonly [number, number])[], className: string): string {
  let pen = 'M'
  let d = ''
  for (const [x, y] of points) {
    if (Number.isFinite(y)) d += `${pen}${n(x)} ${n(y)}`
    pen = Number.isFinite(y) ? 'L' : 'M'
  }
  return `<path class="${className}" d="${d}"/>`
}

/** A band between two lines: x, lower and upper y in pixels; broken where one is not a number. */
export function band(points: readonly (readonly [number, number, number])[], className: string): string {
  let d = ''
  let piece: (readonly [number, number, number])[] = []
  const close = () => {
    if (piece.length > 0) {
      const there = piece.map(([x, low]) => `${n(x)} ${n(low)}`)
      const back = piece.toReversed().map(([x, , high]) => `${n(x)} ${n(high)}`)
      d += `M${[...there, ...back].join('L')}Z`
    }
    piece = []
  }
  for (const point of points) {
    if (point.every(Number.isFinite)) piece.push(point)
    else close()
  }
  close()
  return `<path class="${className}" d="${d}"/>`
}

export interface Lane {
  readonly label: string
  readonly className: string
  readonly spans: readonly { readonly from: number; readonly to: number; readonly title: string }[]
}

const LANE = 16

/** Rows of spans over the axis of a chart above that has the same width and margin; a pointer shows a span's title. */
export function lanes(
  { title, width, x, left = LEFT }: Omit<Frame, 'height' | 'y' | 'xTitle'>,
  rows: readonly Lane[],
): string {
  const px = (v: number) => left + x.place(v) * (width - left - RIGHT)
  const height = LANE * rows.length + 4
  const drawn = rows.map(({ label, className, spans }, k) => {
    const top = LANE * k
    const middle = top + LANE / 2
    const line = `<line class="grid" x1="${left}" x2="${width - RIGHT}" y1="${middle}" y2="${middle}"/>`
    const name = `<text x="${left - 6}" y="${middle}" dy=".32em" text-anchor="end">${escapeHtml(label)}</text>`
    const boxes = spans.map(({ from, to, title }) => {
      const start = px(from)
      const wide = Math.max(1.5, px(to) - start)
      return `<rect class="${className}" x="${n(start)}" y="${top + 3}" width="${n(wide)}" height="${LANE - 6}"><title>${escapeHtml(title)}</title></rect>`
    })
    return `${line}${name}${boxes.join('')}`
  })
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeHtml(title)}">${drawn.join('')}</svg>`
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
