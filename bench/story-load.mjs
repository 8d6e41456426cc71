/**
 * Ten minutes of this host: the service from a fresh start, scraped by a real Prometheus, while stress-ng loads CPU,
 * memory and disk. Prints what happened, from Prometheus' own answers.
 *
 *   npm run story:load [-- --rest 150 --load 150 --recovery 300]
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rest: { type: 'string', default: '150' },
    load: { type: 'string', default: '150' },
    recovery: { type: 'string', default: '300' },
  },
})
const [rest, load, recovery] = [values.rest, values.load, values.recovery].map(Number)
for (const program of ['prometheus', 'stress-ng']) {
  if (spawnSync('which', [program]).status !== 0) {
    console.log(`skipped: ${program} is not installed`)
    process.exit(0)
  }
}

const dir = mkdtempSync(join(tmpdir(), 'portent-story-'))
const children = []
const start = (command, args, stdio = 'ignore') => {
  const child = spawn(command, args, { stdio: ['ignore', stdio, stdio], cwd: dir })
  children.push(child)
  return child
}
const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
const until = async (what, check, seconds = 60) => {
  for (let i = 0; i < seconds * 4; i++) {
    const found = await check().catch(() => null)
    if (found) return found
    await sleep(250)
  }
  throw new Error(`${what} did not happen within ${seconds} s`)
}

async function main() {
  const [port, promPort] = [await freePort(), await freePort()]
  const bin = fileURLToPath(new URL('../exporter/bin/portent.js', import.meta.url))
  writeFileSync(
    join(dir, 'prometheus.yml'),
    `global: {scrape_interval: 5s}\nscrape_configs: [{job_name: portent, static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`,
  )
  const started = Date.now()
  start(process.execPath, [bin, 'serve', `--web.listen-address=127.0.0.1:${port}`, '--store.path=portent.db'])
  start('prometheus', [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=tsdb',
    `--web.listen-address=127.0.0.1:${promPort}`,
    '--log.level=error',
  ])
  const text = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  await until('the first score', async () => (await text()).includes('portent_health_ratio{'))
  const firstScore = (Date.now() - started) / 1000
  console.log(`first score ${firstScore.toFixed(0)} s after the start of the service`)
  console.log(`${rest} s of rest, ${load} s of stress-ng, ${recovery} s of recovery ...`)
  await sleep(Math.max(0, rest * 1000 - (Date.now() - started)))

  const from = Date.now() / 1000
  const memory = `${Math.floor(freemem() / 2 ** 20 / 4)}M`
  const stress = start('stress-ng', [
    ...['--cpu', String(cpus().length), '--vm', '1', '--vm-bytes', memory, '--vm-keep'],
    ...['--hdd', '1', '--temp-path', dir, '--timeout', `${load}s`],
  ])
  await new Promise((resolve) => stress.on('exit', resolve))
  const to = Date.now() / 1000
  await sleep(recovery * 1000)

  const api = `http://127.0.0.1:${promPort}/api/v1`
  const range = async (query) => {
    const url = `${api}/query_range?query=${encodeURIComponent(query)}&start=${started / 1000}&end=${Date.now() / 1000}&step=5`
    return (await (await fetch(url)).json()).data.result
  }
  const one = async (query) => (await range(query))[0]?.values.map(([at, v]) => [at, Number(v)]) ?? []
  const instant = async (query, at) =>
    (await (await fetch(`${api}/query?query=${encodeURIComponent(query)}&time=${at}`)).json()).data.result

  const health = await one('portent_health_ratio * 100')
  const within = (a, b) => health.filter(([at]) => at >= a && at < b).map(([, v]) => v)
  const median = (xs) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)] ?? Number.NaN
  const risk = async (state) =>
    (await one(`portent_risk_state{state="${state}"}`)).filter(([, v]) => v === 1).map(([at]) => at)
  const [yellow, red, green] = [await risk('yellow'), await risk('red'), await risk('green')]
  const after = (times, at) => times.find((x) => x >= at)
  const seconds = (at, since) => (at === undefined ? 'never' : `${Math.max(0, at - since).toFixed(0)} s`)
  const worst = health.filter(([at]) => at >= from && at <= to + 60).reduce((a, b) => (b[1] < a[1] ? b : a), [0, 101])
  const top = await instant('topk(5, portent_shap_value)', worst[0])
  const up = await one('sum_over_time(up{job="portent"}[1h])')
  const tries = await one('count_over_time(up{job="portent"}[1h])')
  const settled =
    after(green, to) === undefined
      ? undefined
      : green.filter((x) => x >= to).find((x) => !yellow.some((y) => y > x) && !red.some((r) => r > x))

  console.log(`health at rest, median                   ${median(within(started / 1000, from)).toFixed(0)}`)
  console.log(`health under load, lowest                ${worst[1].toFixed(0)}`)
  console.log(
    `from the load to risk YELLOW or worse    ${seconds([after(yellow, from), after(red, from)].filter(Boolean).sort()[0], from)}`,
  )
  console.log(`from the load to risk RED                ${seconds(after(red, from), from)}`)
  console.log(`from the end of the load to GREEN again  ${seconds(settled, to)}`)
  console.log(
    `health in the last minute, median        ${median(within(Date.now() / 1000 - 60, Number.POSITIVE_INFINITY)).toFixed(0)}`,
  )
  console.log('SHAP at the lowest health:')
  for (const { metric, value } of top) console.log(`  ${metric.signal.padEnd(24)} ${Number(value[1]).toFixed(2)}`)
  const alerts = await (await fetch(`http://127.0.0.1:${port}/api/v1/alerts`)).json()
  console.log(`alerts: ${alerts.alerts.length}`)
  for (const a of alerts.alerts) console.log(`  ${a.at} ${a.severity}: ${a.message}`)
  console.log(`scrapes ${tries.at(-1)?.[1]}, failed ${(tries.at(-1)?.[1] ?? 0) - (up.at(-1)?.[1] ?? 0)}`)
}

try {
  await main()
} finally {
  for (const child of children) child.kill('SIGTERM')
  await sleep(3000)
  rmSync(dir, { recursive: true, force: true })
}
