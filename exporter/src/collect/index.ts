import { type Clock, systemClock } from './clock.ts'
import type { Collector } from './collector.ts'
import { cpu } from './cpu.ts'
import { disk } from './disk.ts'
import { eventLoop } from './event_loop.ts'
import { files } from './files.ts'
import { filesystem, nodeStatfs } from './filesystem.ts'
import { KernelFiles } from './kernel_files.ts'
import { load } from './load.ts'
import { memory } from './memory.ts'
import type { MountFilter } from './mounts.ts'
import { network } from './network.ts'
import {
  type LoadSystemInformation,
  loadSystemInformation,
  portableCpu,
  portableDisk,
  portableFilesystem,
  portableLoad,
  portableMemory,
  portableNetwork,
  portableScheduler,
  portableSwap,
  portableTemperature,
} from './portable.ts'
import { pressure } from './pressure.ts'
import { type Probe, response } from './response.ts'
import { scheduler } from './scheduler.ts'
import { swap } from './swap.ts'
import { tcp } from './tcp.ts'
import { temperature } from './temperature.ts'
import { vm } from './vm.ts'
import { zombies } from './zombies.ts'

export { type Clock, systemClock } from './clock.ts'
export type { Collector, Reading } from './collector.ts'
export { type Inventory, type InventoryOptions, InventoryReader } from './inventory.ts'
export type { HttpProbe, Probe, TcpProbe } from './response.ts'
export { OUTCOME_REASONS, type Outcome, type OutcomeReason, Sampler, type SamplerOptions } from './sampler.ts'

/** Every collector there is; the keys of the configuration and the values of the label `collector`. */
export const COLLECTOR_NAMES = [
  'cpu',
  'load',
  'memory',
  'swap',
  'disk',
  'filesystem',
  'network',
  'tcp',
  'files',
  'pressure',
  'scheduler',
  'vm',
  'zombies',
  'temperature',
  'event_loop',
  'response',
] as const
export type CollectorName = (typeof COLLECTOR_NAMES)[number]

export interface CollectOptions {
  readonly clock?: Clock
  /** Where the kernel's files are (default /proc and /sys): another place where a container sees the host's. */
  readonly proc?: string
  readonly sys?: string
  readonly probes?: readonly Probe[]
  /** An address of the service itself that is probed where `probes` is empty; undefined until it is known. */
  readonly selfUrl?: () => string | undefined
  /** Name -> whether it runs (default true). */
  readonly collectors?: Readonly<Partial<Record<string, boolean>>>
  /** Mounts to leave out, besides those that hold no local file system. */
  readonly filesystem?: MountFilter
  readonly systemInformation?: LoadSystemInformation
}

/** The collectors of Linux: the kernel's own files. `response` is last, so that the others do not stand in its way. */
export function linuxCollectors(options: CollectOptions = {}): Collector[] {
  const { clock = systemClock, proc = '/proc', sys = '/sys' } = options
  const kernel = new KernelFiles(clock, { proc, sys })
  const context = { files: kernel, clock }
  const collectors = [
    cpu(context),
    load(context),
    memory(context),
    swap(context),
    disk(context),
    filesystem(context, nodeStatfs, options.filesystem),
    network(context),
    tcp(context),
    files(context),
    pressure(context),
    scheduler(context),
    vm(context),
    zombies(context),
    temperature(context),
    eventLoop(context),
    response({ ...options, clock }),
  ].map((collector) => ({
    ...collector,
    close() {
      collector.close?.()
      kernel.close()
    },
  }))
  return enabled(collectors, options)
}

/** The collectors of macOS and Windows, by Node and systeminformation: fewer signals, and slower ones. */
export function portableCollectors(options: CollectOptions = {}, platform = process.platform): Collector[] {
  const { clock = systemClock, systemInformation = loadSystemInformation } = options
  const context = { clock, platform, load: systemInformation }
  return enabled(
    [
      portableCpu(context),
      portableLoad(context),
      portableMemory(context),
      portableSwap(context),
      portableDisk(context),
      portableFilesystem(context, options.filesystem),
      portableNetwork(context),
      portableScheduler(context),
      portableTemperature(context),
      eventLoop(context),
      response({ ...options, clock }),
    ],
    options,
  )
}

/** Throws RangeError for a name that no platform has or an expression that is none, TypeError for a probe that is none. */
export function collectorsFor(platform: NodeJS.Platform, options: CollectOptions = {}): Collector[] {
  return platform === 'linux' ? linuxCollectors(options) : portableCollectors(options, platform)
}

function enabled(collectors: readonly Collector[], { collectors: wanted = {} }: CollectOptions): Collector[] {
  const names: readonly string[] = COLLECTOR_NAMES
  for (const name of Object.keys(wanted)) {
    if (!names.includes(name))
      throw new RangeError(`collectors.${name}: no such collector; there are ${names.join(', ')}`)
  }
  return collectors.filter(({ name }) => wanted[name] !== false)
}
