import t, { type Test } from 'tap'
import type { Collector, Reading } from './collector.ts'
import { cpu, cpuShares, cpuTicks } from './cpu.ts'
import { disk } from './disk.ts'
import { FakeHost } from './fake_host.ts'
import { files } from './files.ts'
import type { LinuxContext } from './kernel_files.ts'
import { load } from './load.ts'
import { memory } from './memory.ts'
import { network } from './network.ts'
import { numberAfter, numbersFrom } from './parse.ts'
import { pressure, stalledMicroseconds } from './pressure.ts'
import { Counters, rate } from './rates.ts'
import { scheduler } from './scheduler.ts'
import { swap } from './swap.ts'
import { retransmitted, segments, tcp } from './tcp.ts'
import { vm } from './vm.ts'

const ALL: readonly ((context: LinuxContext) => Collector)[] = [
  cpu,
  load,
  memory,
  swap,
  disk,
  network,
  tcp,
  files,
  pressure,
  scheduler,
  vm,
]
const signal = new AbortController().signal

function hostOf(t: Test, fixture: 'before' | 'empty' = 'before'): FakeHost {
  const host = new FakeHost(fixture)
  t.teardown(() => host.end())
  return host
}

/** Readings at the first tick and two seconds later. */
async function twice(make: (context: LinuxContext) => Collector, host: FakeHost): Promise<[Reading, Reading]> {
  const collector = make(host)
  const first = await collector.collect(signal)
  await host.later()
  return [first, await collector.collect(signal)]
}

/** Equal but for the rounding of binary fractions. */
function close(t: Test, actual: Readonly<Record<string, number>>, expected: Record<string, number>): void {
  t.strictSame(Object.keys(actual).sort(), Object.keys(expected).sort())
  for (const [name, value] of Object.entries(expected)) {
    const got = actual[name] ?? Number.NaN
    t.ok(Math.abs(got - value) <= 1e-12 * Math.max(1, Math.abs(value)), `${name} is ${value}, got ${got}`)
  }
}

t.test('each collector computes its signals from two readings, and no rate from one', async (t) => {
  const expected: Record<string, [Record<string, number>, Record<string, number>]> = {
    cpu: [{}, { cpu_busy: 0.325, cpu_iowait: 0.05, cpu_steal: 0.025, cpu_busiest_core: 0.55 }],
    load: [{ load_per_core: 0.75 }, { load_per_core: 0.75 }],
    memory: [{ memory_used: 0.25 }, { memory_used: 0.25 }],
    swap: [{ swap_used: 0.25 }, { swap_used: 0.25, swap_io: 81_920 }],
    disk: [{}, { disk_busy: 0.75, disk_read: 2_150_400, disk_write: 204_800, disk_latency: 0.01 }],
    network: [{}, { network_receive: 1e6, network_transmit: 2000, network_errors: 5 }],
    tcp: [{ tcp_connections: 15 }, { tcp_connections: 15, tcp_retransmit: 0.05 }],
    files: [{ file_descriptors_used: 0.05 }, { file_descriptors_used: 0.05 }],
    pressure: [
      {},
      {
        pressure_cpu_some: 0.25,
        pressure_memory_some: 0.1,
        pressure_memory_full: 0.05,
        pressure_io_some: 0.5,
        pressure_io_full: 0.2,
      },
    ],
    scheduler: [
      { processes_running: 2, processes_blocked: 1 },
      { processes_running: 3, processes_blocked: 0, context_switches: 4000, interrupts: 1500, forks: 5 },
    ],
    vm: [{}, { major_page_faults: 5 }],
  }
  for (const make of ALL) {
    const host = hostOf(t)
    const name = make(host).name
    const [first, second] = await twice(make, host)
    close(t, first.values, expected[name]?.[0] ?? {})
    close(t, second.values, expected[name]?.[1] ?? {})
  }
})

t.test('resources carry their capacity', async (t) => {
  const host = hostOf(t)
  t.strictSame((await memory(host).collect(signal)).resources, [
    { resource: 'memory', used: 0.25, capacity: 8_192_000_000, unit: 'bytes' },
  ])
  t.strictSame((await swap(host).collect(signal)).resources, [
    { resource: 'swap', used: 0.25, capacity: 1_024_000_000, unit: 'bytes' },
  ])
  t.strictSame((await files(host).collect(signal)).resources, [
    { resource: 'file_descriptors', used: 0.05, capacity: 100_000, unit: 'handles' },
  ])
})

t.test('on a host without the kernel files every collector has no data and throws nothing', async (t) => {
  for (const make of ALL) {
    const host = hostOf(t, 'empty')
    const [first] = [await make(host).collect(signal)]
    t.strictSame(first.values, {}, make(host).name)
    t.strictSame(first.resources ?? [], [])
  }
})

t.test('a kernel file that vanishes takes its signals with it, and nothing else', async (t) => {
  for (const make of ALL) {
    const host = hostOf(t)
    const collector = make(host)
    await collector.collect(signal)
    host.remove('proc')
    host.files.close()
    await host.clock.advance(2000)
    t.strictSame((await collector.collect(signal)).values, {}, collector.name)
  }
})

t.test('garbage in a kernel file is no value, never a wrong one', async (t) => {
  const garbage = [
    '',
    '\n\n\n',
    '\0\r\t \x7f',
    'cpu',
    'cpu \ncpu0 a b c d\nctxt \nintr x\nprocesses -\nprocs_running NaN\nprocs_blocked Infinity\n',
    'MemTotal: kB\nMemAvailable: 0x10 kB\nSwapTotal: ten kB\nSwapFree:\n',
    'MemTotal: 0 kB\nMemAvailable: 5 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n',
    '   8       0 sda x y z\n   8       0\n sda\n eth0: \n eth0: a b\n',
    'some avg10=0.00 total=\nfull\n',
    'Tcp: OutSegs RetransSegs\n',
    'TCP: inuse many\nTCP6: inuse\n',
    'nan',
    '\xff\xfe'.repeat(50_000),
  ]
  const paths = ['stat', 'loadavg', 'meminfo', 'vmstat', 'diskstats', 'net/dev', 'net/snmp', 'net/sockstat']
  const more = ['net/sockstat6', 'sys/fs/file-nr', 'pressure/cpu', 'pressure/memory', 'pressure/io']
  const host = hostOf(t)
  const collectors = ALL.map((make) => make(host))
  for (const text of garbage) {
    for (const path of [...paths, ...more]) host.write(`proc/${path}`, text)
    for (let tick = 0; tick < 2; tick++) {
      await host.clock.advance(2000)
      for (const collector of collectors) {
        t.strictSame(
          (await collector.collect(signal)).values,
          {},
          `${collector.name} of ${JSON.stringify(text).slice(0, 40)}`,
        )
      }
    }
  }
  host.write('proc/stat', 'cpu  1 2 3 4 5 6 7 8\nintr 10\n')
  t.notOk(Number.isNaN(cpuTicks(host.read('proc/stat')).get('cpu')?.[0] ?? Number.NaN))
})

t.test('a counter reset gives no value at that tick and is counted; the next tick is right again', async (t) => {
  const zero = (text: string) => text.replace(/\d{2,}/g, '0')
  const resets: [(context: LinuxContext) => Collector, string[], string[]][] = [
    [cpu, ['stat'], []],
    [disk, ['diskstats'], []],
    [network, ['net/dev'], []],
    [tcp, ['net/snmp'], ['tcp_connections']],
    [swap, ['vmstat'], ['swap_used']],
    [vm, ['vmstat'], []],
    [pressure, ['pressure/cpu', 'pressure/memory', 'pressure/io'], []],
    [scheduler, ['stat'], ['processes_running', 'processes_blocked']],
  ]
  for (const [make, paths, remain] of resets) {
    const host = hostOf(t)
    const collector = make(host)
    await collector.collect(signal)
    for (const path of paths) {
      // The names stay, the numbers start again (`sda1`, `cpu0` have one digit and stay too).
      host.write(`proc/${path}`, zero(host.read(`proc/${path}`)))
    }
    await host.clock.advance(2000)
    const reset = await collector.collect(signal)
    t.strictSame(Object.keys(reset.values).sort(), remain.sort(), collector.name)
    t.ok((reset.resets ?? 0) > 0, `${collector.name} counts the reset`)
    await host.later()
    const next = await collector.collect(signal)
    t.ok(Object.keys(next.values).length > remain.length, `${collector.name} goes on`)
    t.equal(next.resets ?? 0, 0)
    for (const value of Object.values(next.values)) t.ok(value >= 0 && Number.isFinite(value))
  }
})

t.test('a step of the wall clock changes no rate', async (t) => {
  for (const step of [-3_600_000, 172_800_000]) {
    const host = hostOf(t)
    const collector = network(host)
    await collector.collect(signal)
    host.clock.stepWall(step)
    await host.later()
    t.strictSame((await collector.collect(signal)).values.network_receive, 1e6)
  }
})

t.test('cpu: guest time is not counted twice, iowait may run backwards, a core may come and go', async (t) => {
  t.strictSame(cpuShares([0, 0, 0, 0, 0, 0, 0, 0], [50, 0, 0, 50, 0, 0, 0, 0]), { busy: 0.5, iowait: 0, steal: 0 })
  t.strictSame(cpuShares([0, 0, 0, 0, 9, 0, 0, 0], [50, 0, 0, 50, 5, 0, 0, 0]), { busy: 0.5, iowait: 0, steal: 0 })
  t.equal(cpuShares([9, 0, 0, 0, 0, 0, 0, 0], [5, 0, 0, 50, 0, 0, 0, 0]), 'reset')
  t.equal(cpuShares([1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1]), undefined)
  t.strictSame(
    [...cpuTicks('cpu  1 2 3 4\ncpu3 1 2 3 4 5 6 7 8 9 10\nintr 5\n')],
    [
      ['cpu', [1, 2, 3, 4, 0, 0, 0, 0]],
      ['cpu3', [1, 2, 3, 4, 5, 6, 7, 8]],
    ],
  )
})

t.test('disk: requests that wait while none completes have no latency; an idle host has 0', async (t) => {
  const line = (inFlight: number, busy: number) => `   8 0 sda 100 5 2000 500 50 6 1000 1000 ${inFlight} ${busy} 1500\n`
  const host = hostOf(t)
  const collector = disk(host)
  host.write('proc/diskstats', line(0, 0))
  await collector.collect(signal)
  host.write('proc/diskstats', line(4, 2000))
  await host.clock.advance(2000)
  t.strictSame((await collector.collect(signal)).values, { disk_busy: 1, disk_read: 0, disk_write: 0 })
  host.write('proc/diskstats', line(0, 2000))
  await host.clock.advance(2000)
  t.strictSame((await collector.collect(signal)).values, { disk_busy: 0, disk_read: 0, disk_write: 0, disk_latency: 0 })
})

t.test('disk: without /sys/block partitions are told by their names', async (t) => {
  const host = hostOf(t)
  host.remove('sys/block')
  const [, second] = await twice(disk, host)
  t.equal(second.values.disk_read, 2_150_400)
})

t.test('disk and network: a device that appears or vanishes costs only itself', async (t) => {
  const host = hostOf(t)
  const collector = disk(host)
  await collector.collect(signal)
  await host.later()
  host.write('proc/diskstats', `${host.read('proc/diskstats').split('\n')[1]}\n`)
  close(t, (await collector.collect(signal)).values, {
    disk_busy: 0.25,
    disk_read: 102_400,
    disk_write: 204_800,
    disk_latency: 0.01,
  })
})

t.test('network: without a physical interface all but the loopback count', async (t) => {
  const host = hostOf(t)
  host.remove('sys/class/net')
  const [, second] = await twice(network, host)
  t.equal(second.values.network_receive, (2_000_000 + 900_000) / 2)
})

t.test('tcp: nothing sent and nothing retransmitted is 0, retransmissions alone are 1', async (t) => {
  t.equal(retransmitted(0, 0), 0)
  t.equal(retransmitted(0, 3), 1)
  t.equal(retransmitted(10, 20), 1)
  t.strictSame(segments('Tcp: A OutSegs RetransSegs\nTcp: -1 5 6\n'), [5, 6])
})

t.test('swap: a host without swap space has no swap signals, and pages may be larger than 4 KiB', async (t) => {
  const host = hostOf(t)
  const vector = Buffer.alloc(64)
  vector.writeUInt32LE(33, 0)
  vector.writeUInt32LE(6, 16)
  vector.writeUInt32LE(16_384, 24)
  host.write('proc/self/auxv', vector)
  const [, second] = await twice(swap, host)
  t.equal(second.values.swap_io, 20 * 16_384)
  host.write('proc/meminfo', 'MemTotal: 100 kB\nMemAvailable: 50 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n')
  await host.clock.advance(2000)
  t.strictSame(await swap(host).collect(signal), { values: {} })
})

t.test('files: an unlimited number of handles cannot run out', async (t) => {
  const host = hostOf(t)
  host.write('proc/sys/fs/file-nr', '556\t0\t9223372036854775807\n')
  t.strictSame(await files(host).collect(signal), { values: {} })
})

t.test('pressure: the total of the right line is read', async (t) => {
  t.equal(stalledMicroseconds('some avg10=1.00 total=12\nfull avg10=0.00 total=3\n', 'full'), 3)
  t.equal(stalledMicroseconds('some avg10=1.00 total=12\n', 'some'), 12)
  t.ok(Number.isNaN(stalledMicroseconds('some avg10=1.00 total=12\n', 'full')))
  t.ok(Number.isNaN(stalledMicroseconds('some avg10=1.00\nfull avg10=0.00 total=3\n', 'some')))
})

t.test('counters: no time, no rate; a key that comes back begins anew', async (t) => {
  const counters = new Counters()
  t.equal(counters.update(0, [['a', [1]]]), undefined)
  t.equal(counters.update(0, [['a', [2]]]), undefined)
  t.equal(rate(counters.update(500, [['a', [4]]]) ?? never(), 'a'), 4)
  counters.update(1000, [])
  t.equal(rate(counters.update(1500, [['a', [9]]]) ?? never(), 'a'), undefined)
  t.equal(rate(counters.update(2000, [['a', [Number.NaN]]]) ?? never(), 'a'), undefined)
})

t.test('numbers are read by position, and labels only at the beginning of a line', async (t) => {
  t.strictSame(numbersFrom('cpu 1 2\tx \n7', 3), [1, 2, Number.NaN])
  t.equal(numberAfter('nrctxt 5\nctxt 6\n', 'ctxt '), 6)
  t.equal(numberAfter('nrctxt 5\n', 'ctxt '), undefined)
})

function never(): never {
  throw new Error('not reached')
}
