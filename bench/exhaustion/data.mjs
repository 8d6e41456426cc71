/** Capacity series: from a folder of recordings with known ends, or from the simulator. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { capacitySeries, FAILING_FAMILIES, HEALTHY_FAMILIES } from '../../training/dist/simulate/capacity/index.js'

/**
 * meta.json: { series: { id: { file, capacity, direction, interval_s } } }; truth.json: { series: { id: { family, healthy, ambiguous,
 * start, end, onset, exhaustion, cure, pre } } }; the files: timestamp (Unix s), value.
 */
export function* seriesOfFolder(folder) {
  const meta = JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')).series
  const truths = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')).series
  for (const id of Object.keys(truths).sort()) {
    const { file, capacity, direction, interval_s: intervalSeconds } = meta[id]
    const rows = readFileSync(join(folder, file), 'utf8').trim().split('\n').slice(1)
    const at = new Float64Array(rows.length)
    const values = new Float64Array(rows.length)
    rows.forEach((row, i) => {
      const comma = row.indexOf(',')
      at[i] = Number(row.slice(0, comma))
      values[i] = comma + 1 === row.length ? Number.NaN : Number(row.slice(comma + 1))
    })
    const { unseen: _unseen, signal: _signal, counterfactual: _counterfactual, cold: _cold, ...truth } = truths[id]
    yield { truth: { id, ...truth }, limit: { capacity, direction }, intervalSeconds, at, values }
  }
}

/** `each` series of every family; one in five of them by 15 s and 300 s rows. */
export function* seriesOfSimulator(each, seed, families = [...HEALTHY_FAMILIES, ...FAILING_FAMILIES]) {
  for (const family of families) {
    for (let k = 0; k < each; k++) {
      const intervalSeconds = k % 10 === 3 ? 15 : k % 10 === 8 ? 300 : 60
      const series = capacitySeries(`${seed}-${k}`, family, { intervalSeconds })
      yield { ...series, limit: { capacity: 1, direction: 'up' } }
    }
  }
}
