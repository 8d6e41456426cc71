/** The scoring thread: onnxruntime computes on the thread that calls it, and this one answers no HTTP. */
import { parentPort } from 'node:worker_threads'
import { readBundleApart } from '../bundle/apart.ts'
import { BundleError } from '../bundle/reasons.ts'
import { OnnxModel } from './model.ts'
import type { CallName, Calls, LoadedBundle, Reply, Request } from './protocol.ts'

let model: OnnxModel | null = null

function loaded(): OnnxModel {
  if (model === null) throw new Error('no bundle is loaded')
  return model
}

const calls: { [K in CallName]: (payload: Calls[K]['takes']) => Promise<Calls[K]['gives']> } = {
  async load({ folder }) {
    const started = performance.now()
    const files = await readBundleApart(folder)
    const next = await OnnxModel.load(files)
    await model?.release()
    model = next
    const { manifest, sha256, trainedAt, golden } = files
    return {
      manifest,
      sha256,
      folder,
      loadSeconds: (performance.now() - started) / 1000,
      trainedAt,
      golden: { cases: golden.cases.length, worst: next.worst },
    } satisfies LoadedBundle
  },
  score: (inputs) => loaded().score(inputs),
  failure: ({ history, n }) => loaded().failure(history, n),
  explainForest: async ({ features }) => loaded().explainForest(features),
}

async function answer<K extends CallName>({ id, call, payload }: Request<K>): Promise<Reply> {
  const started = performance.now()
  try {
    const value = await calls[call](payload)
    return { id, ok: true, value, seconds: (performance.now() - started) / 1000 }
  } catch (error) {
    const { message } = error as Error
    return error instanceof BundleError ? { id, ok: false, message, reason: error.reason } : { id, ok: false, message }
  }
}

// One at a time, in order: a session is never entered twice.
let queue: Promise<void> = Promise.resolve()
parentPort?.on('message', (request: Request) => {
  queue = queue.then(async () => parentPort?.postMessage(await answer(request)))
})
