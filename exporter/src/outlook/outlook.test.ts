import type { Exhaustion } from '@portent/core'
import t from 'tap'
import type { Row } from '../types.ts'
import { hostPlan, OutlookKeeper, type OutlookKeeperOptions, TargetOutlook } from './index.ts'
import { resourceOutlooks } from './resources.ts'
import type { OutlookRow, TrackedResource } from './target.ts'
import { actionFor, clock, duration, exhaustionSentence, growth, resourceName } from './words.ts'

const T0 = Date.UTC(2026, 2, 5, 12) / 1000
const HOUR = 3600
const GIB = 2 ** 30

const exhaustion = (more: Partial<Exhaustion> = {}): Exhaustion => ({
  lower: T0 + 2 * HOUR + 2400,
  median: T0 + 3 * HOUR + 600,
  upper: T0 + 4 * HOUR + 300,
  within: () => 0.9,
  confidence: 0.92,
  trend: { perSecond: 1.1 / 100 / HOUR, since: T0 - 9 * HOUR - 2400 },
  state: 'growing',
  ...more,
})

const NONE = exhaustion({
  lower: Number.POSITIVE_INFINITY,
  median: Number.POSITIVE_INFINITY,
  upper: Number.POSITIVE_INFINITY,
  within: () => 0,
  confidence: 0,
  trend: null,
  state: 'flat',
})

const disk = (more: Partial<TrackedResource> = {}): TrackedResource => ({
  resource: 'filesystem:/',
  kind: 'disk_used_ratio',
  limit: { capacity: 1, direction: 'up' },
  level: 0.96,
  whole: { amount: 100 * GIB, unit: 'bytes' },
  exhaustion: exhaustion(),
  ...more,
})

t.test('what runs out is said in one sentence: when, how sure, why, what to do', async (t) => {
  t.equal(
    exhaustionSentence(disk(), T0),
    'Disk / likely full in 3 h 10 min (80 %: 2 h 40 min - 4 h 5 min): 92 % sure; grows 1.1 GiB an hour ' +
      'since 02:20 UTC; free space or extend the file system',
  )
  t.equal(exhaustionSentence(disk({ exhaustion: NONE }), T0), null, 'nothing is said where nothing is foreseen')
  const open = exhaustion({ median: Number.POSITIVE_INFINITY, upper: Number.POSITIVE_INFINITY, confidence: 0.3 })
  t.match(
    exhaustionSentence(disk({ exhaustion: open }), T0),
    /^Disk \/ may be full as early as in 2 h 40 min: 30 % sure/,
  )
  const late = exhaustion({ upper: Number.POSITIVE_INFINITY })
  t.match(exhaustionSentence(disk({ exhaustion: late }), T0), '(80 %: 2 h 40 min - not at all)')
  const full = exhaustion({ state: 'exhausted', lower: T0, median: T0, upper: T0 })
  t.equal(
    exhaustionSentence(disk({ exhaustion: full }), T0),
    'Disk / is full now; free space or extend the file system',
  )
  const queue: Partial<TrackedResource> = { resource: 'queue_depth', kind: 'other' }
  const custom = {
    ...queue,
    limit: { capacity: 0, direction: 'down' } as const,
    exhaustion: exhaustion({ trend: { perSecond: -2, since: T0 - 90_000 } }),
  }
  const { whole: _, ...plain } = disk(custom)
  t.match(exhaustionSentence(plain, T0), 'queue_depth likely at its limit in 3 h 10 min')
  t.match(exhaustionSentence(plain, T0), 'falls 7200 an hour since 2026-03-04 11:00 UTC; use less of it, or refill it')
})

t.test('durations, instants, names and amounts as people say them', async (t) => {
  const durations: [number, string][] = [
    [10, 'under a minute'],
    [90, '2 min'],
    [3600, '1 h'],
    [3599, '1 h'],
    [5400, '1 h 30 min'],
    [86_399, '24 h'],
    [86_400, '1 d'],
    [93_700, '1 d 2 h'],
  ]
  for (const [seconds, words] of durations) t.equal(duration(seconds), words)
  t.equal(clock(T0 - 60, T0), '11:59 UTC')
  t.equal(clock(T0 - 86_400, T0), '2026-03-04 12:00 UTC')
  t.strictSame(
    ['filesystem:/var', 'filesystem', 'inodes:/', 'inodes', 'memory', 'swap', 'file_descriptors', 'queue'].map(
      resourceName,
    ),
    ['Disk /var', 'Disk', 'Inodes of /', 'Inodes', 'Memory', 'Swap', 'File descriptors', 'queue'],
  )
  t.equal(growth(0.5 / 86_400, 'disk_used_ratio', { amount: 10 * GIB, unit: 'bytes' }), '213 MiB an hour')
  t.equal(growth(0.1 / 86_400, 'memory_used_ratio', undefined), '10 % a day')
  t.equal(growth(0.001 / 86_400, 'inodes_used_ratio', { amount: 1e6, unit: 'inodes' }), '1000 inodes a day')
  t.match(actionFor({ kind: 'memory_used_ratio', limit: { capacity: 1, direction: 'up' } }), 'restart it')
})

t.test('resources are listed soonest first', async (t) => {
  const later = exhaustion({ lower: T0 + 9 * HOUR })
  const found = resourceOutlooks(
    [
      disk({ resource: 'b', exhaustion: NONE }),
      disk({ resource: 'a', exhaustion: NONE }),
      disk({ resource: 'd', exhaustion: later }),
      disk({ resource: 'c' }),
    ],
    T0,
  )
  t.strictSame(
    found.map((r) => [r.resource, r.sentence === null]),
    [
      ['c', false],
      ['d', false],
      ['a', true],
      ['b', true],
    ],
  )
})

t.test('everything with a capacity is followed once, under the name of its resource', async (t) => {
  const { depleting, boundsOf, byKind } = hostPlan({ queue_depth: { capacity: 100, direction: 'up' } })
  const values = { memory_used: 0.5, filesystem_used: 0.9, queue_depth: 3, cpu_busy: 0.2, tcp_connections: 9 }
  const mount = { resource: 'filesystem:/', used: 0.4, capacity: 5 * GIB, unit: 'bytes' as const }
  t.match(depleting(values, [mount]), [
    { resource: 'filesystem:/', kind: 'disk_used_ratio', level: 0.4, whole: { amount: 5 * GIB } },
    { resource: 'memory', kind: 'memory_used_ratio', level: 0.5 },
    { resource: 'queue_depth', kind: 'other', level: 3, limit: { capacity: 100 } },
  ])
  t.strictSame(
    depleting(values, []).map((x) => x.resource),
    ['memory', 'filesystem', 'queue_depth'],
    'the worst mount stands for the mounts of a target that names none',
  )
  t.match(boundsOf('load_per_core'), { floor: 0, ceiling: Number.POSITIVE_INFINITY })
  t.match(boundsOf('pressure_io_some'), { floor: 0, ceiling: 1 })
  t.match(boundsOf('temperature'), { floor: Number.NEGATIVE_INFINITY })
  t.match(boundsOf('queue_depth'), { floor: Number.NEGATIVE_INFINITY })
  t.strictSame(byKind({ network_receive: 2, network_transmit: 3, cpu_busy: 0.5, probe_failed: 0.1, temperature: 60 }), {
    network_rate: 5,
    cpu_busy_ratio: 0.5,
    error_ratio: 0.1,
  })
})

const values = (i: number) => ({ cpu_busy: 0.3 + 0.1 * Math.sin(i / 7), memory_used: Math.min(1, 0.2 + i / 2000) })
const rowAt = (i: number, more: Partial<OutlookRow> = {}): OutlookRow => ({
  at: T0 + 60 * i,
  values: values(i),
  resources: [],
  anomaly: null,
  health: 95,
  ...more,
})

t.test('a target is followed from its first row; what vanishes is forgotten', async (t) => {
  const outlook = new TargetOutlook({ intervalSeconds: 60, plan: hostPlan() })
  t.equal(outlook.forecast('cpu_busy', [60]), null)
  const mount = { resource: 'filesystem:/mnt', used: 0.5 }
  for (let i = 0; i < 400; i++) outlook.push(rowAt(i, { resources: i < 300 ? [mount] : [] }))
  while (outlook.refitOne());
  outlook.push(rowAt(5))
  t.equal(outlook.at, T0 + 60 * 399, 'an old row changes nothing')
  t.strictSame([...outlook.signals].sort(), ['cpu_busy', 'health', 'memory_used'])
  t.strictSame(
    outlook.exhaustions().map((x) => x.resource),
    ['memory'],
    'a mount that has been gone for a quarter of an hour',
  )
  const [near, far] = outlook.forecast('memory_used', [60, 3600]) ?? []
  t.ok(near && far && (near.quantiles[2] as number) < (far.quantiles[3] as number) && (far.quantiles[4] as number) <= 1)
  t.ok(outlook.forecast('health', [900])?.[0]?.quantiles.every((q) => q >= 0 && q <= 100))
})

const liveRow = (i: number, target = 'a'): Row => ({
  target,
  at: 1000 * (T0 + 60 * i),
  values: values(i),
  resources: [],
})

function keeperOf(over: Partial<OutlookKeeperOptions> = {}) {
  const errors: unknown[] = []
  const keeper = new OutlookKeeper({
    intervalSeconds: 60,
    plan: () => hostPlan(),
    mostSeries: () => 1000,
    history: async function* () {},
    onError: (error) => errors.push(error),
    ...over,
  })
  const run = async (i: number, target = 'a') =>
    (await keeper.step([{ row: liveRow(i, target), anomaly: null, health: 95, trust: 1 }], null)).get(target)
  return { keeper, errors, run }
}

t.test('a target begins with its history, and rows that come meanwhile follow it', async (t) => {
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const { keeper, run, errors } = keeperOf({
    history: async function* (target, like) {
      t.match([target, like.at], ['a', 1000 * (T0 + 60_000)])
      await gate
      for (let i = 0; i < 1000; i++) yield rowAt(i)
    },
  })
  t.equal(await run(1000), undefined)
  t.ok(keeper.reading('a'))
  t.equal(keeper.target('a'), undefined)
  t.equal(await run(1001), undefined)
  open()
  await keeper.settled()
  t.notOk(keeper.reading('a'))
  const outlook = await run(1002)
  t.equal(outlook?.at, 1000 * (T0 + 60 * 1002))
  t.match(outlook?.resources, [{ resource: 'memory', capacity: 1 }])
  t.match(
    outlook?.forecasts.map((f) => f.signal),
    ['health', 'memory_used', 'cpu_busy'],
  )
  t.equal(outlook?.forecasts[0]?.horizons.length, 5)
  t.equal(outlook?.failure, null, 'no bundle has been asked')
  t.strictSame(errors, [])
})

t.test('a history that cannot be read costs the history', async (t) => {
  const { keeper, run, errors } = keeperOf({
    // biome-ignore lint/correctness/useYield: it fails before it has anything to give
    history: async function* () {
      throw new Error('locked')
    },
  })
  await run(0)
  await keeper.settled()
  t.match(errors, [{ message: 'locked' }])
  t.ok(await run(1))
})

t.test('there is a most of what is followed; what every target needs goes first', async (t) => {
  const { keeper, run } = keeperOf({ mostSeries: () => 5 })
  await run(0)
  await keeper.settled()
  await run(1)
  t.strictSame([...(keeper.target('a')?.signals ?? [])].sort(), ['cpu_busy', 'health', 'memory_used'])
  await run(0, 'b')
  await keeper.settled()
  await run(1, 'b')
  t.strictSame([...(keeper.target('b')?.signals ?? [])], ['cpu_busy'])
  t.match(keeper.counts, { series: 5 })
  t.ok(keeper.counts.refused > 0)
  keeper.removeTarget('a')
  t.equal(keeper.counts.series, 1)
})

t.test('a stepped wall clock neither stops the outlook nor bends a trend', async (t) => {
  const steep = (i: number) => ({ memory_used: Math.min(1, 0.3 + i / 1000) })
  const predictedAfter = async (stepSeconds: number) => {
    const { keeper, errors } = keeperOf()
    let last: Awaited<ReturnType<typeof keeper.step>> = new Map()
    for (let i = 0; i < 400; i++) {
      const at = 1000 * (T0 + 60 * i + (i < 300 ? 0 : stepSeconds))
      const row = { target: 'a', at, monotonic: 60_000 * i, values: steep(i), resources: [] }
      last = await keeper.step([{ row, anomaly: null, health: 95, trust: 1 }], null)
      if (i === 0) await keeper.settled()
    }
    t.strictSame(errors, [])
    return last.get('a')
  }
  const usual = await predictedAfter(0)
  const memory = usual?.resources[0]
  t.equal(memory?.state, 'growing')
  t.ok(memory && memory.lower > T0 + 60 * 400 && memory.lower < T0 + 60 * 700)
  const back = await predictedAfter(-3600)
  t.equal(back?.at, (usual?.at ?? 0) - 3_600_000, 'told by the clock as it is now')
  const found = back?.resources[0]
  t.ok(Math.abs((found?.median ?? 0) - (memory?.median ?? 0) + 3600) < 1)
  t.ok(Math.abs((found?.trend?.since ?? 0) - (memory?.trend?.since ?? 0) + 3600) < 1)
  const ahead = await predictedAfter(2 * 86_400)
  t.equal(ahead?.at, (usual?.at ?? 0) + 1000 * 2 * 86_400)
  const after = ahead?.resources[0]
  t.ok(after && (after.lower > T0 + 2 * 86_400 || after.state === 'too_short'), 'a hole, as after a sleep')
})

t.test('mounts that come and go leave nothing behind', async (t) => {
  const { keeper } = keeperOf({ mostSeries: () => 6 })
  for (let i = 0; i < 200; i++) {
    const resources = [{ resource: `filesystem:/mnt/${Math.floor(i / 40)}`, used: 0.5 }]
    const row = { target: 'a', at: 1000 * (T0 + 60 * i), values: { memory_used: 0.5 }, resources }
    await keeper.step([{ row, anomaly: null, health: 95, trust: 1 }], null)
    if (i === 0) await keeper.settled()
  }
  const followed = keeper
    .target('a')
    ?.exhaustions()
    .map((x) => x.resource)
  t.strictSame(followed, ['memory', 'filesystem:/mnt/4'])
  t.equal(keeper.counts.series, 4)
  t.equal(keeper.counts.refused, 0)
})
