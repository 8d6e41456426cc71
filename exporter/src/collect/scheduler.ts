import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { numberAfter, present } from './parse.ts'
import { Counters, rate } from './rates.ts'

/** context_switches, interrupts, forks (per second), processes_running, processes_blocked from /proc/stat. */
export function scheduler({ files, clock }: LinuxContext): Collector {
  const counters = new Counters()
  return {
    name: 'scheduler',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const text = files.proc('stat')
      if (text === undefined) return NO_DATA
      const counter = (label: string) => [numberAfter(text, label) ?? Number.NaN]
      const deltas = counters.update(clock.monotonic(), [
        ['context_switches', counter('ctxt ')],
        ['interrupts', counter('intr ')],
        ['forks', counter('processes ')],
      ])
      const values = present({
        context_switches: deltas && rate(deltas, 'context_switches'),
        interrupts: deltas && rate(deltas, 'interrupts'),
        forks: deltas && rate(deltas, 'forks'),
        processes_running: numberAfter(text, 'procs_running '),
        processes_blocked: numberAfter(text, 'procs_blocked '),
      })
      return { values, resets: deltas?.resets ?? 0 }
    },
  }
}
