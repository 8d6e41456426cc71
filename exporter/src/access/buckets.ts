/** Token buckets by name, in bounded memory: the one not used for longest makes room, and is full again if it comes back. */

export interface Rate {
  /** Tokens a second. */
  readonly perSecond: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  /** ms, monotonic. */
  at: number
}

export class Buckets {
  readonly #rate: () => Rate
  readonly #most: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(rate: () => Rate, most = 10_000) {
    this.#rate = rate
    this.#most = most
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Takes a token. 0 if there was one, else the seconds until there is. `now`: ms, monotonic. */
  take(name: string, now: number): number {
    const bucket = this.#bucket(name, now)
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.#rate().perSecond
    bucket.tokens--
    return 0
  }

  /** Gives one back that was taken in vain. */
  give(name: string, now: number): void {
    const bucket = this.#bucket(name, now)
    bucket.tokens = Math.min(this.#rate().burst, bucket.tokens + 1)
  }

  #bucket(name: string, now: number): Bucket {
    const { perSecond, burst } = this.#rate()
    const found = this.#buckets.get(name)
    const bucket = found ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond)
    // A clock that goes back gives nothing, now or later.
    bucket.at = Math.max(bucket.at, now)
    if (found) this.#buckets.delete(name)
    else if (this.#buckets.size >= this.#most) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    this.#buckets.set(name, bucket)
    return bucket
  }
}

/** What counts as one address: an IPv4 address, or the /64 of an IPv6 address, which is what one host is given. */
export function addressOf(remote: string | undefined): string {
  if (remote === undefined) return 'unknown'
  const plain = remote.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.toLowerCase().split('::')
  const left = head.split(':').filter((part) => part !== '')
  const right = tail?.split(':').filter((part) => part !== '') ?? []
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right]
  return `${groups.slice(0, 4).join(':')}::/64`
}
