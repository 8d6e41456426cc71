/** Recordings of real hosts: gzipped CSV, `timestamp` (Unix seconds) and one column a signal, an empty cell = absent. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Recording } from './recording.ts'

/** @throws Error naming file and line */
export function readRecording(file: string, name: string): Recording {
  const [header, ...lines] = readText(file).trimEnd().split(/\r?\n/)
  const [first, ...signals] = (header ?? '').split(',')
  if (first !== 'timestamp' || signals.length === 0) throw new Error(`${file}:1: the header starts with ${first}`)
  const at = new Float64Array(lines.length)
  const values = new Float64Array(lines.length * signals.length)
  lines.forEach((line, t) => {
    const cells = line.split(',')
    if (cells.length !== signals.length + 1) {
      throw new Error(`${file}:${t + 2}: ${cells.length} cells under ${signals.length + 1} headings`)
    }
    cells.forEach((cell, c) => {
      const value = cell === '' ? Number.NaN : Number(cell)
      if (cell !== '' && !Number.isFinite(value)) throw new Error(`${file}:${t + 2}: ${cell} is not a number`)
      if (c === 0) {
        at[t] = value * 1000
        if (t === 0 ? cell === '' : !(value * 1000 > (at[t - 1] as number))) {
          throw new Error(`${file}:${t + 2}: the timestamp ${cell} is not after the one before`)
        }
      } else values[t * signals.length + c - 1] = value
    })
  })
  return { name, signals, at, values }
}

function readText(file: string): string {
  try {
    return gunzipSync(readFileSync(file)).toString('utf8')
  } catch (error) {
    throw new Error(`${file}: cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** All the recordings of a folder whose names begin with `prefix`, in the order of their names. */
export function readRecordings(folder: string, prefix: string): Recording[] {
  return readdirSync(folder)
    .filter((file) => file.startsWith(prefix) && file.endsWith('.csv.gz'))
    .sort()
    .map((file) => readRecording(join(folder, file), file.replace('.csv.gz', '')))
}
