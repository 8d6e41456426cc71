/** Rows of a simulated host as kinds of signals. */
import { HOST_SIGNAL_KINDS, type SignalKind } from '@portent/core'
import { SIGNAL_NAMES } from '../simulate/index.ts'

const COLUMNS: readonly (readonly [column: number, kind: SignalKind])[] = SIGNAL_NAMES.flatMap((name, j) => {
  const kind = HOST_SIGNAL_KINDS[name]
  return kind === undefined ? [] : [[j, kind] as const]
})

/** The kinds of which a host has a signal. @param mask 1 = present, by signal */
export function kindsOf(mask: Uint8Array): SignalKind[] {
  return [...new Set(COLUMNS.filter(([j]) => mask[j] === 1).map(([, kind]) => kind))]
}

/** Receive and transmit are one rate, any other kind has one signal. @param row one value a signal, NaN = absent */
export function kindValues(row: ArrayLike<number>): Partial<Record<SignalKind, number>> {
  const values: Partial<Record<SignalKind, number>> = {}
  for (const [j, kind] of COLUMNS) {
    const value = row[j] as number
    if (Number.isNaN(value)) continue
    values[kind] = (values[kind] ?? 0) + value
  }
  return values
}
