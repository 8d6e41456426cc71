import { HOST_SIGNALS } from '@portent/core'
import t from 'tap'
import type { Reading } from './collector.ts'
import { FakeClock } from './fake_clock.ts'
import { COLLECTOR_NAMES, collectorsFor, linuxCollectors, type Outcome, portableCollectors, Sampler } from './index.ts'
import { type InventoryOptions, InventoryReader } from './inventory.ts'
import { portableCpu, type SystemInformation } from './portable.ts'

const signal = new AbortController().signal

/** What systeminformation gives on a Mac, as far as it is used; `tick` moves its counters. */
function fakeInformation(tick: () => number, more: Partial<Record<keyof SystemInformation, unknown>> = {}) {
  const of = (value: () => unknown) => () => Promise.resolve(value())
  return async () =>
    ({
      mem: of(() => ({ total: 1000, available: 400, swaptotal: 200, swapused: 50 })),
      fsSize: of(() => [
        { mount: '/', type: 'APFS', size: 1000, used: 100, available: 300, rw: true },
        { mount: '/data', type: 'APFS', size: 1000, used: 600, available: 300, rw: true },
        { mount: '/dev', type: 'devfs', size: 1, used: 1, available: 0, rw: true },
        { mount: '/cd', type: 'cd9660', size: 1, used: 1, available: 0, rw: false },
        { mount: '/odd', type: 'APFS', size: Number.NaN, used: 1, available: 0, rw: true },
      ]),
      fsStats: of(() => ({ rx: 1000 * tick(), wx: 500 * tick() })),
      networkStats: of(() => [
        { iface: 'lo0', rx_bytes: 9e9 * tick(), tx_bytes: 9e9 * tick(), rx_errors: 0 },
        { iface: 'en0', rx_bytes: 100 * tick(), tx_bytes: 50 * tick(), rx_errors: tick(), rx_dropped: null },
        { iface: 'utun0', rx_bytes: 9e9 * tick(), tx_bytes: 9e9 * tick(), rx_errors: 0 },
      ]),
      cpuTemperature: of(() => ({ main: 50, max: 61 })),
      processes: of(() => ({ running: 2, blocked: 1 })),
      ...more,
    }) as unknown as SystemInformation
}

async function readings(platform: NodeJS.Platform, more: Partial<Record<keyof SystemInformation, unknown>> = {}) {
  const clock = new FakeClock()
  const collectors = portableCollectors(
    { clock, systemInformation: fakeInformation(() => clock.monotonic() / 1000, more) },
    platform,
  ).filter(({ name }) => !['cpu', 'load', 'event_loop', 'response'].includes(name))
  const sampler = new Sampler({ target: 'x', collectors, clock })
  await sampler.tick()
  await clock.advance(10_000)
  const sample = await sampler.tick()
  await sampler.stop()
  return sample
}

t.test('macOS: the signals that systeminformation has', async (t) => {
  const { values, resources } = await readings('darwin')
  t.strictSame(values, {
    memory_used: 0.6,
    swap_used: 0.25,
    disk_read: 1000,
    disk_write: 500,
    filesystem_used: 600 / 900,
    network_receive: 100,
    network_transmit: 50,
    network_errors: 1,
    processes_running: 2,
    processes_blocked: 1,
    temperature: 61,
  })
  t.strictSame(
    resources.map((r) => r.resource),
    ['memory', 'swap', 'filesystem:/', 'filesystem:/data'],
  )
})

t.test('Windows: what it does not know is absent', async (t) => {
  const { values } = await readings('win32', {
    fsStats: async () => null,
    cpuTemperature: async () => ({ main: null, max: null }),
    mem: async () => ({ total: 1000, available: 400, swaptotal: 0, swapused: 0 }),
    fsSize: async () => [{ mount: 'C:', type: 'NTFS', size: 100, used: 25, available: 75, rw: true }],
    networkStats: async () => [],
  })
  t.strictSame(values, { memory_used: 0.6, filesystem_used: 0.25 })
})

t.test('a counter of systeminformation that runs backwards gives no rate', async (t) => {
  let calls = 0
  const { values } = await readings('darwin', {
    fsStats: async () => ({ rx: 100 - calls++, wx: 5 }),
    networkStats: async () => [{ iface: 'en0', rx_bytes: 100 - calls++, tx_bytes: 5 }],
  })
  t.notOk('disk_read' in values || 'disk_write' in values || 'network_receive' in values)
})

t.test('cpu from the times of the cores', async (t) => {
  const clock = new FakeClock()
  const core = (user: number, idle: number) => ({ times: { user, nice: 0, sys: 0, irq: 0, idle } })
  const states = [
    [core(0, 0), core(0, 0)],
    [core(75, 25), core(25, 75)],
    [core(0, 0), core(25, 75)],
  ]
  const collector = portableCpu({ clock }, () => states.shift() ?? [])
  const read = async () => {
    await clock.advance(1000)
    return (await collector.collect(signal)).values
  }
  t.strictSame(await read(), {})
  t.strictSame(await read(), { cpu_busy: 0.5, cpu_busiest_core: 0.75 })
  t.strictSame(await read(), {})
})

t.test('the list: names are unique and known, any can be switched off, unknown names are refused', async (t) => {
  t.strictSame(
    linuxCollectors().map((c) => c.name),
    [...COLLECTOR_NAMES],
  )
  for (const platform of ['darwin', 'win32'] as const) {
    const names = collectorsFor(platform).map((c) => c.name)
    t.equal(new Set(names).size, names.length)
    t.ok(names.every((name) => (COLLECTOR_NAMES as readonly string[]).includes(name)))
  }
  const few = collectorsFor('linux', { collectors: { cpu: false, response: false, load: true } }).map((c) => c.name)
  t.equal(few.length, COLLECTOR_NAMES.length - 2)
  t.notOk(few.includes('cpu'))
  t.doesNotThrow(() => collectorsFor('darwin', { collectors: { pressure: false } }))
  t.throws(() => collectorsFor('darwin', { filesystem: { excludeMounts: ['['] } }), { message: /^excludeMounts: / })
  t.throws(() => collectorsFor('linux', { collectors: { gpu: true } }), {
    message: /^collectors\.gpu: no such collector/,
  })
})

/** systeminformation with parts that answer, fail or never come back. */
function inventoryParts(more: Record<string, () => Promise<unknown>> = {}) {
  let calls = 0
  const parts: Record<string, () => Promise<unknown>> = {
    osInfo: async () => {
      calls++
      return { platform: 'linux', distro: 'Debian', release: '12', kernel: '6.1', arch: 'x64', serial: 'secret' }
    },
    cpu: async () => ({ manufacturer: 'Intel', brand: 'Xeon', cores: 4, physicalCores: 2 }),
    mem: async () => ({ total: 1000, swaptotal: 0 }),
    networkInterfaces: async () => [
      { iface: 'eth0', type: 'wired', virtual: false, operstate: 'up', speed: 1000, mac: 'secret', ip4: 'secret' },
      { iface: 'lo', type: 'virtual', virtual: true, operstate: 'unknown', speed: -1 },
    ],
    blockDevices: async () => [
      { name: 'sda', type: 'disk', physical: 'SSD', size: 500, serial: 'secret' },
      { name: 'sda1', type: 'part', physical: '', size: 500 },
    ],
    fsSize: async () => [{ mount: '/', type: 'ext4', size: 400 }],
    ...more,
  }
  return { load: (async () => parts) as unknown as NonNullable<InventoryOptions['load']>, calls: () => calls }
}

t.test('the inventory is read once an hour, and holds no address and no serial number', async (t) => {
  const clock = new FakeClock()
  const { load, calls } = inventoryParts()
  const reader = new InventoryReader({ clock, load })
  const [inventory, same] = await Promise.all([reader.get(), reader.get()])
  t.strictSame(inventory, {
    at: 1_700_000_000_000,
    os: { platform: 'linux', distribution: 'Debian', release: '12' },
    kernel: { version: '6.1', architecture: 'x64' },
    cpu: { model: 'Intel Xeon', cores: 4, physicalCores: 2 },
    memory: { totalBytes: 1000, swapBytes: 0 },
    interfaces: [
      { name: 'eth0', type: 'wired', virtual: false, state: 'up', megabitsPerSecond: 1000 },
      { name: 'lo', type: 'virtual', virtual: true, state: 'unknown', megabitsPerSecond: null },
    ],
    disks: [{ name: 'sda', type: 'SSD', bytes: 500 }],
    mounts: [{ path: '/', type: 'ext4', bytes: 400 }],
  })
  t.equal(same, inventory)
  t.equal(calls(), 1)
  await clock.advance(3_599_999)
  await reader.get()
  t.equal(calls(), 1)
  await clock.advance(1)
  t.equal((await reader.get())?.at, 1_700_003_600_000)
  t.equal(calls(), 2)
  t.equal(clock.pending, 0)
})

t.test('a part of the inventory that fails is absent', async (t) => {
  const { load } = inventoryParts({ blockDevices: () => Promise.reject(new Error('no lsblk')) })
  const inventory = await new InventoryReader({ clock: new FakeClock(), load }).get()
  t.notOk('disks' in (inventory ?? {}))
  t.equal(inventory?.mounts?.length, 1)
  const nothing = new InventoryReader({
    clock: new FakeClock(),
    load: () => Promise.reject(new Error('not installed')),
  })
  t.strictSame(await nothing.get(), { at: 1_700_000_000_000 })
})

t.test('an inventory that hangs is waited for until the deadline, and never read twice at a time', async (t) => {
  const clock = new FakeClock()
  const { load, calls } = inventoryParts({ fsSize: () => new Promise(() => undefined) })
  const reader = new InventoryReader({ clock, load, deadlineMs: 5000 })
  const first = reader.get()
  await clock.advance(5000)
  t.equal((await first)?.disks?.length, 1, 'the parts before it are known')
  t.notOk('mounts' in ((await reader.get()) ?? {}))
  await clock.advance(7_200_000)
  t.equal((await reader.get())?.os?.platform, 'linux')
  t.equal(calls(), 1)
})

const elsewhere = process.platform === 'linux' ? false : `reads /proc, and this is ${process.platform}`

t.test('this host: every value is finite, every share is one', { skip: elsewhere }, async (t) => {
  const clock = new FakeClock()
  const outcomes: Outcome[] = []
  const collectors = linuxCollectors({ clock, collectors: { response: false } })
  const sampler = new Sampler({ target: 'this', collectors, clock, onOutcomes: (all) => outcomes.push(...all) })
  let sample = await sampler.tick()
  // The ticks of the processor are 10 ms long: one has to pass before there is a share of them.
  while (!('cpu_busiest_core' in sample.values)) {
    await clock.advance(2000)
    sample = await sampler.tick()
  }
  await sampler.stop()
  const { values, resources } = sample
  const shares = new Set(
    HOST_SIGNALS.filter((s) => s.unit === 'ratio' && s.name !== 'load_per_core').map((s) => s.name),
  )
  for (const [name, value] of Object.entries(values)) {
    t.ok(Number.isFinite(value) && value >= 0, `${name} ${value}`)
    if (shares.has(name)) t.ok(value <= 1, `${name} ${value}`)
    t.ok(
      HOST_SIGNALS.some((s) => s.name === name),
      `${name} is a signal`,
    )
  }
  for (const { resource, used } of resources) t.ok(used >= 0 && used <= 1, `${resource} ${used}`)
  for (const name of ['cpu_busy', 'load_per_core', 'memory_used', 'context_switches', 'forks'])
    t.ok(name in values, name)
  t.strictSame(
    outcomes.filter((o) => !o.success),
    [],
  )
})

t.test('this host: systeminformation itself answers', async (t) => {
  const { default: si } = await import('systeminformation')
  const memory = portableCollectors().find((c) => c.name === 'memory')
  const reading = (await memory?.collect(signal)) as Reading
  t.ok((reading.values.memory_used ?? -1) > 0 && (reading.values.memory_used ?? 2) < 1)
  t.type(si.fsSize, 'function')
})
