import t from 'tap'
import { Random } from '../random.ts'
import {
  csvHeader,
  csvLines,
  csvRow,
  FAILURE_KINDS,
  FAULT_KINDS,
  FAULTS,
  type FaultKind,
  failsWithin,
  formatValue,
  generateFleet,
  type HostProfile,
  type planFault,
  randomProfile,
  record,
  SIGNAL_NAMES,
  SimulatedHost,
  type SimulatedRow,
  timeToFailure,
} from './index.ts'

/** A host that can have every fault: swap, a finite handle limit, probes of its service, all signals. */
function everyFault(seed: string): HostProfile {
  const profile = randomProfile(new Random(seed), 'web')
  return {
    ...profile,
    cores: 4,
    memoryBytes: 8 * 2 ** 30,
    swapBytes: 2 ** 31,
    pressure: true,
    temperature: null,
    absent: [],
    probe: 'service',
    jobs: [],
    cpu: { ...profile.cpu, peakCores: 1.6 },
    demand: { ...profile.demand, night: 0.5, weekend: 1, requestsPeak: 200, burstsPerDay: 1 },
    memory: { ...profile.memory, base: 0.4 },
    disk: { ...profile.disk, bandwidth: 2e8, operations: 6000 },
    service: { ...profile.service, probeSeconds: 0.02 },
    handles: { ...profile.handles, limit: 800_000 },
    deploys: { ...profile.deploys, perDay: 1e-6 },
  }
}

interface Case {
  readonly before: SimulatedRow[]
  readonly during: SimulatedRow[]
  readonly after: SimulatedRow[]
}

function play(kind: FaultKind, fixed: Partial<Omit<ReturnType<typeof planFault>, 'kind'>>, seed = 'play'): Case {
  const host = new SimulatedHost(everyFault(seed), new Random(seed))
  const before = Array.from({ length: 120 }, () => host.next())
  host.inject(kind, {
    leadSeconds: 1200,
    holdSeconds: 600,
    releaseSeconds: 60,
    shape: 'linear',
    peak: 1,
    variant: 0.8,
    ...fixed,
  })
  const during: SimulatedRow[] = []
  for (let row = host.next(); row.truth.fault !== null; row = host.next()) during.push(row)
  return { before, during, after: Array.from({ length: 240 }, () => host.next()).slice(120) }
}

const value = (row: SimulatedRow, name: string) => row.values[name] ?? Number.NaN
const mean = (rows: readonly SimulatedRow[], name: string) => {
  const known = rows.map((r) => value(r, name)).filter((x) => !Number.isNaN(x))
  return known.reduce((a, x) => a + x, 0) / known.length
}
const worst = (rows: readonly SimulatedRow[]) => {
  const top = Math.max(...rows.map((r) => r.truth.severity))
  return rows.filter((r) => r.truth.severity >= 0.9 * top)
}

/** Signal, the least factor and the least difference by which its mean rises at the height of the fault; below 1 = falls. */
// biome-ignore format: a table
const MOVES: Readonly<Record<FaultKind, readonly (readonly [string, number, number])[]>> = {
  memory_leak: [['memory_used', 1.5, 0.3], ['swap_used', 1, 0.3]],
  disk_filling: [['filesystem_used', 1.02, 0.03]],
  inode_exhaustion: [['inodes_used', 1.2, 0.1]],
  cpu_runaway: [['cpu_busy', 1.5, 0.3], ['load_per_core', 3, 2], ['response_time', 3, 0.02], ['pressure_cpu_some', 1.5, 0.3]],
  io_saturation: [['disk_busy', 3, 0.5], ['cpu_iowait', 3, 0.1], ['disk_latency', 10, 0.005], ['pressure_io_some', 2, 0.3], ['processes_blocked', 5, 2]],
  network_loss: [['tcp_retransmit', 5, 0.2], ['network_errors', 5, 5], ['network_transmit', -0.2, 0], ['response_time', 3, 0.04], ['probe_failed', 1, 0.3]],
  error_burst: [['probe_failed', 1, 0.3], ['network_transmit', -0.95, 0]],
  service_down: [['probe_failed', 1, 0.3], ['cpu_busy', -0.95, 0]],
  swap_thrash: [['swap_io', 10, 1e6], ['major_page_faults', 10, 100], ['pressure_memory_full', 1, 0.2], ['response_time', 3, 0.05]],
  fork_storm: [['forks', 10, 500], ['cpu_busy', 1.3, 0.3], ['context_switches', 1.5, 2000], ['processes_running', 3, 5]],
  workload_stopped: [['network_transmit', -0.2, 0], ['cpu_busy', -0.7, 0]],
  fd_leak: [['file_descriptors_used', 5, 0.5]],
  noisy_neighbour: [['cpu_steal', 5, 0.1], ['response_time', 1.2, 0]],
}

t.test('each fault moves the signals that it should, and truth marks it from its onset to its end', async (t) => {
  for (const kind of FAULT_KINDS) {
    const { before, during, after } = play(kind, {})
    const height = worst(during)
    for (const [name, factor, least] of MOVES[kind]) {
      const a = mean(before, name)
      const b = mean(height, name)
      if (factor < 0) t.ok(b <= a * -factor, `${kind}: ${name} falls from ${a} to ${b}`)
      else t.ok(b >= a * factor && b - a >= least, `${kind}: ${name} rises from ${a} to ${b}`)
    }
    t.ok(
      before.every((r) => r.truth.fault === null && r.truth.severity === 0 && !r.truth.failed),
      'healthy before',
    )
    t.ok(
      during.every((r, i) => r.truth.fault === kind && r.truth.sinceRows === i),
      `${kind}: rows since the onset`,
    )
    t.ok(
      after.every((r) => r.truth.fault === null && !r.truth.failed),
      `${kind}: healthy again`,
    )
    for (const name of ['cpu_busy', 'memory_used', 'filesystem_used', 'probe_failed']) {
      t.ok(Math.abs(mean(after, name) - mean(before, name)) < 0.25, `${kind}: ${name} is back`)
    }
  }
})

t.test('a fault of full severity ends in one of its stated failures, late in its ramp', async (t) => {
  for (const { kind, failures } of FAULTS) {
    const { during } = play(kind, kind === 'error_burst' ? { variant: 0.95 } : {})
    const first = during.findIndex((r) => r.truth.failed)
    if (failures.length === 0 || kind === 'noisy_neighbour') continue
    t.ok(first > 36, `${kind} fails ${first} rows after its onset`)
    const found = during[first]?.truth.failureKind ?? null
    t.ok(found !== null && failures.includes(found), `${kind} ends in ${found}`)
  }
})

t.test('a near miss goes by without a failure', async (t) => {
  for (const kind of FAULT_KINDS) {
    const { during } = play(kind, { peak: 0.5 })
    t.ok(
      during.every((r) => !r.truth.failed),
      kind,
    )
    t.ok(Math.max(...during.map((r) => r.truth.severity)) <= 0.5)
  }
})

t.test('the kernel kills the leaking process, or nobody does and the host starves', async (t) => {
  const killed = play('memory_leak', { variant: 0.3 }).during
  const at = killed.findIndex((r) => r.truth.failureKind === 'memory_exhausted')
  t.ok(at > 0)
  t.ok(
    value(killed[at + 2] as SimulatedRow, 'memory_used') < value(killed[at - 1] as SimulatedRow, 'memory_used') - 0.2,
  )
  const starved = play('memory_leak', { variant: 0.9 }).during
  t.ok(starved.filter((r) => r.truth.failed).length > 30)
  t.ok(value(starved[150] as SimulatedRow, 'memory_used') > 0.9)
})

t.test('one runaway core of many is no failure', async (t) => {
  const { before, during } = play('cpu_runaway', { variant: 0.1 })
  t.ok(during.every((r) => !r.truth.failed))
  t.ok(mean(worst(during), 'cpu_busiest_core') > 0.95)
  const rise = mean(worst(during), 'cpu_busy') - mean(before, 'cpu_busy')
  t.ok(rise > 0.15 && rise < 0.4, `one of 4 cores: ${rise}`)
})

t.test('a stopped workload takes a signal to exactly 0', async (t) => {
  const silent = (variant: number, name: string) =>
    play('workload_stopped', { variant, shape: 'sudden' }).during.filter((r) => value(r, name) === 0).length
  t.ok(silent(0.1, 'network_receive') > 100)
  t.ok(silent(0.9, 'disk_write') > 100)
})

t.test('a fault in progress can be ended, and replaced', async (t) => {
  const host = new SimulatedHost(everyFault('stop'), new Random('stop'))
  host.inject('disk_filling', { leadSeconds: 3600, holdSeconds: 1e6, releaseSeconds: 30, shape: 'linear', peak: 1 })
  for (let i = 0; i < 100; i++) host.next()
  t.equal(host.next().truth.fault, 'disk_filling')
  host.inject('cpu_runaway', { shape: 'sudden' })
  t.equal(host.next().truth.fault, 'cpu_runaway')
  host.stopFault()
  for (let i = 0; i < 25; i++) host.next()
  t.equal(host.next().truth.fault, null)
  const bare = new SimulatedHost({ ...everyFault('bare'), swapBytes: 0 }, new Random(1))
  t.throws(() => bare.inject('swap_thrash'), /cannot have the fault swap_thrash/)
  t.throws(() => host.inject('sunspots' as FaultKind), /no such fault: sunspots \(known: memory_leak/)
})

t.test('a fleet without faults has no label and no failure', async (t) => {
  let rows = 0
  for (const host of generateFleet({ hosts: 60, days: 2, intervalSeconds: 60, seed: 'healthy' })) {
    rows += host.rows
    if (host.truth.fault.some((x) => x !== 0)) t.fail(`host ${host.index} has a fault`)
    if (host.truth.failed.some((x) => x !== 0)) t.fail(`host ${host.index} (${host.profile.role}) fails`)
  }
  t.equal(rows, 60 * 2880)
})

t.test('in a fleet with faults most failures have a fault behind them, and precursors before them', async (t) => {
  const seen = new Set<number>()
  const failures = new Set<number>()
  let onsets = 0
  let warned = 0
  let positives = 0
  for (const host of generateFleet({ hosts: 40, days: 3, intervalSeconds: 60, seed: 'ill', faultsPerDay: 2 })) {
    const { fault, failed, failure, sinceRows, timeToFailure } = host.truth
    for (let i = 1; i < host.rows; i++) {
      seen.add(fault[i] as number)
      if (failed[i] !== 1 || failed[i - 1] === 1) continue
      failures.add(failure[i] as number)
      onsets++
      if ((sinceRows[i] as number) >= 5) warned++
      t.equal(timeToFailure[i], 0)
      t.equal(timeToFailure[i - 1], 1)
    }
    for (const x of failsWithin(host.truth, 60)) positives += x
  }
  t.ok(onsets > 60, `${onsets} failures`)
  t.ok(warned / onsets > 0.7, `${((100 * warned) / onsets).toFixed()} % with 5 minutes or more after the onset`)
  t.ok(positives > onsets * 20)
  t.ok(seen.size >= FAULT_KINDS.length, `${seen.size - 1} kinds of fault`)
  t.ok(failures.size >= FAILURE_KINDS.length - 1, `${failures.size} kinds of failure`)
})

t.test('time to failure counts rows to the next one, and labels follow the horizon', async (t) => {
  const times = timeToFailure(Uint8Array.of(0, 0, 0, 1, 1, 0, 0))
  t.same([...times], [3, 2, 1, 0, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
  t.same([...failsWithin({ timeToFailure: times }, 2)], [0, 1, 1, 1, 1, 0, 0])
})

t.test('recorded rows are the rows that the stream gives', async (t) => {
  const profile = everyFault('same')
  const options = { faultsPerDay: 50 }
  const recorded = record(new SimulatedHost(profile, new Random(4), options), 300)
  const host = new SimulatedHost(profile, new Random(4), options)
  for (let i = 0; i < 300; i++) {
    const row = host.next()
    t.same(
      SIGNAL_NAMES.map((n, j) => (host.mask[j] === 1 ? (row.values[n] ?? host.row[j]) : Number.NaN)),
      [...recorded.values.subarray(i * SIGNAL_NAMES.length, (i + 1) * SIGNAL_NAMES.length)],
    )
    t.equal(recorded.at[i], row.at)
  }
  t.throws(() => [...generateFleet({ hosts: 1, days: 0, seed: 1 })], /at least one row/)
})

t.test('written as CSV and read back, every value keeps three digits and every label its name', async (t) => {
  const random = new Random('csv')
  const profile = { ...randomProfile(random, 'idle'), swapBytes: 0 }
  const make = () => new SimulatedHost(profile, new Random('csv'), { faultsPerDay: 200 })
  const recorded = record(make(), 400)
  const lines = [...csvLines(recorded)]
  const header = (lines[0] as string).split(',')
  t.equal(header[0], 'timestamp')
  t.same(header.slice(-2), ['fault', 'failed'])
  t.notOk(header.includes('swap_used'))
  t.equal(lines.length, 401)
  const host = make()
  t.equal(csvHeader(host), lines[0])
  for (const line of lines.slice(1)) {
    const row = host.next()
    t.equal(csvRow(host), line)
    const cells = line.split(',')
    t.equal(cells.length, header.length)
    t.equal(Number(cells[0]) * 1000, row.at)
    t.equal(cells.at(-2), row.truth.fault ?? '')
    t.equal(cells.at(-1), row.truth.failed ? '1' : '0')
    for (let i = 1; i < header.length - 2; i++) {
      const x = row.values[header[i] as string]
      if (x === undefined) continue
      if (Math.abs(Number(cells[i]) - x) > Math.max(0.006 * Math.abs(x), 0))
        t.fail(`${header[i]}: ${cells[i]} for ${x}`)
    }
  }
  t.same(
    [0, 1, 0.25, 0.1234567, 0.00001234].map((x) => formatValue(x, 'ratio')),
    ['0', '1', '0.25', '0.123457', '0.0000123'],
  )
})

t.test('a core generates a hundred thousand rows in a second', async (t) => {
  const random = new Random('speed')
  const host = new SimulatedHost(randomProfile(random), random)
  record(host, 20_000)
  const started = process.cpuUsage()
  record(host, 100_000)
  const { user } = process.cpuUsage(started)
  t.comment(`${Math.round(100_000 / (user / 1e6))} rows per CPU-second`)
  // A tenth of the goal: other work shares the machine.
  t.ok(user < 1e7)
})
