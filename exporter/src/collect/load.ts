import { type Collector, NO_DATA, type Reading } from './collector.ts'
import { cpuTicks } from './cpu.ts'
import type { LinuxContext } from './kernel_files.ts'

/** load_per_core: the one-minute average of /proc/loadavg divided by the cores that /proc/stat lists. */
export function load({ files }: LinuxContext): Collector {
  return {
    name: 'load',
    collect(): Reading {
      const text = files.proc('loadavg')
      const stat = files.proc('stat')
      if (text === undefined || stat === undefined) return NO_DATA
      const average = Number.parseFloat(text)
      const lines = cpuTicks(stat)
      const cores = lines.size - (lines.has('cpu') ? 1 : 0)
      return average >= 0 && cores > 0 ? { values: { load_per_core: average / cores } } : NO_DATA
    },
  }
}
