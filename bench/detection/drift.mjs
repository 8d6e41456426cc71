/**
 * Drifts put into a real recording: the test rows without the labelled ones; at a random time in their second half 30 % of
 * the signals shift by two training spreads, up or down, and stay there. What `portent score` says in its drift column is
 * held against that.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { driftTrial } from '../../training/dist/measures/index.js'
import { seeded } from '../support/measure.mjs'
import { labelsOf, numbersOf } from './data.mjs'
import { portent } from './portent.mjs'

const SHARE = 0.3
const SPREADS = 2
const DAYS_AFTER = 3

/**
 * @param {{ machine: import('./data.mjs').Machine, work: string, seeds: number }} job
 * @param {import('./portent.mjs').Fit} fit
 */
export function drifted({ machine, work, seeds }, { bundle }) {
  const { folder, interval, rowsPerDay } = machine
  const spreads = spreadsOf(join(folder, 'train.csv'))
  const [header, ...lines] = readFileSync(join(folder, 'test.csv'), 'utf8').trimEnd().split(/\r?\n/)
  const labels = labelsOf(machine)
  const normal = lines.filter((_, i) => !(labels[i] > 0))
  const file = join(work, 'drifted.csv')
  const scores = join(work, 'drifted-scores.csv')
  const trials = []
  for (let seed = 1; seed <= seeds; seed++) {
    const random = seeded(hash(`${machine.name} ${seed}`))
    const latest = normal.length - DAYS_AFTER * rowsPerDay
    const at = Math.floor(normal.length / 2 + random() * Math.max(0, latest - normal.length / 2))
    const shifts = shiftsOf(spreads, random)
    const rows = normal.map((line, i) => (i < at ? line : shifted(line, shifts)))
    writeFileSync(file, `${[header, ...rows].join('\n')}\n`)
    portent('score', '--bundle', bundle, '--data', file, '--interval', interval, '--out', scores)
    trials.push(driftTrial(numbersOf(scores).column('drift'), at, rowsPerDay))
  }
  return { set: machine.set, machine: machine.name, trials }
}

/** What is added to each column: to a random 30 % of those that vary in training, at least one. */
function shiftsOf(spreads, random) {
  const varying = spreads.map((_, j) => j).filter((j) => spreads[j] > 0)
  const order = varying.map((j) => [random(), j]).sort((a, b) => a[0] - b[0])
  const shifts = new Float64Array(spreads.length)
  for (const [, j] of order.slice(0, Math.max(1, Math.round(SHARE * varying.length)))) {
    shifts[j] = SPREADS * spreads[j] * (random() < 0.5 ? -1 : 1)
  }
  return shifts
}

function shifted(line, shifts) {
  return line
    .split(',')
    .map((cell, j) => (shifts[j] === 0 ? cell : Number((Number(cell) + shifts[j]).toPrecision(9))))
    .join(',')
}

/** Standard deviation of each column. */
function spreadsOf(file) {
  const { columns, column } = numbersOf(file)
  return columns.map((name) => {
    const x = column(name)
    const mean = x.reduce((a, b) => a + b, 0) / x.length
    return Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length)
  })
}

function hash(text) {
  let h = 0x811c9dc5
  for (const c of text) h = Math.imul(h ^ c.charCodeAt(0), 0x01000193)
  return h >>> 0
}
