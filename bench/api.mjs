/** The API of the real service: values ingested a second, and how long reads take meanwhile and beside 1,000 targets. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HOST_SIGNALS } from '../core/dist/index.js'
import { fetched, freePort } from './support/http.mjs'
import { sleep } from './support/measure.mjs'
import { ms, row } from './support/row.mjs'

const BIN = fileURLToPath(new URL('../exporter/bin/portent.js', import.meta.url))
const SECONDS = 15
const BATCH_ROWS = Math.floor(10_000 / HOST_SIGNALS.length)
const BATCHES_A_SECOND = 10
const PUSHED = 100
const SIMULATED = 1000
const agent = new Agent({ keepAlive: true })

export default async function api() {
  return [
    ...(await withService([], ingesting)),
    ...(await withService(['--simulate', String(SIMULATED), '--limits.targets', '1200'], besideTargets)),
  ]
}

async function withService(flags, measure) {
  const folder = mkdtempSync(join(tmpdir(), 'portent-bench-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = spawn(
    BIN,
    [
      'serve',
      '--web.listen-address',
      `127.0.0.1:${port}`,
      '--store.path',
      join(folder, 'portent.db'),
      '--target.name',
      'bench',
      '--log.level',
      'error',
      ...flags,
    ],
    { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  try {
    await until(async () => (await fetched(`${url}/-/ready`)).status === 200)
    return await measure(url)
  } finally {
    child.kill()
    await new Promise((resolve) => child.once('exit', resolve))
    rmSync(folder, { recursive: true, force: true })
  }
}

async function ingesting(url) {
  let accepted = 0
  const started = performance.now()
  const reads = read([`${url}/api/v1/targets/bench/health`], started + SECONDS * 1000)
  for (let n = 0; n < SECONDS * BATCHES_A_SECOND; n++) {
    accepted += (await post(`${url}/api/v1/ingest`, batch(n))).accepted * HOST_SIGNALS.length
    await sleep(Math.max(0, started + ((n + 1) * 1000) / BATCHES_A_SECOND - performance.now()))
  }
  const rate = accepted / ((performance.now() - started) / 1000)
  const took = await reads
  return [
    row('values ingested a second, durable before the answer', {
      measured: `${rate.toFixed(0)} in batches of ${BATCH_ROWS * HOST_SIGNALS.length}, offered ${BATCH_ROWS * HOST_SIGNALS.length * BATCHES_A_SECOND}`,
      value: 100_000 / rate,
      goal: 1.01,
    }),
    row('reads meanwhile, p95', { measured: `${took.length} reads`, value: p95(took), goal: 20, format: ms }),
  ]
}

async function besideTargets(url) {
  await until(async () => (await (await fetch(`${url}/api/v1/targets`)).json()).targets.length > SIMULATED)
  await sleep(15_000)
  const paths = [
    'targets/sim-1/health',
    'targets/sim-500/signals',
    'targets/sim-1000/explain',
    'targets/bench/settings',
  ]
  const took = await read(
    paths.map((p) => `${url}/api/v1/${p}`),
    performance.now() + 30_000,
  )
  return [
    row(`reads beside ${SIMULATED} simulated targets, p95`, {
      measured: `${took.length} reads over 30 s`,
      value: p95(took),
      goal: 20,
      format: ms,
    }),
  ]
}

/** A read every 20 ms until `end`. @returns {Promise<number[]>} ms of each */
async function read(urls, end) {
  const took = []
  for (let n = 0; performance.now() < end; n++) {
    const started = performance.now()
    await fetched(urls[n % urls.length])
    took.push(performance.now() - started)
    await sleep(20)
  }
  return took
}

function batch(n) {
  const at = Date.now() / 1000
  const rows = Array.from({ length: BATCH_ROWS }, (_, i) => ({
    target: `pushed-${i % PUSHED}`,
    timestamp: at - Math.floor(i / PUSHED) * 0.02 - (n % 7) * 1e-3,
    values: Object.fromEntries(HOST_SIGNALS.map(({ name }, j) => [name, ((i * 7 + j * 13 + n) % 97) / 100])),
  }))
  return JSON.stringify({ rows: rows.reverse() })
}

function post(url, body) {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
      },
      (answer) => {
        let text = ''
        answer.on('data', (chunk) => {
          text += chunk
        })
        answer.on('end', () =>
          answer.statusCode === 200
            ? resolve(JSON.parse(text))
            : reject(new Error(`${answer.statusCode} ${text.slice(0, 300)}`)),
        )
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })
}

async function until(check) {
  for (let i = 0; i < 240; i++) {
    if (await check().catch(() => false)) return
    await sleep(250)
  }
  throw new Error('the service was not ready within 60 s')
}

const p95 = (xs) => [...xs].sort((a, b) => a - b)[Math.floor(0.95 * xs.length)]
