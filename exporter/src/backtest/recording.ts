/** The history that is replayed: a table with the times of its rows, cut where it is to be cut. */
import { type CsvTable, HOST_SIGNAL_KINDS, type KindOrOther } from '@portent/core'
import { hostPlan, type OutlookPlan } from '../outlook/plan.ts'
import { planOf } from '../replay/outlook.ts'
import type { RecordedSignals } from '../replay/signals-file.ts'

/** What a share of 1 is. */
export interface Whole {
  readonly amount: number
  readonly unit: string
}

export interface Recording {
  /** Where it comes from, for a reader. */
  readonly name: string
  readonly table: CsvTable
  /** Unix ms of its rows. */
  readonly at: Float64Array
  readonly signals: RecordedSignals
  /** By column. */
  readonly wholes: Readonly<Record<string, Whole>>
}

/** Times by the place of a row where the table has none. */
export const timesOf = ({ at, rows }: CsvTable, intervalSeconds: number): Float64Array =>
  at ?? Float64Array.from({ length: rows }, (_, i) => i * intervalSeconds * 1000)

/** Rows [from, to). */
export function cut(recording: Recording, from: number, to: number): Recording {
  const { table } = recording
  const width = table.columns.length
  const at = recording.at.subarray(from, to)
  return {
    ...recording,
    at,
    table: {
      ...table,
      rows: at.length,
      values: table.values.subarray(from * width, to * width),
      at,
      stamps: null,
    },
  }
}

/** The first row that is not before a time, Unix ms. */
export function firstRowAt(at: Float64Array, ms: number): number {
  const found = at.findIndex((x) => x >= ms)
  return found < 0 ? at.length : found
}

/** Columns that a model can have as signals; what can run out one by one (`filesystem:/var`) is none. */
export const learnable = (column: string): boolean => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(column)

/** As the training program reads it. */
export function* trainingCsv({ table, at }: Recording): Generator<string> {
  const { columns, values } = table
  const chosen = columns.flatMap((name, k) => (learnable(name) ? [k] : []))
  yield `${['timestamp', ...chosen.map((k) => columns[k])].join(',')}\n`
  for (let i = 0; i < table.rows; i++) {
    const cells = chosen.map((k) => values[i * columns.length + k] as number)
    yield `${[(at[i] as number) / 1000, ...cells.map((x) => (Number.isFinite(x) ? x : ''))].join(',')}\n`
  }
}

/** `memory_used` -> `memory`, as the service names what a signal stands for. */
export function resourceOf(column: string): string {
  return HOST_SIGNAL_KINDS[column] === undefined
    ? column
    : (hostPlan().depleting({ [column]: 0 }, [])[0]?.resource ?? column)
}

const WHOLES = ['bytes', 'inodes', 'handles'] as const

/** The plan of the recording, its resources named and measured as the service would. */
export function recordedPlan({ signals, wholes }: Recording): OutlookPlan {
  const plan = planOf(signals)
  return {
    ...plan,
    depleting: (values, resources) =>
      plan.depleting(values, resources).map((one) => {
        const whole = wholes[one.resource]
        const unit = WHOLES.find((x) => x === whole?.unit)
        const measured = whole === undefined || unit === undefined ? {} : { whole: { amount: whole.amount, unit } }
        return { ...one, ...measured, resource: resourceOf(one.resource) }
      }),
  }
}

/** Which of the usual rules are made for a resource of a kind. */
export const groupOfKind = (kind: KindOrOther): string =>
  kind === 'disk_used_ratio' ? 'filesystem' : kind === 'inodes_used_ratio' ? 'inodes' : kind
