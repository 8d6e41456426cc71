import { type Collector, RATE_SECONDS, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { numberAfter, share } from './parse.ts'
import { Counters } from './rates.ts'

/**
 * tcp_retransmit: retransmitted share of the segments sent, from /proc/net/snmp; 0 where nothing was sent.
 * tcp_connections: sockets in use of /proc/net/sockstat and sockstat6 (listening ones included).
 */
export function tcp({ files, clock }: LinuxContext): Collector {
  const counters = new Counters()
  return {
    name: 'tcp',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      const values: Record<string, number> = {}
      const deltas = counters.update(clock.monotonic(), [['segments', segments(files.proc('net/snmp') ?? '')]])
      const [out, again] = deltas?.increases.get('segments') ?? []
      if (out !== undefined && again !== undefined) values.tcp_retransmit = retransmitted(out, again)
      const four = numberAfter(files.proc('net/sockstat') ?? '', 'TCP: inuse ')
      const six = numberAfter(files.proc('net/sockstat6') ?? '', 'TCP6: inuse ')
      if (four !== undefined || six !== undefined) values.tcp_connections = (four ?? 0) + (six ?? 0)
      return { values, resets: deltas?.resets ?? 0 }
    },
  }
}

export function retransmitted(out: number, again: number): number {
  if (again === 0) return 0
  return out === 0 ? 1 : share(again / out)
}

/** [OutSegs, RetransSegs]; found by the names in the line above, empty where they are missing. */
export function segments(snmp: string): number[] {
  const at = snmp.indexOf('Tcp: ')
  const [names, values] =
    at < 0
      ? []
      : snmp
          .slice(at)
          .split('\n', 2)
          .map((line) => line.split(' '))
  const of = (name: string) => Number.parseInt(values?.[names?.indexOf(name) ?? -1] ?? '', 10)
  return [of('OutSegs'), of('RetransSegs')]
}
