import t from 'tap'
import type { Sample } from '../types.ts'
import type { Collector, Reading } from './collector.ts'
import { FakeClock } from './fake_clock.ts'
import { type Outcome, Sampler } from './sampler.ts'

const constant = (name: string, value: number): Collector => ({ name, collect: () => ({ values: { [name]: value } }) })

/** A sampler on a fake clock that remembers what it reported. */
function scene(collectors: readonly Collector[], options: { intervalMs?: number; deadlineMs?: number } = {}) {
  const clock = new FakeClock()
  const samples: Sample[] = []
  const outcomes: (readonly Outcome[])[] = []
  const errors: unknown[] = []
  const sampler = new Sampler({
    target: 'host',
    collectors,
    clock,
    onSample: (sample) => samples.push(sample),
    onOutcomes: (all) => outcomes.push(all),
    onError: (error) => errors.push(error),
    ...options,
  })
  const reasons = () => outcomes.at(-1)?.map((o) => `${o.collector} ${o.reason}`)
  return { clock, samples, outcomes, errors, sampler, reasons }
}

t.test('a tick merges all readings and gives each collector an outcome', async (t) => {
  const { sampler, clock, outcomes } = scene([
    constant('a', 1),
    { name: 'b', collect: async () => ({ values: { b: 2 }, resources: [{ resource: 'x', used: 0.5 }] }) },
    { name: 'empty', collect: () => ({ values: {} }) },
  ])
  clock.stepWall(5)
  t.strictSame(await sampler.tick(), {
    target: 'host',
    at: 1_700_000_000_005,
    values: { a: 1, b: 2 },
    resources: [{ resource: 'x', used: 0.5 }],
  })
  t.strictSame(outcomes, [
    [
      { collector: 'a', durationSeconds: 0, success: true, reason: 'ok', dropped: 0, resets: 0 },
      { collector: 'b', durationSeconds: 0, success: true, reason: 'ok', dropped: 0, resets: 0 },
      { collector: 'empty', durationSeconds: 0, success: true, reason: 'no_data', dropped: 0, resets: 0 },
    ],
  ])
})

t.test('a collector that throws, rejects or returns nonsense costs only itself', async (t) => {
  const { sampler, outcomes, reasons } = scene([
    {
      name: 'throws',
      collect() {
        throw new Error('sync')
      },
    },
    { name: 'rejects', collect: () => Promise.reject(new Error('async')) },
    { name: 'nonsense', collect: () => undefined as unknown as Reading },
    { name: 'late nonsense', collect: async () => undefined as unknown as Reading },
    constant('good', 1),
  ])
  t.strictSame((await sampler.tick()).values, { good: 1 })
  t.strictSame(reasons(), ['throws error', 'rejects error', 'nonsense error', 'late nonsense error', 'good ok'])
  t.match(outcomes[0]?.[0]?.error, { message: 'sync' })
  t.match(outcomes[0]?.[1]?.error, { message: 'async' })
})

t.test(
  'a collector that hangs is aborted at the deadline, skipped while it hangs, and its late answer discarded',
  async (t) => {
    let calls = 0
    let signal: AbortSignal | undefined
    let answer: (reading: Reading) => void = () => undefined
    const hanging: Collector = {
      name: 'hanging',
      collect(s) {
        calls++
        signal = s
        return new Promise((resolve) => {
          answer = resolve
        })
      },
    }
    const { sampler, clock, samples, outcomes, reasons } = scene([hanging, constant('good', 1)])
    sampler.start()
    await clock.advance(1499)
    t.equal(samples.length, 0)
    t.equal(signal?.aborted, false)
    await clock.advance(1)
    t.equal(signal?.aborted, true)
    t.strictSame(samples[0]?.values, { good: 1 })
    t.strictSame(reasons(), ['hanging deadline', 'good ok'])
    t.equal(outcomes[0]?.[0]?.durationSeconds, 1.5)
    await clock.advance(2500)
    t.equal(calls, 1)
    t.strictSame(reasons(), ['hanging in_flight', 'good ok'])
    t.match(outcomes.at(-1)?.[0], { success: false, durationSeconds: 4 })
    answer({ values: { hanging: 9 } })
    await clock.advance(500)
    t.ok(samples.every((s) => !('hanging' in s.values)))
    await clock.advance(1500)
    t.equal(calls, 2)
    answer({ values: { hanging: 8 } })
    await clock.advance(0)
    t.equal(samples.at(-1)?.values.hanging, 8)
    await sampler.stop()
  },
)

t.test('a late rejection is handled', async (t) => {
  let reject: (error: Error) => void = () => undefined
  const { sampler, clock, reasons } = scene([
    {
      name: 'x',
      collect: () =>
        new Promise((_, r) => {
          reject = r
        }),
    },
  ])
  const tick = sampler.tick()
  await clock.advance(1500)
  await tick
  reject(new Error('late'))
  await clock.advance(0)
  t.strictSame(reasons(), ['x deadline'])
})

t.test('values that are not finite are dropped and counted', async (t) => {
  const { sampler, outcomes } = scene([
    {
      name: 'x',
      collect: () => ({
        values: { nan: Number.NaN, infinite: Number.POSITIVE_INFINITY, fine: 1 },
        resources: [
          { resource: 'bad', used: Number.NaN },
          { resource: 'good', used: 0.5 },
        ],
      }),
    },
  ])
  const sample = await sampler.tick()
  t.strictSame(sample.values, { fine: 1 })
  t.strictSame(sample.resources, [{ resource: 'good', used: 0.5 }])
  t.equal(outcomes[0]?.[0]?.dropped, 3)
  t.equal(outcomes[0]?.[0]?.success, true)
})

t.test('a slow collector is called when it is due, and its reading reused until it is too old', async (t) => {
  let calls = 0
  let broken = false
  const slow: Collector = {
    name: 'slow',
    everySeconds: 10,
    collect() {
      calls++
      if (broken) throw new Error('gone')
      return { values: { slow: calls } }
    },
  }
  const { sampler, clock, samples, outcomes } = scene([slow])
  sampler.start()
  await clock.advance(9_999)
  t.equal(calls, 1)
  t.match(outcomes.at(-1)?.[0], { reason: 'reused', success: true })
  await clock.advance(1)
  t.equal(calls, 2)
  t.equal(samples.at(-1)?.values.slow, 2)
  broken = true
  await clock.advance(12_000)
  t.equal(calls, 3)
  t.match(outcomes.at(-1)?.[0], { reason: 'reused', success: false })
  t.equal(samples.at(-1)?.values.slow, 2, 'a failed call leaves the last truth for a while')
  await clock.advance(16_000)
  t.equal(samples.at(-1)?.at, 1_700_000_038_000)
  t.equal(samples.at(-1)?.values.slow, 2)
  await clock.advance(2000)
  t.strictSame(samples.at(-1)?.values, {}, '30 s after the reading it is gone')
  broken = false
  await clock.advance(10_000)
  t.equal(samples.at(-1)?.values.slow, calls)
  await sampler.stop()
})

t.test('a slow collector that jitters is not called a tick late', async (t) => {
  let calls = 0
  const { sampler, clock } = scene([{ name: 's', everySeconds: 4, collect: () => ({ values: { s: ++calls } }) }])
  await sampler.tick()
  await clock.advance(3990)
  await sampler.tick()
  t.equal(calls, 2)
})

t.test('ticks stay on their grid, and a blocked event loop brings no burst of them', async (t) => {
  const times: number[] = []
  const clock = new FakeClock()
  let blockMs = 0
  const sampler = new Sampler({
    target: 'host',
    collectors: [
      {
        name: 'x',
        collect() {
          clock.block(blockMs)
          return { values: {} }
        },
      },
    ],
    clock,
    onSample: () => times.push(clock.monotonic()),
  })
  sampler.start()
  await clock.advance(4000)
  t.strictSame(times, [0, 2000, 4000])
  clock.block(61_000)
  await clock.advance(4000)
  t.strictSame(times, [0, 2000, 4000, 65_000, 66_000, 68_000])
  blockMs = 5000
  await clock.advance(2000)
  blockMs = 0
  await clock.advance(4000)
  t.strictSame(times.slice(6), [75_000, 76_000, 78_000])
  await sampler.stop()
})

t.test('a timer that fires early does not tick twice, and a wall clock step moves no tick', async (t) => {
  let now = 0
  const timers: { ms: number; callback: () => void }[] = []
  let ticks = 0
  const sampler = new Sampler({
    target: 'host',
    collectors: [],
    clock: {
      wall: () => -now,
      monotonic: () => now,
      after: (ms, callback) => {
        timers.push({ ms, callback })
        return () => undefined
      },
    },
    onSample: () => ticks++,
  })
  sampler.start()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(timers[0]?.ms, 2000)
  now = 1999.2
  timers[0]?.callback()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(ticks, 2)
  t.ok(Math.abs((timers[1]?.ms ?? 0) - 2000.8) < 1e-9)
  await sampler.stop()
})

t.test('a tick in progress is shared', async (t) => {
  let calls = 0
  const { sampler, samples } = scene([
    {
      name: 'x',
      collect: async () => {
        calls++
        return { values: {} }
      },
    },
  ])
  t.equal(sampler.tick(), sampler.tick())
  await sampler.tick()
  t.equal(calls, 1)
  t.equal(samples.length, 1)
})

t.test('stop aborts what hangs, closes the collectors, reports nothing more and leaves no timer', async (t) => {
  let closed = 0
  let aborted = false
  const { sampler, clock, samples } = scene([
    {
      name: 'x',
      collect: (signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true
          })
        }),
      close() {
        closed++
      },
    },
    {
      name: 'y',
      collect: () => ({ values: {} }),
      close() {
        throw new Error('cannot close')
      },
    },
  ])
  sampler.start()
  await clock.advance(100)
  await sampler.stop()
  t.equal(aborted, true)
  t.equal(closed, 1)
  t.equal(samples.length, 0)
  t.equal(clock.pending, 0)
  await t.rejects(sampler.tick(), { message: 'the sampler is stopped' })
  await clock.advance(10_000)
  t.equal(samples.length, 0)
  sampler.start()
  await clock.advance(0)
  t.equal(samples.length, 1, 'it may be started again, and what hangs still does')
  await sampler.stop()
})

t.test('a listener that throws stops neither the other nor the ticks', async (t) => {
  const clock = new FakeClock()
  const errors: unknown[] = []
  let samples = 0
  const sampler = new Sampler({
    target: 'host',
    collectors: [],
    clock,
    onOutcomes() {
      throw new Error('listener')
    },
    onSample: () => samples++,
    onError: (error) => errors.push(error),
  })
  sampler.start()
  await clock.advance(4000)
  t.equal(samples, 3)
  t.equal(errors.length, 3)
  await sampler.stop()
})

t.test('senseless options are refused with their names', async (t) => {
  t.throws(() => scene([], { intervalMs: 0 }), { message: /intervalMs must be above 0/ })
  t.throws(() => scene([], { intervalMs: 1000 }), { message: /deadlineMs must be above 0 and below intervalMs/ })
  t.throws(() => scene([constant('a', 1), constant('a', 2)]), { message: /same name: a, a/ })
})
