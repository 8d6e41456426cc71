/** Files that appear whole or not at all: written beside their place and renamed together once every one is complete. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'

export interface WholeFile {
  write(text: string): void
}

/** Buffered text, bytes. */
const CHUNK = 1 << 18

/**
 * Hands one writer a path to `fill`; the files are in their places when it has resolved. If it, or the disk, fails, what
 * was there before stays.
 */
export async function writeWhole<T>(
  paths: readonly string[],
  fill: (files: readonly WholeFile[]) => Promise<T>,
): Promise<T> {
  const open: { path: string; temporary: string; fd: number; pending: string }[] = []
  const flush = (file: (typeof open)[number]): void => {
    const bytes = Buffer.from(file.pending)
    for (let done = 0; done < bytes.length; ) done += writeSync(file.fd, bytes, done)
    file.pending = ''
  }
  try {
    for (const path of paths) {
      const temporary = `${path}.${process.pid}.tmp`
      open.push({ path, temporary, fd: openSync(temporary, 'w'), pending: '' })
    }
    const result = await fill(
      open.map((file) => ({
        write(text) {
          file.pending += text
          if (file.pending.length >= CHUNK) flush(file)
        },
      })),
    )
    for (const file of open) {
      flush(file)
      fsyncSync(file.fd)
    }
    for (const { temporary, path } of open) renameSync(temporary, path)
    return result
  } finally {
    for (const { fd, temporary } of open) {
      closeSync(fd)
      rmSync(temporary, { force: true })
    }
  }
}
