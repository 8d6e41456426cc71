/** The plots of the report: time runs along x, the same in every one, so that they can be read above each other. */
import {
  type Axis,
  band,
  frame,
  type Lane,
  lanes,
  linear,
  logarithmic,
  path,
  thinned,
  timeAxis,
} from '@portent/core/report'
import { duration } from '../outlook/words.ts'
import type { Anomalies } from './anomalies.ts'
import { type Backtest, FAILURE_RULE, type FailureResult, type ResourceResult } from './backtest.ts'
import { nextAtLimit, timeOf } from './levels.ts'
import { instant, minutesText, outcomeText, percent, plain } from './words.ts'

const WIDTH = 1120
const LEFT = 190
/** Points of a line: about one a pixel. */
const BUCKETS = 900
const TICKS = 12
const HOUR = 3600

type Times = Pick<Backtest, 'from' | 'to' | 'countFrom'>

const axisOf = ({ from, to }: Times): Axis => timeAxis(from, to, TICKS)
const shares = (from = 0): Axis => linear(from, 1, [0, 0.25, 0.5, 0.75, 1], percent)

/** What lies before the counting begins. */
const warmUp = (
  { from, countFrom }: Times,
  px: (v: number) => number,
  [top, bottom]: readonly [number, number],
  why = 'warm-up: not counted',
): string =>
  `<rect class="warm" x="${px(from).toFixed(1)}" y="${top.toFixed(1)}" width="${Math.max(0, px(countFrom) - px(from)).toFixed(1)}" height="${(bottom - top).toFixed(1)}"><title>${why}</title></rect>`

const rule = (px: (v: number) => number, py: (v: number) => number, { from, to }: Times, value: number): string =>
  `<line class="threshold" x1="${px(from)}" x2="${px(to)}" y1="${py(value).toFixed(1)}" y2="${py(value).toFixed(1)}"/>`

/** Level, with a lane for each rule below it, and where anything was foreseen the time that was left. */
export function resourcePlot(one: ResourceResult, times: Times): string {
  const { levels, title } = one
  const at = Array.from(levels.used, (_, k) => timeOf(levels, k))
  const x = axisOf(times)
  const level = frame(
    { title: `Level of ${title}`, width: WIDTH, height: 190, left: LEFT, x, y: shares(), xTitle: '' },
    (px, py) => {
      const points = thinned(at, levels.used, { buckets: BUCKETS, gap: 5 * levels.step })
      const marks = one.reached.map(
        (when) =>
          `<line class="reached" x1="${px(when).toFixed(1)}" x2="${px(when).toFixed(1)}" y1="${py(0)}" y2="${py(1)}"><title>limit reached at ${instant(when)}</title></line>`,
      )
      const line = path(
        points.map(([t, used]) => [px(t), Number.isFinite(used) ? py(used) : Number.NaN] as const),
        'level',
      )
      return `${warmUp(times, px, [py(1), py(0)])}${marks.join('')}${line}`
    },
  )
  const rows = one.rules.map(
    ({ rule: { name, own }, judged }): Lane => ({
      label: name,
      className: own ? 'own' : 'usual',
      spans: judged.firings.map((firing) => ({
        from: firing.from,
        to: firing.to + levels.step,
        title: `${name}, ${instant(firing.from)}, ${minutesText(firing.minutes)}: ${outcomeText(firing)}${firing.sentence === null ? '' : `\n${firing.sentence}`}`,
      })),
    }),
  )
  const fired = lanes({ title: `Firings of the rules on ${title}`, width: WIDTH, left: LEFT, x }, rows)
  return `${level}${fired}${leftPlot(one, times)}`
}

const LEAST_LEFT = 600
const MOST_LEFT = 7 * 24 * HOUR
const LEFT_TICKS = [HOUR, 6 * HOUR, 24 * HOUR, 72 * HOUR]

/** How long until the limit, as it was predicted, beside how long it was. */
function leftPlot({ predictions, levels, title }: ResourceResult, times: Times): string {
  if (predictions === null || !predictions.lower.some((at) => Number.isFinite(at))) return ''
  const { at, lower, median, upper } = predictions
  const y = logarithmic(LEAST_LEFT, MOST_LEFT, LEFT_TICKS, duration)
  const next = nextAtLimit(levels)
  return frame(
    {
      title: `Time until ${title} is full, as predicted`,
      width: WIDTH,
      height: 150,
      left: LEFT,
      x: axisOf(times),
      y,
      xTitle: 'time until the limit: 80 % interval and median as predicted, dotted: what it was',
    },
    (px, py) => {
      const place = (until: number, now: number) => py(Math.min(MOST_LEFT, Math.max(LEAST_LEFT, until - now)))
      const foreseen = (i: number) => Number.isFinite(lower[i])
      const interval = at.map((now, i): [number, number, number] =>
        foreseen(i)
          ? [px(now), place(lower[i] as number, now), place(upper[i] as number, now)]
          : [px(now), Number.NaN, Number.NaN],
      )
      const middle = at.map((now, i): [number, number] => [
        px(now),
        Number.isFinite(median[i]) ? place(median[i] as number, now) : Number.NaN,
      ])
      const truth = at.map((now): [number, number] => {
        const k = next[Math.max(0, Math.floor((now - levels.from) / levels.step))] ?? Number.POSITIVE_INFINITY
        const left = Number.isFinite(k) ? timeOf(levels, k) - now : Number.POSITIVE_INFINITY
        return [px(now), left > 0 && left <= MOST_LEFT ? py(Math.max(LEAST_LEFT, left)) : Number.NaN]
      })
      return `${band(interval, 'interval')}${path(middle, 'all')}${path(truth, 'ideal')}`
    },
  )
}

/** Score against its threshold, alarms below, and health. */
export function anomalyPlots({ rows, alarms }: Anomalies, result: Backtest): string {
  const { intervalSeconds, trainedUntil } = result
  const times = { ...result, countFrom: trainedUntil ?? result.from }
  const learnt = 'the detectors learnt from this'
  const x = axisOf(times)
  const sorted = rows.anomaly.toSorted((a, b) => a - b)
  // The farthest peaks would squeeze all else.
  const most = Math.max(2, Math.min(sorted.at(-1) ?? 2, 2 * (sorted[Math.floor(0.999 * sorted.length)] ?? 2)))
  const ticks = most > 6 ? [0, 1, Math.round(most / 2), Math.round(most)] : [0, 1, 2, 4].filter((v) => v <= most)
  const options = { buckets: BUCKETS, gap: 5 * intervalSeconds }
  const line = (values: readonly number[], px: (v: number) => number, py: (v: number) => number, name: string) =>
    path(
      thinned(rows.at, values, options).map(([t, v]) => [px(t), Number.isFinite(v) ? py(v) : Number.NaN] as const),
      name,
    )
  const score = frame(
    {
      title: 'Anomaly score',
      width: WIDTH,
      height: 180,
      left: LEFT,
      x,
      y: linear(0, most, ticks, plain),
      xTitle: 'score: 1 is the threshold of the row',
    },
    (px, py) =>
      `${warmUp(times, px, [py(most), py(0)], learnt)}${line(rows.anomaly, px, py, 'level')}${rule(px, py, times, 1)}`,
  )
  const spans = alarms.map(({ from, to, minutes, sentence }) => ({
    from,
    to: to + intervalSeconds,
    title: `${instant(from)}, ${minutesText(minutes)}: ${sentence}`,
  }))
  const lane = lanes({ title: 'Alarms', width: WIDTH, left: LEFT, x }, [{ label: 'alarm', className: 'own', spans }])
  const health = frame(
    {
      title: 'Health',
      width: WIDTH,
      height: 130,
      left: LEFT,
      x,
      y: linear(0, 100, [0, 50, 100], plain),
      xTitle: 'health',
    },
    (px, py) => `${warmUp(times, px, [py(100), py(0)], learnt)}${line(rows.health, px, py, 'level')}`,
  )
  return `${score}${lane}${health}`
}

export function failurePlot({ at, horizons, probabilities, firings }: FailureResult, times: Times): string {
  const x = axisOf(times)
  const chart = frame(
    {
      title: 'Failure probability',
      width: WIDTH,
      height: 160,
      left: LEFT,
      x,
      y: shares(),
      xTitle: `probability of a failure within ${horizons.map(duration).join(', ')} (thin to thick)`,
    },
    (px, py) => {
      const lines = horizons.map((_, h) => {
        const values = probabilities.map((row) => row[h] as number)
        const points = thinned(at, values, { buckets: BUCKETS, gap: 1800 })
        return path(
          points.map(([t, v]) => [px(t), Number.isFinite(v) ? py(v) : Number.NaN] as const),
          `horizon h${h}`,
        )
      })
      return `${warmUp(times, px, [py(1), py(0)])}${lines.join('')}${rule(px, py, times, FAILURE_RULE.probability)}`
    },
  )
  const spans = firings.map(({ from, to, minutes, sentence }) => ({
    from,
    to,
    title: `${instant(from)}, ${minutesText(minutes)}: ${sentence ?? ''}`,
  }))
  return `${chart}${lanes({ title: 'Failure foreseen', width: WIDTH, left: LEFT, x }, [{ label: 'within 1 h, half', className: 'own', spans }])}`
}
