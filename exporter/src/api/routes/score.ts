import { z } from 'zod'
import type { ScoreTable } from '../deps.ts'
import { ApiError } from '../errors.ts'
import { parse } from '../input.ts'
import { finite } from '../parameters.ts'
import { defineRoute } from '../route.ts'
import { LARGEST, MOST_SIGNALS, readTime, shown, signalName, timestamp } from '../rows.ts'

export const MOST_ROWS = 5000
/** An explanation is as long as its row: fewer of them in one answer. */
const MOST_EXPLAINED = 1000

const cell = z.number().min(-LARGEST).max(LARGEST).nullable()

const body = z.strictObject({
  signals: z.array(signalName).min(1).max(MOST_SIGNALS).describe('Names of the columns'),
  rows: z
    .array(z.array(cell))
    .min(1)
    .max(MOST_ROWS)
    .describe('Oldest first; one value a signal in its unit, null where it is missing'),
  interval_seconds: z.number().positive().max(86_400).optional().describe("Of the rows; must be the bundle's"),
  timestamps: z
    .array(timestamp)
    .min(1)
    .max(MOST_ROWS)
    .optional()
    .describe('One a row, increasing; default: a row every interval'),
  budget: z.number().min(0.0001).max(0.5).optional().describe('Share of rows in alarm; default: of the sensitivity'),
  attributions: z.boolean().optional().describe(`Also explain each row (at most ${MOST_EXPLAINED} rows)`),
})

/** The same but for what there may be tens of thousands of. */
const envelope = body.extend({
  rows: z.array(z.unknown()).min(1).max(MOST_ROWS),
  timestamps: z.array(z.unknown()).max(MOST_ROWS).optional(),
})

const maybe = finite.nullable()

export const score = defineRoute({
  method: 'POST',
  path: '/score',
  // It changes nothing, but the seconds of computing that it may cost are not for anybody who may read.
  scope: 'write',
  summary: 'Scores a table without storing it',
  description:
    'The loaded bundle scores the rows in order, as it would score a new target that sent them; no target is touched and ' +
    'nothing is stored. Every row has exactly one result. Columns that the bundle does not know are listed as ignored: no ' +
    'model sees them, the rules of health do. It needs the right to write, since it costs computing time, and one table is ' +
    'scored at a time: others are answered 429 meanwhile. 503 where no bundle is loaded.',
  errors: [409, 413, 415, 429, 503],
  largeBody: true,
  example: {
    signals: ['cpu_busy', 'memory_used'],
    rows: [
      [0.2, 0.5],
      [0.3, null],
      [0.95, 0.52],
    ],
    attributions: true,
  },
  body,
  readBody: readTable,
  response: z.strictObject({
    version: z.string().describe('Of the bundle'),
    interval_seconds: finite,
    ignored: z.array(z.string()).describe('Columns that the bundle does not know'),
    rows: z.array(
      z.strictObject({
        score: maybe.describe('Peak hold of score_raw, for ranking; null where no model gave a score'),
        score_raw: maybe.describe('The ensemble in calibrated units'),
        anomaly: maybe.describe('0 is usual, 1 is the threshold'),
        threshold: maybe.describe('In the units of score_raw'),
        alarm: z.boolean().nullable(),
        confidence: maybe.describe('How sure it is that the row is anomalous, 0 to 1'),
        health: finite.describe('0 to 100'),
        attribution: z
          .strictObject({ base: finite, output: finite, signals: z.record(z.string(), finite) })
          .optional()
          .describe('base + the sum of signals = output'),
      }),
    ),
  }),
  async handler({ deps, body: table }) {
    const outcome = await deps.score(table)
    if (!outcome.ok) {
      const { reason, message } = outcome
      if (reason === 'interval') throw new ApiError(409, 'interval', message, 'interval_seconds')
      if (reason === 'no_model') throw new ApiError(503, 'no_model', message)
      throw new ApiError(429, 'busy', message, undefined, { 'Retry-After': '1' })
    }
    return {
      version: outcome.version,
      interval_seconds: outcome.intervalSeconds,
      ignored: [...outcome.ignored],
      rows: outcome.rows.map(({ raw, attribution, ...row }) => ({
        ...row,
        score_raw: raw,
        ...(attribution && { attribution: { ...attribution, signals: { ...attribution.signals } } }),
      })),
    }
  },
})

function readTable(json: unknown): ScoreTable {
  const table = parse(envelope, json, 'key') as z.output<typeof envelope>
  const { signals, rows, timestamps, attributions = false } = table
  const repeated = signals.find((name, i) => signals.indexOf(name) !== i)
  if (repeated !== undefined) throw invalid('signals', `the column ${repeated} is there twice`)
  for (let i = 0; i < rows.length; i++) checkRow(rows[i], i, signals.length)
  if (attributions && rows.length > MOST_EXPLAINED) {
    throw invalid('attributions', `at most ${MOST_EXPLAINED} rows are explained in one request, not ${rows.length}`)
  }
  return {
    signals,
    rows: rows as (number | null)[][],
    intervalSeconds: table.interval_seconds ?? null,
    times: timestamps === undefined ? null : readTimes(timestamps, rows.length),
    budget: table.budget ?? null,
    attributions,
  }
}

function checkRow(row: unknown, i: number, width: number): void {
  if (!Array.isArray(row)) throw invalid(`rows[${i}]`, `must be a list, is ${shown(row)}`)
  if (row.length !== width) throw invalid(`rows[${i}]`, `holds ${row.length} values, there are ${width} signals`)
  for (let j = 0; j < width; j++) {
    const value: unknown = row[j]
    if (value === null || (typeof value === 'number' && Math.abs(value) <= LARGEST)) continue
    const message = `must be null or a finite number of at most ${LARGEST} either way, is ${shown(value)}`
    throw invalid(`rows[${i}][${j}]`, message)
  }
}

function readTimes(timestamps: readonly unknown[], rows: number): number[] {
  if (timestamps.length !== rows) {
    throw invalid('timestamps', `there are ${timestamps.length} timestamps for ${rows} rows`)
  }
  let before = Number.NEGATIVE_INFINITY
  return timestamps.map((given, i) => {
    const at = readTime(given)
    if (at === null) throw invalid(`timestamps[${i}]`, `must be Unix seconds or ISO 8601, is ${shown(given)}`)
    if (at <= before) throw invalid(`timestamps[${i}]`, 'must be later than the one before')
    before = at
    return at
  })
}

const invalid = (field: string, message: string) => new ApiError(400, 'invalid', `${field} ${message}`, field)
