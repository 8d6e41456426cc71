/**
 * Users of the web configuration, with bcrypt. One comparison costs some 60 ms of processor time, so it is made once for a
 * credential (remembered by a keyed hash), one at a time, and the caller limits the rate first.
 */
import { createHmac, randomBytes } from 'node:crypto'

/** Cost 10, of a text that nobody knows: an unknown user takes as long as a known one. */
const NOBODY = '$2b$10$veccoE5eKfRqxThs0CMu.eyFfNaZ1HaXm2GCWYprTl.NGDb/sAGyG'
const MOST_REMEMBERED = 1000
const MOST_WAITING = 16
const MOST_BYTES = 1024

const bcryptCompare = async (password: string, hash: string): Promise<boolean> =>
  await (await import('bcryptjs')).default.compare(password, hash)

export class BasicUsers {
  /** Name -> bcrypt hash. */
  readonly #users: () => ReadonlyMap<string, string>
  readonly #compare: (password: string, hash: string) => Promise<boolean>
  readonly #secret = randomBytes(32)
  readonly #known = new Set<string>()
  readonly #waiting = new Map<string, Promise<boolean>>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    users: () => ReadonlyMap<string, string>,
    compare: (password: string, hash: string) => Promise<boolean> = bcryptCompare,
  ) {
    this.#users = users
    this.#compare = compare
  }

  get configured(): boolean {
    return this.#users().size > 0
  }

  /** Whether this very credential was right before and its hash is still the configured one. */
  remembers(user: string, password: string): boolean {
    return this.#known.has(this.#fingerprint(user, password))
  }

  /** Null where too many are waiting. */
  verify(user: string, password: string): Promise<boolean> | null {
    const hash = this.#users().get(user)
    const mark = this.#fingerprint(user, password)
    const waiting = this.#waiting.get(mark)
    if (waiting !== undefined) return waiting
    if (this.#waiting.size >= MOST_WAITING) return null
    const verified = this.#last
      .then(() => (Buffer.byteLength(password) > MOST_BYTES ? false : this.#compare(password, hash ?? NOBODY)))
      .then((same) => {
        const good = same && hash !== undefined
        if (good) this.#remember(mark)
        return good
      })
      .finally(() => this.#waiting.delete(mark))
    this.#waiting.set(mark, verified)
    this.#last = verified.catch(() => undefined)
    return verified
  }

  #remember(mark: string): void {
    const [oldest] = this.#known
    if (this.#known.size >= MOST_REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
    this.#known.add(mark)
  }

  /** Of the hash too: a user whose password was changed, or who was removed, is forgotten. */
  #fingerprint(user: string, password: string): string {
    const hmac = createHmac('sha256', this.#secret)
    for (const part of [user, this.#users().get(user) ?? '', password])
      hmac.update(`${Buffer.byteLength(part)}:${part}`)
    return hmac.digest('base64')
  }
}
