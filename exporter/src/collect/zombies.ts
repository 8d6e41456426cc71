import { type Collector, NO_DATA, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'

/** A host with more processes is not scanned: a partial count would be a wrong one. */
const MOST_PROCESSES = 5000
/** Files read in one piece; the event loop runs in between (100 take about 1 ms). */
const PIECE = 100
const CLOSING_BRACKET = 41
const Z = 90

/** processes_zombie: processes in state Z, from a scan of /proc/PID/stat every ten seconds. */
export function zombies({ files }: LinuxContext): Collector {
  return {
    name: 'zombies',
    everySeconds: 10,
    async collect(signal): Promise<Reading> {
      const processes = files.procNames().filter(isNumber)
      if (processes.length === 0 || processes.length > MOST_PROCESSES) return NO_DATA
      let count = 0
      for (let i = 0; i < processes.length; i++) {
        if (i % PIECE === PIECE - 1) {
          await new Promise((resolve) => setImmediate(resolve))
          if (signal.aborted) return NO_DATA
        }
        const stat = files.procOnce(`${processes[i]}/stat`)
        // pid (command) state ...: the command may hold brackets and blanks itself.
        if (stat !== undefined && stat[stat.lastIndexOf(CLOSING_BRACKET) + 2] === Z) count++
      }
      return { values: { processes_zombie: count } }
    },
  }
}

function isNumber(name: string): boolean {
  const code = name.charCodeAt(0)
  return code >= 48 && code <= 57
}
