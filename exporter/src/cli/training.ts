/** Programs of the package training, which the exporter never imports: each runs as a process of its own. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Io } from './io.ts'

export function trainingProgram(name: string): string {
  return fileURLToPath(new URL(`../../../training/dist/cli/${name}.js`, import.meta.url))
}

/** Resolves with the exit code of the program; what it prints goes on as it comes. A signal to this process ends it too. */
export function runTraining(name: string, argv: readonly string[], io: Io): Promise<number> {
  const child = spawn(process.execPath, [trainingProgram(name), ...argv], {
    cwd: io.cwd,
    env: io.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => io.out(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => io.err(text))
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  const end = (): void => void child.kill('SIGTERM')
  for (const signal of signals) io.process.on(signal, end)
  return new Promise<number>((resolve) => {
    child.on('error', (error) => {
      io.err(`portent ${name}: cannot be started: ${error.message}\n`)
      resolve(1)
    })
    child.on('close', (code) => resolve(code ?? 1))
  }).finally(() => {
    for (const signal of signals) io.process.off(signal, end)
  })
}
