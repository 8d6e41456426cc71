import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { numbersFrom } from './parse.ts'

/** user nice system idle iowait irq softirq steal, in ticks. Guest time follows and is contained in user and nice. */
const FIELDS = 8
const IDLE = 3
const IOWAIT = 4
const STEAL = 7

export interface CpuShares {
  readonly busy: number
  readonly iowait: number
  readonly steal: number
}

/**
 * cpu_busy, cpu_iowait, cpu_steal, cpu_busiest_core from /proc/stat, as shares of the ticks that passed.
 * Source: proc(5); the kernel says that iowait may run backwards, which counts as 0 here. Stolen time is busy time.
 */
export function cpu({ files }: LinuxContext): Collector {
  let previous = new Map<string, number[]>()
  return {
    name: 'cpu',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const text = files.proc('stat')
      if (text === undefined) return NO_DATA
      const current = cpuTicks(text)
      const values: Record<string, number> = {}
      let resets = 0
      let busiest = -1
      for (const [name, ticks] of current) {
        const before = previous.get(name)
        if (before === undefined) continue
        const shares = cpuShares(before, ticks)
        if (shares === 'reset') resets++
        if (shares === undefined || shares === 'reset') continue
        if (name !== 'cpu') {
          busiest = Math.max(busiest, shares.busy)
          continue
        }
        values.cpu_busy = shares.busy
        values.cpu_iowait = shares.iowait
        values.cpu_steal = shares.steal
      }
      if (busiest >= 0) values.cpu_busiest_core = busiest
      previous = current
      return { values, resets }
    },
  }
}

/** Line name (`cpu` is all of them, `cpu0` a core) -> the eight tick counters; lines with garbage are left out. */
export function cpuTicks(stat: string): Map<string, number[]> {
  const lines = new Map<string, number[]>()
  for (let from = 0; stat.startsWith('cpu', from); ) {
    const blank = stat.indexOf(' ', from)
    if (blank < 0) break
    const ticks = numbersFrom(stat, blank, FIELDS)
    while (ticks.length > IDLE && ticks.length < FIELDS) ticks.push(0)
    if (ticks.length === FIELDS && ticks.every(Number.isFinite)) lines.set(stat.slice(from, blank), ticks)
    const end = stat.indexOf('\n', from)
    if (end < 0) break
    from = end + 1
  }
  return lines
}

/** Undefined where no tick has passed, `reset` where a counter ran backwards. */
export function cpuShares(before: readonly number[], now: readonly number[]): CpuShares | 'reset' | undefined {
  let total = 0
  const delta: number[] = []
  for (let i = 0; i < FIELDS; i++) {
    let d = (now[i] ?? 0) - (before[i] ?? 0)
    if (d < 0 && i !== IOWAIT) return 'reset'
    if (d < 0) d = 0
    delta.push(d)
    total += d
  }
  if (total <= 0) return undefined
  const iowait = delta[IOWAIT] ?? 0
  return {
    busy: (total - (delta[IDLE] ?? 0) - iowait) / total,
    iowait: iowait / total,
    steal: (delta[STEAL] ?? 0) / total,
  }
}
