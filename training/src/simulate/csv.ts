/** Simulated rows as CSV: `timestamp` (Unix seconds), the signals that the host has, and the labels `fault`, `failed`. */
import { HOST_SIGNALS, type Unit } from '@portent/core'
import { FAULT_KINDS, type FaultKind } from './faults.ts'
import type { FleetHost } from './fleet.ts'
import type { SimulatedHost } from './host.ts'

const UNITS: readonly Unit[] = HOST_SIGNALS.map((s) => s.unit)

const DECIMALS: Readonly<Record<Unit, number>> = {
  ratio: 6,
  bytes_per_second: 1,
  per_second: 3,
  seconds: 7,
  count: 3,
  celsius: 2,
}

/** Present signals in the order of the closed list. */
export function csvHeader({ mask }: Pick<SimulatedHost, 'mask'>): string {
  const names = HOST_SIGNALS.filter((_, i) => mask[i] === 1).map((s) => s.name)
  return ['timestamp', ...names, 'fault', 'failed'].join(',')
}

/** The host's last row as one line, without its end. Every cell is filled: a time to answer that is not known repeats. */
export function csvRow({ at, mask, row, truth }: Pick<SimulatedHost, 'at' | 'mask' | 'row' | 'truth'>): string {
  return line(at, mask, row, truth.fault, truth.failed)
}

/** The lines of a recorded host, header first, without their ends. */
export function* csvLines({
  at,
  mask,
  rows,
  values,
  truth,
}: Omit<FleetHost, 'index'>): Generator<string, void, undefined> {
  yield csvHeader({ mask })
  const d = HOST_SIGNALS.length
  for (let i = 0; i < rows; i++) {
    const fault = FAULT_KINDS[(truth.fault[i] as number) - 1] ?? null
    yield line(at[i] as number, mask, values.subarray(i * d, (i + 1) * d), fault, truth.failed[i] === 1)
  }
}

function line(at: number, mask: Uint8Array, row: Float64Array, fault: FaultKind | null, failed: boolean): string {
  let text = String(at / 1000)
  for (let i = 0; i < HOST_SIGNALS.length; i++) {
    if (mask[i] === 1) text += `,${formatValue(row[i] as number, UNITS[i] as Unit)}`
  }
  return `${text},${fault ?? ''},${failed ? 1 : 0}`
}

/** As many decimals as the unit deserves, and no zeros behind them; small values keep three digits. */
export function formatValue(value: number, unit: Unit): string {
  if (Number.isInteger(value)) return String(value)
  const decimals = DECIMALS[unit]
  return String(
    Math.abs(value) < 100 * 10 ** -decimals ? Number(value.toPrecision(3)) : Number(value.toFixed(decimals)),
  )
}
