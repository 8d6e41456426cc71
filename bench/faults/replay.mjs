/**
 * What is to come is told from what was usual: exhaustion after half an hour, a failure probability after an hour and a half.
 * So the rows that the service kept are replayed after hours of rest, which repeat the minutes of rest that were recorded
 * before the faults.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HOST_SIGNAL_KINDS, HOST_SIGNALS } from '../../core/dist/index.js'

const BIN = fileURLToPath(new URL('../../exporter/bin/portent.js', import.meta.url))
const INTERVAL = 10
const REST_HOURS = 4
const UNITS = { bytes_per_second: 'bytes_per_second', seconds: 'seconds', ratio: 'ratio' }

/** Signals of which the failure model reads, as `portent forecast` takes them. */
const SIGNALS = HOST_SIGNALS.filter(({ name }) => name in HOST_SIGNAL_KINDS).map(({ name, unit, capacity }) => ({
  name,
  kind: HOST_SIGNAL_KINDS[name],
  unit: UNITS[unit] ?? 'none',
  capacity: capacity ?? null,
}))

/**
 * @param points of the API's history, 10 s apart; @param firstFault Unix seconds
 * @returns probabilities { at, probability }[] of an hour, exhaustions { at, signal, lower, median, upper }[]; Unix seconds
 */
export function replay(dir, points, firstFault) {
  const rows = points.map(({ at, values }) => ({ at: Math.round(Date.parse(at) / 1000) + INTERVAL, values }))
  const rest = rows.filter(({ at }) => at < firstFault)
  if (rest.length === 0) throw new Error('no rows of rest were recorded')
  const start = rows[0].at
  const tiled = Array.from({ length: (REST_HOURS * 3600) / INTERVAL }, (_, i) => ({
    at: start - REST_HOURS * 3600 + i * INTERVAL,
    values: rest[i % rest.length].values,
  }))
  const [data, signals, out, when] = ['rows.csv', 'signals.json', 'failure.csv', 'when.csv'].map((n) => join(dir, n))
  const lines = [...tiled, ...rows].map(({ at, values }) =>
    [at, ...SIGNALS.map(({ name }) => values[name] ?? '')].join(','),
  )
  writeFileSync(data, `${['timestamp', ...SIGNALS.map((s) => s.name)].join(',')}\n${lines.join('\n')}\n`)
  const described = Object.fromEntries(SIGNALS.map(({ name, ...what }) => [name, what]))
  writeFileSync(signals, JSON.stringify({ interval_seconds: INTERVAL, signals: described }))
  const args = [BIN, 'forecast', `--data=${data}`, `--signals=${signals}`, `--failure=${out}`, `--exhaustion=${when}`]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const cellsOf = (path) =>
    readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(','))
      .filter(([at]) => Number(at) >= start)
  const number = (text) => (text === 'inf' ? Number.POSITIVE_INFINITY : Number(text))
  return {
    probabilities: cellsOf(out)
      .filter(([, horizon]) => horizon === '3600')
      .map(([at, , probability]) => ({ at: Number(at), probability: Number(probability) })),
    exhaustions: cellsOf(when).map(([at, signal, ...instants]) => {
      const [lower, median, upper] = instants.map(number)
      return { at: Number(at), signal, lower, median, upper }
    }),
  }
}
