/** Keeping the event loop free and callers from waiting long. */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** How long work goes on before the event loop has its turn. */
const SLICE_MS = 5

/** Null where `promise` takes longer than `ms`. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null)
  })
  try {
    return await Promise.race([promise, patience])
  } finally {
    clearTimeout(timer)
  }
}

/** Gives the event loop its turn when SLICE_MS have passed since the last time. */
export function breather(monotonic: () => number): () => Promise<void> | undefined {
  let since = monotonic()
  return () => {
    if (monotonic() - since < SLICE_MS) return undefined
    return nextTurn().then(() => {
      since = monotonic()
    })
  }
}
