/** Many targets in one tick: cost a target, and how long HTTP would have to wait meanwhile. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { hosts } from './support/hosts.mjs'
import { median, sleep } from './support/measure.mjs'
import { pipeline } from './support/pipeline.mjs'
import { ms, row, us } from './support/row.mjs'

const WARM = 4
const ROUNDS = 12
/** Cycles of one host that are timed together. */
const SINGLES = 100

export default async function fleet() {
  const single = await ofOne()
  return [...(await ofMany(1000, single)), ...(await ofMany(5000, single))]
}

/** CPU ms of a cycle of one host: all threads of the process, what other processes do does not count. */
async function ofOne() {
  const service = await pipeline()
  const next = hosts(1)
  const cycles = []
  for (let round = -WARM; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    for (let i = 0; i < SINGLES; i++) await service.tick(next())
    if (round >= 0) cycles.push(cpuMs(before) / SINGLES)
  }
  await service.close()
  return median(cycles)
}

async function ofMany(n, single) {
  const service = await pipeline()
  const next = hosts(n)
  const cpu = []
  const took = []
  const gaps = []
  const delays = monitorEventLoopDelay({ resolution: 1 })
  for (let round = -WARM; round < ROUNDS; round++) {
    const rows = next()
    // The rows' own making is not the service's.
    await sleep(20)
    delays.enable()
    await sleep(5)
    delays.reset()
    const before = process.cpuUsage()
    const started = performance.now()
    await service.tick(rows)
    const elapsed = performance.now() - started
    const spent = cpuMs(before)
    await sleep(2)
    delays.disable()
    if (round < 0) continue
    cpu.push(spent)
    took.push(elapsed)
    gaps.push(delays.max / 1e6 - 1)
  }
  await service.close()
  const name = `${n.toLocaleString('en')} targets a tick`
  const each = median(cpu) / n
  return [
    row(`${name}, CPU a target against a cycle of one`, {
      measured: `${us(1000 * each)} against ${ms(single)}; a tick takes ${ms(median(took))}`,
      value: each / single,
      goal: 1 / 20,
    }),
    row(`${name}, longest event-loop gap`, {
      measured: `median of ${ROUNDS} ticks; ${ms(Math.min(...gaps))} to ${ms(Math.max(...gaps))}`,
      value: median(gaps),
      goal: 20,
      format: ms,
    }),
  ]
}

function cpuMs(before) {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
