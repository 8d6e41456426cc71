/** The process of {@link ./apart.ts}: the folder is its argument. */
import type { Told } from './apart.ts'
import { BundleError, readBundle } from './files.ts'

async function read(folder: string): Promise<Told> {
  try {
    return { ok: true, files: await readBundle(folder) }
  } catch (error) {
    const { message } = error as Error
    return error instanceof BundleError ? { ok: false, message, reason: error.reason } : { ok: false, message }
  }
}

// A terminal's Ctrl-C reaches every process: the service decides when this one ends.
process.on('SIGINT', () => {})
process.send?.(await read(process.argv[2] ?? ''), () => process.disconnect())
