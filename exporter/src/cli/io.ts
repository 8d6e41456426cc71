import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** What a command sees of the process; tests give their own. */
export interface Io {
  out(text: string): void
  err(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** A file's text; throws if it cannot be read or is too large. */
  readFile(path: string): string
  readonly process: ProcessControl
}

/** The part of `process` that a long-running command needs. */
export interface ProcessControl {
  on(event: string, listener: (...args: never[]) => void): unknown
  off(event: string, listener: (...args: never[]) => void): unknown
  exit(code: number): void
}

const MAX_CONFIG_BYTES = 2 ** 20

/** Also safe for /dev/zero and the like: never reads more than 1 MiB. */
export function readConfigFile(path: string): string {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(MAX_CONFIG_BYTES + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null)
    if (length > MAX_CONFIG_BYTES) throw new Error('larger than 1 MiB')
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length))
  } catch (error) {
    if (error instanceof TypeError) throw new Error('not UTF-8 text', { cause: error })
    throw error
  } finally {
    closeSync(file)
  }
}

export const processIo = (): Io => ({
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  cwd: process.cwd(),
  readFile: readConfigFile,
  process: {
    on: (event, listener) => process.on(event as 'exit', listener as () => void),
    off: (event, listener) => process.off(event, listener as () => void),
    exit: (code) => process.exit(code),
  },
})

/** `portent 0.1.0 (node v20.20.2, linux x64)` */
export function versionLine(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return `portent ${version} (node ${process.version}, ${process.platform} ${process.arch})`
}
