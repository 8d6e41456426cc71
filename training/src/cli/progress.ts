/** Progress for a person or a log: one line that rewrites itself on a terminal, plain lines elsewhere. */
export interface Progress {
  step(done: number, steps: number, what: string): void
  /** A line that stays. */
  say(text: string): void
  end(): void
}

export interface Screen {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

const CLEAR = '\r\u001b[K'

/** @param now milliseconds of a monotonic clock */
export function progressOn(screen: Screen, now: () => number = () => performance.now()): Progress {
  const started = now()
  const terminal = screen.isTTY === true
  let rewriting = false
  const clear = () => {
    if (rewriting) screen.write(CLEAR)
    rewriting = false
  }
  const time = () => `${((now() - started) / 1000).toFixed(1).padStart(6)} s`
  return {
    step(done, steps, what) {
      if (!terminal) {
        screen.write(`${time()}  ${done + 1}/${steps} ${what}\n`)
        return
      }
      const width = 20
      const full = Math.round((done / steps) * width)
      const line = `${time()} [${'='.repeat(full)}${' '.repeat(width - full)}] ${what}`
      screen.write(`${CLEAR}${line.slice(0, (screen.columns ?? 80) - 1)}`)
      rewriting = true
    },
    say(text) {
      clear()
      screen.write(`${text}\n`)
    },
    end: clear,
  }
}
