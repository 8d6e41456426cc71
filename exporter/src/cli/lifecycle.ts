import type { Logger } from '../log/index.ts'
import type { ProcessControl } from './io.ts'

export interface Lifecycle {
  readonly log: Logger
  readonly process: ProcessControl
  start(): Promise<void>
  stop(): Promise<void>
  reload(): Promise<unknown>
  /** Calls back after so many milliseconds, unless the returned function is called first. */
  timer?(callback: () => void, ms: number): () => void
}

/** With closing the log (0.4 s) and what Node needs to end (0.5 s), the process is gone within 5 s of the signal. */
export const STOP_DEADLINE_MS = 4000

const setTimer = (callback: () => void, ms: number): (() => void) => {
  const timer = setTimeout(callback, ms)
  return () => clearTimeout(timer)
}

/**
 * Starts a service and keeps it until SIGTERM or SIGINT; resolves with the exit code. SIGHUP reloads. A second signal,
 * a stop that takes too long, or an error that nobody caught ends the process at once with 1.
 */
export async function runUntilStopped(service: Lifecycle): Promise<number> {
  const { log, process, timer = setTimer } = service
  const { promise: signalled, resolve: stopNow } = deferred<string>()
  let stopping = false

  const onSignal = (signal: string): void => {
    if (stopping) {
      log.warn({ signal }, 'second signal: exit at once')
      process.exit(1)
      return
    }
    stopping = true
    stopNow(signal)
  }
  const onReload = (): void => {
    service.reload().catch((err: unknown) => log.error({ err }, 'reload failed'))
  }
  const onFatal = (err: unknown): void => {
    log.fatal({ err }, 'uncaught error: exit')
    process.exit(1)
  }
  const listeners = {
    SIGTERM: onSignal,
    SIGINT: onSignal,
    SIGHUP: onReload,
    uncaughtException: onFatal,
    unhandledRejection: onFatal,
  } as const
  for (const [event, listener] of Object.entries(listeners)) process.on(event, listener)

  try {
    const started = service.start().then(
      () => null,
      (err: unknown) => ({ err }),
    )
    const first = await Promise.race([started, signalled])
    if (first !== null && typeof first === 'object') {
      log.fatal(first, 'cannot start')
      return 1
    }
    const signal = await signalled
    log.info({ signal }, 'stopping')
    const cancel = timer(() => {
      log.error({ after_ms: STOP_DEADLINE_MS }, 'did not stop in time: exit')
      process.exit(1)
    }, STOP_DEADLINE_MS)
    try {
      // What is still starting cannot be stopped yet.
      await started
      await service.stop()
      log.info('stopped')
      return 0
    } catch (err) {
      log.error({ err }, 'stopped with an error')
      return 1
    } finally {
      cancel()
    }
  } finally {
    for (const [event, listener] of Object.entries(listeners)) process.off(event, listener)
  }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
