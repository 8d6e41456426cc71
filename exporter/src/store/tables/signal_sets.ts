import type { Database } from 'better-sqlite3'

export const SIGNAL_SETS = `
CREATE TABLE signal_sets (
  id INTEGER PRIMARY KEY,
  names TEXT NOT NULL UNIQUE
) STRICT;
`

/** The column order of a values blob: names sorted, so that the same signals are one set in whatever order they come. */
export interface SignalSet {
  readonly id: number
  readonly names: readonly string[]
  readonly index: ReadonlyMap<string, number>
}

/** A target that keeps inventing names gets sets of its own rows' names instead of an ever longer union. */
const LONGEST_UNION = 1024
/** Sets kept in memory. */
const CACHED = 10_000

export function signalSetsTable(db: Database) {
  const byNames = db.prepare<[string], number>('SELECT id FROM signal_sets WHERE names = ?').pluck()
  const byId = db.prepare<[number], string>('SELECT names FROM signal_sets WHERE id = ?').pluck()
  const insert = db.prepare<[string]>('INSERT INTO signal_sets (names) VALUES (?)')
  const cache = new Map<number, SignalSet>()
  const known = new Map<string, SignalSet>()

  function keep(id: number, names: readonly string[], json: string): SignalSet {
    if (cache.size >= CACHED) clear()
    const set = { id, names, index: new Map(names.map((name, i) => [name, i])) }
    cache.set(id, set)
    known.set(json, set)
    return set
  }

  function clear(): void {
    cache.clear()
    known.clear()
  }

  /** The set of exactly these names. */
  function of(names: Iterable<string>): SignalSet {
    const sorted = [...new Set(names)].sort()
    const json = JSON.stringify(sorted)
    return known.get(json) ?? keep(byNames.get(json) ?? Number(insert.run(json).lastInsertRowid), sorted, json)
  }

  function get(id: number): SignalSet {
    const cached = cache.get(id)
    if (cached) return cached
    const json = byId.get(id) ?? '[]'
    return keep(id, JSON.parse(json) as string[], json)
  }

  /** A set that holds all of the names: `current` if it does, else its union with them. Few sets serve a target so. */
  function cover(current: SignalSet | undefined, names: readonly string[]): SignalSet {
    if (!current) return of(names)
    if (names.every((name) => current.index.has(name))) return current
    const union = of([...current.names, ...names])
    return union.names.length > LONGEST_UNION ? of(names) : union
  }

  /** `clear` forgets what a rolled back transaction may have inserted. */
  return { of, get, cover, clear }
}

export type SignalSets = ReturnType<typeof signalSetsTable>
