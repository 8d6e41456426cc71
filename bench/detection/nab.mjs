/**
 * One series of the Numenta Anomaly Benchmark: fitted on the rows that count for nothing, its first 15 % or 750, and
 * scored whole. The file goes to the commands with its timestamps; where those repeat or go back, without them.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { probationRows } from '../../training/dist/measures/index.js'
import { numbersOf, windowRows } from './data.mjs'
import { portent, trained } from './portent.mjs'

/** @param {{ series: import('./data.mjs').Series, windows: [string, string][], work: string, reuse: boolean }} job */
export function nabSeries({ series, windows, work, reuse }) {
  const [header, ...lines] = readFileSync(series.file, 'utf8').trimEnd().split(/\r?\n/)
  const stamps = lines.map((line) => line.split(',')[0])
  const steps = stamps.slice(1).map((stamp, i) => (instant(stamp) - instant(stamps[i])) / 1000)
  const isOrdered = steps.every((x) => x > 0)
  const learnt = probationRows(lines.length)
  const interval = steps.slice(0, learnt - 1).sort((a, b) => a - b)[(learnt - 1) >> 1]
  const text = isOrdered ? [header, ...lines] : [header, ...lines].map((line) => line.split(',').slice(1).join(','))
  const data = join(work, 'series.csv')
  const probation = join(work, 'probation.csv')
  const scores = join(work, 'scores.csv')
  writeFileSync(data, `${text.join('\n')}\n`)
  writeFileSync(probation, `${text.slice(0, 1 + learnt).join('\n')}\n`)
  const result = {
    name: series.name,
    rows: lines.length,
    windows: windowRows(windows, stamps),
    notes: isOrdered ? [] : ['its times repeat or go back: scored without them'],
  }
  try {
    const { bundle } = trained({ data: probation, interval, folder: join(work, 'default'), reuse })
    portent('score', '--bundle', bundle, '--data', data, '--interval', interval, '--out', scores)
  } catch (error) {
    const why = error.message.replace(/^portent \w+: /, '').replaceAll(probation, 'its first 15 %')
    return { ...result, refused: why }
  }
  const table = numbersOf(scores)
  return { ...result, scores: { score: table.column('score'), score_raw: table.column('score_raw') } }
}

function instant(stamp) {
  return Date.parse(`${stamp.replace(' ', 'T')}Z`)
}
