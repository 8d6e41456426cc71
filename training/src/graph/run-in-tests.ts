/** Runs a graph with onnxruntime, which only tests here depend on. */
import { InferenceSession, Tensor } from 'onnxruntime-node'

export type Feed = readonly [data: Float64Array | Float32Array, dims: readonly number[]]

/** The options of the service's sessions, but for the level of graph optimisation. */
export async function runGraph(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Feed>>,
  graphOptimizationLevel: 'disabled' | 'basic' | 'all' = 'basic',
): Promise<Record<string, Float64Array>> {
  const session = await InferenceSession.create(bytes, {
    graphOptimizationLevel,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  })
  try {
    const tensors = Object.entries(feeds).map(([name, [data, dims]]) => [
      name,
      data instanceof Float32Array ? new Tensor('float32', data, dims) : new Tensor('float64', data, dims),
    ])
    const outputs = await session.run(Object.fromEntries(tensors))
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data }]) => [name, Float64Array.from(data as Float64Array)]),
    )
  } finally {
    await session.release()
  }
}

/** Largest |difference| / max(1, |b|); NaN where anything is not finite or lengths differ. */
export function disagreement(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN
  let most = 0
  for (let i = 0; i < a.length; i++) {
    const off = Math.abs((a[i] as number) - (b[i] as number)) / Math.max(1, Math.abs(b[i] as number))
    if (!Number.isFinite(off)) return Number.NaN
    most = Math.max(most, off)
  }
  return most
}
