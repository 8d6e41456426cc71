import { type Collector, RATE_SECONDS, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { share } from './parse.ts'
import { Counters, rate } from './rates.ts'

/** `full` of cpu is left out: it is zero by definition for the system as a whole. */
const KINDS = [
  ['cpu', 'some'],
  ['memory', 'some'],
  ['memory', 'full'],
  ['io', 'some'],
  ['io', 'full'],
] as const

/**
 * pressure_{cpu,memory,io}_{some,full}: share of the interval in which tasks were stalled, from the microsecond totals of
 * /proc/pressure (kernel documentation, accounting/psi), not from its 10-second averages. Absent without PSI.
 */
export function pressure({ files, clock }: LinuxContext): Collector {
  const counters = new Counters()
  const keys = KINDS.map(([what, kind]) => `pressure_${what}_${kind}`)
  return {
    name: 'pressure',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const totals = KINDS.map(([what, kind], i) => {
        const text = files.proc(`pressure/${what}`)
        return [keys[i] ?? '', [text === undefined ? Number.NaN : stalledMicroseconds(text, kind)]] as const
      })
      const deltas = counters.update(clock.monotonic(), totals)
      const values: Record<string, number> = {}
      if (deltas === undefined) return { values }
      for (const key of keys) {
        const microseconds = rate(deltas, key)
        if (microseconds !== undefined) values[key] = share(microseconds / 1e6)
      }
      return { values, resets: deltas.resets }
    },
  }
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=12` -> 12; NaN where there is no such line. */
export function stalledMicroseconds(text: string, kind: 'some' | 'full'): number {
  const line = text.startsWith(kind) ? 0 : text.indexOf(`\n${kind} `)
  const total = line < 0 ? -1 : text.indexOf('total=', line + 1)
  const end = text.indexOf('\n', line + 1)
  if (total < 0 || (end >= 0 && total > end)) return Number.NaN
  return Number.parseInt(text.slice(total + 'total='.length), 10)
}
