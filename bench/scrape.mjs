/** A scrape of about 1,000 series beside one of prometheus-node-exporter. */
import { spawn } from 'node:child_process'
import { ask, childServer, fetched, freePort } from './support/http.mjs'
import { cpuSecondsOf, isLinux, median, memoryOf, sleep } from './support/measure.mjs'
import { mb, ms, row, unmet } from './support/row.mjs'

const ROUNDS = 5
const OWN_SCRAPES = 3000
const THEIR_SCRAPES = 200
const LATENCY = 'a scrape against prometheus-node-exporter, p50'
const CPU = 'CPU of 1,000 scrapes against prometheus-node-exporter'

export default async function scrape() {
  if (!isLinux) return [unmet(LATENCY, { why: 'Linux only' })]
  const theirs = await nodeExporter()
  if (theirs === null)
    return [LATENCY, CPU].map((what) => unmet(what, { why: 'prometheus-node-exporter is not installed' }))
  // A tick each second, ten times as often as the service's: the text is never an old one.
  const own = await childServer(11, 'ticking')
  const sides = [
    { pid: own.pid, url: own.own, scrapes: OWN_SCRAPES, took: [], cpu: [] },
    { pid: theirs.pid, url: theirs.url, scrapes: THEIR_SCRAPES, took: [], cpu: [] },
  ]
  for (let round = -1; round < ROUNDS; round++) {
    for (const { pid, url, scrapes, took, cpu } of sides) {
      const before = cpuSecondsOf(pid)
      const latencies = await ask(url, scrapes)
      if (round < 0) continue
      took.push(...latencies)
      cpu.push((1000 * (cpuSecondsOf(pid) - before)) / scrapes)
    }
  }
  const [a, b] = sides.map(({ took, cpu, pid }) => ({
    p50: median(took),
    cpu: cpu.reduce((sum, x) => sum + x, 0) / ROUNDS,
    memory: memoryOf(pid, 'VmRSS'),
  }))
  own.stop()
  theirs.stop()
  const sizes = `${own.series} series against ${theirs.series}`
  return [
    row(LATENCY, { measured: `${ms(a.p50)} against ${ms(b.p50)}; ${sizes}`, value: a.p50 / b.p50, goal: 1 / 20 }),
    row(CPU, {
      measured: `${a.cpu.toFixed(3)} s against ${b.cpu.toFixed(2)} s (node-exporter: ${mb(b.memory)} resident)`,
      value: a.cpu / b.cpu,
      goal: 1 / 40,
    }),
  ]
}

/** Null where it is not installed. */
async function nodeExporter() {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/metrics`
  const child = spawn('prometheus-node-exporter', [`--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' })
  const missing = await new Promise((resolve) => {
    child.once('error', () => resolve(true))
    child.once('spawn', () => resolve(false))
  })
  if (missing) return null
  for (let i = 0; i < 50; i++) {
    await sleep(100)
    if (await fetched(url).catch(() => null)) break
  }
  const text = await (await fetch(url)).text()
  return { pid: child.pid, url, series: text.match(/^[^#\n]/gm).length, stop: () => child.kill() }
}
