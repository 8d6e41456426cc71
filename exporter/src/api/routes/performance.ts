import { z } from 'zod'
import type { LatencyFacts } from '../deps.ts'
import { finite, orNull } from '../parameters.ts'
import { defineRoute } from '../route.ts'

const latency = z
  .strictObject({ count: z.int(), p50_seconds: finite, p95_seconds: finite, p99_seconds: finite })
  .nullable()
  .describe('Percentiles of the latest ones; null before the first')

const maybe = finite.nullable()

export const performance = defineRoute({
  method: 'GET',
  path: '/performance',
  scope: 'read',
  summary: 'What the service itself costs',
  description: 'Process figures are those of the latest /metrics text.',
  errors: [],
  response: z.strictObject({
    cycle: latency,
    inference: latency,
    store: latency,
    requests_per_minute: finite,
    uptime_seconds: maybe,
    cpu_share: maybe.describe('Of one core, over the latest interval'),
    cpu_share_since_start: maybe.describe('Of one core, over the whole life of the process'),
    resident_bytes: maybe,
    heap_used_bytes: maybe,
    heap_size_bytes: maybe,
    event_loop_delay: z.strictObject({ mean_seconds: finite, max_seconds: finite }).nullable(),
  }),
  handler({ deps, now }) {
    const facts = deps.performance()
    const { process: p } = facts
    const uptime = p.startTimeSeconds === undefined ? undefined : Math.max(0, now / 1000 - p.startTimeSeconds)
    return {
      cycle: percentiles(facts.cycle),
      inference: percentiles(facts.inference),
      store: percentiles(facts.store),
      requests_per_minute: facts.requestsPerMinute,
      uptime_seconds: orNull(uptime),
      cpu_share: orNull(facts.cpuShare),
      cpu_share_since_start: uptime === undefined ? null : orNull((p.cpuSeconds ?? Number.NaN) / uptime),
      resident_bytes: orNull(p.residentBytes),
      heap_used_bytes: orNull(p.heapUsedBytes),
      heap_size_bytes: orNull(p.heapSizeBytes),
      event_loop_delay: p.eventLoopDelay
        ? { mean_seconds: p.eventLoopDelay.meanSeconds, max_seconds: p.eventLoopDelay.maxSeconds }
        : null,
    }
  },
})

const percentiles = (facts: LatencyFacts | null) =>
  facts && { count: facts.count, p50_seconds: facts.p50, p95_seconds: facts.p95, p99_seconds: facts.p99 }
