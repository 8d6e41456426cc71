import type { Resource } from '../types.ts'
import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'
import type { KernelFiles, LinuxContext } from './kernel_files.ts'
import { numberAfter, share } from './parse.ts'
import { Counters, rate } from './rates.ts'

/**
 * swap_used from /proc/meminfo and swap_io (bytes in and out per second) from /proc/vmstat; resource `swap`.
 * Absent on a host without swap space.
 */
export function swap({ files, clock }: LinuxContext): Collector {
  const counters = new Counters()
  let pageBytes: number | undefined
  return {
    name: 'swap',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const text = files.proc('meminfo')
      if (text === undefined) return NO_DATA
      const total = numberAfter(text, 'SwapTotal:')
      const free = numberAfter(text, 'SwapFree:')
      if (total === undefined || free === undefined || total <= 0) return NO_DATA
      const used = share(1 - free / total)
      const values: Record<string, number> = { swap_used: used }
      const resources: Resource[] = [{ resource: 'swap', used, capacity: total * 1024, unit: 'bytes' }]
      const vmstat = files.proc('vmstat')
      const pagesIn = vmstat === undefined ? undefined : numberAfter(vmstat, 'pswpin ')
      const pagesOut = vmstat === undefined ? undefined : numberAfter(vmstat, 'pswpout ')
      const pages = pagesIn === undefined || pagesOut === undefined ? Number.NaN : pagesIn + pagesOut
      const deltas = counters.update(clock.monotonic(), [['pages', [pages]]])
      const perSecond = deltas === undefined ? undefined : rate(deltas, 'pages')
      if (perSecond !== undefined) {
        pageBytes ??= pageSize(files)
        values.swap_io = perSecond * pageBytes
      }
      return { values, resources, resets: deltas?.resets ?? 0 }
    },
  }
}

const AT_NULL = 0
const AT_PAGESZ = 6

/**
 * Bytes of a page of memory, from the auxiliary vector that the kernel hands to each process (getauxval(3)); 4096 where it
 * cannot be read. Pairs of 64-bit words on the platforms that Node runs on.
 */
export function pageSize(files: KernelFiles): number {
  const vector = files.procOnce('self/auxv')
  for (let i = 0; vector !== undefined && i + 16 <= vector.length; i += 16) {
    const type = vector.readUInt32LE(i)
    if (type === AT_NULL) break
    if (type === AT_PAGESZ) return vector.readUInt32LE(i + 8)
  }
  return 4096
}
