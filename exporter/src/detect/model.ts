/**
 * The models of one bundle, loaded and proven: sessions of onnxruntime with the options that serve, shapes looked at,
 * and every golden vector reproduced within its tolerance. A mismatch refuses the bundle; nothing half-loaded is left.
 *
 * onnxruntime computes on the calling thread: a service calls this from a worker ({@link ./scorer.ts}), a replay directly.
 */
import type { DetectorManifest, Golden, Manifest } from '@portent/core'
import {
  emptyInputs,
  type Forest,
  type ModelInputs,
  type ModelOutputs,
  type TreeExplanation,
  TreeShap,
  WINDOW_ROWS,
} from '@portent/core/models'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { BundleFiles } from '../bundle/files.ts'
import { BundleError } from '../bundle/reasons.ts'

/**
 * `basic`: at its default level onnxruntime 1.30 silently miscomputes a Transpose followed by a MatMul with a vector.
 * One thread: two spin and are slower under load. No memory pattern or arena: batches vary in size, and memory stays flat.
 */
export const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  graphOptimizationLevel: 'basic',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  enableMemPattern: false,
  enableCpuMemArena: false,
  logSeverityLevel: 3,
}

const KINDS = 6

export class OnnxModel {
  readonly manifest: Manifest
  /** Largest deviation from a golden vector, as a share of what is tolerated. */
  worst = 0
  readonly #features: InferenceSession
  readonly #detectors: ReadonlyMap<string, InferenceSession>
  readonly #failure: InferenceSession | null
  readonly #forest: Forest | null
  /** Made when the first explanation is asked for. */
  #shap: TreeShap | null = null

  private constructor(
    manifest: Manifest,
    features: InferenceSession,
    detectors: ReadonlyMap<string, InferenceSession>,
    failure: InferenceSession | null,
    forest: Forest | null,
  ) {
    this.manifest = manifest
    this.#features = features
    this.#detectors = detectors
    this.#failure = failure
    this.#forest = forest
  }

  /** @throws BundleError */
  static async load({ manifest, golden, models, forest }: BundleFiles): Promise<OnnxModel> {
    const opened: InferenceSession[] = []
    const open = async (file: string): Promise<InferenceSession> => {
      try {
        const session = await InferenceSession.create(models.get(file) as Uint8Array, SESSION_OPTIONS)
        opened.push(session)
        return session
      } catch (error) {
        throw new BundleError('model', `${file} cannot be loaded: ${(error as Error).message}`, { cause: error })
      }
    }
    try {
      const features = await open(manifest.features.file)
      expectNames(manifest.features.file, features, ['window', 'mask', 'center'], ['features', 'rows'])
      const detectors = new Map<string, InferenceSession>()
      for (const { name, file, inputs } of manifest.detectors) {
        const session = await open(file)
        const outputs = name === manifest.explain.primary ? ['score', 'contributions'] : ['score']
        expectNames(file, session, inputs, outputs)
        detectors.set(name, session)
      }
      let failure: InferenceSession | null = null
      if (manifest.failure) {
        failure = await open(manifest.failure.file)
        expectNames(manifest.failure.file, failure, ['history'], ['probability'])
      }
      const model = new OnnxModel(manifest, features, detectors, failure, forest)
      await model.#prove(golden)
      return model
    } catch (error) {
      await Promise.all(opened.map((session) => session.release()))
      throw error
    }
  }

  /**
   * Features and scores of a batch.
   * @throws RangeError when an input is not finite: a forest fed NaN gives a plausible score, so none is asked
   */
  async score(inputs: ModelInputs): Promise<ModelOutputs> {
    for (const [name, state] of inputs.ewma) expectFinite(`ewma of ${name}`, state)
    const { features, rows } = await this.features(inputs)
    const { scores, contributions } = await this.detect(inputs, features, rows)
    return { features, newest: newestOf(rows, inputs.n), scores, contributions }
  }

  /** First half of {@link score}: features [N,F] and standardised rows [N,L,d]. */
  async features({ n, window, mask, center }: ModelInputs): Promise<{ features: Float64Array; rows: Float64Array }> {
    expectFinite('window', window)
    expectFinite('mask', mask)
    expectFinite('center', center)
    const d = this.manifest.signals.length
    const out = await this.#features.run({
      window: new Tensor('float64', window, [n, WINDOW_ROWS, d]),
      mask: new Tensor('float64', mask, [n, d]),
      center: new Tensor('float64', center, [n, KINDS * d]),
    })
    return { features: doubles(out.features, n * KINDS * d), rows: doubles(out.rows, n * WINDOW_ROWS * d) }
  }

  /** Second half of {@link score}. */
  async detect(
    { n, mask, ewma }: Pick<ModelInputs, 'n' | 'mask' | 'ewma'>,
    features: Float64Array,
    rows: Float64Array,
  ): Promise<{ scores: Map<string, Float64Array>; contributions: Float64Array }> {
    expectFinite('features', features)
    expectFinite('rows', rows)
    const d = this.manifest.signals.length
    const scores = new Map<string, Float64Array>()
    let contributions: Float64Array = new Float64Array(0)
    for (const detector of this.manifest.detectors) {
      const session = this.#detectors.get(detector.name) as InferenceSession
      const feeds: Record<string, Tensor> = {}
      for (const input of detector.inputs) {
        if (input === 'features') feeds.features = tensor(detector, features, [n, KINDS * d])
        else if (input === 'rows') feeds.rows = tensor(detector, rows, [n, WINDOW_ROWS, d])
        else if (input === 'mask') feeds.mask = tensor(detector, mask, [n, d])
        else feeds.ewma = tensor(detector, ewma.get(detector.name) as Float64Array, [n, d])
      }
      const out = await this.#ask(detector.file, session, feeds)
      scores.set(detector.name, doubles(out.score, n))
      if (detector.name === this.manifest.explain.primary) contributions = doubles(out.contributions, n * KINDS * d)
    }
    return { scores, contributions }
  }

  /** Probabilities [N,H] of a failure within each horizon, ascending, from its features [N,H,K]. */
  async failure(history: Float64Array, n: number): Promise<Float64Array> {
    const { failure } = this.manifest
    if (this.#failure === null || failure === undefined) throw new Error('the bundle has no failure model')
    expectFinite('history', history)
    const horizons = failure.horizons_seconds.length
    const dims = [n, horizons, failure.features.length]
    const out = await this.#failure.run({ history: new Tensor('float64', history, dims) })
    return doubles(out.probability, n * horizons)
  }

  /**
   * Exact TreeSHAP of the forest for one row of features, positive = more anomalous; base + sum = output, in path
   * lengths. Null if the bundle has no forest.
   */
  explainForest(features: Float64Array): TreeExplanation | null {
    if (this.#forest === null) return null
    this.#shap ??= new TreeShap(this.#forest, { negate: true })
    return this.#shap.explain(features)
  }

  async release(): Promise<void> {
    const sessions = [this.#features, ...this.#detectors.values(), ...(this.#failure ? [this.#failure] : [])]
    await Promise.all(sessions.map((session) => session.release()))
  }

  async #ask(
    file: string,
    session: InferenceSession,
    feeds: Record<string, Tensor>,
  ): Promise<InferenceSession.ReturnType> {
    try {
      return await session.run(feeds)
    } catch (error) {
      throw new Error(`${file}: ${(error as Error).message}`, { cause: error })
    }
  }

  /** Golden vectors, all cases in one batch and the first one alone: a batch of one takes other kernels. */
  async #prove(golden: Golden): Promise<void> {
    const d = this.manifest.signals.length
    const { file } = this.manifest.golden
    golden.cases.forEach((c, i) => {
      const sizes: [string, number, number][] = [
        ['window', c.window.flat().length, WINDOW_ROWS * d],
        ['mask', c.mask.length, d],
        ['center', c.center.length, KINDS * d],
        ['features', c.features.length, KINDS * d],
        ['rows', c.rows.flat().length, WINDOW_ROWS * d],
        ['contributions', c.contributions.length, KINDS * d],
      ]
      for (const { name, inputs } of this.manifest.detectors) {
        if (inputs.includes('ewma')) sizes.push([`ewma.${name}`, c.ewma[name]?.length ?? 0, d])
      }
      for (const [name, found, wanted] of sizes) {
        if (found === wanted) continue
        throw new BundleError('shape', `${file}: case ${i}: ${name} holds ${found} numbers, not ${wanted}`)
      }
    })
    for (const cases of [golden.cases, golden.cases.slice(0, 1)]) {
      const inputs = emptyInputs(this.manifest, cases.length)
      cases.forEach((c, i) => {
        inputs.window.set(c.window.flat(), i * WINDOW_ROWS * d)
        inputs.mask.set(c.mask, i * d)
        inputs.center.set(c.center, i * KINDS * d)
        for (const [name, state] of inputs.ewma) state.set(c.ewma[name] ?? [], i * d)
      })
      const { features, rows } = await this.#run(this.manifest.features.file, () => this.features(inputs))
      const { scores, contributions } = await this.#run('a detector', () => this.detect(inputs, features, rows))
      cases.forEach((c, i) => {
        const agree = (name: string, found: Float64Array, expected: readonly number[]) => {
          this.#agree(`${file}: case ${i} (${c.about}): ${name}`, found, i, expected, golden.tolerance[name] ?? 1e-6)
        }
        agree('features', features, c.features)
        agree('rows', rows, c.rows.flat())
        agree('contributions', contributions, c.contributions)
        for (const { name } of this.manifest.detectors) {
          const expected = c.scores[name]
          if (expected === undefined) throw new BundleError('golden', `${file}: case ${i} says nothing of ${name}`)
          agree(name, scores.get(name) as Float64Array, [expected])
        }
      })
    }
    if (this.#failure === null) return
    if (golden.failure.length === 0) throw new BundleError('golden', `${file}: no case of the failure model`)
    const histories = Float64Array.from(golden.failure.flatMap((x) => x.history))
    const found = await this.#run(this.manifest.failure?.file ?? '', () =>
      this.failure(histories, golden.failure.length),
    )
    golden.failure.forEach(({ probability }, i) => {
      this.#agree(`${file}: failure case ${i}`, found, i, probability, golden.tolerance.failure ?? 1e-6)
    })
  }

  /** @param i position of the case in the batch; `found` holds `expected.length` values a case */
  #agree(what: string, found: Float64Array, i: number, expected: readonly number[], tolerance: number): void {
    const from = i * expected.length
    for (let k = 0; k < expected.length; k++) {
      const wanted = expected[k] as number
      const got = found[from + k] as number
      const off = Math.abs(got - wanted) / Math.max(1, Math.abs(wanted)) / tolerance
      if (!(off <= 1)) {
        throw new BundleError(
          'golden',
          `${what}[${k}] is ${got}, the golden vector says ${wanted} (tolerance ${tolerance})`,
        )
      }
      this.worst = Math.max(this.worst, off)
    }
  }

  async #run<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (error instanceof BundleError) throw error
      throw new BundleError('shape', `${what} cannot be run: ${(error as Error).message}`, { cause: error })
    }
  }
}

function expectNames(
  file: string,
  session: InferenceSession,
  inputs: readonly string[],
  outputs: readonly string[],
): void {
  const missing = [
    ...session.inputNames.filter((x) => !inputs.includes(x)),
    ...inputs.filter((x) => !session.inputNames.includes(x)),
    ...outputs.filter((x) => !session.outputNames.includes(x)),
  ]
  if (missing.length === 0) return
  throw new BundleError(
    'shape',
    `${file} takes ${session.inputNames.join(', ')} and gives ${session.outputNames.join(', ')}, not ${inputs.join(', ')} and ${outputs.join(', ')}`,
  )
}

function expectFinite(name: string, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw new RangeError(`${name}[${i}] is ${values[i]}`)
  }
}

function tensor(detector: DetectorManifest, values: Float64Array, dims: readonly number[]): Tensor {
  return detector.float32 ? new Tensor('float32', Float32Array.from(values), dims) : new Tensor('float64', values, dims)
}

function doubles(tensor: Tensor | undefined, length: number): Float64Array {
  const data = tensor?.data
  if (!(data instanceof Float64Array || data instanceof Float32Array)) {
    throw new Error(`an output holds ${tensor?.type ?? 'nothing'}, not numbers`)
  }
  if (data.length !== length) throw new Error(`an output holds ${data.length} numbers, not ${length}`)
  return data instanceof Float64Array ? data : Float64Array.from(data)
}

function newestOf(rows: Float64Array, n: number): Float64Array {
  const d = rows.length / n / WINDOW_ROWS
  const newest = new Float64Array(n * d)
  for (let i = 0; i < n; i++) {
    const from = (i * WINDOW_ROWS + WINDOW_ROWS - 1) * d
    newest.set(rows.subarray(from, from + d), i * d)
  }
  return newest
}
