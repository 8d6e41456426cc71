import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'
import type { KernelFiles, LinuxContext } from './kernel_files.ts'
import { numbersFrom, share } from './parse.ts'
import { Counters, type Deltas } from './rates.ts'

const SECTOR_BYTES = 512
/** Not disks, or stacked on disks that are counted already. */
const NOT_A_DISK = /^(loop|ram|zram|dm-|md|sr|fd|bcache|drbd|zd)\d/
/** Used only where /sys/block is missing: what a partition is called. */
const PARTITION = /^(?:(?:sd|hd|vd|xvd)[a-z]+\d+|(?:nvme\d+n\d+|mmcblk\d+|nbd\d+)p\d+)$/

/** Counters of one disk, in the order of {@link diskCounters}. */
const REQUESTS = 0
const REQUEST_MS = 1
const READ_SECTORS = 2
const WRITTEN_SECTORS = 3
const BUSY_MS = 4

export interface Disk {
  readonly counters: readonly number[]
  /** Requests that were issued and have not completed. */
  readonly inFlight: number
}

/**
 * disk_busy (busiest disk), disk_read, disk_write (all disks), disk_latency (slowest disk) from /proc/diskstats.
 * Source: kernel documentation, admin-guide/iostats.
 *
 * Latency is the mean time of the requests that completed in the interval; 0 (as in iostat) where there were none at all,
 * absent where requests wait and none completes, since then nobody knows. Busy time says nothing about the remaining
 * capacity of a disk that serves requests in parallel.
 */
export function disk({ files, clock }: LinuxContext): Collector {
  const counters = new Counters()
  const whole = wholeDisks(files)
  return {
    name: 'disk',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const text = files.proc('diskstats')
      if (text === undefined) return NO_DATA
      const disks = diskCounters(text, whole)
      const deltas = counters.update(
        clock.monotonic(),
        [...disks].map(([name, d]) => [name, d.counters] as const),
      )
      if (deltas === undefined) return NO_DATA
      return { values: deltas.resets > 0 ? {} : diskSignals(deltas, disks), resets: deltas.resets }
    },
  }
}

export function diskSignals(deltas: Deltas, disks: ReadonlyMap<string, Disk>): Record<string, number> {
  if (deltas.increases.size === 0) return {}
  let busy = 0
  let read = 0
  let written = 0
  let latency = 0
  let stuck = false
  for (const [name, d] of deltas.increases) {
    busy = Math.max(busy, share((d[BUSY_MS] ?? 0) / 1000 / deltas.seconds))
    read += d[READ_SECTORS] ?? 0
    written += d[WRITTEN_SECTORS] ?? 0
    const requests = d[REQUESTS] ?? 0
    if (requests > 0) latency = Math.max(latency, (d[REQUEST_MS] ?? 0) / 1000 / requests)
    else if ((disks.get(name)?.inFlight ?? 0) > 0) stuck = true
  }
  return {
    disk_busy: busy,
    disk_read: (read * SECTOR_BYTES) / deltas.seconds,
    disk_write: (written * SECTOR_BYTES) / deltas.seconds,
    ...(stuck && latency === 0 ? {} : { disk_latency: latency }),
  }
}

/** Whole disk -> [completed requests, ms they took, sectors read, sectors written, ms with I/O in flight]. */
export function diskCounters(diskstats: string, isDisk: (name: string) => boolean): Map<string, Disk> {
  const disks = new Map<string, Disk>()
  for (let from = 0; from < diskstats.length; ) {
    let end = diskstats.indexOf('\n', from)
    if (end < 0) end = diskstats.length
    // major minor name reads merged sectors ms writes merged sectors ms in_flight busy_ms ...
    const [nameFrom, nameEnd] = thirdWord(diskstats, from, end)
    if (nameEnd > nameFrom) {
      const name = diskstats.slice(nameFrom, nameEnd)
      if (isDisk(name)) {
        const [reads, , readSectors, readMs, writes, , writeSectors, writeMs, inFlight, busyMs] = numbersFrom(
          diskstats,
          nameEnd,
          10,
        )
        const n = (x: number | undefined) => x ?? Number.NaN
        disks.set(name, {
          counters: [n(reads) + n(writes), n(readMs) + n(writeMs), n(readSectors), n(writeSectors), n(busyMs)],
          inFlight: inFlight ?? 0,
        })
      }
    }
    from = end + 1
  }
  return disks
}

function thirdWord(text: string, from: number, end: number): [number, number] {
  let i = from
  for (let word = 0; ; word++) {
    while (i < end && text.charCodeAt(i) <= 32) i++
    const start = i
    while (i < end && text.charCodeAt(i) > 32) i++
    if (word === 2 || start === end) return [start, i]
  }
}

/** Whether a name of /proc/diskstats is a whole disk; /sys/block lists those and is asked once for each name. */
function wholeDisks(files: KernelFiles): (name: string) => boolean {
  const known = new Map<string, boolean>()
  return (name) => {
    let is = known.get(name)
    if (is === undefined) {
      // Names with a slash (cciss/c0d0) have an exclamation mark in sysfs.
      const listed = files.sysExists('block')
        ? files.sysExists(`block/${name.replace('/', '!')}`)
        : !PARTITION.test(name)
      is = listed && !NOT_A_DISK.test(name)
      // Disks come and go; partitions and loop devices of a busy container host must not pile up here.
      if (known.size > 1000) known.clear()
      known.set(name, is)
    }
    return is
  }
}
