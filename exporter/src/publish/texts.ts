/** One rendering in every form it is asked for, each made on first demand. */
import { promisify } from 'node:util'
import { gzip as gzipCallback, gzipSync } from 'node:zlib'
import { CONTENT_TYPES, type FamilyBody, type Format, joinFamilies } from './exposition.ts'
import { within } from './pace.ts'

const gzipLater = promisify(gzipCallback)
/** Texts up to this size are compressed at once (about 1 ms); larger ones off the event loop. */
const GZIP_AT_ONCE = 128 * 1024
/** How long a scrape waits for a large text to be compressed before it gets it plain. */
const PATIENCE_MS = 400

export interface MetricsText {
  readonly body: Buffer
  readonly contentType: string
  readonly encoding: 'gzip' | null
}

export class Texts {
  readonly #families: readonly FamilyBody[]
  readonly #plain = new Map<Format, Buffer>()
  readonly #gzipped = new Map<Format, Buffer | Promise<Buffer>>()

  constructor(families: readonly FamilyBody[]) {
    this.#families = families
    this.#plain.set('text', joinFamilies(families, 'text'))
  }

  async get(format: Format, gzip: boolean): Promise<MetricsText> {
    const plain = this.#plain.get(format) ?? joinFamilies(this.#families, format)
    this.#plain.set(format, plain)
    const compressed = gzip ? await this.#gzip(format, plain) : null
    const contentType = CONTENT_TYPES[format]
    return compressed === null
      ? { body: plain, contentType, encoding: null }
      : { body: compressed, contentType, encoding: 'gzip' }
  }

  /** Null where compression fails or takes too long (its threads are shared with file and DNS calls, which can hang). */
  async #gzip(format: Format, plain: Buffer): Promise<Buffer | null> {
    const made = this.#gzipped.get(format)
    if (Buffer.isBuffer(made)) return made
    if (plain.length <= GZIP_AT_ONCE) {
      const compressed = gzipSync(plain, { level: 4 })
      this.#gzipped.set(format, compressed)
      return compressed
    }
    const making = made ?? gzipLater(plain, { level: 1 })
    this.#gzipped.set(format, making)
    try {
      const compressed = await within(PATIENCE_MS, making)
      if (compressed !== null) this.#gzipped.set(format, compressed)
      return compressed
    } catch {
      return null
    }
  }
}
