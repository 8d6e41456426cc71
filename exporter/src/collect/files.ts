import { type Collector, NO_DATA, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { numbersFrom, share } from './parse.ts'

/** file_descriptors_used: handles in use of the system-wide limit, from /proc/sys/fs/file-nr; absent without a real limit. */
export function files({ files: kernel }: LinuxContext): Collector {
  return {
    name: 'files',
    collect(): Reading {
      const [allocated = Number.NaN, , limit = Number.NaN] = numbersFrom(kernel.proc('sys/fs/file-nr') ?? '', 0)
      // Kernels since 5.6 set the limit to the largest number there is: nothing can run out.
      if (!(allocated >= 0) || !(limit > 0) || limit >= 2 ** 53) return NO_DATA
      const used = share(allocated / limit)
      return {
        values: { file_descriptors_used: used },
        resources: [{ resource: 'file_descriptors', used, capacity: limit, unit: 'handles' }],
      }
    },
  }
}
