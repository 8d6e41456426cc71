/** Series to forecast: of outside folders, or generated. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { capacitySeries, FAILING_FAMILIES, HEALTHY_FAMILIES } from '../../training/dist/simulate/capacity/index.js'
import { generateFleet } from '../../training/dist/simulate/index.js'
import { machinesOf, nabOf, numbersOf } from '../detection/data.mjs'

const START = 1_600_000_200
const HOUR = 3600
/** Horizons in seconds that are judged, and days before the first forecast that is. */
const JUDGED = {
  SMD: { horizons: [60, 12 * 60, HOUR], warm: 2 },
  ASD: { horizons: [300, HOUR, 5 * HOUR], warm: 2 },
  NAB: { horizons: [300, HOUR, 5 * HOUR], warm: 2 },
  hosts: { horizons: [HOUR, 6 * HOUR], warm: 1 },
  series: { horizons: [HOUR, 6 * HOUR, 24 * HOUR], warm: 1 },
}
/** Ratios of pinball loss to naive's to reach, by set and horizon. */
export const GOALS = {
  SMD: { 720: 0.75, 3600: 0.68 },
  NAB: { 3600: 0.86, 18000: 0.79 },
  hosts: { 3600: 0.85, 21600: 0.72 },
  series: { 3600: 0.86, 21600: 0.76, 86400: 0.97 },
}

/**
 * @typedef {{ set: string, name: string, interval: number, start: number, values: Float64Array, floor: number,
 *   ceiling: number, horizons: number[], warm: number }} Series
 * @param {{ data: string | undefined, every: number, only: readonly string[], seed: string }} options
 * @returns {Generator<Series>}
 */
export function* seriesOf({ data, every, only, seed }) {
  let k = 0
  const all =
    data === undefined ? generated(seed) : existsSync(join(data, 'meta.json')) ? recorded(data) : published(data)
  for (const one of all) {
    if (only.length > 0 && !only.includes(one.set) && !only.includes(one.name.split(' ')[0])) continue
    if (one.values.every((x) => Number.isNaN(x) || x === one.values[0])) continue
    if (k++ % every === 0)
      yield {
        start: START,
        floor: Number.NEGATIVE_INFINITY,
        ceiling: Number.POSITIVE_INFINITY,
        ...JUDGED[one.set],
        ...one,
      }
  }
}

/** Folders `SMD/`, `ASD/` and `NAB/` as their publishers lay them out; of SMD and ASD what is meant for training. */
function* published(data) {
  for (const { set, name, folder, interval } of machinesOf(data, [])) {
    const table = numbersOf(join(folder, 'train.csv'))
    for (const column of table.columns)
      yield { set, name: `${name} ${column}`, interval, values: table.column(column), floor: 0 }
  }
  for (const { name, file } of nabOf(data, []).series) {
    const values = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((row) => Number(row.split(',')[1]))
    yield { set: 'NAB', name, interval: 300, values: Float64Array.from(values) }
  }
}

/** A folder with `meta.json` and the tables it names: timestamp (Unix s), then one column a signal. */
function* recorded(data) {
  const meta = JSON.parse(readFileSync(join(data, 'meta.json'), 'utf8'))
  for (const set of ['hosts', 'series']) {
    for (const [id, { file, interval_s: interval = 60 }] of Object.entries(meta[set] ?? {})) {
      const [header, ...rows] = readFileSync(join(data, file), 'utf8')
        .trim()
        .split('\n')
        .map((row) => row.split(','))
      const start = Number(rows[0][0])
      const length = Math.round((Number(rows.at(-1)[0]) - start) / interval) + 1
      for (let column = 1; column < header.length; column++) {
        const values = new Float64Array(length).fill(Number.NaN)
        for (const row of rows) {
          const cell = row[column]?.trim()
          if (cell) values[Math.round((Number(row[0]) - start) / interval)] = Number(cell)
        }
        yield { set, name: `${id} ${header[column].trim()}`, interval, start, values, floor: 0 }
      }
    }
  }
}

const SIGNALS = ['cpu_busy', 'memory_used', 'filesystem_used', 'network_receive', 'disk_busy', 'response_time']

/** Hosts and resources of the simulators: made up, so that anybody can run this. */
function* generated(seed) {
  for (const host of generateFleet({ hosts: 3, days: 5, intervalSeconds: 60, seed, faultsPerDay: 0.5 })) {
    const d = host.signals.length
    for (const signal of SIGNALS) {
      const j = host.signals.indexOf(signal)
      if (j < 0 || host.mask[j] !== 1) continue
      const values = Float64Array.from({ length: host.rows }, (_, i) => host.values[i * d + j])
      yield {
        set: 'hosts',
        name: `${host.index} ${signal}`,
        interval: 60,
        start: Math.round(host.at[0] / 1000),
        values,
        floor: 0,
      }
    }
  }
  for (const family of [...HEALTHY_FAMILIES, ...FAILING_FAMILIES].filter((_, i) => i % 3 === 0)) {
    const { at, values: known, intervalSeconds: interval } = capacitySeries(seed, family, { intervalSeconds: 60 })
    const values = new Float64Array(Math.round((at.at(-1) - at[0]) / interval) + 1).fill(Number.NaN)
    at.forEach((t, i) => {
      values[Math.round((t - at[0]) / interval)] = known[i]
    })
    yield { set: 'series', name: family, interval, start: at[0], values, floor: 0, ceiling: 1 }
  }
}
