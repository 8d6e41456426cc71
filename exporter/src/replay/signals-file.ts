/** What the columns of a recording mean: the file that `portent forecast --signals` reads. */
import { KIND_SPECS, type KindOrOther, type Limit, SIGNAL_KINDS, type SignalKind } from '@portent/core'
import { z } from 'zod'

/** Unit of a column -> factor to the unit of its kind (seconds, bytes per second). */
const UNITS: Readonly<Record<string, number>> = {
  ratio: 1,
  percent: 0.01,
  seconds: 1,
  milliseconds: 1e-3,
  megabits_per_second: 125_000,
  bytes_per_second: 1,
  per_second: 1,
  bytes: 1,
  count: 1,
  celsius: 1,
  none: 1,
}

const schema = z.strictObject({
  interval_seconds: z.number().positive().max(86_400),
  signals: z
    .record(
      z.string().min(1),
      z.strictObject({
        kind: z.string().min(1),
        unit: z.enum(Object.keys(UNITS) as [string, ...string[]]),
        capacity: z.number().nullish(),
        direction: z.enum(['up', 'down']).default('up'),
      }),
    )
    .refine((signals) => Object.keys(signals).length > 0, 'at least one signal'),
})

export interface RecordedSignal {
  readonly name: string
  readonly kind: KindOrOther
  /** Factor from the column's unit to that of its kind. */
  readonly scale: number
  /** Bounds and limit in the column's own unit. */
  readonly floor: number
  readonly ceiling: number
  /** Null where nothing of it runs out. */
  readonly limit: Limit | null
}

export interface RecordedSignals {
  readonly intervalSeconds: number
  readonly signals: readonly RecordedSignal[]
  /** What is strange, and what is done about it. */
  readonly warnings: readonly string[]
}

/** @throws Error that says what is wrong where */
export function readSignals(text: string): RecordedSignals {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`is not JSON: ${(error as Error).message}`, { cause: error })
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'file'}: ${message}`)
    throw new Error(faults.slice(0, 5).join('; '))
  }
  const warnings: string[] = []
  const signals = Object.entries(parsed.data.signals).map(([name, { kind: given, unit, capacity, direction }]) => {
    const kind: KindOrOther = (SIGNAL_KINDS as readonly string[]).includes(given) ? (given as SignalKind) : 'other'
    if (kind === 'other' && !['other', 'gauge', 'none'].includes(given)) {
      warnings.push(`${name}: kind ${given} is not known: a plain signal`)
    }
    const scale = UNITS[unit] as number
    const { floor, ceiling, exhaustible } = KIND_SPECS[kind]
    const limited = exhaustible && capacity !== null && capacity !== undefined
    return {
      name,
      kind,
      scale,
      floor: floor / scale,
      ceiling: ceiling / scale,
      limit: limited ? { capacity, direction } : null,
    }
  })
  for (const { name, kind, limit } of signals) {
    if (limit === null && kind !== 'other' && KIND_SPECS[kind].exhaustible) {
      warnings.push(`${name}: no capacity is given: no time to exhaustion`)
    }
    if (limit !== null && limit.direction === 'up' && !(limit.capacity > 0)) {
      warnings.push(`${name}: a capacity of ${limit.capacity} cannot be filled: no time to exhaustion`)
    }
  }
  return { intervalSeconds: parsed.data.interval_seconds, signals, warnings }
}
