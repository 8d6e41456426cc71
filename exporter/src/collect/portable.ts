import os from 'node:os'
import type { Resource } from '../types.ts'
import type { Clock } from './clock.ts'
import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'
import { type MountFilter, mountTest } from './mounts.ts'
import { networkSignals } from './network.ts'
import { share } from './parse.ts'
import { Counters, rate } from './rates.ts'

/** What is used of systeminformation; it is loaded at the first call, and tests put their own in its place. */
export type SystemInformation = Pick<
  typeof import('systeminformation'),
  'mem' | 'fsSize' | 'fsStats' | 'networkStats' | 'cpuTemperature' | 'processes'
>
export type LoadSystemInformation = () => Promise<SystemInformation>
export const loadSystemInformation = async () => (await import('systeminformation')).default

export interface PortableContext {
  readonly clock: Clock
  readonly platform: NodeJS.Platform
  readonly load: LoadSystemInformation
}

/** Most calls of systeminformation start processes: they are made once a score interval, not once a tick. */
const EVERY_SECONDS = 10

/** cpu_busy, cpu_busiest_core from os.cpus(), which needs no process. Node knows neither iowait nor steal. */
export function portableCpu(
  { clock }: Pick<PortableContext, 'clock'>,
  cpus: () => readonly Pick<os.CpuInfo, 'times'>[] = os.cpus,
): Collector {
  const counters = new Counters()
  return {
    name: 'cpu',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const cores = cpus().map(
        ({ times: { user, nice, sys, idle, irq } }, i) => [String(i), [user + nice + sys + irq, idle]] as const,
      )
      const deltas = counters.update(clock.monotonic(), cores)
      if (deltas === undefined || deltas.resets > 0) return { values: {}, resets: deltas?.resets ?? 0 }
      let busy = 0
      let total = 0
      let busiest = 0
      for (const [used = 0, idle = 0] of deltas.increases.values()) {
        busy += used
        total += used + idle
        if (used + idle > 0) busiest = Math.max(busiest, used / (used + idle))
      }
      return total > 0 ? { values: { cpu_busy: busy / total, cpu_busiest_core: busiest } } : NO_DATA
    },
  }
}

/** load_per_core from os.loadavg(); Windows has none. */
export function portableLoad({ platform }: Pick<PortableContext, 'platform'>): Collector {
  return {
    name: 'load',
    collect(): Reading {
      const [average = Number.NaN] = os.loadavg()
      const cores = os.cpus().length
      return platform === 'win32' || cores === 0 ? NO_DATA : { values: { load_per_core: average / cores } }
    },
  }
}

/** memory_used; resource `memory`. */
export function portableMemory({ load }: PortableContext): Collector {
  return {
    name: 'memory',
    everySeconds: EVERY_SECONDS,
    async collect(): Promise<Reading> {
      const { total, available } = await (await load()).mem()
      if (!(total > 0) || !(available >= 0)) return NO_DATA
      const used = share(1 - available / total)
      return {
        values: { memory_used: used },
        resources: [{ resource: 'memory', used, capacity: total, unit: 'bytes' }],
      }
    },
  }
}

/** swap_used; resource `swap`. Absent without swap space (macOS makes it as needed). */
export function portableSwap({ load }: PortableContext): Collector {
  return {
    name: 'swap',
    everySeconds: EVERY_SECONDS,
    async collect(): Promise<Reading> {
      const { swaptotal, swapused } = await (await load()).mem()
      if (!(swaptotal > 0) || !(swapused >= 0)) return NO_DATA
      const used = share(swapused / swaptotal)
      return {
        values: { swap_used: used },
        resources: [{ resource: 'swap', used, capacity: swaptotal, unit: 'bytes' }],
      }
    },
  }
}

/** disk_read, disk_write. Windows gives none, and no platform but Linux gives busy time or latency. */
export function portableDisk({ clock, load }: PortableContext): Collector {
  const counters = new Counters()
  return {
    name: 'disk',
    everySeconds: EVERY_SECONDS,
    async collect(): Promise<Reading> {
      // Null where it is not supported, whatever the type says.
      const stats = (await (await load()).fsStats()) as { rx: number; wx: number } | null
      if (stats === null) return NO_DATA
      const deltas = counters.update(clock.monotonic(), [
        ['read', [stats.rx]],
        ['write', [stats.wx]],
      ])
      const read = deltas && rate(deltas, 'read')
      const write = deltas && rate(deltas, 'write')
      if (read === undefined || write === undefined) return { values: {}, resets: deltas?.resets ?? 0 }
      return { values: { disk_read: read, disk_write: write } }
    },
  }
}

const NOT_REAL = /^(devfs|autofs|nullfs|smbfs|cifs|nfs\d?|afpfs|webdav|cd9660|cdfs|udf|tmpfs|overlay|squashfs)$/i
const MOST_MOUNTS = 50

/** filesystem_used (fullest); resources `filesystem:MOUNT`. Network drives of Windows cannot be told from local ones. */
export function portableFilesystem({ load }: PortableContext, filter: MountFilter = {}): Collector {
  const wanted = mountTest(filter)
  return {
    name: 'filesystem',
    everySeconds: EVERY_SECONDS,
    async collect(): Promise<Reading> {
      const resources: Resource[] = []
      const mounts = new Set<string>()
      for (const { mount, type, size, used, available, rw } of await (await load()).fsSize()) {
        if (NOT_REAL.test(type) || rw === false || !(size > 0) || mounts.has(mount)) continue
        if (!wanted({ path: mount, type }) || !(used + available > 0) || resources.length >= MOST_MOUNTS) continue
        mounts.add(mount)
        const share_ = share(used / (used + available))
        resources.push({ resource: `filesystem:${mount}`, used: share_, capacity: size, unit: 'bytes' })
      }
      if (resources.length === 0) return NO_DATA
      return { values: { filesystem_used: Math.max(...resources.map((r) => r.used)) }, resources }
    },
  }
}

/** network_receive, network_transmit, network_errors of all interfaces but the loopback; of macOS the `en` ones. */
export function portableNetwork({ clock, platform, load }: PortableContext): Collector {
  const counters = new Counters()
  return {
    name: 'network',
    everySeconds: EVERY_SECONDS,
    async collect(): Promise<Reading> {
      const all = (await (await load()).networkStats('*')).filter(({ iface }) => !/^(lo\d*$|loopback)/i.test(iface))
      const wired = platform === 'darwin' ? all.filter(({ iface }) => /^en\d/.test(iface)) : all
      const counted = (wired.length > 0 ? wired : all).map((s) => {
        // Errors are null where the platform does not count them.
        const errors = [s.rx_errors, s.rx_dropped, s.tx_errors, s.tx_dropped].reduce((a, b) => a + (b ?? 0), 0)
        return [s.iface, [s.rx_bytes, s.tx_bytes, errors]] as const
      })
      const deltas = counters.update(clock.monotonic(), counted)
      if (deltas === undefined) return NO_DATA
      return { values: deltas.resets > 0 ? {} : networkSignals(deltas), resets: deltas.resets }
    },
  }
}

/** processes_running, processes_blocked; once a minute, since all processes are listed. Windows does not know them. */
export function portableScheduler({ platform, load }: PortableContext): Collector {
  return {
    name: 'scheduler',
    everySeconds: 60,
    async collect(): Promise<Reading> {
      if (platform === 'win32') return NO_DATA
      const { running, blocked } = await (await load()).processes()
      return { values: { processes_running: running, processes_blocked: blocked } }
    },
  }
}

/** temperature: the highest sensor. macOS needs the package osx-temperature-sensor, Windows an administrator. */
export function portableTemperature({ load }: PortableContext): Collector {
  return {
    name: 'temperature',
    everySeconds: EVERY_SECONDS,
    async collect(): Promise<Reading> {
      // Null where there is no sensor, whatever the type says.
      const { main, max } = (await (await load()).cpuTemperature()) as { main: number | null; max: number | null }
      const celsius = Math.max(main ?? 0, max ?? 0)
      return celsius > 0 && celsius < 150 ? { values: { temperature: celsius } } : NO_DATA
    },
  }
}
