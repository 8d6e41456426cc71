/**
 * A file of real bytes next to the database. A full disk refuses even a DELETE; removing this file makes the room that
 * a purge needs.
 */
import { randomFillSync } from 'node:crypto'
import * as fs from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

const CHUNK = 1 << 20
/** Besides the ballast itself, so much must stay free before it is put back. */
const SPARE = 16 << 20

/** Random, since zeros may be stored as a hole or compressed away. */
const chunks = (bytes: number): Buffer[] => {
  const chunk = randomFillSync(Buffer.alloc(Math.min(CHUNK, bytes)))
  return Array.from({ length: Math.ceil(bytes / CHUNK) }, (_, i) =>
    chunk.subarray(0, Math.min(CHUNK, bytes - i * CHUNK)),
  )
}

export class Ballast {
  readonly #path: string
  readonly #bytes: number

  /** 0 bytes: none at all. */
  constructor(database: string, bytes: number) {
    this.#path = `${database}.ballast`
    this.#bytes = bytes
  }

  get present(): boolean {
    return this.#bytes > 0 && fs.existsSync(this.#path)
  }

  /** True if there was something to release. */
  release(): boolean {
    if (!this.present) return false
    fs.rmSync(this.#path, { force: true })
    return true
  }

  #wanted(): boolean {
    if (this.#bytes === 0) return false
    const size = fs.statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
    return size !== this.#bytes && this.#room()
  }

  #room(): boolean {
    const { bavail, bsize } = fs.statfsSync(dirname(this.#path))
    return bavail * bsize >= this.#bytes + SPARE
  }

  /** At start. Does nothing where there is no room for it. */
  ensure(): void {
    const temporary = `${this.#path}.tmp`
    fs.rmSync(temporary, { force: true })
    if (!this.#wanted()) return
    const file = fs.openSync(temporary, 'w', 0o600)
    try {
      for (const chunk of chunks(this.#bytes)) fs.writeSync(file, chunk)
      fs.fsyncSync(file)
    } finally {
      fs.closeSync(file)
    }
    fs.renameSync(temporary, this.#path)
  }

  /** While running: the same without blocking. True if it was put back. */
  async restore(): Promise<boolean> {
    if (!this.#wanted()) return false
    const temporary = `${this.#path}.tmp`
    try {
      const file = await open(temporary, 'w', 0o600)
      try {
        for (const chunk of chunks(this.#bytes)) await file.write(chunk)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, this.#path)
      return true
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }
}
