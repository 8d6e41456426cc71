import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { numberAfter, present } from './parse.ts'
import { Counters, rate } from './rates.ts'

/** major_page_faults per second from /proc/vmstat. */
export function vm({ files, clock }: LinuxContext): Collector {
  const counters = new Counters()
  return {
    name: 'vm',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const text = files.proc('vmstat')
      if (text === undefined) return NO_DATA
      const faults = numberAfter(text, 'pgmajfault ')
      const deltas = counters.update(clock.monotonic(), [['faults', [faults ?? Number.NaN]]])
      return {
        values: present({ major_page_faults: deltas && rate(deltas, 'faults') }),
        resets: deltas?.resets ?? 0,
      }
    },
  }
}
