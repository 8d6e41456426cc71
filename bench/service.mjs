/** The real service with default settings: what it takes at rest, and its memory after many scrapes. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ask, fetched, freePort } from './support/http.mjs'
import { cpuSecondsOf, isLinux, memoryOf, sleep } from './support/measure.mjs'
import { mb, percent, row, unmet } from './support/row.mjs'

const BIN = fileURLToPath(new URL('../exporter/bin/portent.js', import.meta.url))
/** What starting costs (loading, proving the bundle, compiling) is over. */
const SETTLE_MS = 20_000
const QUIET_MS = 75_000
const SCRAPE_EVERY_MS = 15_000
const EARLY_SCRAPES = 2_000
const SCRAPES = 20_000
const PROMETHEUS = {
  Accept: 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1',
  'Accept-Encoding': 'gzip',
}

export default async function service() {
  if (!isLinux) return [unmet('CPU and memory of the service', { why: 'Linux only' })]
  const folder = mkdtempSync(join(tmpdir(), 'portent-bench-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const arguments_ = ['serve', '--web.listen-address', `127.0.0.1:${port}`, '--store.path', join(folder, 'portent.db')]
  const child = spawn(BIN, [...arguments_, '--target.name', 'bench', '--log.level', 'error'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  try {
    await ready(url)
    await sleep(SETTLE_MS)
    const cpu = await atRest(child.pid, `${url}/metrics`)
    const memory = await afterScrapes(child.pid, url)
    return [...cpu, ...memory]
  } finally {
    child.kill()
    await new Promise((resolve) => child.once('exit', resolve))
    rmSync(folder, { recursive: true, force: true })
  }
}

async function ready(url) {
  for (let i = 0; i < 120; i++) {
    const answer = await fetched(`${url}/-/healthy`).catch(() => null)
    if (answer?.status === 200) return
    await sleep(250)
  }
  throw new Error('the service was not ready within 30 s')
}

async function atRest(pid, metrics) {
  const before = cpuSecondsOf(pid)
  const started = performance.now()
  while (performance.now() - started < QUIET_MS) {
    await sleep(SCRAPE_EVERY_MS)
    await fetched(metrics, PROMETHEUS)
  }
  const seconds = (performance.now() - started) / 1000
  const share = (cpuSecondsOf(pid) - before) / seconds
  return [
    row('own CPU at default intervals, share of a core', {
      measured: `over ${seconds.toFixed(0)} s with a scrape every 15 s, all threads`,
      value: share,
      goal: 0.01,
      format: percent,
    }),
  ]
}

async function afterScrapes(pid, url) {
  await ask(`${url}/metrics`, EARLY_SCRAPES, { together: 4, headers: PROMETHEUS })
  const early = memoryOf(pid, 'VmRSS')
  await ask(`${url}/metrics`, SCRAPES - EARLY_SCRAPES, { together: 4, headers: PROMETHEUS })
  const target = `${url}/api/v1/targets/bench`
  for (const path of ['health', 'signals', 'explain', 'settings', 'history']) await ask(`${target}/${path}`, 20)
  for (const path of ['targets', 'model', 'performance', 'alerts']) await ask(`${url}/api/v1/${path}`, 20)
  const late = memoryOf(pid, 'VmRSS')
  const bare = await bareNode()
  return [
    row('resident memory after 20,000 scrapes and some API calls', {
      measured: `proportional (PSS) ${mb(memoryOf(pid, 'Pss'))}; bare Node ${mb(bare)}`,
      value: late,
      goal: 138,
      format: mb,
    }),
    unmet('resident memory, 20,000 scrapes against 2,000', {
      measured: `${mb(late)} after, ${mb(early)} before`,
      why: `${late >= early ? '+' : ''}${mb(late - early)}`,
    }),
  ]
}

async function bareNode() {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' })
  await sleep(500)
  const resident = memoryOf(child.pid, 'VmRSS')
  child.kill()
  return resident
}
