/** The clockwork of a host: cron, log rotation, package checks, the nightly backup, and the jobs that are its work. */
import type { Random } from '../random.ts'
import { between, chance, clamp, DAY, HOUR, logUniform, MIB } from './draw.ts'
import type { JobProfile, Role } from './profile.ts'

export interface JobHardware {
  readonly cores: number
  readonly memoryBytes: number
  /** Bytes per second of the disk and of the network card. */
  readonly bandwidth: number
  readonly capacity: number
  readonly peakCores: number
}

const NOTHING = { cores: 0, read: 0, write: 0, receive: 0, transmit: 0, forks: 0, memoryBytes: 0 } as const

export function randomJobs(
  random: Random,
  role: Role,
  { cores, memoryBytes, bandwidth, capacity }: JobHardware,
): JobProfile[] {
  const jobs: JobProfile[] = []
  const periodic = (every: number) => ({ every, at: Math.floor(between(random, 0, Math.min(every, 60))) })
  const nightly = (from: number, to: number, days = 1) => ({
    every: days * DAY,
    at: Math.floor(between(random, from, to) * HOUR) + (days > 1 ? random.integer(days) * DAY : 0),
  })
  const add = (job: Partial<JobProfile> & Pick<JobProfile, 'name' | 'schedule' | 'medianSeconds'>) =>
    jobs.push({ ...NOTHING, spread: 0.25, ...job })

  const scripts = random.integer(role === 'idle' ? 3 : 4)
  for (let i = 0; i < scripts; i++) {
    add({
      name: 'cron',
      schedule: periodic(random.choice([60, 60, 300, 300, 600, 900, 1800])),
      medianSeconds: logUniform(random, 0.2, 8),
      cores: between(random, 0.2, 1),
      forks: logUniform(random, 2, 30),
      read: chance(random, 0.3) ? logUniform(random, 1e4, 2e6) : 0,
      write: chance(random, 0.6) ? logUniform(random, 1e3, 3e5) : 0,
      transmit: chance(random, 0.3) ? logUniform(random, 1e3, 1e5) : 0,
      receive: chance(random, 0.3) ? logUniform(random, 1e3, 1e5) : 0,
    })
  }
  add({
    name: 'hourly',
    schedule: { every: HOUR, at: 17 * 60 + random.integer(30) },
    medianSeconds: logUniform(random, 0.5, 20),
    cores: between(random, 0.1, 0.9),
    forks: logUniform(random, 2, 30),
    write: logUniform(random, 1e3, 1e6),
  })
  add({
    name: 'log rotation',
    schedule: chance(random, 0.5) ? { every: DAY, at: 0 } : nightly(0, 6.5),
    medianSeconds: logUniform(random, 2, 90),
    cores: between(random, 0.5, 1),
    read: clamp(logUniform(random, 1e4, 4e7), 0, bandwidth * 0.4),
    write: clamp(logUniform(random, 1e4, 2e7), 0, bandwidth * 0.3),
    forks: logUniform(random, 3, 40),
  })
  add({
    name: 'package check',
    schedule: { perDay: random.choice([1, 2, 4]), followsDemand: false },
    medianSeconds: logUniform(random, 5, 60),
    cores: between(random, 0.4, 1),
    receive: logUniform(random, 1e4, 3e6),
    write: logUniform(random, 1e5, 6e6),
    read: logUniform(random, 1e4, 5e6),
    forks: logUniform(random, 5, 40),
    memoryBytes: Math.min(80 * MIB, memoryBytes * 0.08),
  })
  if (chance(random, role === 'idle' ? 0.35 : 0.85)) {
    const rate = clamp(logUniform(random, 5e6, 3e8), 0, bandwidth * between(random, 0.4, 0.85))
    add({
      name: 'backup',
      schedule: nightly(0, 5),
      medianSeconds: role === 'idle' ? logUniform(random, 20, 600) : logUniform(random, 300, 2.5 * HOUR),
      spread: 0.1,
      cores: Math.min(cores * 0.6, between(random, 0.3, 1.5)),
      read: rate,
      transmit: Math.min(rate * between(random, 0.2, 0.8), capacity * 0.6),
      receive: Math.min(rate, capacity) * 0.01,
      forks: 1,
      memoryBytes: Math.min(200 * MIB, memoryBytes * 0.06),
    })
  }
  if (chance(random, 0.5)) {
    add({
      name: 'trim and index',
      schedule: nightly(1, 7, 7),
      medianSeconds: logUniform(random, 30, 1800),
      cores: between(random, 0.5, 1),
      read: clamp(logUniform(random, 1e5, 5e7), 0, bandwidth * 0.5),
      forks: 2,
    })
  }
  if (role === 'batch') {
    for (let i = 1 + random.integer(4); i > 0; i--) {
      add({
        name: 'batch',
        schedule: chance(random, 0.6)
          ? random.choice([
              nightly(0, 24),
              nightly(18, 30),
              { every: random.choice([1, 2, 4, 6]) * HOUR, at: random.integer(HOUR) },
            ])
          : { perDay: logUniform(random, 0.5, 24), followsDemand: false },
        medianSeconds: logUniform(random, 120, 1.5 * HOUR),
        spread: between(random, 0.1, 0.6),
        cores: cores * logUniform(random, 0.1, 0.95),
        read: clamp(logUniform(random, 1e4, 1e8), 0, bandwidth * 0.4),
        write: clamp(logUniform(random, 1e4, 5e7), 0, bandwidth * 0.3),
        receive: Math.min(logUniform(random, 1e3, 3e7), capacity * 0.4),
        transmit: Math.min(logUniform(random, 1e3, 1e7), capacity * 0.4),
        forks: logUniform(random, 0.1, 20),
        memoryBytes: memoryBytes * logUniform(random, 0.01, 0.12),
      })
    }
  }
  if (role === 'build') {
    add({
      name: 'build',
      schedule: { perDay: logUniform(random, 8, 150), followsDemand: true },
      medianSeconds: logUniform(random, 40, 900),
      spread: between(random, 0.3, 0.9),
      cores: cores * between(random, 0.3, 0.97),
      read: clamp(logUniform(random, 1e5, 6e7), 0, bandwidth * 0.35),
      write: clamp(logUniform(random, 5e5, 6e7), 0, bandwidth * 0.3),
      receive: Math.min(logUniform(random, 1e4, 1e7), capacity * 0.4),
      transmit: Math.min(logUniform(random, 1e3, 1e6), capacity * 0.4),
      forks: logUniform(random, 5, 60) * Math.sqrt(cores),
      memoryBytes: memoryBytes * between(random, 0.05, 0.25),
    })
  }
  if (role === 'database' && chance(random, 0.8)) {
    add({
      name: 'checkpoint',
      schedule: { every: random.choice([300, 600, 900]), at: random.integer(300) },
      medianSeconds: logUniform(random, 10, 200),
      cores: 0.05,
      write: clamp(logUniform(random, 5e5, 8e7), 0, bandwidth * 0.4),
    })
  }
  return jobs
}
