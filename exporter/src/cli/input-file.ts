import { readFileSync, statSync } from 'node:fs'

const MAX_BYTES = 2 ** 29 - 24

/**
 * What `read` makes of the text of a file.
 * @throws Error that names the file, whether it cannot be read or what it says is wrong
 */
export function readInput<T>(path: string, read: (text: string) => T): T {
  try {
    const file = statSync(path)
    if (!file.isFile()) throw new Error('is not a file')
    if (file.size > MAX_BYTES) throw new Error('is larger than 512 MiB: split it')
    return read(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path)))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = error instanceof TypeError ? 'is not UTF-8 text' : code === 'ENOENT' ? 'is not there' : message
    throw new Error(`${path}: ${why}`, { cause: error })
  }
}
