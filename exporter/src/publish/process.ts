/** What the process itself costs. Every source is read on its own: one that throws is left out. */
import { readdirSync } from 'node:fs'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

export interface ProcessFacts {
  readonly startTimeSeconds?: number
  readonly cpuSeconds?: number
  readonly residentBytes?: number
  readonly openFds?: number
  readonly heapUsedBytes?: number
  readonly heapSizeBytes?: number
  /** Since the last call of `read`. */
  readonly eventLoopDelay?: { readonly meanSeconds: number; readonly maxSeconds: number }
}

export interface ProcessReader {
  read(): ProcessFacts
  stop(): void
}

/** Resolution of the event loop probe, ms: its timer costs about 0.02 % of a core. */
const RESOLUTION = 20

export function processReader(): ProcessReader {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION })
  delays.enable()
  const startTimeSeconds = Date.now() / 1000 - process.uptime()
  return {
    read() {
      const cpu = process.cpuUsage()
      const memory = attempt(() => process.memoryUsage())
      const openFds = process.platform === 'linux' ? attempt(() => readdirSync('/proc/self/fd').length - 1) : undefined
      const eventLoopDelay = takeDelay(delays)
      return {
        startTimeSeconds,
        cpuSeconds: (cpu.user + cpu.system) / 1e6,
        ...(memory && {
          residentBytes: memory.rss,
          heapUsedBytes: memory.heapUsed,
          heapSizeBytes: memory.heapTotal,
        }),
        ...(openFds !== undefined && { openFds }),
        ...(eventLoopDelay && { eventLoopDelay }),
      }
    },
    stop: () => delays.disable(),
  }
}

/** The histogram counts the timer's own period as well: only what is beyond it is delay. */
function takeDelay(delays: IntervalHistogram): ProcessFacts['eventLoopDelay'] {
  if (delays.count === 0) return undefined
  const beyond = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION / 1e3)
  const taken = { meanSeconds: beyond(delays.mean), maxSeconds: beyond(delays.max) }
  delays.reset()
  return taken
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
