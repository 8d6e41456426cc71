/** The jobs of a host, as they overlap with each row. */
import type { Random } from '../random.ts'
import { DAY, exponential } from './draw.ts'
import type { JobProfile } from './profile.ts'

/** Means over a row of what the jobs ask for. */
export interface JobLoad {
  cores: number
  /** Largest share of one core that a single-threaded job took. */
  single: number
  read: number
  write: number
  receive: number
  transmit: number
  forks: number
  memoryBytes: number
  /** Share of the first mount held at the end of the row. */
  scratch: number
}

interface Run {
  readonly job: JobProfile
  start: number
  end: number
  size: number
}

export class Jobs {
  readonly load: JobLoad = {
    cores: 0,
    single: 0,
    read: 0,
    write: 0,
    receive: 0,
    transmit: 0,
    forks: 0,
    memoryBytes: 0,
    scratch: 0,
  }
  readonly #runs: readonly Run[]
  readonly #timeZone: number
  readonly #interval: number

  /** Times are Unix seconds; schedules by the clock are of local time. */
  constructor(
    jobs: readonly JobProfile[],
    timeZoneSeconds: number,
    intervalSeconds: number,
    startsAt: number,
    random: Random,
  ) {
    this.#timeZone = timeZoneSeconds
    this.#interval = intervalSeconds
    this.#runs = jobs.map((job) => ({ job, start: this.#nextStart(job, startsAt, random), end: 0, size: 1 }))
  }

  /** `demand`: the present level of work, which scales the chance of jobs that follow it. */
  step(t: number, demand: number, random: Random): JobLoad {
    const load = this.load
    load.cores =
      load.single =
      load.read =
      load.write =
      load.receive =
      load.transmit =
      load.forks =
      load.memoryBytes =
      load.scratch =
        0
    const t0 = t - this.#interval
    for (const run of this.#runs) {
      while (run.start < t) {
        const { job } = run
        if (run.end <= run.start) {
          const { schedule } = job
          if ('perDay' in schedule && schedule.followsDemand && random.uniform() > demand) {
            run.start = this.#nextStart(job, run.start, random)
            continue
          }
          run.end = run.start + job.medianSeconds * Math.exp(job.spread * random.normal())
          run.size = Math.exp(0.5 * job.spread * random.normal())
        }
        const share = Math.max(0, Math.min(t, run.end) - Math.max(t0, run.start)) / this.#interval
        const x = share * run.size
        load.cores += job.cores * share
        load.read += job.read * x
        load.write += job.write * x
        load.receive += job.receive * x
        load.transmit += job.transmit * x
        load.forks += job.forks * share
        load.memoryBytes += job.memoryBytes * x
        if (share * Math.min(1, job.cores) > load.single) load.single = share * Math.min(1, job.cores)
        if (run.end > t) {
          load.scratch += ((job.scratch ?? 0) * (t - run.start)) / (run.end - run.start)
          break
        }
        run.start = this.#nextStart(job, run.end, random)
      }
    }
    return load
  }

  #nextStart({ schedule }: JobProfile, after: number, random: Random): number {
    if ('perDay' in schedule) return after + exponential(random, DAY / schedule.perDay)
    const { every, at } = schedule
    const local = after + this.#timeZone
    return (Math.floor((local - at) / every) + 1) * every + at - this.#timeZone
  }
}
