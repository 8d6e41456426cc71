import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Published } from '../cycle.ts'
import type { Store } from '../store/index.ts'

/** Rows written in one transaction. */
const SLICE = 250

/** In slices, so that no transaction keeps the event loop for long. */
export async function writeHistory(store: Store, batch: readonly Published[]): Promise<void> {
  for (let i = 0; i < batch.length; i += SLICE) {
    if (i > 0) await nextTurn()
    store.history.write(batch.slice(i, i + SLICE))
  }
}
