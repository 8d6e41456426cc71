/**
 * Reads a bundle in a process that ends with it. What only reading takes (schemas, the protobuf code, the parsed texts) is
 * 20 MB that the scoring thread would keep for good, and a file that takes for ever to parse can be given up.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { BundleFiles } from './files.ts'
import { BundleError, type BundleReason } from './reasons.ts'

/** What the process says, once. */
export type Told =
  | { readonly ok: true; readonly files: BundleFiles }
  | { readonly ok: false; readonly message: string; readonly reason?: BundleReason }

const DEADLINE_MS = 20_000

/** @throws BundleError as `readBundle` does, and `timeout` where reading took too long */
export async function readBundleApart(folder: string): Promise<BundleFiles> {
  const told = await ask(folder).catch(async (error: unknown) => {
    if (error instanceof BundleError) throw error
    // Where no process can be started, reading here costs memory, not the models.
    const { readBundle } = await import('./files.ts')
    return { ok: true, files: await readBundle(folder) } as const
  })
  if (told.ok) return told.files
  throw told.reason === undefined ? new Error(told.message) : new BundleError(told.reason, told.message)
}

function ask(folder: string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const reader = fork(fileURLToPath(new URL('./reader.js', import.meta.url)), [folder], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    })
    reader.once('message', (told) => resolve(told as Told))
    reader.once('error', reject)
    // Comes after every message.
    reader.once('disconnect', () => {
      const reason = reader.killed ? `took longer than ${DEADLINE_MS / 1000} s` : 'ended its process'
      reject(new BundleError('timeout', `reading ${folder} ${reason}`))
    })
  })
}
