import type { Clock } from './clock.ts'

/** A clock for tests: time stands still until it is advanced. */
export class FakeClock implements Clock {
  #monotonic = 0
  #wall: number
  #timers: { at: number; callback: () => void }[] = []

  constructor(wall = 1_700_000_000_000) {
    this.#wall = wall
  }

  wall(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#monotonic + ms, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer)
    }
  }

  /** Timers that are waiting. */
  get pending(): number {
    return this.#timers.length
  }

  /** A step of the wall clock alone, as an operator or NTP makes it. */
  stepWall(ms: number): void {
    this.#wall += ms
  }

  /** Time passes while the event loop is blocked: no timer fires. */
  block(ms: number): void {
    this.#monotonic += ms
    this.#wall += ms
  }

  /** Time passes; due timers fire in order, and promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settle()
    for (;;) {
      const next = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((t) => t !== next)
      this.block(Math.max(0, next.at - this.#monotonic))
      next.callback()
      await settle()
    }
    this.block(Math.max(0, end - this.#monotonic))
    await settle()
  }
}

/** Lets promise callbacks that are ready run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}
