/** Healthy lives of a resource: how full it is, minute by minute, when nothing is wrong with it. */
import type { Random } from '../../random.ts'
import { between, chance, DAY, exponential, logUniform } from '../draw.ts'

/** One value a minute, ratio used; no noise of measurement yet. `start`: Unix seconds of the first. */
export type Background = (random: Random, minutes: number, start: number) => Float64Array

const PER_DAY = 1440
const HOURS = 60

function level(random: Random, low = 0.3, high = 0.72): number {
  return between(random, low, high)
}

function minuteOfDay(start: number, i: number): number {
  return ((start % DAY) / 60 + i) % PER_DAY
}

/** Sunday = 0. */
function weekday(start: number, i: number): number {
  return (Math.floor((start + i * 60) / DAY) + 4) % 7
}

/** A smooth hump a day, 0-1, peak at `peak` minutes; `sharp` above 1 narrows it. */
function hump(start: number, i: number, peak: number, sharp: number): number {
  return (0.5 + 0.5 * Math.cos((2 * Math.PI * (minuteOfDay(start, i) - peak)) / PER_DAY)) ** sharp
}

function filled(minutes: number, value: (i: number) => number): Float64Array {
  return Float64Array.from({ length: minutes }, (_, i) => value(i))
}

/** Adds a mild daily hump, as nearly every resource of a busy host has one. */
function mild(random: Random, x: Float64Array, start: number, most = 0.03): Float64Array {
  const amplitude = chance(random, 0.3) ? 0 : between(random, 0, most)
  const [peak, sharp] = [between(random, 0, PER_DAY), between(random, 0.8, 3)]
  for (let i = 0; i < x.length; i++) x[i] = (x[i] as number) + amplitude * hump(start, i, peak, sharp)
  return x
}

const flat: Background = (random, n, start) => {
  const [base, drift] = [level(random), chance(random, 0.5) ? between(random, -0.004, 0.004) : 0]
  return mild(
    random,
    filled(n, (i) => base + (drift * i) / PER_DAY),
    start,
  )
}

const daily: Background = (random, n, start) => {
  const [base, amplitude] = [level(random, 0.25, 0.6), between(random, 0.03, 0.25)]
  const [peak, sharp] = [between(random, 0, PER_DAY), between(random, 0.7, 4)]
  const heights = Array.from({ length: 40 }, () => between(random, 0.85, 1.15))
  return filled(
    n,
    (i) =>
      base + amplitude * (heights[Math.floor((start % DAY) / DAY + i / PER_DAY)] ?? 1) * hump(start, i, peak, sharp),
  )
}

const weekly: Background = (random, n, start) => {
  const [base, amplitude, weekend] = [level(random, 0.25, 0.6), between(random, 0.05, 0.25), between(random, 0.1, 0.6)]
  const [peak, sharp] = [between(random, 600, 960), between(random, 0.7, 3)]
  return filled(n, (i) => {
    const quiet = weekday(start, i) % 6 === 0
    return base + amplitude * (quiet ? weekend : 1) * hump(start, i, peak, sharp)
  })
}

/** A job that fills up on Saturdays or Sundays and cleans up after itself: unheard of, the first time. */
const weekendJob: Background = (random, n, start) => {
  const x = daily(random, n, start)
  const [day, at, length, size] = [
    chance(random, 0.5) ? 6 : 0,
    between(random, 0, 800),
    between(random, 60, 600),
    between(random, 0.05, 0.25),
  ]
  return x.map((v, i) => {
    const m = minuteOfDay(start, i) - at
    return weekday(start, i) === day && m >= 0 && m < length * 1.3 ? v + size * Math.min(1, m / length) : v
  })
}

/** Grows and is emptied, about once in `period` minutes. */
function saw(random: Random, n: number, period: () => number, amplitude: () => number, power: number): Float64Array {
  const x = new Float64Array(n)
  let i = -Math.floor(random.uniform() * period())
  while (i < n) {
    const [length, size] = [Math.max(5, period()), amplitude()]
    for (let k = 0; k < length && i + k < n; k++) if (i + k >= 0) x[i + k] = size * (k / length) ** power
    i += Math.round(length)
  }
  return x
}

function lifted(x: Float64Array, base: number): Float64Array {
  return x.map((v) => v + base)
}

/** Emptied at the same time every day, give or take. */
const sawDaily: Background = (random, n, start) => {
  const [base, size, power] = [level(random, 0.3, 0.62), between(random, 0.08, 0.3), between(random, 0.7, 1.4)]
  const [jitter, spread, at] = [between(random, 0, 40), between(random, 0, 0.2), between(random, 0, PER_DAY)]
  const x = new Float64Array(n)
  let from = -PER_DAY + at
  while (from < n) {
    const to = from + PER_DAY + jitter * random.normal() * 0.7
    const rise = (size * (1 + spread * (random.uniform() * 2 - 1)) * (to - from)) / PER_DAY
    for (let i = Math.max(0, Math.ceil(from)); i < Math.min(n, to); i++)
      x[i] = base + rise * ((i - from) / (to - from)) ** power
    from = to
  }
  return mild(random, x, start, 0.02)
}

const sawIrregular: Background = (random, n, start) => {
  const [period, size, spread] = [
    logUniform(random, 5 * HOURS, 60 * HOURS),
    between(random, 0.08, 0.3),
    between(random, 0.05, 0.3),
  ]
  const x = saw(
    random,
    n,
    () => period * Math.exp(spread * random.normal()),
    () => size * Math.exp(0.5 * spread * random.normal()),
    between(random, 0.7, 1.3),
  )
  return mild(random, lifted(x, level(random, 0.3, 0.6)), start, 0.02)
}

const logRotation: Background = (random, n, start) => {
  const [period, size] = [logUniform(random, 1.5 * HOURS, 12 * HOURS), between(random, 0.02, 0.12)]
  const x = saw(
    random,
    n,
    () => period,
    () => size * between(random, 0.8, 1.2),
    1,
  )
  return mild(random, lifted(x, level(random)), start)
}

const collector: Background = (random, n, start) => {
  const [period, size] = [logUniform(random, 8, 120), between(random, 0.02, 0.2)]
  const x = saw(
    random,
    n,
    () => period * Math.exp(0.2 * random.normal()),
    () => size * Math.exp(0.15 * random.normal()),
    1,
  )
  return mild(random, lifted(x, level(random, 0.3, 0.6)), start, 0.05)
}

const backup: Background = (random, n, start) => {
  const x = flat(random, n, start)
  const [at, length, size] = [between(random, 0, 1300), logUniform(random, 20, 240), between(random, 0.05, 0.25)]
  const keep = chance(random, 0.5) ? 0 : between(random, 5, 60)
  const days = Array.from({ length: 40 }, () => [20 * random.normal(), between(random, 0.85, 1.2)] as const)
  return x.map((v, i) => {
    const [late, factor] = days[Math.floor(i / PER_DAY)] ?? [0, 1]
    const m = minuteOfDay(start, i) - at - late
    return m < 0 || m > length + keep ? v : v + size * factor * Math.min(1, m / length)
  })
}

const bursts: Background = (random, n, start) => {
  const x = daily(random, n, start)
  const [mean, size] = [logUniform(random, 60, 600), between(random, 0.03, 0.15)]
  for (let i = exponential(random, mean); i < n; i += exponential(random, mean)) {
    const [length, height] = [exponential(random, 15) + 2, size * (0.3 + exponential(random, 0.5))]
    for (let k = 0; k < length && i + k < n; k++)
      x[Math.floor(i + k)] = Math.min(0.97, (x[Math.floor(i + k)] as number) + height)
  }
  return x
}

const walk: Background = (random, n, start) => {
  const [base, sd, memory] = [level(random), between(random, 0.01, 0.05), logUniform(random, 3 * HOURS, 60 * HOURS)]
  const step = sd * Math.sqrt(2 / memory)
  let at = sd * random.normal()
  return mild(
    random,
    filled(n, () => {
      at += -at / memory + step * random.normal()
      return base + at
    }),
    start,
    0.02,
  )
}

/** Restarts a day or so apart: down to a base, then warming up towards a level. */
const deploys: Background = (random, n, start) => {
  const [base, rise, tau, gap] = [
    level(random, 0.2, 0.4),
    between(random, 0.1, 0.3),
    logUniform(random, 30, 8 * HOURS),
    logUniform(random, 600, 4000),
  ]
  const x = new Float64Array(n)
  let since = -random.uniform() * gap
  let next = since + gap
  for (let i = 0; i < n; i++) {
    if (i > next) [since, next] = [i, i + between(random, 0.4, 1.8) * gap]
    x[i] = base + rise * (1 - Math.exp(-(i - since) / tau))
  }
  return mild(random, x, start)
}

/** Small saws on a base that grows until a full compaction. */
const compaction: Background = (random, n, start) => {
  const small = saw(
    random,
    n,
    () => 3 * HOURS * between(random, 0.7, 1.3),
    () => between(random, 0.02, 0.05),
    1,
  )
  const period = logUniform(random, 18 * HOURS, 70 * HOURS)
  const large = saw(
    random,
    n,
    () => period * between(random, 0.85, 1.15),
    () => between(random, 0.1, 0.2),
    1,
  )
  const base = level(random, 0.3, 0.55)
  return mild(
    random,
    small.map((v, i) => v + (large[i] as number) + base),
    start,
  )
}

/** A few percent a week. */
const slowGrowth: Background = (random, n, start) => {
  const [base, rate] = [level(random, 0.3, 0.6), between(random, 0.003, 0.012)]
  return mild(
    random,
    filled(n, (i) => base + (rate * i) / PER_DAY),
    start,
    0.08,
  )
}

/** From here on one event that no program could have foreseen to end: growth that stops by itself. */

function onceAt(random: Random, n: number): number {
  return Math.floor(between(random, 3.5 * PER_DAY, Math.max(4 * PER_DAY, n - PER_DAY)))
}

const cachePlateau: Background = (random, n, start) => {
  const x = mild(random, flat(random, n, start), start)
  const [at, tau] = [onceAt(random, n), logUniform(random, 1 * HOURS, 14 * HOURS)]
  const rise = between(random, 0.15, Math.max(0.16, 0.93 - Math.max(...x)))
  return x.map((v, i) => (i < at ? v : v + rise * (1 - Math.exp(-(i - at) / tau))))
}

const stepFlat: Background = (random, n, start) => {
  const x = flat(random, n, start)
  const [at, over] = [onceAt(random, n), logUniform(random, 1, 60)]
  const rise = between(random, 0.05, Math.max(0.06, 0.93 - Math.max(...x)))
  return x.map((v, i) => (i < at ? v : v + rise * Math.min(1, (i - at) / over)))
}

/** A job of hours: fills, then stays, or is tidied up. */
const longJob: Background = (random, n, start) => {
  const x = chance(random, 0.5) ? flat(random, n, start) : daily(random, n, start)
  const [at, length, stays] = [onceAt(random, n), logUniform(random, 1 * HOURS, 14 * HOURS), chance(random, 0.5)]
  const rise = between(random, 0.05, Math.max(0.06, Math.min(0.35, 0.93 - Math.max(...x))))
  const tidy = at + length * between(random, 1, 1.6)
  return x.map((v, i) => (i < at || (!stays && i > tidy) ? v : v + rise * Math.min(1, (i - at) / length)))
}

const resized: Background = (random, n, start) => {
  const x = chance(random, 0.5) ? daily(random, n, start) : flat(random, n, start)
  const top = Math.max(...x)
  const factor = chance(random, 0.6)
    ? between(random, 0.5, 0.85)
    : between(random, 1.05, Math.max(1.06, Math.min(1.4, 0.9 / top)))
  const at = onceAt(random, n)
  return x.map((v, i) => (i < at ? v : v * factor))
}

/** Healthy for good, and what a leak may lie on. */
export const USUAL = {
  flat,
  daily,
  weekly,

  saw_daily: sawDaily,
  saw_irregular: sawIrregular,
  log_rotation: logRotation,
  collector,
  backup,
  bursts,
  walk,
  deploys,
  compaction,
  slow_growth: slowGrowth,
} as const satisfies Record<string, Background>

/** Healthy, with one growth that ends by itself. */
export const AMBIGUOUS = {
  weekend_job: weekendJob,
  cache_plateau: cachePlateau,
  step_flat: stepFlat,
  long_job: longJob,
  resized,
} as const satisfies Record<string, Background>
