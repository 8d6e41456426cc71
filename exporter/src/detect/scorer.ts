/**
 * Scores batches in a thread of its own, so that HTTP answers while models run. Every call has a deadline; a thread that
 * misses it or dies is ended, and the next {@link WorkerScorer.start} begins afresh.
 */
import { Worker } from 'node:worker_threads'
import type { ModelInputs, ModelOutputs, TreeExplanation } from '@portent/core'
import { BundleError } from '../bundle/reasons.ts'
import type { CallName, Calls, LoadedBundle, Reply, Request } from './protocol.ts'

export interface Scorer {
  readonly bundle: LoadedBundle
  /** @throws when the models failed; the caller goes on with rules */
  score(inputs: ModelInputs): Promise<ModelOutputs>
  failure(history: Float64Array, n: number): Promise<Float64Array>
  explainForest(features: Float64Array): Promise<TreeExplanation | null>
  /** False once the thread is gone: then every call fails. */
  readonly alive: boolean
  close(): Promise<void>
}

export interface WorkerScorerOptions {
  readonly folder: string
  /** Longest wait for one batch, ms. */
  readonly deadlineMs: number
  /** Called with the seconds each batch took in the models. */
  readonly onScored?: (seconds: number) => void
  /** Longest wait for the bundle to be loaded and proven, ms. */
  readonly loadDeadlineMs?: number
  /** What runs in the thread. */
  readonly worker?: URL
}

interface Waiting {
  resolve(reply: Reply): void
  reject(error: Error): void
  readonly timer: NodeJS.Timeout
}

/** Loading compiles the models and proves the golden vectors: slower than a batch. */
const LOAD_DEADLINE_MS = 30_000
/** A thread inside native code or a hanging file call cannot be ended from outside; nobody waits longer for it. */
const END_MS = 1000

export class WorkerScorer implements Scorer {
  readonly #worker: Worker
  readonly #options: WorkerScorerOptions
  readonly #waiting = new Map<number, Waiting>()
  #bundle: LoadedBundle | null = null
  #ended: Error | null = null
  #nextId = 1

  private constructor(options: WorkerScorerOptions) {
    this.#options = options
    this.#worker = new Worker(options.worker ?? new URL('./worker.js', import.meta.url), {
      // What the process was started with (a debugger, hooks of a test runner) is not for this thread.
      execArgv: [],
      // A scoring thread needs little; without a limit each thread reserves as much as the main one.
      resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 },
    })
    this.#worker.on('message', (reply: Reply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#end(error as Error))
    this.#worker.on('exit', (code) => this.#end(new Error(`the scoring thread ended with code ${code}`)))
    this.#worker.unref()
  }

  /** @throws BundleError when the bundle is refused */
  static async start(options: WorkerScorerOptions): Promise<WorkerScorer> {
    const scorer = new WorkerScorer(options)
    try {
      const reply = await scorer.#call('load', { folder: options.folder }, options.loadDeadlineMs ?? LOAD_DEADLINE_MS)
      scorer.#bundle = reply.value as LoadedBundle
      return scorer
    } catch (error) {
      await scorer.close()
      throw error
    }
  }

  get bundle(): LoadedBundle {
    return this.#bundle as LoadedBundle
  }

  get alive(): boolean {
    return this.#ended === null
  }

  async score(inputs: ModelInputs): Promise<ModelOutputs> {
    const reply = await this.#call('score', inputs)
    this.#options.onScored?.(reply.seconds)
    return reply.value as ModelOutputs
  }

  async failure(history: Float64Array, n: number): Promise<Float64Array> {
    return (await this.#call('failure', { history, n })).value as Float64Array
  }

  async explainForest(features: Float64Array): Promise<TreeExplanation | null> {
    // A message takes the whole buffer along: only the row itself is sent.
    return (await this.#call('explainForest', { features: features.slice() })).value as TreeExplanation | null
  }

  async close(): Promise<void> {
    this.#end(new Error('the scorer was closed'))
    await this.#terminate()
  }

  async #terminate(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, END_MS)
    })
    await Promise.race([this.#worker.terminate(), patience])
    clearTimeout(timer)
  }

  #call<K extends CallName>(
    call: K,
    payload: Calls[K]['takes'],
    deadlineMs = this.#options.deadlineMs,
  ): Promise<Extract<Reply, { ok: true }>> {
    if (this.#ended) return Promise.reject(this.#ended)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const message = `the models did not answer within ${deadlineMs} ms (${call})`
        this.#end(call === 'load' ? new BundleError('timeout', message) : new Error(message))
        void this.#terminate()
      }, deadlineMs)
      this.#waiting.set(id, {
        timer,
        reject,
        resolve: (reply) => (reply.ok ? resolve(reply) : reject(errorOf(reply))),
      })
      this.#worker.postMessage({ id, call, payload } satisfies Request<K>)
    })
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (waiting === undefined) return
    clearTimeout(waiting.timer)
    waiting.resolve(reply)
  }

  #end(error: Error): void {
    this.#ended ??= error
    for (const { timer, reject } of this.#waiting.values()) {
      clearTimeout(timer)
      reject(this.#ended)
    }
    this.#waiting.clear()
  }
}

function errorOf({ reason, message }: Extract<Reply, { ok: false }>): Error {
  return reason === undefined ? new Error(message) : new BundleError(reason, message)
}
