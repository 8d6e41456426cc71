/** One tick of all Linux collectors against the seven calls of systeminformation that would give the same. */
import si from 'systeminformation'
import { linuxCollectors, Sampler, systemClock } from '../exporter/dist/collect/index.js'
import { isLinux, median, ownCpuSeconds, sleep } from './support/measure.mjs'
import { ms, row, unmet } from './support/row.mjs'

const WHAT = 'collecting, CPU against systeminformation'
const ROUNDS = 7
/** A multiple of five: the slowest collectors are due every fifth tick of 2 s. */
const TICKS = 50

export default async function collect() {
  if (!isLinux) return [unmet(WHAT, { why: 'Linux only' })]
  // Two seconds pass from tick to tick, so that each reads what it would read in the service.
  let passed = 0
  const clock = { ...systemClock, monotonic: () => performance.now() + passed }
  const sampler = new Sampler({ target: 'bench', collectors: linuxCollectors({ clock }), clock })
  const own = []
  const theirs = []
  for (let round = -2; round < ROUNDS; round++) {
    let before = ownCpuSeconds()
    for (let i = 0; i < TICKS; i++) {
      await sampler.tick()
      passed += 2000
    }
    const ticks = ownCpuSeconds() - before
    before = ownCpuSeconds()
    await si.currentLoad()
    await si.mem()
    await si.fsSize()
    await si.disksIO()
    await si.networkStats()
    await si.processes()
    await si.networkConnections()
    await sleep(20)
    if (round < 0) continue
    own.push((1000 * ticks) / TICKS)
    theirs.push(1000 * (ownCpuSeconds() - before))
  }
  await sampler.stop()
  return [
    row(WHAT, {
      measured: `${ms(median(own))} of CPU a tick against ${ms(median(theirs))} for seven calls, children included`,
      value: median(own) / median(theirs),
      goal: 1 / 50,
    }),
  ]
}
