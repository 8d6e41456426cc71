import { type Collector, NO_DATA, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { numberAfter, share } from './parse.ts'

/** memory_used: 1 - MemAvailable / MemTotal of /proc/meminfo; resource `memory`. Absent on kernels before 3.14. */
export function memory({ files }: LinuxContext): Collector {
  return {
    name: 'memory',
    collect(): Reading {
      const text = files.proc('meminfo')
      if (text === undefined) return NO_DATA
      const total = numberAfter(text, 'MemTotal:')
      const available = numberAfter(text, 'MemAvailable:')
      if (total === undefined || available === undefined || total <= 0) return NO_DATA
      const used = share(1 - available / total)
      return {
        values: { memory_used: used },
        resources: [{ resource: 'memory', used, capacity: total * 1024, unit: 'bytes' }],
      }
    },
  }
}
