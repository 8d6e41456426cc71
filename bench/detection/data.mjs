/** The machines of a folder with `SMD/`, `ASD/` and `NAB/` in it, laid out as their publishers do. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseCsv } from '../../core/dist/index.js'
import { eventsOf } from '../../training/dist/measures/index.js'

/** Seconds a row. */
const INTERVALS = { SMD: 60, ASD: 300 }
export const SETS = Object.keys(INTERVALS)
const DAY = 86_400

/**
 * @typedef {{ set: string, name: string, folder: string, interval: number, rowsPerDay: number }} Machine
 * @typedef {{ name: string, file: string }} Series
 */

/** What to look for: names of sets, machines, or series of NAB. Empty: everything. */
const chosen = (only, ...names) => only.length === 0 || names.some((name) => only.includes(name))

/** @returns {Machine[]} machines of SMD and ASD */
export function machinesOf(data, only) {
  return SETS.flatMap((set) =>
    foldersOf(join(data, set))
      .filter((name) => existsSync(join(data, set, name, 'test_label.csv')) && chosen(only, set, name))
      .map((name) => {
        const interval = INTERVALS[set]
        return { set, name, folder: join(data, set, name), interval, rowsPerDay: DAY / interval }
      }),
  )
}

/** @returns {{ series: Series[], windows: Record<string, [string, string][]> }} */
export function nabOf(data, only) {
  const folder = join(data, 'NAB')
  const labels = join(folder, 'combined_windows.json')
  if (!existsSync(labels)) return { series: [], windows: {} }
  const windows = JSON.parse(readFileSync(labels, 'utf8'))
  const series = Object.keys(windows)
    .map((name) => ({ name, file: join(folder, name) }))
    .filter(({ name, file }) => existsSync(file) && chosen(only, 'NAB', name, name.split('/')[0]))
  return { series, windows }
}

/** Every column that is a number; cells that are empty become NaN. */
export function numbersOf(file) {
  const table = parseCsv(readFileSync(file, 'utf8'), { isSignal: () => true })
  const k = table.columns.length
  const column = (name) => {
    const j = table.columns.indexOf(name)
    if (j < 0) throw new Error(`${file} has no column ${name}`)
    return Float64Array.from({ length: table.rows }, (_, i) => table.values[i * k + j])
  }
  return { ...table, column }
}

/** @param {Machine} machine */
export function labelsOf({ folder }) {
  const table = numbersOf(join(folder, 'test_label.csv'))
  return table.column(table.columns[0])
}

/**
 * The signals at fault, from lines `start-end:1,2,7`: rows from 0, signals from 1. SMD gives the row after the last one
 * as the end, ASD the last one; an end that is not labelled tells which. Where the file is missing: none.
 * @param {Machine} machine
 * @returns {import('../../training/dist/measures/index.js').LabelledEvent[]}
 */
export function interpretationOf({ folder }, labels) {
  const file = join(folder, 'interpretation_label.txt')
  if (!existsSync(file)) return []
  const events = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [range, signals] = line.trim().split(':')
      const [start, end] = range.split('-').map(Number)
      return { start, end, signals: signals.split(',').map((x) => Number(x) - 1) }
    })
  const isExclusive = events.some(({ end }) => !(labels[end] > 0))
  return events.map(({ start, end, signals }) => ({ start, end: isExclusive ? end - 1 : end, signals }))
}

/**
 * Windows of a NAB file as rows. Its own timestamps name them, so they are found by text.
 * @param {readonly string[]} stamps
 */
export function windowRows(windows, stamps) {
  return windows.map(([from, to]) => {
    const rows = [from, to].map((stamp) => stamps.indexOf(stamp.slice(0, 19)))
    if (rows.includes(-1)) throw new Error(`no row at ${from} or ${to}`)
    return { start: rows[0], end: rows[1] }
  })
}

/** Rows, events, days: what a table says of a machine. */
export function sizeOf(labels, rowsPerDay) {
  return { rows: labels.length, events: eventsOf(labels).length, days: labels.length / rowsPerDay }
}

function foldersOf(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => statSync(join(folder, name)).isDirectory())
    .sort(new Intl.Collator('en', { numeric: true }).compare)
}
