/** `portent train`: the trainer runs as a process of its own, on the same terminal, and reads the flags itself. */
import { spawn } from 'node:child_process'
import type { Io } from './io.ts'
import { trainingProgram } from './training.ts'

export function train(argv: readonly string[], io: Io): Promise<number> {
  const child = spawn(process.execPath, [trainingProgram('train'), ...argv], {
    cwd: io.cwd,
    env: io.env,
    stdio: 'inherit',
  })
  // A terminal sends its signals to both processes; one that is sent to this process alone is passed on.
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  const end = (): void => void child.kill('SIGTERM')
  for (const signal of signals) io.process.on(signal, end)
  return new Promise<number>((resolve) => {
    child.on('error', (error) => {
      io.err(`portent train: cannot be started: ${error.message}\n`)
      resolve(1)
    })
    child.on('close', (code) => resolve(code ?? 1))
  }).finally(() => {
    for (const signal of signals) io.process.off(signal, end)
  })
}
