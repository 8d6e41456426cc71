/**
 * A simulator of resources with a capacity: healthy, running out, and cured in time, of many families. Seeded: the same seed
 * and family give the same series everywhere. Ratio used, 1 = full.
 */
import type { CapacityTruth } from '../../measures/exhaustion.ts'
import { Random } from '../../random.ts'
import { between, chance, exponential, logUniform } from '../draw.ts'
import { AMBIGUOUS, USUAL } from './backgrounds.ts'

const PER_DAY = 1440
const CLEAN = 0.3

export interface CapacitySeries {
  readonly truth: CapacityTruth
  readonly intervalSeconds: number
  /** Unix seconds of the rows that were measured, ascending, and their values. */
  readonly at: Float64Array
  readonly values: Float64Array
}

/** Growth from 0 at the onset to 1 at the end of the run-up: u in [0, ...), or a seeded one. */
type Growth = (random: Random, runUpMinutes: number) => (u: number) => number

interface Failing {
  readonly on: readonly (keyof typeof USUAL)[]
  /** Minutes from onset to full, drawn log-uniformly. */
  readonly runUp: readonly [number, number]
  readonly growth: Growth
}

const QUIET = ['flat', 'daily', 'weekly', 'backup', 'walk', 'slow_growth'] as const
const HOURS = [3 * 60, 50 * 60] as const

const linear: Growth = () => (u) => u
const steps: Growth = (random, runUp) => {
  const gap = logUniform(random, 15, 240) / runUp
  const spread = between(random, 0, 0.3)
  const edges: number[] = [0]
  while ((edges.at(-1) as number) < 3)
    edges.push((edges.at(-1) as number) + gap * (1 + spread * (random.uniform() * 2 - 1)))
  return (u) => {
    let k = 0
    while (k + 1 < edges.length && (edges[k + 1] as number) <= u) k++
    return edges[k] as number
  }
}
const compound: Growth = (random, runUp) => {
  const [mean, end] = [logUniform(random, 5, 60) / runUp, 3]
  const jumps: [number, number][] = []
  let [u, sum] = [0, 0]
  while (u < end) {
    u += exponential(random, mean)
    sum += exponential(random, mean)
    jumps.push([u, sum])
  }
  let k = -1
  return (v) => {
    while (k + 1 < jumps.length && (jumps[k + 1]?.[0] as number) <= v) k++
    return k < 0 ? 0 : (jumps[k]?.[1] as number)
  }
}

/** Families that run out unless they are cured. */
const FAILING: Readonly<Record<string, Failing>> = {
  linear: { on: QUIET, runUp: HOURS, growth: linear },
  accelerating: {
    on: QUIET,
    runUp: HOURS,
    growth: (random) => {
      if (chance(random, 0.5)) {
        const power = between(random, 1.3, 3)
        return (u) => u ** power
      }
      const rate = between(random, 1, 3.5)
      return (u) => Math.expm1(rate * u) / Math.expm1(rate)
    },
  },
  decelerating: {
    on: QUIET,
    runUp: HOURS,
    growth: (random) => {
      if (chance(random, 0.5)) {
        const power = between(random, 0.45, 0.85)
        return (u) => u ** power
      }
      const rate = between(random, 0.5, 1.8)
      return (u) => Math.expm1(-rate * u) / Math.expm1(-rate)
    },
  },
  leak_on_saw: {
    on: ['saw_daily', 'saw_irregular', 'log_rotation', 'compaction'],
    runUp: [8 * 60, 50 * 60],
    growth: linear,
  },
  leak_on_collector: { on: ['collector'], runUp: [5 * 60, 50 * 60], growth: linear },
  leak_under_daily: { on: ['daily', 'weekly', 'bursts'], runUp: [5 * 60, 50 * 60], growth: linear },
  leak_with_noise: {
    on: QUIET,
    runUp: [4 * 60, 50 * 60],
    growth: (random, runUp) => {
      const size = between(random, 0.02, 0.08)
      const memory = runUp * between(random, 0.02, 0.15)
      let [last, at] = [0, 0]
      return (u) => {
        for (; last < u * runUp; last++) at += -at / memory + size * Math.sqrt(2 / memory) * random.normal()
        return u + at * Math.min(1, u * 5)
      }
    },
  },
  step_and_leak: {
    on: QUIET,
    runUp: HOURS,
    growth: (random) => {
      const step = between(random, 0.08, 0.4)
      return (u) => step + (1 - step) * u
    },
  },
  runaway: {
    on: [...QUIET, 'collector'],
    runUp: [18, 60],
    growth: (random) => {
      const power = between(random, 0.8, 1.5)
      return (u) => u ** power
    },
  },
  short: { on: QUIET, runUp: [60, 240], growth: linear },
  staircase: { on: QUIET, runUp: [6 * 60, 50 * 60], growth: steps },
  compound: { on: QUIET, runUp: [4 * 60, 50 * 60], growth: compound },
  two_speeds: {
    on: QUIET,
    runUp: [5 * 60, 50 * 60],
    growth: (random) => {
      const [knee, slow] = [between(random, 0.3, 0.7), between(random, 0.1, 0.5)]
      const at = slow * knee
      return (u) => (u < knee ? slow * u : at + ((1 - at) * (u - knee)) / (1 - knee))
    },
  },
  pausing: {
    on: QUIET,
    runUp: [10 * 60, 60 * 60],
    growth: (random, runUp) => {
      const [period, duty] = [between(random, 2 * 60, 24 * 60) / runUp, between(random, 0.5, 0.85)]
      const grown = (u: number) => Math.floor(u / period) * duty + Math.min(duty, (u / period) % 1)
      const whole = grown(1)
      return (u) => grown(u) / Math.max(whole, 1e-6)
    },
  },
}

export const HEALTHY_FAMILIES: readonly string[] = [
  ...Object.keys(USUAL),
  'quantised',
  'gaps',
  ...Object.keys(AMBIGUOUS),
]
export const FAILING_FAMILIES: readonly string[] = [...Object.keys(FAILING), 'cured']

interface Life {
  readonly x: Float64Array
  /** Minutes before the first row: nobody was watching yet. */
  readonly unseen?: number
  readonly onset: number | null
  readonly full: number | null
  readonly cure: number | null
}

/**
 * @param seed of this series alone
 * @param family one of {@link HEALTHY_FAMILIES} or {@link FAILING_FAMILIES}
 * @param options.intervalSeconds a divisor or multiple of 60
 */
export function capacitySeries(
  seed: number | string,
  family: string,
  options: { intervalSeconds?: number; id?: string } = {},
): CapacitySeries {
  const { intervalSeconds = 60, id = `${family}-${seed}` } = options
  const random = new Random(`${seed}:${family}`)
  let start = 1_760_000_400 + 300 * random.integer(4000)
  const healthy = HEALTHY_FAMILIES.includes(family)
  const life = healthy ? healthyLife(random, family, start) : failingLife(random, family, start)
  start += (life.unseen ?? 0) * 60
  const { at, values } = measured(random, life.x, start, family, intervalSeconds)
  const time = (i: number | null) => (i === null ? null : start + i * 60)
  const [onset, exhaustion, cure] = [time(life.onset), time(life.full), time(life.cure)]
  const truth = {
    id,
    family,
    healthy,
    ambiguous: family in AMBIGUOUS,
    start,
    end: start + (life.x.length - 1) * 60,
    onset,
    exhaustion,
    cure,
    pre: null,
  }
  return { truth, intervalSeconds, at, values }
}

function healthyLife(random: Random, family: string, start: number): Life {
  const minutes = Math.round(between(random, 9, 13) * PER_DAY)
  const of =
    { ...USUAL, ...AMBIGUOUS }[family as keyof typeof USUAL] ??
    random.choice([USUAL.daily, USUAL.saw_daily, USUAL.weekly])
  const x = of(random, minutes, start)
  // However full it gets, a healthy one does not run out.
  const top = x.reduce((a, b) => Math.max(a, b), 0)
  const highest = between(random, 0.75, 0.95)
  const shift = Math.min(0, highest - top)
  return { x: x.map((v) => Math.max(0.01, v + shift)), onset: null, full: null, cure: null }
}

/** Share of failing ones that are watched from shortly before the onset, or from after it. */
const YOUNG = 0.2

function failingLife(random: Random, family: string, start: number): Life {
  const { life, runUp } = wholeFailingLife(random, family, start)
  if (life.onset === null || !chance(random, YOUNG)) return life
  const unseen = Math.max(0, Math.floor(life.onset + between(random, -PER_DAY, 0.2 * runUp)))
  const since = (i: number | null) => (i === null ? null : Math.max(0, i - unseen))
  const [onset, full, cure] = [since(life.onset), since(life.full), since(life.cure)]
  return { x: life.x.subarray(unseen), unseen, onset, full, cure }
}

function wholeFailingLife(random: Random, family: string, start: number): { life: Life; runUp: number } {
  const kind = family === 'cured' ? random.choice(Object.keys(FAILING).filter((x) => x !== 'runaway')) : family
  const { on, runUp: range, growth } = FAILING[kind] as Failing
  const minutes = 14 * PER_DAY
  const background = USUAL[random.choice(on)](random, minutes, start)
  const top = background.reduce((a, b) => Math.max(a, b), 0)
  const shift = Math.min(0, between(random, 0.6, 0.85) - top)
  for (let i = 0; i < minutes; i++) background[i] = Math.max(0.01, (background[i] as number) + shift)
  const onset = Math.floor(between(random, 3.5, 9) * PER_DAY)
  const runUp = logUniform(random, range[0], range[1])
  const grows = growth(random, runUp)
  const size = 1 - (background[onset] as number)
  const x = background.slice()
  let full: number | null = null
  const cureAt = family === 'cured' ? onset + Math.floor(runUp * between(random, 0.35, 0.85)) : null
  const cure = random.choice(['clean', 'restart', 'resize'])
  const factor = between(random, 0.45, 0.75)
  let grown = 0
  for (let i = onset; i < minutes && full === null; i++) {
    if (cureAt === null || i < cureAt) grown = size * grows((i - onset) / runUp)
    const v = background[i] as number
    if (cureAt !== null && i >= cureAt) {
      x[i] = cure === 'resize' ? (v + grown) * factor : cure === 'restart' ? Math.min(v, v * 0.97) : v + 0.08 * grown
      continue
    }
    x[i] = v + grown
    if ((x[i] as number) >= 1) full = i
  }
  if (full === null) {
    // Full before it could be cured, or never: cut where it was cured, or at the end of the days.
    const end = cureAt === null ? minutes : Math.min(minutes, cureAt + 3 * PER_DAY)
    return { life: { x: x.subarray(0, end), onset, full: null, cure: cureAt }, runUp }
  }
  const end = Math.min(minutes, full + 60)
  for (let i = full; i < end; i++) x[i] = 1
  return { life: { x: x.subarray(0, end), onset, full, cure: null }, runUp }
}

/** What a monitoring system records: noise, quantised, rows missing. */
function measured(
  random: Random,
  x: Float64Array,
  start: number,
  family: string,
  intervalSeconds: number,
): { at: Float64Array; values: Float64Array } {
  // Some resources move only when something is written.
  const noise = chance(random, CLEAN) ? logUniform(random, 1e-6, 0.0002) : logUniform(random, 0.0002, 0.004)
  const quantum =
    family === 'quantised' ? random.choice([0.01, 0.02, 0.005]) : random.choice([1e-4, 1e-4, 1 / 1024, 1 / 512])
  const lossy = family === 'gaps' ? between(random, 0.01, 0.1) : chance(random, 0.3) ? 0.002 : 0
  const at: number[] = []
  const values: number[] = []
  let missing = 0
  const rows = Math.floor(((x.length - 1) * 60) / intervalSeconds) + 1
  for (let k = 0; k < rows; k++) {
    const minute = (k * intervalSeconds) / 60
    const i = Math.floor(minute)
    const next = x[Math.min(i + 1, x.length - 1)] as number
    const value =
      (x[i] as number) + ((x[i] as number) < 1 ? (minute - i) * (next - (x[i] as number)) + noise * random.normal() : 0)
    if (missing > 0) missing--
    else if (chance(random, lossy)) missing = Math.floor(exponential(random, family === 'gaps' ? 15 : 3))
    else {
      at.push(start + k * intervalSeconds)
      values.push(Math.max(0, Math.min(1, Math.round(value / quantum) * quantum)))
    }
  }
  return { at: Float64Array.from(at), values: Float64Array.from(values) }
}
