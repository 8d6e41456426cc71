import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'
import type { KernelFiles, LinuxContext } from './kernel_files.ts'
import { namedLines } from './parse.ts'
import { Counters, type Deltas } from './rates.ts'

/**
 * network_receive, network_transmit and network_errors (errors and drops of both directions) from /proc/net/dev.
 *
 * Physical interfaces only (those with a device in /sys/class/net): a packet through a bridge, a bond or a veth pair would
 * count several times. Where there is none, as in a container, all but the loopback count.
 */
export function network({ files, clock }: LinuxContext): Collector {
  const counters = new Counters()
  let listed = ''
  let physical = new Set<string>()
  return {
    name: 'network',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const text = files.proc('net/dev')
      if (text === undefined) return NO_DATA
      const interfaces = interfaceCounters(text)
      const names = [...interfaces.keys()].join(' ')
      if (names !== listed) {
        listed = names
        physical = countedInterfaces(files, [...interfaces.keys()])
      }
      const counted = [...interfaces].filter(([name]) => physical.has(name))
      const deltas = counters.update(clock.monotonic(), counted)
      if (deltas === undefined) return NO_DATA
      return { values: deltas.resets > 0 ? {} : networkSignals(deltas), resets: deltas.resets }
    },
  }
}

export function networkSignals({ increases, seconds }: Deltas): Record<string, number> {
  if (increases.size === 0) return {}
  let received = 0
  let transmitted = 0
  let errors = 0
  for (const [rx = 0, tx = 0, bad = 0] of increases.values()) {
    received += rx
    transmitted += tx
    errors += bad
  }
  return {
    network_receive: received / seconds,
    network_transmit: transmitted / seconds,
    network_errors: errors / seconds,
  }
}

/** Interface -> [bytes received, bytes sent, errors and drops]. */
export function interfaceCounters(netDev: string): Map<string, number[]> {
  const interfaces = new Map<string, number[]>()
  for (const [name, n] of namedLines(netDev)) {
    // Receive: bytes packets errs drop fifo frame compressed multicast; transmit: bytes packets errs drop ...
    const [rx, , rxErrors, rxDrops, , , , , tx, , txErrors, txDrops] = n
    const errors = [rxErrors, rxDrops, txErrors, txDrops].reduce<number>((a, b) => a + (b ?? Number.NaN), 0)
    interfaces.set(name, [rx ?? Number.NaN, tx ?? Number.NaN, errors])
  }
  return interfaces
}

function countedInterfaces(files: KernelFiles, names: readonly string[]): Set<string> {
  const physical = names.filter((name) => files.sysExists(`class/net/${name}/device`))
  return new Set(physical.length > 0 ? physical : names.filter((name) => name !== 'lo'))
}
