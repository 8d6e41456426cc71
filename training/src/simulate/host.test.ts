import { HOST_SIGNALS } from '@portent/core'
import t from 'tap'
import { Random } from '../random.ts'
import { type HostProfile, randomProfile, SIGNAL_NAMES, SimulatedHost, type SimulatedRow } from './index.ts'
import { absentSignals, ROLES } from './profile.ts'

const DAY = 86_400
const take = (host: SimulatedHost, rows: number): SimulatedRow[] => Array.from({ length: rows }, () => host.next())
const column = (rows: readonly SimulatedRow[], name: string): number[] => rows.map((r) => r.values[name] ?? Number.NaN)
const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length
const median = (x: readonly number[]) => [...x].sort((a, b) => a - b)[x.length >> 1] ?? Number.NaN

function correlation(x: readonly number[], y: readonly number[]): number {
  const mx = mean(x)
  const my = mean(y)
  let xy = 0
  let xx = 0
  let yy = 0
  for (let i = 0; i < x.length; i++) {
    const a = (x[i] as number) - mx
    const b = (y[i] as number) - my
    xy += a * b
    xx += a * a
    yy += b * b
  }
  return xy / Math.sqrt(xx * yy)
}

/** A web server with a clear day, busy at its peak, without jobs and deploys that would blur what is looked at. */
function busyWeb(seed: string, more: Partial<HostProfile> = {}): HostProfile {
  const profile = randomProfile(new Random(seed), 'web')
  return {
    ...profile,
    cores: 4,
    probe: 'service',
    jobs: [],
    cpu: { ...profile.cpu, peakCores: 3 },
    demand: { ...profile.demand, night: 0.1, weekend: 0.9, burstsPerDay: 1, requestsPeak: 300, secondPeak: 0 },
    deploys: { ...profile.deploys, perDay: 1e-6 },
    ...more,
  }
}

t.test('the same seed gives the same rows, another seed others, at any interval', async (t) => {
  for (const intervalSeconds of [10, 60]) {
    const host = (seed: number) => {
      const random = new Random(seed)
      return new SimulatedHost(randomProfile(random), random, { intervalSeconds, faultsPerDay: 20 })
    }
    t.same(take(host(1), 500), take(host(1), 500))
    t.notSame(take(host(1), 5), take(host(2), 5))
  }
})

t.test('rows are spaced by the interval and begin where they are told', async (t) => {
  const random = new Random(3)
  const host = new SimulatedHost(randomProfile(random), random, { intervalSeconds: 60, startsAt: 1_700_000_000_000 })
  t.same(
    take(host, 3).map((r) => r.at),
    [1_700_000_060_000, 1_700_000_120_000, 1_700_000_180_000],
  )
  t.throws(() => new SimulatedHost(randomProfile(random), random, { intervalSeconds: 0 }), /above 0/)
})

t.test('every value is finite and in its range, absent signals stay absent, faults or not', async (t) => {
  const seen = new Set<string>()
  const missing = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed)
    const profile = randomProfile(random)
    const host = new SimulatedHost(profile, random, { intervalSeconds: 10, faultsPerDay: seed % 2 === 0 ? 30 : 0 })
    const absent = absentSignals(profile)
    const expected = SIGNAL_NAMES.filter((name) => !absent.has(name))
    for (const name of absent) missing.add(name)
    for (const row of take(host, 700)) {
      const names = Object.keys(row.values)
      const answered = row.values.probe_failed !== 1
      if (names.length !== expected.length - (answered ? 0 : 1) || names.some((n) => absent.has(n)))
        t.fail(`signals of host ${seed} differ`)
      for (const { name, unit } of HOST_SIGNALS) {
        const value = row.values[name]
        if (value === undefined) continue
        seen.add(name)
        const limit = unit === 'ratio' && name !== 'load_per_core' ? 1 : unit === 'celsius' ? 110 : 1e12
        if (!(value >= 0 && value <= limit)) t.fail(`host ${seed}: ${name} = ${value}`)
      }
      const { values: v } = row
      if ((v.cpu_busy ?? 0) + (v.cpu_iowait ?? 0) + (v.cpu_steal ?? 0) > 1.01)
        t.fail(`host ${seed}: shares of time above 1`)
      if ((v.cpu_busiest_core ?? 0) < (v.cpu_busy ?? 0)) t.fail(`host ${seed}: busiest core below the mean`)
      if ((v.pressure_io_full ?? 0) > (v.pressure_io_some ?? 0)) t.fail(`host ${seed}: full pressure above some`)
      for (const { used } of row.resources) if (!(used >= 0 && used <= 1)) t.fail(`host ${seed}: resource of ${used}`)
    }
  }
  t.equal(seen.size, HOST_SIGNALS.length, 'every signal is present on some host')
  for (const name of ['swap_used', 'temperature', 'pressure_io_some', 'inodes_used']) {
    t.ok(missing.has(name), `${name} is absent on some host`)
  }
})

t.test('readings have the grain of what is read', async (t) => {
  const random = new Random(5)
  const host = new SimulatedHost({ ...randomProfile(random), cores: 2 }, random, { intervalSeconds: 10 })
  for (const { values } of take(host, 300)) {
    const whole = (x: number, of: number) => Math.abs(x * of - Math.round(x * of)) < 1e-6
    t.ok(whole(values.cpu_busy ?? 0, 2000), 'CPU time in ticks of 10 ms on 2 cores over 10 s')
    t.ok(whole(values.processes_running ?? 0, 5), 'a count is the mean of 5 readings')
    t.ok(whole(values.tcp_connections ?? 0, 5))
    t.ok(whole(values.forks ?? 0, 10), 'whole events in 10 s')
    t.ok(whole((values.disk_write ?? 0) / 4096, 10), 'whole blocks')
  }
})

t.test('what rarely happens is exactly 0 most of the time', async (t) => {
  const random = new Random(8)
  const profile = busyWeb('quiet', { swapBytes: 2 ** 31 })
  const clean = { ...profile, network: { ...profile.network, drops: 0 }, cpu: { ...profile.cpu, zombies: 0 } }
  const rows = take(new SimulatedHost(clean, random), 4000)
  for (const name of ['probe_failed', 'processes_zombie', 'swap_io', 'network_errors']) {
    const share = column(rows, name).filter((x) => x === 0).length / rows.length
    t.ok(share > 0.5, `${name} is 0 in ${share} of the rows`)
  }
})

t.test('a day of work shows as autocorrelation at 24 hours, and its phase is the time zone', async (t) => {
  const peak = (timeZoneSeconds: number) => {
    const profile = busyWeb('day')
    const local = { ...profile, demand: { ...profile.demand, timeZoneSeconds, peakHour: 14 } }
    const rows = take(new SimulatedHost(local, new Random('day'), { intervalSeconds: 600 }), 5 * 144)
    const cpu = column(rows, 'cpu_busy')
    const lag = (n: number) => correlation(cpu.slice(n), cpu.slice(0, -n))
    t.ok(lag(144) > 0.7, `lag of a day: ${lag(144)}`)
    t.ok(lag(72) < 0, `lag of half a day: ${lag(72)}`)
    const hours = Array.from({ length: 24 }, (_, h) => mean(cpu.filter((_, i) => Math.floor((i % 144) / 6) === h)))
    return hours.indexOf(Math.max(...hours))
  }
  t.ok(Math.abs(peak(0) - 14) <= 2)
  t.ok(Math.abs(peak(6 * 3600) - 8) <= 2)
})

t.test('a weekend is quieter where the profile says so', async (t) => {
  const profile = busyWeb('week')
  const calm = { ...profile, demand: { ...profile.demand, weekend: 0.3, timeZoneSeconds: 0 } }
  const rows = take(new SimulatedHost(calm, new Random('w'), { intervalSeconds: 600 }), 7 * 144)
  const cpu = column(rows, 'cpu_busy')
  t.ok(mean(cpu.slice(5 * 144)) < 0.6 * mean(cpu.slice(0, 5 * 144)), 'Saturday and Sunday against Monday to Friday')
})

t.test('signals move together as their causes do', async (t) => {
  const rows = take(new SimulatedHost(busyWeb('coupled'), new Random('c'), { intervalSeconds: 60 }), 2 * 1440)
  const cpu = column(rows, 'cpu_busy')
  for (const [name, least] of [
    ['response_time', 0.3],
    ['load_per_core', 0.7],
    ['network_transmit', 0.9],
    ['context_switches', 0.9],
    ['interrupts', 0.9],
    ['tcp_connections', 0.9],
    ['pressure_cpu_some', 0.5],
    ['processes_running', 0.6],
    ['cpu_busiest_core', 0.8],
  ] as const) {
    const r = correlation(cpu, column(rows, name))
    if (rows[0]?.values[name] !== undefined) t.ok(r > least, `${name}: ${r.toFixed(2)}`)
  }
  const high = rows.filter((r) => (r.values.cpu_busy ?? 0) > 0.7)
  const low = rows.filter((r) => (r.values.cpu_busy ?? 0) < 0.3)
  t.ok(high.length > 20 && low.length > 20)
  t.ok(median(column(high, 'response_time')) > 1.15 * median(column(low, 'response_time')), 'queueing')
})

t.test('noise is remembered from row to row, and less of it is seen in longer rows', async (t) => {
  const profile = busyWeb('noise')
  const flat = { ...profile, demand: { ...profile.demand, night: 1, weekend: 1, noise: [{ sd: 0.2, tau: 60 }] } }
  const cpu = (intervalSeconds: number) =>
    column(take(new SimulatedHost(flat, new Random('n'), { intervalSeconds }), 4000), 'network_transmit')
  const short = cpu(10)
  t.ok(correlation(short.slice(1), short.slice(0, -1)) > 0.6)
  const variation = (x: number[]) => Math.sqrt(mean(x.map((v) => (v - mean(x)) ** 2))) / mean(x)
  t.ok(variation(cpu(600)) < 0.7 * variation(short))
})

t.test('a nightly backup reads the disk at its hour and makes others wait', async (t) => {
  const profile = busyWeb('backup')
  // biome-ignore format: a job
  const backup = {
    name: 'backup', schedule: { every: DAY, at: 2 * 3600 }, medianSeconds: 3600, spread: 0.05, cores: 0.5,
    read: profile.disk.bandwidth * 0.6, write: 0, receive: 0, transmit: 1e6, forks: 1, memoryBytes: 0,
  }
  const host = { ...profile, absent: [], demand: { ...profile.demand, timeZoneSeconds: 0 }, jobs: [backup] }
  const rows = take(new SimulatedHost(host, new Random('b'), { intervalSeconds: 60 }), 1440)
  const at = rows.slice(130, 170)
  const other = rows.slice(300, 400)
  t.ok(mean(column(at, 'disk_read')) > 20 * mean(column(other, 'disk_read')))
  t.ok(mean(column(at, 'disk_busy')) > mean(column(other, 'disk_busy')) + 0.2)
  t.ok(mean(column(at, 'cpu_iowait')) > mean(column(other, 'cpu_iowait')))
  t.ok(rows.every((r) => r.truth.fault === null && !r.truth.failed))
})

t.test('a deploy drops connections and memory, and answers come slower until the service is warm', async (t) => {
  const profile = busyWeb('deploy')
  const often = {
    ...profile,
    demand: { ...profile.demand, night: 1, weekend: 1 },
    memory: { ...profile.memory, base: 0.3, warm: 0.2, warmSeconds: 3600, sawtooth: 0 },
    deploys: { perDay: 12, restartSeconds: 30, warmSeconds: 300 },
  }
  const rows = take(new SimulatedHost(often, new Random('d')), 8640)
  const restarts = rows.flatMap((r, i) => ((r.values.probe_failed ?? 0) >= 0.9 && i > 60 && i < 8600 ? [i] : []))
  t.ok(restarts.length >= 2, `${restarts.length} rows of restart`)
  const i = restarts[0] ?? 0
  t.ok((rows[i + 1]?.values.tcp_connections ?? 1e9) < 0.7 * (rows[i - 3]?.values.tcp_connections ?? 0))
  t.ok((rows[i]?.values.memory_used ?? 1) < (rows[i - 3]?.values.memory_used ?? 0) - 0.03)
  t.ok(
    rows.every((r) => !r.truth.failed),
    'a planned restart is no failure',
  )
})

t.test('the spread of idle machines covers one recorded at rest', async (t) => {
  // Quantiles .1, .5, .9 of 60 rows of 10 s of a virtual machine with 2 cores and 24 GiB at rest.
  // biome-ignore format: a table
  const recorded = {
    cpu_busy: [0.0015, 0.004, 0.131], context_switches: [30, 69, 434], interrupts: [22, 40, 254],
    forks: [1.1, 1.1, 9.5], network_receive: [0, 0, 0], network_transmit: [0, 0, 0], disk_write: [0, 1227, 46_640],
    disk_busy: [0, 0, 0.0032], memory_used: [0.0147, 0.0154, 0.02], load_per_core: [0, 0.025, 0.085],
  }
  const medians = new Map<string, number[]>()
  for (let seed = 0; seed < 150; seed++) {
    const random = new Random(`idle ${seed}`)
    const rows = take(new SimulatedHost(randomProfile(random, 'idle'), random), 120)
    for (const name of Object.keys(recorded)) {
      if (rows[0]?.values[name] !== undefined)
        medians.set(name, [...(medians.get(name) ?? []), median(column(rows, name))])
    }
  }
  for (const [name, [, middle]] of Object.entries(recorded)) {
    const own = [...(medians.get(name) ?? [])].sort((a, b) => a - b)
    const below = own.filter((x) => x <= (middle ?? 0)).length / own.length
    const above = own.filter((x) => x >= (middle ?? 0)).length / own.length
    t.ok(
      below > 0.02 && above > 0.02,
      `${name}: ${below.toFixed(2)} of the hosts at or below, ${above.toFixed(2)} at or above`,
    )
  }
})

t.test('every role and size is drawn', async (t) => {
  const random = new Random('spread')
  const profiles = Array.from({ length: 600 }, () => randomProfile(random))
  for (const role of ROLES) t.ok(profiles.filter((p) => p.role === role).length > 20, role)
  t.ok(profiles.some((p) => p.cores === 1) && profiles.some((p) => p.cores === 64))
  t.ok(profiles.some((p) => p.memoryBytes <= 2 ** 29) && profiles.some((p) => p.memoryBytes >= 2 ** 38))
  t.ok(profiles.some((p) => p.steal > 0) && profiles.some((p) => p.temperature !== null))
  t.throws(() => random.choice([]), /empty/)
})
