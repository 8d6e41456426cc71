/** Time on the axis of a chart, and lines of more points than pixels. */
import type { Axis } from './charts.ts'

const HOUR = 3600
const DAY = 86_400
const STEPS = [300, 900, 1800, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY]

/** Unix seconds; labels are UTC: days, or hours within a day. About `count` ticks. */
export function timeAxis(from: number, to: number, count: number): Axis {
  const span = Math.max(1, to - from)
  const step = STEPS.find((s) => span / s <= count) ?? span
  const ticks: number[] = []
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at)
  const label = (at: number) => {
    const text = new Date(at * 1000).toISOString()
    return at % DAY === 0 ? text.slice(5, 10) : text.slice(11, 16)
  }
  return { ticks, label, place: (at) => Math.min(1, Math.max(0, (at - from) / span)) }
}

/**
 * A line with at most two points a bucket, its least and its largest, in order of time: spikes stay. Where
 * two values are further apart than `gap`, a point that is not a number stands between them.
 * @param at increasing; @param values of the same length, NaN = missing
 */
export function thinned(
  at: ArrayLike<number>,
  values: ArrayLike<number>,
  { buckets, gap }: { buckets: number; gap: number },
): [number, number][] {
  const from = at[0] ?? 0
  const width = ((at[at.length - 1] ?? 0) - from) / buckets
  const points: [number, number][] = []
  let least = -1
  let most = -1
  const close = () => {
    if (least < 0) return
    for (const i of least === most ? [least] : [Math.min(least, most), Math.max(least, most)]) {
      points.push([at[i] as number, values[i] as number])
    }
    least = -1
  }
  let bucket = -1
  let last = Number.NaN
  for (let i = 0; i < at.length; i++) {
    const x = at[i] as number
    const value = values[i] as number
    if (!Number.isFinite(value)) continue
    const current = width > 0 ? Math.min(buckets - 1, Math.floor((x - from) / width)) : 0
    const broken = x - last > gap
    if (current !== bucket || broken) close()
    if (broken) points.push([last, Number.NaN])
    bucket = current
    last = x
    if (least < 0) {
      least = i
      most = i
    }
    if (value < (values[least] as number)) least = i
    if (value > (values[most] as number)) most = i
  }
  close()
  return points
}
