/** A target's past from the database of the service, opened to read only, also while the service writes to it. */
import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { InputError, intervalOf, type TrainingInput } from '../input.ts'

export interface HistorySource {
  readonly file: string
  /** Null = the only one there is. */
  readonly target: string | null
  /** The last days of the history. */
  readonly days: number
  /** Null = the median step of the rows. */
  readonly intervalSeconds: number | null
  /** rows: as they came, kept for a day by default; minutes: their means, kept for a month. Default rows. */
  readonly of?: 'rows' | 'minutes'
  /** Whether what can run out one by one (`filesystem:/var`) is read as well. Default false. */
  readonly resources?: boolean
}

const MAX_ROWS = 1_000_000

/** Table, its columns as they are read here, and what a row's time is later than the one it is stored under, ms. */
const TABLES = {
  rows: { name: 'readings', values: '"values"', late: 0 },
  // The mean of a minute is known at its end.
  minutes: { name: 'readings_minute', values: 'means', late: 60_000 },
} as const

interface Row {
  readonly at: number
  readonly set: number
  /** Little-endian doubles in the order of the signal set, NaN for absent. */
  readonly values: Buffer
}

/** @throws InputError */
export function readHistory(source: HistorySource): TrainingInput {
  const { file } = source
  if (!existsSync(file)) throw new InputError(`${file}: there is no such file`)
  let db: Database.Database | undefined
  try {
    db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 })
    return read(db, source)
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError(`${file}: cannot be read as a history: ${(error as Error).message}`, { cause: error })
  } finally {
    db?.close()
  }
}

function read(db: Database.Database, source: HistorySource): TrainingInput {
  const { file, target, days, intervalSeconds, of = 'rows', resources = false } = source
  const table = TABLES[of]
  const targets = db
    .prepare<[], { id: number; name: string }>('SELECT id, name FROM targets WHERE removed_at IS NULL ORDER BY name')
    .all()
  const names = targets.map((x) => x.name).join(', ')
  if (targets.length === 0) throw new InputError(`${file}: holds no target`)
  if (target === null && targets.length > 1) {
    throw new InputError(`${file}: holds ${targets.length} targets, name one by --target: ${names}`)
  }
  const found = target === null ? targets[0] : targets.find((x) => x.name === target)
  if (found === undefined) throw new InputError(`${file}: holds no target ${target}, but ${names}`)

  const last = db
    .prepare<[number], number | null>(`SELECT max(at) FROM ${table.name} WHERE target_id = ?`)
    .pluck()
    .get(found.id)
  if (last === null || last === undefined) throw new InputError(`${file}: target ${found.name} has no rows`)
  const rows = db
    .prepare<[number, number, number], Row>(
      `SELECT at + ${table.late} AS at, signal_set_id AS "set", ${table.values} AS "values" FROM ${table.name}
       WHERE target_id = ? AND ${table.name}.at > ? ORDER BY ${table.name}.at LIMIT ?`,
    )
    .all(found.id, last - days * 86_400_000, MAX_ROWS + 1)
  if (rows.length > MAX_ROWS)
    throw new InputError(`${file}: more than ${MAX_ROWS} rows in ${days} days: give fewer --days`)

  const namesOf = db.prepare<[number], string>('SELECT names FROM signal_sets WHERE id = ?').pluck()
  const sets = new Map<number, readonly string[]>()
  for (const { set } of rows) if (!sets.has(set)) sets.set(set, JSON.parse(namesOf.get(set) ?? '[]') as string[])
  // A name with a colon is a resource (filesystem:/var) that the history keeps beside the signals.
  const signals = [...new Set([...sets.values()].flat())].filter((name) => resources || !name.includes(':')).sort()
  const column = new Map(signals.map((name, j) => [name, j]))
  const d = signals.length
  const values = new Float64Array(rows.length * d).fill(Number.NaN)
  rows.forEach(({ set, values: blob }, t) => {
    for (const [k, name] of (sets.get(set) as readonly string[]).entries()) {
      const j = column.get(name)
      if (j !== undefined) values[t * d + j] = blob.readDoubleLE(8 * k)
    }
  })
  const at = Float64Array.from(rows, (row) => row.at)
  return {
    source: 'history',
    recording: { name: `${file}, target ${found.name}`, signals, at, values },
    intervalSeconds: intervalOf(at, intervalSeconds, file),
    notes: [],
  }
}
