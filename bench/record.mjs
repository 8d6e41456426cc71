/**
 * Writes rows that the service stored as a recording for training: gzipped CSV, an empty cell where a signal was absent.
 *
 *   node bench/record.mjs --db data/portent.db --from ISO --to ISO --out training/recordings/rest-NAME.csv.gz
 *   node bench/record.mjs ... --stress ISO/ISO,ISO/ISO --out training/recordings/stress-NAME.csv.gz
 *
 * With --stress a column `stress` is 1 in the rows of those times.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { HOST_SIGNALS } from '../core/dist/index.js'
import { openStore } from '../exporter/dist/store/index.js'

const option = (value) => ({ type: 'string', default: value })
const { values } = parseArgs({
  options: {
    db: option('data/portent.db'),
    target: option(''),
    from: option(''),
    to: option(''),
    out: option(''),
    stress: option(''),
  },
})
const store = openStore({ file: values.db, ballastBytes: 0 })
const target = values.target || store.targets.list()[0]?.name
const from = values.from ? Date.parse(values.from) : 0
const to = values.to ? Date.parse(values.to) : Date.now()
const rows = store.history.rows(target, from, to, 100_000)
store.close()

const seen = HOST_SIGNALS.map((s) => s.name).filter((name) => rows.some((row) => name in row.values))
const loads = values.stress
  .split(',')
  .filter(Boolean)
  .map((span) => span.split('/').map(Date.parse))
const lines = [['timestamp', ...seen, ...(loads.length > 0 ? ['stress'] : [])].join(',')]
for (const { at, values: v } of rows) {
  const cells = seen.map((name) => (name in v ? Number(v[name].toPrecision(7)) : ''))
  if (loads.length > 0) cells.push(Number(loads.some(([start, end]) => at > start && at <= end)))
  lines.push([at / 1000, ...cells].join(','))
}
// No file name and no time in the gzip header: the same rows give the same bytes.
writeFileSync(values.out, gzipSync(`${lines.join('\n')}\n`, { level: 9 }))
console.log(`${values.out}: ${rows.length} rows of ${target}, ${seen.length} signals`)
