/**
 * Simulated hosts in real time: one JSON line a host and tick, an empty line after each tick. A tick is a row of every
 * host; one that the reader is too slow for is left out, as a host's row would be.
 */
import { Random } from '../random.ts'
import { SimulatedHost } from './host.ts'
import { randomProfile } from './random-profile.ts'
import type { SimulatedResource } from './readings.ts'

export interface LiveOptions {
  readonly hosts: number
  readonly intervalSeconds: number
  readonly faultsPerDay: number
  readonly seed: number | string
  /** Unix ms at which the first row begins. */
  readonly startsAt: number
}

/** What a line holds. */
export interface LiveRow {
  /** `sim-1` to `sim-N`. */
  readonly target: string
  /** End of the row, Unix ms. */
  readonly at: number
  /** The same instant, ms of the system's monotonic clock. */
  readonly monotonic: number
  readonly values: Readonly<Record<string, number>>
  readonly resources: readonly SimulatedResource[]
}

export class LiveFleet {
  readonly #hosts: readonly SimulatedHost[]

  constructor({ hosts, intervalSeconds, faultsPerDay, seed, startsAt }: LiveOptions) {
    const random = new Random(seed)
    this.#hosts = Array.from({ length: hosts }, (_, index) => {
      const own = random.fork(`host ${index}`)
      const profile = randomProfile(own.fork('profile'))
      return new SimulatedHost(profile, own.fork('life'), { intervalSeconds, faultsPerDay, startsAt })
    })
  }

  /** The next row of every host as lines, ended by an empty one. */
  tick(at: number, monotonic: number): string {
    const lines = this.#hosts.map((host, index) => {
      const { values, resources } = host.next()
      return JSON.stringify({ target: `sim-${index + 1}`, at, monotonic, values, resources } satisfies LiveRow)
    })
    return `${lines.join('\n')}\n\n`
  }
}
