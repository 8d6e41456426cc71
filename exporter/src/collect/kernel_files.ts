import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import type { Clock } from './clock.ts'

/** What the collectors of Linux share. */
export interface LinuxContext {
  readonly files: KernelFiles
  readonly clock: Clock
}

/** Two collectors of one tick share a read; a later tick never sees it. */
const SHARED_MS = 20
/** A file that is missing or refuses to be read is tried again after this time: a failing open costs more than a read. */
const RETRY_MS = 30_000
const LARGEST_BYTES = 4 * 1024 * 1024

interface OpenFile {
  fd: number
  text: string | undefined
  readAt: number
  retryAt: number
}

/**
 * Reads files of /proc, each opened once and read from position 0 again and again (a quarter of the cost of `readFileSync`,
 * and still possible when the process has run out of file descriptors).
 * Synchronous: only for files that the kernel makes up from memory and that therefore cannot hang.
 */
export class KernelFiles {
  readonly #clock: Clock
  readonly #proc: string
  readonly #sys: string
  readonly #open = new Map<string, OpenFile>()
  #buffer = Buffer.allocUnsafeSlow(16 * 1024)

  constructor(clock: Clock, { proc = '/proc', sys = '/sys' }: { proc?: string; sys?: string } = {}) {
    this.#clock = clock
    this.#proc = proc
    this.#sys = sys
  }

  /** Text of a file below /proc; undefined where it is missing or cannot be read. */
  proc(path: string): string | undefined {
    const now = this.#clock.monotonic()
    let file = this.#open.get(path)
    if (file === undefined) {
      file = { fd: -1, text: undefined, readAt: Number.NEGATIVE_INFINITY, retryAt: Number.NEGATIVE_INFINITY }
      this.#open.set(path, file)
    }
    if (now - file.readAt < SHARED_MS) return file.text
    if (file.fd < 0 && now < file.retryAt) return undefined
    try {
      if (file.fd < 0) file.fd = openSync(`${this.#proc}/${path}`, 'r')
      const length = this.#fill(file.fd)
      file.text = this.#buffer.toString('latin1', 0, length)
      file.readAt = now
    } catch {
      if (file.fd >= 0) closeQuietly(file.fd)
      Object.assign(file, { fd: -1, text: undefined, readAt: Number.NEGATIVE_INFINITY, retryAt: now + RETRY_MS })
    }
    return file.text
  }

  /**
   * Reads a file below /proc once, without keeping it open: for the files of processes, which come and go.
   * The bytes are overwritten by the next read.
   */
  procOnce(path: string): Buffer | undefined {
    let fd = -1
    try {
      fd = openSync(`${this.#proc}/${path}`, 'r')
      return this.#buffer.subarray(0, this.#fill(fd))
    } catch {
      return undefined
    } finally {
      if (fd >= 0) closeQuietly(fd)
    }
  }

  procNames(): string[] {
    try {
      return readdirSync(this.#proc)
    } catch {
      return []
    }
  }

  /** Path below /sys, for whoever reads it without blocking. */
  sysPath(path: string): string {
    return `${this.#sys}/${path}`
  }

  /** Existence is answered by the kernel's own tree, never by a device. */
  sysExists(path: string): boolean {
    return existsSync(`${this.#sys}/${path}`)
  }

  close(): void {
    for (const { fd } of this.#open.values()) if (fd >= 0) closeQuietly(fd)
    this.#open.clear()
  }

  /** Reads until the end: a listing (mountinfo, diskstats) comes a page at a time. */
  #fill(fd: number): number {
    let length = 0
    for (;;) {
      if (length === this.#buffer.length) {
        if (length >= LARGEST_BYTES) throw new Error('file too large')
        const larger = Buffer.allocUnsafeSlow(length * 2)
        this.#buffer.copy(larger, 0, 0, length)
        this.#buffer = larger
      }
      const read = readSync(fd, this.#buffer, length, this.#buffer.length - length, length)
      if (read === 0) return length
      length += read
    }
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // The descriptor is gone either way.
  }
}
