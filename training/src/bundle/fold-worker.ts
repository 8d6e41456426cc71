/** The thread that makes folds beside the main one: takes the next block that nobody has begun, until there is none. */
import { parentPort, workerData } from 'node:worker_threads'
import { DETECTORS } from '../detectors/index.ts'
import { BLOCKS, type FoldInput, type FoldOutcome, foldMaker } from './folds.ts'

export interface FoldTask {
  /** Its arrays shared. */
  readonly input: FoldInput
  /** Of the detectors, which are not sent themselves. */
  readonly names: readonly string[]
  /** The next block that nobody has begun, shared [1]. */
  readonly next: Int32Array
}

/** What the thread says: a block begun, or what its fold gave. */
export type FoldWord = { readonly begun: number } | FoldOutcome

const { input, names, next } = workerData as FoldTask
const kinds = names.map((name) => {
  const kind = DETECTORS.find((x) => x.name === name)
  if (kind === undefined) throw new RangeError(`there is no detector ${name}`)
  return kind
})
const make = foldMaker(input, kinds)
const say = (word: FoldWord): void => parentPort?.postMessage(word)
for (let block = Atomics.add(next, 0, 1); block < BLOCKS; block = Atomics.add(next, 0, 1)) {
  say({ begun: block })
  say(make(block))
}
