/** The adaptive state of targets (rolling thresholds, centre) over restarts: written now and then, and at the stop. */
import type { Manifest, SavedTargetState, TargetState } from '@portent/core'
import type { Tracked } from '../cycle.ts'
import type { Store } from '../store/index.ts'

const NAME = 'scoring'
/** What is older says little of the host as it is now. */
const MAX_AGE_MS = 6 * 86_400_000

interface Saved {
  readonly version: string
  readonly state: SavedTargetState
}

export function saveState(store: Store, { name, manifest, state }: Tracked): void {
  if (manifest === null) return
  const saved: Saved = { version: manifest.version, state: state.save() }
  store.state.save(name, NAME, Buffer.from(JSON.stringify(saved)))
}

/**
 * Takes over what was kept, if the same bundle scored then and it is not too old.
 * @throws when what was kept does not fit; the caller starts afresh
 */
export function restoreState(store: Store, target: string, state: TargetState, manifest: Manifest | null): void {
  if (manifest === null) return
  const kept = store.state.load(target, NAME)
  if (kept === undefined || Date.now() - kept.updatedAt > MAX_AGE_MS) return
  const { version, state: saved } = JSON.parse(Buffer.from(kept.data).toString('utf8')) as Saved
  if (version === manifest.version) state.restore(saved)
}
