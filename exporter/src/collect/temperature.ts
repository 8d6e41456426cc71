import { readdir, readFile } from 'node:fs/promises'
import { type Collector, NO_DATA, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'

const MOST_SENSORS = 64
/** Sensors are looked for this often; in between only their values are read. */
const SEARCH_MS = 10 * 60_000
/** Unplugged or broken sensors show 0, negative or absurd values. */
const SANE = { above: 0, below: 150 }

/**
 * temperature: the highest sane sensor of /sys/class/thermal and /sys/class/hwmon, every ten seconds.
 * Read without blocking, one after another: a sensor may have to ask slow hardware.
 */
export function temperature({ files, clock }: LinuxContext): Collector {
  let sensors: string[] = []
  let searchAt = Number.NEGATIVE_INFINITY
  return {
    name: 'temperature',
    everySeconds: 10,
    async collect(signal): Promise<Reading> {
      if (clock.monotonic() >= searchAt) {
        sensors = await findSensors(files.sysPath('class'))
        searchAt = clock.monotonic() + SEARCH_MS
      }
      let highest = Number.NEGATIVE_INFINITY
      for (const path of sensors) {
        if (signal.aborted) return NO_DATA
        const celsius = Number.parseFloat(await readFile(path, 'latin1').catch(() => '')) / 1000
        if (celsius > SANE.above && celsius < SANE.below) highest = Math.max(highest, celsius)
      }
      return Number.isFinite(highest) ? { values: { temperature: highest } } : NO_DATA
    },
  }
}

async function findSensors(root: string): Promise<string[]> {
  const list = (path: string) => readdir(path).catch(() => [])
  const sensors: string[] = []
  for (const zone of await list(`${root}/thermal`)) {
    if (zone.startsWith('thermal_zone')) sensors.push(`${root}/thermal/${zone}/temp`)
  }
  for (const chip of await list(`${root}/hwmon`)) {
    for (const name of await list(`${root}/hwmon/${chip}`)) {
      if (name.startsWith('temp') && name.endsWith('_input')) sensors.push(`${root}/hwmon/${chip}/${name}`)
    }
  }
  return sensors.slice(0, MOST_SENSORS)
}
