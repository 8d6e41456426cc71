/** For tests: recordings made of waves and noise, with holes, and a bundle whose centre is frozen. */
import { HOST_SIGNALS } from '@portent/core'
import { copyBundle, editManifest, sign } from '../bundle/testing.ts'

/** The shipped bundle with the training mean as the centre. */
export function frozenBundle(folder: string): string {
  copyBundle(folder)
  editManifest(folder, (manifest) => {
    manifest.center = { mode: 'frozen' }
  })
  sign(folder)
  return folder
}

/** Values of each row, the same every time. Some signals are absent, some appear late, some have holes. */
export function recording(rows: number): Record<string, number>[] {
  let seed = 1
  const uniform = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return seed / 0x7fffffff
  }
  return Array.from({ length: rows }, (_, i) => {
    const values: Record<string, number> = {}
    HOST_SIGNALS.forEach(({ name, unit }, j) => {
      const wave = 0.3 + 0.2 * Math.sin(i / (20 + j)) + 0.1 * uniform() + (i % 331 > 320 ? 0.4 : 0)
      const scale = unit === 'ratio' ? 1 : unit === 'seconds' ? 0.01 : unit === 'celsius' ? 100 : 1000
      const isMissing = j === 3 || (j === 4 && i < 50) || (j > 4 && i % (97 + j) > 90 + j) || (i > 400 && i < 406)
      if (!isMissing) values[name] = wave * scale
    })
    return values
  })
}

/** As CSV, with every signal as a column; `stamp` gives the time of a row, or there is no such column. */
export function csvOf(rows: readonly Record<string, number>[], stamp?: (i: number) => string | number): string {
  const names = HOST_SIGNALS.map((s) => s.name)
  const lines = rows.map((row, i) => [...(stamp ? [stamp(i)] : []), ...names.map((name) => row[name] ?? '')].join(','))
  return `${[...(stamp ? ['timestamp'] : []), ...names].join(',')}\n${lines.join('\n')}\n`
}
