/** How much work arrives: the day, the week, weather of several time scales, and bursts. */
import type { Random } from '../random.ts'
import { clamp, DAY, exponential, HOUR, Ou, pareto } from './draw.ts'
import type { DemandProfile } from './profile.ts'

/** Steps of the weekly table: 10 minutes each. */
const STEP = 600
const STEPS = (7 * DAY) / STEP

/** Work that a usual week brings, by local time, in 10-minute steps from Thursday 00:00 (as the Unix epoch). */
export function weekTable({ night, peakHour, secondPeak, sharpness, weekend }: DemandProfile): Float64Array {
  const table = new Float64Array(STEPS)
  const hump = (hour: number, centre: number, power: number) =>
    (0.5 + 0.5 * Math.cos(((hour - centre) / 12) * Math.PI)) ** power
  // Weekdays counted from Thursday: Saturday and Sunday are 2 and 3. The weekend fades in and out over two hours.
  const restful = (days: number) => clamp(Math.min(days - 2, 4 - days) * 12 + 0.5, 0, 1)
  for (let i = 0; i < STEPS; i++) {
    const days = (i * STEP) / DAY
    const hour = (days % 1) * 24
    const shape = Math.max(hump(hour, peakHour, sharpness), secondPeak * hump(hour, peakHour - 8, sharpness * 3))
    table[i] = (night + (1 - night) * shape) * (1 + (weekend - 1) * restful(days))
  }
  return table
}

export class Demand {
  readonly #table: Float64Array
  readonly #timeZone: number
  readonly #noise: readonly Ou[]
  readonly #offset: number
  readonly #interval: number
  readonly #burstGap: number
  #burstStart: number
  #burstEnd = 0
  #burstFactor = 0

  constructor(profile: DemandProfile, intervalSeconds: number, startsAt: number, random: Random) {
    this.#table = weekTable(profile)
    this.#timeZone = profile.timeZoneSeconds
    this.#noise = profile.noise.map((n) => new Ou(n, intervalSeconds, random))
    // The mean of exp(x) is exp(var / 2): taken off, so that noise does not add work.
    this.#offset = -this.#noise.reduce((sum, n) => sum + n.variance, 0) / 2
    this.#interval = intervalSeconds
    this.#burstGap = DAY / profile.burstsPerDay
    this.#burstStart = startsAt + exponential(random, this.#burstGap)
  }

  /** Usual level at Unix time `t` in seconds. */
  usual(t: number): number {
    const x = ((t + this.#timeZone) % (7 * DAY)) / STEP
    const i = Math.floor(x)
    const a = this.#table[i % STEPS] as number
    return a + ((this.#table[(i + 1) % STEPS] as number) - a) * (x - i)
  }

  /** Mean level of the row that ends at `t`. */
  step(t: number, random: Random): number {
    let x = this.#offset
    for (const n of this.#noise) x += n.step(random)
    return this.usual(t - this.#interval / 2) * Math.exp(x) * (1 + this.#burst(t, random))
  }

  #burst(t: number, random: Random): number {
    const t0 = t - this.#interval
    let sum = 0
    while (this.#burstStart < t) {
      if (this.#burstEnd <= this.#burstStart) {
        this.#burstEnd = this.#burstStart + Math.min(HOUR, exponential(random, 60) * pareto(random, 1.8))
        this.#burstFactor = Math.min(3, 0.25 * pareto(random, 1.5))
      }
      sum += this.#burstFactor * Math.max(0, Math.min(t, this.#burstEnd) - Math.max(t0, this.#burstStart))
      if (this.#burstEnd > t) break
      this.#burstStart = this.#burstEnd + exponential(random, this.#burstGap)
    }
    return sum / this.#interval
  }
}
