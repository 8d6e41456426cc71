/** What every source of rows gives to training, and the error that says what is wrong with them. */
import type { Recording } from './bundle/recording.ts'

/** The input is at fault: the message is for the person who gave it. */
export class InputError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'InputError'
  }
}

export interface TrainingInput {
  /** Where the rows come from, as it enters the bundle: no path, no address. */
  readonly source: string
  readonly recording: Recording
  readonly intervalSeconds: number
  /** What a reader should know: columns left out, how times were read. */
  readonly notes: readonly string[]
}

/** Steps may be this much longer or shorter than the interval. */
const TOLERANCE = 0.1

/**
 * The interval of rows at times `at` (ms): the one asked for, which must be that of the rows, or else their median step.
 * @throws InputError
 */
export function intervalOf(at: Float64Array, asked: number | null, place: string): number {
  const steps = Float64Array.from(
    { length: Math.max(0, at.length - 1) },
    (_, t) => ((at[t + 1] as number) - (at[t] as number)) / 1000,
  ).sort()
  const median = steps[steps.length >> 1]
  if (median === undefined) return asked ?? 60
  if (asked === null) {
    const whole = Math.round(median)
    return Math.abs(whole - median) < 0.02 * median ? whole : Math.max(1e-3, Number(median.toPrecision(3)))
  }
  if (Math.abs(median - asked) > TOLERANCE * asked) {
    const found = Number(median.toPrecision(3))
    throw new InputError(`${place}: rows are ${found} s apart, not ${asked} s: give --interval ${found}`)
  }
  return asked
}
