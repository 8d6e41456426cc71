/**
 * Starts the built service as an operator would, waits for its first score, and holds what it tells against promtool.
 * Then stops it by SIGTERM: it must end well.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'

const START_MS = 20_000
/** The first row ends after the score interval of 10 s. */
const SCORE_MS = 40_000
const STOP_MS = 10_000

if (spawnSync('promtool', ['--version']).error !== undefined) {
  console.log('promtool is not installed: the metrics of the running service were not checked')
  process.exit(0)
}

const folder = mkdtempSync(join(tmpdir(), 'portent-promtool-'))
const service = spawn(
  process.execPath,
  [
    'exporter/bin/portent.js',
    'serve',
    '--web.listen-address=127.0.0.1:0',
    `--store.path=${join(folder, 'portent.db')}`,
  ],
  { stdio: ['ignore', 'inherit', 'pipe'] },
)
const gone = new Promise((resolve) => service.on('close', (code, signal) => resolve(code ?? signal)))
const log = []
try {
  const address = await within(START_MS, 'the service does not listen', listening())
  const text = await within(SCORE_MS, 'there is no score', scored(address))
  const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  const said = `${stdout}${stderr}`
  if (said !== '' || status !== 0) throw new Error(`promtool check metrics says (exit code ${status}):\n${said}`)
  service.kill('SIGTERM')
  const end = await within(STOP_MS, 'the service does not stop', gone)
  if (end !== 0) throw new Error(`the service ended with ${end} instead of 0`)
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
  console.log(`promtool: nothing to say about ${series} series of the running service`)
} catch (error) {
  console.error(error.message)
  console.error(log.join('\n'))
  process.exitCode = 1
} finally {
  service.kill('SIGKILL')
  await gone
  rmSync(folder, { recursive: true, force: true })
}

async function listening() {
  for await (const line of createInterface({ input: service.stderr })) {
    log.push(line)
    const { msg, address } = line.startsWith('{') ? JSON.parse(line) : {}
    if (msg !== 'listening') continue
    // Read on, or the pipe fills.
    service.stderr.on('data', (chunk) => log.push(String(chunk).trimEnd()))
    service.stderr.resume()
    return address
  }
  throw new Error(`the service ended before it listened (${await gone})`)
}

async function scored(address) {
  for (;;) {
    const text = await (await fetch(`${address}/metrics`)).text()
    if (/^portent_anomaly_score\{/m.test(text)) return text
    if (service.exitCode !== null) throw new Error('the service ended before its first score')
    await wait(250)
  }
}

async function within(ms, what, promise) {
  const timer = new AbortController()
  const late = wait(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} after ${ms / 1000} s`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.abort()
  }
}
