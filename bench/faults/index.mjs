/**
 * What the service says before real faults of this host: files that fill a real file system, load by stress-ng. The
 * service starts afresh, is left alone for a while, and is then asked every ten seconds what is to come.
 *
 *   npm run story:faults [-- --rest 15 --fault 12 --between 5 --json FILE]      minutes; an hour and a half in all
 *   npm run story:faults -- --report FILE                                       what was printed, from what was kept
 *
 * Root is needed for the file systems, stress-ng for the load; what cannot be made here is named and left out.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { HOST_SIGNAL_KINDS } from '../../core/dist/index.js'
import { freePort } from '../support/http.mjs'
import { FAULTS, missing, smallFileSystem } from './real.mjs'
import { replay } from './replay.mjs'

const { values } = parseArgs({
  options: {
    rest: { type: 'string', default: '15' },
    fault: { type: 'string', default: '12' },
    between: { type: 'string', default: '5' },
    only: { type: 'string' },
    report: { type: 'string' },
    json: { type: 'string' },
  },
})
const [rest, fault, between] = [values.rest, values.fault, values.between].map(Number)
const ASK_MS = 10_000
const BIN = fileURLToPath(new URL('../../exporter/bin/portent.js', import.meta.url))

/** A service of this host whose answers take some work: what a user would notice of a busy CPU. */
function answering() {
  const server = createServer((_, response) => {
    let x = 0
    for (let i = 0; i < 2e5; i++) x += Math.sqrt(i)
    response.end(String(x))
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

async function main() {
  const dir = mkdtempSync(join(tmpdir(), 'portent-faults-'))
  const mounts = { mount: smallFileSystem(dir, 'space'), inodes: smallFileSystem(dir, 'files', 60_000) }
  const server = await answering()
  const port = await freePort()
  writeFileSync(
    join(dir, 'portent.yml'),
    `collectors: {response: {probes: [{name: app, type: http, url: "http://127.0.0.1:${server.address().port}/"}]}}\n`,
  )
  const child = spawn(
    process.execPath,
    [
      ...[BIN, 'serve', `--config.file=${join(dir, 'portent.yml')}`, `--store.path=${join(dir, 'portent.db')}`],
      ...[`--web.listen-address=127.0.0.1:${port}`, '--target.name=host', '--log.level=error'],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const answers = []
  const api = `http://127.0.0.1:${port}/api/v1/targets/host`
  const get = async (path) => {
    const response = await fetch(`${api}/${path}`).catch(() => null)
    return response?.ok ? response.json() : null
  }
  const asking = setInterval(async () => {
    const [failure, health] = await Promise.all([get('failure'), get('health')])
    if (failure !== null && health !== null) answers.push({ at: Date.now() / 1000, failure, health })
  }, ASK_MS)
  const clear = () => {
    child.kill('SIGTERM')
    for (const { remove } of Object.values(mounts)) remove?.()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      clear()
      rmSync(dir, { recursive: true, force: true })
      process.exit(1)
    })
  }
  try {
    console.log(`${rest} min of rest ...`)
    await sleep(60_000 * rest)
    const spans = []
    for (const one of FAULTS) {
      if (values.only !== undefined && !one.name.includes(values.only)) continue
      const why = missing(one, mounts)
      if (why !== null) {
        console.log(`skipped: ${one.name}: ${why}`)
        continue
      }
      console.log(`${one.name}: ${one.about}, over ${fault} min ...`)
      const mount = mounts[one.needs]?.mount
      const span = await one.run({ dir, mount, minutes: fault })
      spans.push({ ...one, ...span, mount })
      await sleep(60_000 * between)
    }
    for (const span of spans) {
      if (span.saturated !== undefined) span.event = await saturation(get, span)
    }
    const fields = Object.keys(HOST_SIGNAL_KINDS).join(',')
    const from = answers[0]?.at - 60
    const points = (await get(`history?from=${from}&to=${Date.now() / 1000}&step=10s&fields=${fields}`))?.points ?? []
    if (values.json) writeFileSync(values.json, JSON.stringify({ answers, spans, points }))
    report(answers, spans, points, dir)
  } finally {
    clearInterval(asking)
    clear()
    server.close()
    await sleep(3000)
    rmSync(dir, { recursive: true, force: true })
  }
}

/** When a condition that is a failure had held for a minute: by the rows that the service kept itself. */
async function saturation(get, { from, to, saturated }) {
  const fields = 'cpu_busy,disk_busy,disk_latency,response_time'
  const points = async (a, b) => (await get(`history?from=${a}&to=${b}&step=10s&fields=${fields}`))?.points ?? []
  const before = (await points(from - 600, from)).map((p) => p.values.response_time).sort((a, b) => a - b)
  const usual = before[before.length >> 1] ?? Number.NaN
  let since = null
  for (const { at, values: row } of await points(from, to)) {
    const end = unix(at) + 10
    since = saturated(row, usual) ? (since ?? end - 10) : null
    if (since !== null && end - since >= 60) return end
  }
  return null
}

const unix = (iso) => (iso === null || iso === undefined ? Number.POSITIVE_INFINITY : Date.parse(iso) / 1000)
const minutes = (seconds) => (Number.isFinite(seconds) ? `${(seconds / 60).toFixed(1)} min` : 'never')
const percent = (p) => `${Math.round(100 * p)} %`

function report(answers, spans, points, dir) {
  if (spans.length === 0) return
  const { probabilities, exhaustions } = replay(dir, points, Math.min(...spans.map((span) => span.from)))
  const line = (name, text) => console.log(`  ${name.padEnd(52)} ${text}`)
  for (const span of spans) {
    const during = answers.filter(({ at }) => at >= span.from && at <= (span.event ?? span.to))
    console.log(`\n${span.name} (${span.about})`)
    if (span.resource !== undefined) {
      const told = exhaustions.filter(({ signal }) => signal === `${span.resource}_used`)
      const before = told.filter(({ at }) => at >= span.from && at <= (span.event ?? span.to))
      const first = before.find((x) => Number.isFinite(x.lower))
      line('from the onset to the first prediction', minutes(first ? first.at - span.from : Number.POSITIVE_INFINITY))
      if (span.event !== null) {
        line('lead of the first prediction', minutes(first ? span.event - first.at : Number.NaN))
        for (const { at, lower, median, upper } of before.filter((x) => Number.isFinite(x.median))) {
          const said = `${minutes(median - at)} (${minutes(lower - at)} to ${minutes(upper - at)})`
          line(
            `truly ${minutes(span.event - at)} left`,
            `${said}, ${lower <= span.event && span.event <= upper ? 'covered' : 'NOT covered'}`,
          )
        }
      }
      const cured = told.find(({ at, lower }) => at > span.to && !Number.isFinite(lower))
      line('from the cure to the withdrawal', minutes(cured ? cured.at - span.to : Number.POSITIVE_INFINITY))
      const live = answers.filter(({ at }) => at >= span.from && at <= (span.event ?? span.to))
      const of = ({ failure }) => failure.resources.find((r) => r.resource === `${span.resource}:${span.mount}`)
      const sentence = live.map((x) => of(x)?.sentence).findLast(Boolean)
      if (sentence) line('the last sentence of the service itself', sentence)
    }
    const said = probabilities.filter(({ at }) => at >= span.from && at <= (span.event ?? span.to))
    const most = Math.max(0, ...said.map((p) => p.probability))
    const told = said.find((p) => p.probability >= 0.2)
    if (span.saturated !== undefined)
      line('from the onset to the failure itself', minutes((span.event ?? Number.POSITIVE_INFINITY) - span.from))
    line('largest failure probability within the hour', percent(most))
    line('from the onset to a probability of .2', minutes(told ? told.at - span.from : Number.POSITIVE_INFINITY))
    line('lowest health', String(Math.round(Math.min(...during.map((a) => a.health.health)))))
  }
  const calm = probabilities.filter(({ at }) => spans.every((s) => at < s.from - 1 || at > s.to + 900))
  console.log('\nat rest, a quarter of an hour after a fault and later')
  line('largest failure probability within the hour', percent(Math.max(0, ...calm.map((p) => p.probability))))
  line(
    'share of them of .2 or more',
    percent(calm.filter((p) => p.probability >= 0.2).length / Math.max(1, calm.length)),
  )
  const quietly = exhaustions.filter(({ at }) => spans.every((x) => at < x.from - 1 || at > x.to + 900))
  const foreseen = quietly.filter(({ lower }) => Number.isFinite(lower))
  line('predictions that something runs out', `${foreseen.length} of ${quietly.length}`)
}

if (values.report === undefined) await main()
else {
  const { answers, spans, points } = JSON.parse(readFileSync(values.report, 'utf8'))
  const dir = mkdtempSync(join(tmpdir(), 'portent-faults-'))
  report(answers, spans, points, dir)
  rmSync(dir, { recursive: true })
}
