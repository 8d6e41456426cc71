/** The rows of one host from a CSV file, to train on. */
import { readFileSync } from 'node:fs'
import { CsvError, type CsvTable, LABEL_COLUMNS, parseCsv, TIMESTAMP } from '@portent/core'
import { InputError, intervalOf, type TrainingInput } from './input.ts'

export interface CsvSource {
  readonly file: string
  /** Seconds a row; null = the median step of the timestamps, 60 without timestamps. */
  readonly intervalSeconds: number | null
  /** Columns to leave out. */
  readonly ignore?: readonly string[]
}

/** @throws InputError that names file, line and column */
export function readTrainingCsv({ file, intervalSeconds, ignore = [] }: CsvSource): TrainingInput {
  const text = readText(file)
  const table = calm(parse(text, file, ignore), text)
  const { columns, ignored, rows, values, stamps } = table
  if (columns.length === 0) throw new InputError(`${file}: line 1: no column of numbers beside ${TIMESTAMP}`)
  const unknown = ignore.find((name) => !ignored.includes(name))
  if (unknown !== undefined) throw new InputError(`${file}: line 1: there is no column ${unknown} to leave out`)
  const notes = ignored.map((name) => `column ${name} was left out`)
  if (table.faulty > 0) notes.push(`${table.faulty} rows labelled as faulty were left out`)
  if (table.at === null || stamps === null) {
    const interval = intervalSeconds ?? 60
    notes.unshift(`no column ${TIMESTAMP}: rows are taken as ${interval} s apart`)
    const at = Float64Array.from({ length: rows }, (_, t) => t * interval * 1000)
    const recording = { name: file, signals: columns, at, values }
    return { source: 'CSV', recording, intervalSeconds: interval, notes }
  }
  const interval = intervalOf(table.at, intervalSeconds, file)
  notes.unshift(`${TIMESTAMP} was read as ${kindOf(stamps[0] as string)}, rows are ${interval} s apart`)
  const recording = { name: file, signals: columns, at: table.at, values }
  return { source: 'CSV', recording, intervalSeconds: interval, notes }
}

/** The table without the rows that a label calls faulty: what a model learns as normal must be. */
function calm(table: CsvTable, text: string): CsvTable & { readonly faulty: number } {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
  const header = (lines[0] ?? '').split(',').map((name) => name.trim())
  const labels = header.flatMap((name, i) => (LABEL_COLUMNS.includes(name) ? [i] : []))
  // Quoted cells may hold commas: such a file keeps all of its rows.
  if (labels.length === 0 || text.includes('"') || lines.length !== table.rows + 1) return { ...table, faulty: 0 }
  const kept: number[] = []
  for (let t = 0; t < table.rows; t++) {
    const cells = (lines[t + 1] as string).split(',')
    if (labels.every((i) => ['', '0'].includes((cells[i] ?? '').trim()))) kept.push(t)
  }
  const d = table.columns.length
  const values = new Float64Array(kept.length * d)
  kept.forEach((t, i) => {
    values.set(table.values.subarray(t * d, (t + 1) * d), i * d)
  })
  return {
    ...table,
    rows: kept.length,
    values,
    at: table.at && Float64Array.from(kept, (t) => (table.at as Float64Array)[t] as number),
    stamps: table.stamps && kept.map((t) => (table.stamps as readonly string[])[t] as string),
    faulty: table.rows - kept.length,
  }
}

function readText(file: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new InputError(`${file}: cannot be read: ${(error as Error).message}`, { cause: error })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new InputError(`${file}: is not UTF-8 text`, { cause: error })
  }
}

function parse(text: string, file: string, ignore: readonly string[]): CsvTable {
  try {
    return parseCsv(text, { isSignal: (column) => !LABEL_COLUMNS.includes(column) && !ignore.includes(column) })
  } catch (error) {
    if (error instanceof CsvError) throw new InputError(`${file}: ${error.message}`, { cause: error })
    throw error
  }
}

function kindOf(stamp: string): string {
  if (!/^[\s\d.+-]+$/.test(stamp) || /\d-\d/.test(stamp)) return 'ISO 8601'
  return Math.abs(Number(stamp)) >= 1e11 ? 'milliseconds' : 'seconds'
}
