/** What a user of the host would notice, as short sentences. */
import type { Penalty, SignalValues } from '../types.ts'
import { formatValue } from './words.ts'

/** Response times this many times the usual are felt, long before a penalty. */
const SLOW = 3

/** @param usualResponse usual response time in seconds, NaN while unknown */
export function symptomsOf(values: SignalValues, penalties: readonly Penalty[], usualResponse: number): string[] {
  const symptoms = penalties
    .filter((p) => p.signal !== 'response_time')
    .map((p) => `${p.signal} ${formatValue(p.signal, p.value)} is above ${formatValue(p.signal, p.limit)}`)
  const { probe_failed = 0, response_time = 0 } = values
  if (probe_failed > 0) symptoms.push(`${formatValue('probe_failed', probe_failed)} of the probes failed`)
  if (response_time > SLOW * usualResponse) {
    const times = (response_time / usualResponse).toFixed(0)
    symptoms.push(`response_time ${formatValue('response_time', response_time)} is ${times} times the usual`)
  }
  return symptoms
}
