/**
 * Simulated hosts as a source of rows: the simulator runs as a process of its own and prints the rows of all its hosts at
 * each tick. When it ends, its targets go stale like any host that fell silent.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Row } from '../types.ts'

export interface SimulatedSourceOptions {
  readonly hosts: number
  readonly faultsPerDay: number
  readonly intervalSeconds: number
  /** The rows of one tick, at most one a target. Ticks that come before it has resolved are left out. */
  readonly onRows: (rows: readonly Row[]) => Promise<void>
  readonly onError: (message: string, detail: Record<string, unknown>) => void
  /** What runs in the process. */
  readonly program?: string
}

/** Time that the simulator has to end by itself, ms. */
const PATIENCE_MS = 1000
/** Of one line, as a reader that has lost its place would see it. */
const MAX_LINE = 2 ** 16

const rowSchema = z.object({
  target: z.string().regex(/^sim-\d+$/),
  at: z.number(),
  monotonic: z.number(),
  values: z.record(z.string(), z.number()),
  resources: z.array(
    z.object({
      resource: z.string(),
      used: z.number(),
      capacity: z.number().exactOptional(),
      unit: z.enum(['bytes', 'inodes', 'handles']).exactOptional(),
    }),
  ),
})

export function simulatedTargets(hosts: number): string[] {
  return Array.from({ length: hosts }, (_, i) => `sim-${i + 1}`)
}

export class SimulatedSource {
  readonly #options: SimulatedSourceOptions
  #child: ChildProcess | null = null
  #ended: Promise<void> = Promise.resolve()
  #stopping = false
  #busy = false
  #tick: Row[] = []

  constructor(options: SimulatedSourceOptions) {
    this.#options = options
  }

  /** Starts nothing where no hosts are asked for. */
  start(): void {
    const { hosts, faultsPerDay, intervalSeconds, onError, program = simulator() } = this.#options
    if (hosts === 0) return
    const flags = [`--hosts=${hosts}`, `--interval=${intervalSeconds}`, `--faults-per-day=${faultsPerDay}`]
    // Its standard input stays open as long as this process lives, and tells it so.
    const child = spawn(process.execPath, [program, '--live', ...flags], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(line))
    createInterface({ input: child.stderr }).on('line', (line) => onError('the simulator complains', { line }))
    this.#ended = new Promise((resolve) => {
      child.on('error', (err) => {
        onError('the simulator cannot be started', { err })
        resolve()
      })
      child.on('exit', (code, signal) => {
        if (!this.#stopping) onError('the simulator ended: its targets go stale', { code, signal })
        resolve()
      })
    })
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child === null) return
    child.stdin?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    await this.#ended
    clearTimeout(timer)
  }

  #take(line: string): void {
    if (line !== '') {
      const row = rowOf(line)
      if (row === null) this.#options.onError('the simulator printed what is no row', { line: line.slice(0, 200) })
      else this.#tick.push(row)
      return
    }
    const rows = this.#tick
    this.#tick = []
    if (rows.length === 0 || this.#stopping || this.#busy) return
    this.#busy = true
    this.#options
      .onRows(rows)
      .catch((err: unknown) => this.#options.onError('rows of simulated hosts could not be scored', { err }))
      .finally(() => {
        this.#busy = false
      })
  }
}

function simulator(): string {
  return fileURLToPath(new URL('../../../training/dist/cli/simulate.js', import.meta.url))
}

function rowOf(line: string): Row | null {
  if (line.length > MAX_LINE) return null
  try {
    return rowSchema.parse(JSON.parse(line))
  } catch {
    return null
  }
}
