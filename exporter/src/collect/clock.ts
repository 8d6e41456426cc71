/** Time as the collectors see it. Durations and rates use `monotonic`, so that steps of the wall clock do not matter. */
export interface Clock {
  /** Unix ms. */
  wall(): number
  /** Milliseconds since an arbitrary point; never runs backwards. */
  monotonic(): number
  /** Calls back once after `ms`; a background timer does not keep the process alive. Returns a function that cancels. */
  after(ms: number, callback: () => void, background?: boolean): () => void
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, background = false) {
    const timer = setTimeout(callback, ms)
    if (background) timer.unref()
    return () => clearTimeout(timer)
  },
}
