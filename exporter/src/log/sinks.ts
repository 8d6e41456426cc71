import { writeSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'

/** Where finished lines go. `write` never throws and never waits for long. */
export interface Sink {
  write(line: string): void
  /** Writes out what is buffered; gives up after 0.4 s. */
  close(): Promise<void>
}

type WriteBytes = (fd: number, bytes: Uint8Array, offset: number) => number

const pause = new Int32Array(new SharedArrayBuffer(4))

/**
 * Synchronous, so that the last line before a crash is there. A line that cannot be written (disk full, reader gone)
 * is counted and dropped: neither kept in memory nor tried for ever. A full pipe gets one short second chance.
 */
export function descriptorSink(fd: number, failed: (error: unknown) => void, write: WriteBytes = writeSync): Sink {
  return {
    write(line) {
      const bytes = Buffer.from(line)
      let offset = 0
      let retried = false
      while (offset < bytes.length) {
        try {
          offset += write(fd, bytes, offset)
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException
          if (code === 'EINTR') continue
          if (code !== 'EAGAIN' || retried) {
            failed(error)
            return
          }
          retried = true
          Atomics.wait(pause, 0, 0, 2)
        }
      }
    },
    close: async () => {},
  }
}

export interface FileOptions {
  readonly path: string
  /** Bytes at which the file is rotated. */
  readonly maxSize: number
  /** Files kept, the current one included. */
  readonly maxFiles: number
}

/** Lines waiting for a slow disk beyond this many bytes are dropped and counted. */
const MAX_WAITING_BYTES = 4 * 2 ** 20
const RETRY_MS = 10_000

/** Rotated by size as FILE, FILE.1, FILE.2 ... After an error it is opened again, at most every 10 seconds. */
export function fileSink(
  { path, maxSize, maxFiles }: FileOptions,
  failed: (error: unknown) => void,
  now: () => number = () => performance.now(),
): Sink {
  let stream: RotatingFileStream | null = null
  let lastFailure = Number.NEGATIVE_INFINITY

  const open = (): RotatingFileStream => {
    const opened = createStream(basename(path), {
      path: dirname(path),
      size: `${maxSize}B`,
      rotate: maxFiles - 1,
      mode: 0o640,
    })
    opened.on('error', (error) => {
      failed(error)
      lastFailure = now()
      if (stream === opened) stream = null
      opened.destroy()
    })
    opened.on('warning', failed)
    return opened
  }

  return {
    write(line) {
      if (stream === null && now() - lastFailure < RETRY_MS) return failed(new Error(`${path} is not writable`))
      stream ??= open()
      if (stream.writableLength > MAX_WAITING_BYTES) failed(new Error(`${path} is too slow`))
      else stream.write(line)
    },
    async close() {
      const closing = stream
      if (closing === null) return
      stream = null
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 400)
        const done = (): void => {
          clearTimeout(timer)
          resolve()
        }
        closing.once('close', done)
        closing.once('error', done)
        closing.end(done)
      })
    },
  }
}
