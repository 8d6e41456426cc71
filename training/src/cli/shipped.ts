/** `npm run bundle`: makes the bundle that ships. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readRecordings } from '../bundle/recorded.ts'
import { makeShippedBundle } from '../bundle/shipped.ts'
import { bundleFiles, writeBundle } from '../bundle/write.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: here('../../../exporter/bundle') },
    recordings: { type: 'string', default: here('../../recordings') },
    seed: { type: 'string', default: '1' },
    hosts: { type: 'string', default: '64,32,16,528' },
    days: { type: 'string', default: '1' },
  },
})

const started = performance.now()
const log = (message: string) =>
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${message}`)
const [fit = 64, calibrate = 32, weigh = 16, failure = 528] = values.hosts.split(',').map(Number)
const parts = makeShippedBundle({
  seed: Number(values.seed),
  intervalSeconds: 10,
  hosts: { fit, calibrate, weigh, failure },
  days: Number(values.days),
  recordings: readRecordings(values.recordings, 'rest'),
  stressed: readRecordings(values.recordings, 'stress'),
  log,
})
const files = bundleFiles(parts)
await writeBundle(values.out, files, {
  trained_at: new Date().toISOString(),
  seconds: Math.round((performance.now() - started) / 100) / 10,
  node: process.version,
})
const bytes = [...files.values()].reduce((sum, x) => sum + x.length, 0)
log(`wrote ${values.out}: ${files.size} files, ${(bytes / 1e6).toFixed(2)} MB`)
console.log(JSON.stringify(parts.manifest.evidence, null, 1))
