import type { Clock } from './clock.ts'
import { type Collector, NO_DATA, RATE_SECONDS, type Reading } from './collector.ts'

/** Few wake-ups: each costs more than what it runs. The mean does not depend on the period, only its noise does. */
const PERIOD_MS = 250
/** Timers are kept in whole milliseconds: this much lateness is theirs, not the loop's. */
const RESOLUTION_MS = 1

/**
 * event_loop_delay: mean seconds that a callback due at a random moment had to wait for the service's own event loop.
 *
 * A timer every 250 ms measures how late it fires. A delay of several periods stands for the callbacks that would have been
 * due meanwhile as well (each a period less late); without them long blocks would hardly count, as they do in
 * `perf_hooks.monitorEventLoopDelay`, whose faster timer also costs several times the CPU.
 */
export function eventLoop({ clock }: { readonly clock: Clock }): Collector {
  let cancel: (() => void) | undefined
  let sum = 0
  let callbacks = 0
  const arm = () => {
    const due = clock.monotonic() + PERIOD_MS
    cancel = clock.after(
      PERIOD_MS,
      () => {
        const late = clock.monotonic() - due
        const delays = missedDelays(late)
        sum += delays.sum
        callbacks += delays.count
        arm()
      },
      true,
    )
  }
  return {
    name: 'event_loop',
    everySeconds: RATE_SECONDS,
    collect(): Reading {
      if (cancel === undefined) arm()
      if (callbacks === 0) return NO_DATA
      const mean = sum / callbacks / 1000
      sum = 0
      callbacks = 0
      return { values: { event_loop_delay: mean } }
    },
    close() {
      cancel?.()
      cancel = undefined
      sum = 0
      callbacks = 0
    },
  }
}

/** Delays (ms) of the callback that fired `late` and of those a period apart that would have been due before it did. */
export function missedDelays(late: number): { sum: number; count: number } {
  const above = Math.max(0, late - RESOLUTION_MS)
  const missed = Math.floor(above / PERIOD_MS)
  return { sum: (missed + 1) * above - (PERIOD_MS * missed * (missed + 1)) / 2, count: missed + 1 }
}
