import type { Io } from './io.ts'
import { runTraining } from './training.ts'

/** The simulator reads the flags itself. */
export function simulate(argv: readonly string[], io: Io): Promise<number> {
  return runTraining('simulate', argv, io)
}
