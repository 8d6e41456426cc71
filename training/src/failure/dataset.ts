/**
 * Rows to fit on: simulated hosts, each with one fault after a day or less of health. What fails, recovers or only looks
 * bad is the simulator's; how often it happens is set by weights, so that few hosts say much.
 */
import { HOST_SIGNAL_KINDS, type SignalKind } from '@portent/core'
import type { Random } from '../random.ts'
import {
  type FaultKind,
  type FaultPlan,
  faultSpec,
  type HostProfile,
  planFault,
  randomProfile,
  SimulatedHost,
  type Tolerance,
} from '../simulate/index.ts'
import { kindsOf, kindValues } from './kinds.ts'
import { type Life, replay, type Sample } from './replay.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 24 * HOUR
/** Rows this long before an onset, and later, are counted as they are: others stand for more time without a fault. */
const BEFORE_ONSET = 6 * HOUR
const AFTER_END = 2 * HOUR
/** One in so many samples of the time before that is kept. */
const SPARSE = 6
const LONGEST = 60 * HOUR
/** Share of hosts with rows of 15 s instead of 60 s. */
const SHORT_ROWS = 0.12
/** Each of the stated events has the same share of the faults that lead to it, and a stop of the work one more. */
const CAUSES: readonly (readonly FaultKind[])[] = [
  ['memory_leak'],
  ['swap_thrash', 'memory_leak'],
  ['disk_filling'],
  ['inode_exhaustion', 'disk_filling'],
  ['fd_leak'],
  ['cpu_runaway', 'fork_storm', 'noisy_neighbour', 'cpu_runaway'],
  ['io_saturation'],
  ['network_loss'],
  ['service_down'],
  ['error_burst'],
  ['workload_stopped', 'noisy_neighbour'],
]
/** Nobody expects a warning of what is not measured. */
const SYMPTOM: Readonly<Partial<Record<FaultKind, readonly SignalKind[]>>> = {
  memory_leak: ['memory_used_ratio'],
  swap_thrash: ['memory_used_ratio', 'swap_used_ratio'],
  disk_filling: ['disk_used_ratio'],
  inode_exhaustion: ['inodes_used_ratio'],
  fd_leak: ['file_descriptors_used_ratio'],
  cpu_runaway: ['cpu_busy_ratio'],
  fork_storm: ['cpu_busy_ratio'],
  noisy_neighbour: ['response_time'],
  io_saturation: ['cpu_iowait_ratio', 'response_time'],
  network_loss: ['network_error_ratio'],
  service_down: ['response_time', 'error_ratio'],
  error_burst: ['error_ratio'],
}
/** Share of the faults that somebody stops on the way. */
const NEAR_MISSES = 0.12
/** Kinds that a plain exporter gives: some hosts show no more. */
const PLAIN: readonly SignalKind[] = [
  'cpu_busy_ratio',
  'cpu_iowait_ratio',
  'load_per_core',
  'memory_used_ratio',
  'swap_used_ratio',
  'disk_used_ratio',
  'network_rate',
  'network_error_ratio',
  'response_time',
  'error_ratio',
]

/** Faults that begin in a day of a host. An assumption: three of four end in failure, one in three to four days. */
export const FAULTS_PER_DAY = 0.38

export interface WeightedSample extends Sample {
  readonly host: number
  readonly weight: number
}

export interface DatasetOptions {
  readonly hosts: number
  /** Faults that begin in a day of health, whether they end in failure or not. */
  readonly faultsPerDay: number
  readonly random: Random
}

export function makeDataset({ hosts, faultsPerDay, random }: DatasetOptions): WeightedSample[] {
  const all: WeightedSample[] = []
  for (let host = 0; host < hosts; host++) {
    const own = random.fork(`host ${host}`)
    const { life, onset } = oneFault(own, own.choice(CAUSES[host % CAUSES.length] as readonly FaultKind[]))
    const from = onset - BEFORE_ONSET
    let n = 0
    const samples = replay(life, (t) => (life.at[t] as number) >= from || n++ % SPARSE === 0)
    const healthy = samples.filter((s) => s.at < from)
    // One fault a host: the healthy rows of all stand for the time in which as many faults begin.
    const elsewhere = Math.max(0, DAY / faultsPerDay - BEFORE_ONSET)
    const weight = healthy.length > 0 ? elsewhere / 300 / healthy.length : 0
    for (const s of samples) all.push({ ...s, host, weight: s.at < from ? weight : 1 })
  }
  return all
}

/** A host's life with one fault in it, and the fault's onset in Unix seconds. */
function oneFault(random: Random, wanted: FaultKind): { life: Life; onset: number } {
  let profile = randomProfile(random.fork('profile'))
  for (let i = 0; faultSpec(wanted).possible?.(profile) === false; i++)
    profile = randomProfile(random.fork(`profile ${i}`))
  const intervalSeconds = random.uniform() < SHORT_ROWS ? 15 : 60
  const startsAt = Date.UTC(2026, 0, 5) + random.integer(28 * 24) * 3_600_000
  const tolerance = drawTolerance(random)
  const host = new SimulatedHost(
    withReleases(withService(withScratch(profile, random), random), random),
    random.fork('life'),
    {
      intervalSeconds,
      startsAt,
      tolerance,
    },
  )
  const before = (intervalSeconds === 60 ? 14 + 16 * random.uniform() : 7.5 + 4 * random.uniform()) * HOUR
  const at: number[] = []
  const rows: Partial<Record<SignalKind, number>>[] = []
  const failed: number[] = []
  const kinds = visibleKinds(kindsOf(host.mask), SYMPTOM[wanted] ?? [], random)
  const start = startsAt / 1000
  let onset = Number.POSITIVE_INFINITY
  let ended = Number.POSITIVE_INFINITY
  for (let now = start; now < start + LONGEST && now < ended + AFTER_END; now += intervalSeconds) {
    if (onset === Number.POSITIVE_INFINITY && now >= start + before) {
      host.inject(wanted, drawPlan(wanted, tolerance, random))
      onset = now
    }
    host.step()
    if (onset < now && ended === Number.POSITIVE_INFINITY && host.truth.fault === null) ended = now
    at.push(host.at / 1000)
    rows.push(kindValues(host.row))
    failed.push(Number(host.truth.failed))
  }
  return { life: { intervalSeconds, kinds, at, values: (t) => rows[t] ?? {}, failed }, onset }
}

/** Of three cases the one that gives most warning: what comes without any teaches nothing but the base rate. */
function drawPlan(kind: FaultKind, { patience }: Tolerance, random: Random): Partial<FaultPlan> {
  const cases = [0, 1, 2].map((i) => planFault(kind, random.fork(`case ${i}`)))
  const { leadSeconds, shape, holdSeconds } = cases.reduce((a, b) => (warningOf(b) > warningOf(a) ? b : a))
  const variant = Math.max(...cases.map((x) => x.variant))
  const plan = { leadSeconds: Math.min(leadSeconds, DAY), shape, variant }
  if (random.uniform() < NEAR_MISSES) return { ...plan, peak: 0.3 + 0.5 * random.uniform() }
  // Nobody ends it before it is called a failure.
  return { ...plan, peak: 1, holdSeconds: holdSeconds + 2 * MINUTE * patience }
}

/** Beyond the longest horizon more warning is no better. */
function warningOf({ leadSeconds, shape }: FaultPlan): number {
  return Math.min(BEFORE_ONSET, shape === 'sudden' ? 0.02 * leadSeconds : leadSeconds)
}

/** Nobody agrees on what a failure is: three times slower or twelve times, for a minute or for an hour. */
function drawTolerance(random: Random): Tolerance {
  const spread = (low: number, high: number) => low * (high / low) ** random.uniform()
  return { slower: spread(3, 12), failing: spread(0.1, 0.5), loss: spread(0.1, 0.5), patience: spread(1, 60) }
}

/** Half of the hosts have a job that fills a file system for a while: a backup, a build, a dump. */
function withScratch(profile: HostProfile, random: Random): HostProfile {
  if (random.uniform() < 0.5) return profile
  const longest = profile.jobs.reduce((a, b) => (b.medianSeconds > a.medianSeconds ? b : a))
  const scratch = (1 - (profile.mounts[0]?.cleanAt ?? 1)) * random.uniform()
  return { ...profile, jobs: profile.jobs.map((job) => (job === longest ? { ...job, scratch } : job)) }
}

/** Most of those who ask what fails measure the service itself, not a probe that stays on the host. */
function withService(profile: HostProfile, random: Random): HostProfile {
  if (profile.probe === 'service' || random.uniform() < 0.2) return profile
  const probeSeconds = 0.002 * 125 ** random.uniform()
  return { ...profile, probe: 'service', service: { ...profile.service, probeSeconds } }
}

/** Two thirds of the services are released part by part: for minutes some requests fail, and nothing is wrong. */
function withReleases(profile: HostProfile, random: Random): HostProfile {
  if (random.uniform() < 1 / 3) return profile
  const spread = (low: number, high: number) => low * (high / low) ** random.uniform()
  const deploys = {
    perDay: spread(0.3, 6),
    restartSeconds: spread(60, 480),
    warmSeconds: spread(60, 600),
    share: spread(0.01, 0.12),
  }
  // A process that starts afresh holds less memory than the one before it.
  const warm = Math.max(profile.memory.warm, spread(0.04, 0.2))
  const base = Math.max(0.05, profile.memory.base - (warm - profile.memory.warm))
  return { ...profile, deploys, memory: { ...profile.memory, warm, base } }
}

/** A third of the hosts shows all it has, a third what a plain exporter does, a third some of it; and the symptom. */
function visibleKinds(kinds: readonly SignalKind[], symptoms: readonly SignalKind[], random: Random): SignalKind[] {
  const draw = random.uniform()
  return kinds.filter((kind) => {
    const isSeen = draw < 1 / 3 || (draw < 2 / 3 ? PLAIN.includes(kind) : random.uniform() < 0.8)
    return isSeen || symptoms.includes(kind)
  })
}

export const KNOWN_KINDS: readonly SignalKind[] = [...new Set(Object.values(HOST_SIGNAL_KINDS))]
