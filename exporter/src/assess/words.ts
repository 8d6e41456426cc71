/** Numbers and hints in words, with the units an operator reads. */
import { HOST_SIGNALS, type Unit } from '@portent/core'
import type { Hint } from '../types.ts'

const units = new Map<string, Unit>(HOST_SIGNALS.map((s) => [s.name, s.unit]))
const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

function digits(x: number): string {
  const size = Math.abs(x)
  return x.toFixed(size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : 2)
}

function bytes(x: number): string {
  const power = Math.min(BYTES.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(Math.abs(x), 1)) / 10)))
  return `${digits(x / 1024 ** power)} ${BYTES[power]}`
}

/** A value of a signal with its unit: `93 %`, `1.20 MiB/s`, `2.10 ms`. A signal of no known unit is a plain number. */
export function formatValue(signal: string, value: number): string {
  switch (units.get(signal)) {
    case 'ratio':
      return `${digits(value * 100)} %`
    case 'bytes_per_second':
      return `${bytes(value)}/s`
    case 'per_second':
      return `${digits(value)}/s`
    case 'seconds':
      return value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`
    case 'celsius':
      return `${digits(value)} °C`
    default:
      return digits(value)
  }
}

/** `cpu_busy 98 %, usually 2.0 % to 9.5 %`. */
export function hintSentence({ signal, value, usual, direction }: Hint): string {
  const now =
    direction === 'stopped'
      ? `${signal} has stopped: exactly 0, never so before`
      : `${signal} ${formatValue(signal, value)}`
  if (usual === null) return direction === 'unsteady' ? `${now}, unsteady` : now
  const range = `usually ${formatValue(signal, usual.low)} to ${formatValue(signal, usual.high)}`
  return direction === 'unsteady' ? `${now}, unsteady; ${range}` : `${now}, ${range}`
}
