/**
 * Tables of signals as CSV: a header line that names the columns, one row a line, an optional column `timestamp`.
 *
 * Strict: what cannot be read is an error that names line and column, never a guess. A cell that is empty or NaN is a
 * missing value. Cells may be quoted as in RFC 4180, but hold no line break; lines end in LF or CRLF; a byte order mark
 * is skipped.
 *
 * A timestamp is seconds since 1970 or of any other origin (milliseconds from 1e11 on), or a date and time of ISO 8601,
 * taken as UTC where it names no zone.
 */

export class CsvError extends Error {
  /** From 1; the header is line 1. Null where the whole file is at fault. */
  readonly line: number | null
  readonly column: string | null

  constructor(message: string, line: number | null = null, column: string | null = null) {
    const place = [...(line === null ? [] : [`line ${line}`]), ...(column === null ? [] : [`column ${column}`])]
    super(place.length === 0 ? message : `${place.join(', ')}: ${message}`)
    this.name = 'CsvError'
    this.line = line
    this.column = column
  }
}

export const TIMESTAMP = 'timestamp'
/** What a simulator or a person says of a row; never a signal. */
export const LABEL_COLUMNS: readonly string[] = ['fault', 'failed', 'label']

export interface CsvTable {
  /** Columns that were read as numbers, in the order of the file. */
  readonly columns: readonly string[]
  /** Columns that were left out, their cells unread. */
  readonly ignored: readonly string[]
  readonly rows: number
  /** [rows, columns] row by row; NaN = missing. */
  readonly values: Float64Array
  /** Unix ms of each row, increasing; null where the file has no column `timestamp`. */
  readonly at: Float64Array | null
  /** The cells of `timestamp` as they stand in the file. */
  readonly stamps: readonly string[] | null
}

export interface CsvOptions {
  /** Which columns hold numbers. Default: all but `timestamp` and the labels. */
  readonly isSignal?: (column: string) => boolean
}

/** @throws CsvError */
export function parseCsv(text: string, { isSignal = isNoLabel }: CsvOptions = {}): CsvTable {
  const lines = new Lines(text.charCodeAt(0) === 0xfeff ? 1 : 0, text)
  const first = lines.next()
  if (first === null) throw new CsvError('the file is empty')
  const header = headerOf(first)
  const isColumn = header.map((name) => name !== TIMESTAMP && isSignal(name))
  const columns = header.filter((_, k) => isColumn[k])
  const ignored = header.filter((name, k) => name !== TIMESTAMP && !isColumn[k])
  const time = header.indexOf(TIMESTAMP)

  const values = new Numbers()
  const at = new Numbers()
  const stamps: string[] = []
  let rows = 0
  for (let line = lines.next(); line !== null; line = lines.next()) {
    const cells = cellsOf(line, lines.number)
    if (cells.length !== header.length) {
      const found = line.trim() === '' ? 'an empty line' : `${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}`
      throw new CsvError(`${found}, the header names ${header.length}`, lines.number)
    }
    if (time >= 0) {
      const stamp = (cells[time] as string).trim()
      const now = instantOf(stamp, lines.number)
      if (rows > 0) expectLater(now, at.last, stamp, stamps[rows - 1] as string, lines.number)
      at.push(now)
      stamps.push(stamp)
    }
    for (let k = 0; k < cells.length; k++) {
      if (isColumn[k]) values.push(numberOf(cells[k] as string, lines.number, header[k] as string))
    }
    rows++
  }
  if (rows === 0) throw new CsvError('no rows after the header')
  return {
    columns,
    ignored,
    rows,
    values: values.take(),
    at: time >= 0 ? at.take() : null,
    stamps: time >= 0 ? stamps : null,
  }
}

function isNoLabel(column: string): boolean {
  return !LABEL_COLUMNS.includes(column)
}

function headerOf(line: string): string[] {
  const header = cellsOf(line, 1).map((cell) => cell.trim())
  if (header.every((name) => NUMBER.test(name))) {
    throw new CsvError('the first line must name the columns, found numbers', 1)
  }
  header.forEach((name, k) => {
    if (name === '') throw new CsvError(`column ${k + 1} has no name`, 1)
    if (header.indexOf(name) !== k) throw new CsvError('named twice in the header', 1, name)
  })
  return header
}

/** Lines of a text without their ends; the end of the last line makes no further one, and empty lines at the end none. */
class Lines {
  number = 0
  readonly #text: string
  readonly #end: number
  #from: number

  constructor(from: number, text: string) {
    this.#text = text
    this.#from = from
    let end = text.length
    while (end > from && (text.charCodeAt(end - 1) === 10 || text.charCodeAt(end - 1) === 13)) end--
    this.#end = end
  }

  next(): string | null {
    if (this.#from >= this.#end) return null
    const found = this.#text.indexOf('\n', this.#from)
    const to = found < 0 || found > this.#end ? this.#end : found
    const line = this.#text.slice(this.#from, this.#text.charCodeAt(to - 1) === 13 ? to - 1 : to)
    this.#from = to + 1
    this.number++
    return line
  }
}

const QUOTED = /\s*"((?:[^"]|"")*)"\s*(,|$)|([^",]*)(,|$)/y

function cellsOf(line: string, number: number): string[] {
  if (!line.includes('"')) return line.split(',')
  const cells: string[] = []
  QUOTED.lastIndex = 0
  for (;;) {
    const match = QUOTED.exec(line)
    if (match === null)
      throw new CsvError(`cell ${cells.length + 1}: a quote that is not closed, or not doubled`, number)
    cells.push(match[1] === undefined ? (match[3] as string) : match[1].replaceAll('""', '"'))
    if ((match[2] ?? match[4]) === '') return cells
  }
}

const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i

function numberOf(cell: string, line: number, column: string): number {
  if (cell === '') return Number.NaN
  if (NUMBER.test(cell)) {
    const value = Number(cell)
    if (Number.isFinite(value)) return value
    throw new CsvError(`${shown(cell)} is too large for a number`, line, column)
  }
  if (/^\s*(nan)?\s*$/i.test(cell)) return Number.NaN
  throw new CsvError(`expected a number, found ${shown(cell)}`, line, column)
}

const MILLISECONDS_FROM = 1e11
const ISO = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/

function instantOf(cell: string, line: number): number {
  if (NUMBER.test(cell)) {
    const value = Number(cell)
    if (Number.isFinite(value)) return Math.abs(value) >= MILLISECONDS_FROM ? value : value * 1000
  }
  const iso = ISO.exec(cell)
  if (iso !== null) {
    const text = cell.replace(' ', 'T')
    const at = Date.parse(iso[1] === undefined && text.includes('T') ? `${text}Z` : text)
    if (Number.isFinite(at)) return at
  }
  throw new CsvError(`expected seconds or a date and time, found ${shown(cell)}`, line, TIMESTAMP)
}

function expectLater(now: number, before: number, stamp: string, earlier: string, line: number): void {
  if (now > before) return
  const what = now === before ? `${stamp} repeats the row before` : `${stamp} comes after ${earlier}`
  throw new CsvError(`${what}: times must increase from row to row`, line, TIMESTAMP)
}

function shown(cell: string): string {
  return cell === '' ? 'nothing' : JSON.stringify(cell.length > 40 ? `${cell.slice(0, 37)}...` : cell)
}

/** A list of doubles that grows. */
class Numbers {
  #data = new Float64Array(1024)
  #length = 0

  get last(): number {
    return this.#data[this.#length - 1] as number
  }

  push(x: number): void {
    if (this.#length === this.#data.length) {
      const grown = new Float64Array(this.#data.length * 2)
      grown.set(this.#data)
      this.#data = grown
    }
    this.#data[this.#length++] = x
  }

  take(): Float64Array {
    return this.#data.slice(0, this.#length)
  }
}
