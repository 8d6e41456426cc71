/** Medians of what is run in turns: a noisy neighbour then slows all that is compared alike, and the ratios hold. */
import { readFileSync } from 'node:fs'

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Runs the parts in turns (A B C A B C ...).
 * @template {string} K
 * @param {Record<K, () => unknown>} parts what a promise is returned for is awaited
 * @param {{ rounds: number, warm?: number }} options rounds that count, and before them rounds that do not
 * @returns {Promise<Record<K, number>>} median ms of each part
 */
export async function inTurns(parts, { rounds, warm = Math.ceil(rounds / 4) }) {
  const times = Object.fromEntries(Object.keys(parts).map((name) => [name, []]))
  for (let round = -warm; round < rounds; round++) {
    for (const [name, run] of Object.entries(parts)) {
      const started = performance.now()
      const result = run()
      if (result instanceof Promise) await result
      const took = performance.now() - started
      if (round >= 0) times[name].push(took)
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]))
}

/** CPU seconds of a process, all its threads and the children it has waited for. Linux counts them in 1/100 s. */
export function cpuSecondsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number)
  return (user + system + childUser + childSystem) / 100
}

/** CPU seconds of this process (1 us) and of the children it has waited for (1/100 s). */
export function ownCpuSeconds() {
  const { user, system } = process.cpuUsage()
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (user + system) / 1e6 + (Number(fields[13]) + Number(fields[14])) / 100
}

/** `VmRSS`, `Pss` ... of a process in MB (10^6 bytes), from its status or smaps_rollup. */
export function memoryOf(pid, field) {
  const file = field === 'Pss' ? 'smaps_rollup' : 'status'
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))
  return (Number(found?.[1]) * 1024) / 1e6
}

export const isLinux = process.platform === 'linux'

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Random numbers in [0,1) that are the same every time (mulberry32). */
export function seeded(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
