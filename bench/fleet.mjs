/** Many targets in one tick: cost a target, and how long HTTP would have to wait meanwhile. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { hosts } from './support/hosts.mjs'
import { median } from './support/measure.mjs'
import { pipeline } from './support/pipeline.mjs'
import { ms, row, us } from './support/row.mjs'

const WARM = 4
const ROUNDS = 12
/** Single-host cycles between two ticks of the fleet. */
const SINGLES = 40

export default async function fleet() {
  return [...(await ofSize(1000)), ...(await ofSize(5000))]
}

async function ofSize(n) {
  const one = await pipeline()
  const many = await pipeline()
  const nextOne = hosts(1)
  const nextMany = hosts(n)
  const name = `${n.toLocaleString('en')} targets a tick`
  const singles = []
  const ticks = []
  const gaps = []
  const delays = monitorEventLoopDelay({ resolution: 1 })
  for (let round = -WARM; round < ROUNDS; round++) {
    for (let i = 0; i < SINGLES; i++) {
      const rows = nextOne()
      const started = performance.now()
      await one.tick(rows)
      if (round >= 0) singles.push(performance.now() - started)
    }
    const rows = nextMany()
    // The rows' own making is not the service's.
    await new Promise((resolve) => setTimeout(resolve, 20))
    delays.enable()
    await new Promise((resolve) => setTimeout(resolve, 5))
    delays.reset()
    const started = performance.now()
    await many.tick(rows)
    const took = performance.now() - started
    await new Promise((resolve) => setTimeout(resolve, 2))
    delays.disable()
    if (round >= 0) {
      ticks.push(took)
      gaps.push(delays.max / 1e6 - 1)
    }
  }
  await one.close()
  await many.close()
  const single = median(singles)
  const tick = median(ticks)
  return [
    row(`${name}, a target against a cycle of one host`, {
      measured: `${ms(tick)} a tick, ${us((1000 * tick) / n)} a target against ${ms(single)}`,
      value: tick / n / single,
      goal: 1 / 20,
    }),
    row(`${name}, longest event-loop gap`, {
      measured: `median of ${ROUNDS} ticks; worst ${ms(Math.max(...gaps))}`,
      value: median(gaps),
      goal: 20,
      format: ms,
    }),
  ]
}
