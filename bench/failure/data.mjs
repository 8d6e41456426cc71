/** Hosts whose failures are known: from the generator, or from a folder of recordings. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FAULTS_PER_DAY, kindsOf, kindValues } from '../../training/dist/failure/index.js'
import { generateFleet } from '../../training/dist/simulate/index.js'

const DAY = 86_400
/** Columns of a recording that name no kind themselves. */
const COLUMNS = {
  cpu: 'cpu_busy_ratio',
  mem: 'memory_used_ratio',
  disk: 'disk_used_ratio',
  iowait: 'cpu_iowait_ratio',
  load: 'load_per_core',
  net_mbps: 'network_rate',
  net_err: 'network_error_ratio',
  resp_ms: 'response_time',
  err_rate: 'error_ratio',
}

/**
 * @typedef {object} Host
 * @property {string} name
 * @property {import('../../training/dist/failure/index.js').Life} life
 * @property {number} from Unix seconds of the first row that counts
 * @property {{ type: string, at: number, onset: number }[]} failures
 */

/** Hosts as the generator gives them, four days each, of which the first is not counted; what fails has no warning promised. */
export function* generatedHosts(hosts, seed) {
  const fleet = generateFleet({ hosts, days: 4, intervalSeconds: 60, seed, faultsPerDay: FAULTS_PER_DAY })
  for (const { index, intervalSeconds, at: ms, values, mask, truth, signals } of fleet) {
    const d = signals.length
    const at = ms.map((x) => x / 1000)
    const failures = []
    for (let t = 1; t < at.length; t++) {
      if (truth.failed[t] === 0 || truth.failed[t - 1] === 1) continue
      const onset = truth.fault[t] > 0 ? at[t] - truth.sinceRows[t] * intervalSeconds : at[t]
      failures.push({ type: truth.failure[t], at: at[t], onset })
    }
    const life = {
      intervalSeconds,
      kinds: kindsOf(mask),
      at,
      values: (t) => kindValues(values.subarray(t * d, (t + 1) * d)),
      failed: truth.failed,
    }
    yield { name: `generated ${index}`, life, from: at[0] + DAY, failures }
  }
}

/**
 * meta.json: { hosts: { id: { file, interval_s } } }; truth.json: { hosts: { id: { start, failure, onset, outage_end, warmup_s, type } } }; the
 * files: timestamp (Unix s) and columns named after kinds of signals or as {@link COLUMNS} has them.
 */
export function* recordedHosts(folder) {
  const read = (file) => readFileSync(join(folder, file), 'utf8')
  const { hosts } = JSON.parse(read('meta.json'))
  const truths = JSON.parse(read('truth.json')).hosts
  for (const [name, { file, interval_s: intervalSeconds }] of Object.entries(hosts)) {
    const [header, ...lines] = read(file).trim().split('\n')
    const columns = header.split(',').slice(1)
    const kinds = columns.map((c) => COLUMNS[c] ?? c)
    const rows = lines.map((line) => line.split(',').map((x) => (x === '' ? Number.NaN : Number(x))))
    const at = Float64Array.from(rows, (row) => row[0])
    const truth = truths[name]
    const isFailed = (x) => truth.failure !== null && x >= truth.failure && x < truth.outage_end
    const life = {
      intervalSeconds,
      kinds,
      at,
      values: (t) =>
        Object.fromEntries(kinds.map((kind, k) => [kind, rows[t][k + 1] * (columns[k] === 'resp_ms' ? 1e-3 : 1)])),
      failed: Uint8Array.from(at, (x) => Number(isFailed(x))),
    }
    const failures = truth.failure === null ? [] : [{ type: truth.type, at: truth.failure, onset: truth.onset }]
    yield { name, life, from: truth.start + truth.warmup_s, failures }
  }
}
