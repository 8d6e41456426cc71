/**
 * Runs the folds of cross-fitting and what does not depend on them: one after the other, or the folds in a thread of their
 * own beside the rest, where this thread helps with the folds that are left. The outcome is the same.
 */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { DETECTORS, type Detector } from '../detectors/index.ts'
import type { FoldTask, FoldWord } from './fold-worker.ts'
import { BLOCKS, type Fold, type FoldInput, type FoldOutcome, foldMaker } from './folds.ts'

/** With fewer rows the folds are made before a thread has started. */
const MANY_ROWS = 8000

/** Whether the folds are worth a thread of their own, and it can make these detectors. */
export function worthThread(rows: number, kinds: readonly Detector[]): boolean {
  return rows > MANY_ROWS && availableParallelism() > 1 && canSend(kinds)
}

/** Detectors go to another thread by name. */
export function canSend(kinds: readonly Detector[]): boolean {
  return kinds.every((kind) => DETECTORS.includes(kind))
}

export interface CrossFit<T> {
  /** In the order of the blocks. */
  readonly outcomes: readonly FoldOutcome[]
  readonly rest: T
}

export interface CrossFitOptions {
  /** Called when the fold of a block is begun. */
  readonly begun: (block: number) => void
  readonly onFold?: ((fold: Fold) => void) | undefined
}

/** The folds in order, then the rest. */
export function crossFitHere<T>(
  input: FoldInput,
  kinds: readonly Detector[],
  rest: () => T,
  { begun, onFold }: CrossFitOptions,
): CrossFit<T> {
  const make = foldMaker(input, kinds)
  const outcomes = Array.from({ length: BLOCKS }, (_, block) => {
    begun(block)
    return make(block, onFold)
  })
  return { outcomes, rest: rest() }
}

/**
 * The folds in a thread, the rest in this one, which then takes folds that are not begun.
 * @param input shared
 * @throws what either thread throws; the other one is stopped
 */
export async function crossFitBeside<T>(
  input: FoldInput,
  kinds: readonly Detector[],
  rest: () => T,
  { begun }: Pick<CrossFitOptions, 'begun'>,
): Promise<CrossFit<T>> {
  const outcomes: FoldOutcome[] = []
  const next = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const worker = startFoldWorker({ input, names: kinds.map((x) => x.name), next }, (word) => {
    if ('begun' in word) begun(word.begun)
    else outcomes[word.block] = word
  })
  try {
    const made = rest()
    let make: ReturnType<typeof foldMaker> | undefined
    for (;;) {
      // Lets in what the thread has said meanwhile.
      await setImmediate()
      if (worker.failed()) break
      const block = Atomics.add(next, 0, 1)
      if (block >= BLOCKS) break
      begun(block)
      make ??= foldMaker(input, kinds)
      outcomes[block] = make(block)
    }
    await worker.done
    return { outcomes, rest: made }
  } finally {
    await worker.stop()
  }
}

export interface FoldWorker {
  /** Resolves when the thread has ended; rejects with its error. */
  readonly done: Promise<void>
  readonly failed: () => boolean
  /** Ends the thread, if need be. */
  readonly stop: () => Promise<void>
}

export function startFoldWorker(task: FoldTask, hear: (word: FoldWord) => void): FoldWorker {
  // Compiled beside this file. Not the import's spelling: the compiler rewrites only imports.
  const worker = new Worker(new URL('./fold-worker.js', import.meta.url), { workerData: task })
  let failed = false
  worker.on('message', hear)
  const done = once(worker, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`the thread that fits held-out blocks ended with code ${code}`)
  })
  // It may fail while nobody waits for it yet.
  done.catch(() => {
    failed = true
  })
  return {
    done,
    failed: () => failed,
    stop: async () => {
      await worker.terminate()
    },
  }
}
