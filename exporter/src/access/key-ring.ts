/** The API keys in memory, read again every two seconds: a key that was made or revoked beside the service is soon known. */
import { timingSafeEqual } from 'node:crypto'
import { hashOf, idOf } from './api-key.ts'
import { type Caller, isRole } from './roles.ts'

/** Keys that could not be read for so long are trusted no more: one of them may have been revoked. */
const STALE_MS = 60_000
const USED_EVERY_MS = 3_600_000
const NOBODY = Buffer.alloc(32)

/** Times are Unix ms; null: never. */
export interface StoredKey {
  readonly id: string
  readonly name: string
  readonly role: string
  /** SHA-256 of the whole key. */
  readonly hash: Buffer
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  readonly lastUsedAt: number | null
}

export interface KeyRingOptions {
  /** Every key, revoked and expired ones included. */
  readonly read: () => readonly StoredKey[]
  /** Called once an hour for a key in use. */
  readonly used: (id: string, now: number) => void
  /** Unix ms. */
  readonly now: () => number
  /** ms. */
  readonly monotonic: () => number
  readonly onError: (error: unknown) => void
}

export class KeyRing {
  readonly #options: KeyRingOptions
  #keys = new Map<string, StoredKey>()
  readonly #usedAt = new Map<string, number>()
  #readAt = Number.NEGATIVE_INFINITY
  #configured = false

  constructor(options: KeyRingOptions) {
    this.#options = options
  }

  /**
   * Whether there is a key, or ever was one in this database or since the start: a key that was revoked, has expired, or
   * went with a corrupt database never opens what it closed.
   */
  get configured(): boolean {
    return this.#configured
  }

  /** False while the database could not be read for longer than a minute. */
  get readable(): boolean {
    return this.#options.monotonic() - this.#readAt <= STALE_MS
  }

  refresh(): void {
    const { read, onError, monotonic } = this.#options
    try {
      this.#keys = new Map(read().map((key) => [key.id, key]))
      this.#readAt = monotonic()
      this.#configured ||= this.#keys.size > 0
      for (const id of this.#usedAt.keys()) if (!this.#keys.has(id)) this.#usedAt.delete(id)
    } catch (error) {
      onError(error)
    }
  }

  /** Null for what is no valid key; why it is not is not told, so that nobody learns which ids exist. */
  verify(text: string): Caller | null {
    const { now, used } = this.#options
    const id = idOf(text)
    if (id === null) return null
    const key = this.#keys.get(id)
    const same = timingSafeEqual(hashOf(text), key?.hash.length === 32 ? key.hash : NOBODY)
    const at = now()
    if (!same || key === undefined || key.revokedAt !== null) return null
    if ((key.expiresAt !== null && key.expiresAt <= at) || !isRole(key.role)) return null
    const before = this.#usedAt.get(id) ?? key.lastUsedAt ?? Number.NEGATIVE_INFINITY
    if (Math.abs(at - before) >= USED_EVERY_MS) {
      this.#usedAt.set(id, at)
      used(id, at)
    }
    return { kind: 'key', id, name: key.name, role: key.role }
  }
}
