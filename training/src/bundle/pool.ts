/**
 * What a bundle of many hosts is fitted on. The centre of a target follows the target, so only what happens within a
 * host is learnt: features are standardised by the spread within hosts and taken relative to each host's own mean.
 */
import type { Transform } from '@portent/core'
import {
  type FeatureModel,
  KINDS,
  SCALE_FLOOR,
  seriesFeatures,
  seriesOf,
  sliceSet,
  type TrainingSet,
  trainingSetOf,
  transformSeries,
} from '../features/index.ts'
import type { Random } from '../random.ts'

export interface PooledFeatures {
  readonly model: FeatureModel
  /** Rows of a target that the training mean weighs as much as [F]: variance within hosts / variance between them. */
  readonly priorRows: Float64Array
}

/**
 * Smallest scales, by feature: last, mean, std, slope, spike, rate. Generated hosts are steadier than real ones, so a
 * relative change of a fifth in a rate or a time, or of three points in a ratio, is never more than a usual one.
 */
const FLOORS: Readonly<Record<Transform['kind'], readonly number[]>> = {
  linear: [0.03, 0.03, SCALE_FLOOR, 0.03, 0.7, 0.03],
  log1p: [0.2, 0.15, 0.1, 0.2, 0.7, 0.2],
}

/** The training mean never weighs more rows than this: an hour at 10 s. */
const MAX_PRIOR_ROWS = 360

/** Means and spreads within each host, collected host by host so that memory holds one. */
export class PooledScaler {
  readonly #transforms: readonly Transform[]
  /** One entry a host in which the feature's signal is present [F][hosts]. */
  readonly #means: number[][]
  readonly #spreads: number[][]

  constructor(transforms: readonly Transform[]) {
    this.#transforms = transforms
    const width = KINDS * transforms.length
    this.#means = Array.from({ length: width }, () => [])
    this.#spreads = Array.from({ length: width }, () => [])
  }

  /** @param values rows x d, natural units, NaN = absent */
  add(values: Float64Array): void {
    const d = this.#transforms.length
    const series = transformSeries(seriesOf(values, d), this.#transforms)
    const features = seriesFeatures(series)
    const width = KINDS * d
    const rows = values.length / d
    for (let f = 0; f < width; f++) {
      let [count, sum, squares] = [0, 0, 0]
      for (let t = 0; t < rows; t++) {
        if (series.mask[t * d + (f % d)] !== 1) continue
        const x = features[t * width + f] as number
        count++
        sum += x
        squares += x * x
      }
      if (count === 0) continue
      const mean = sum / count
      this.#means[f]?.push(mean)
      this.#spreads[f]?.push(Math.sqrt(Math.max(0, squares / count - mean * mean)))
    }
  }

  /**
   * The scale is the root mean square of the hosts' spreads below their 90 % quantile: a few restless hosts must not make
   * the model blind on all the others.
   * @throws RangeError when a signal is present in no host
   */
  finish(): PooledFeatures {
    const width = this.#means.length
    const mean = new Float64Array(width)
    const scale = new Float64Array(width)
    const priorRows = new Float64Array(width)
    for (let f = 0; f < width; f++) {
      const means = this.#means[f] as number[]
      const spreads = [...(this.#spreads[f] as number[])].sort((a, b) => a - b)
      if (means.length === 0) throw new RangeError(`signal ${f % this.#transforms.length} is present in no host`)
      const kept = spreads.slice(0, Math.max(1, Math.ceil(0.9 * spreads.length)))
      mean[f] = average(means)
      const d = this.#transforms.length
      const { kind } = this.#transforms[f % d] as Transform
      const floor = FLOORS[kind][Math.floor(f / d)] as number
      scale[f] = Math.max(floor, Math.sqrt(average(kept.map((x) => x * x))))
      const between = average(means.map((x) => (x - (mean[f] as number)) ** 2))
      const within = (scale[f] as number) ** 2
      priorRows[f] = Math.min(MAX_PRIOR_ROWS, within / Math.max(between, 1e-12))
    }
    return { model: { transforms: this.#transforms, mean, scale }, priorRows }
  }
}

/** Contiguous pieces of one host's rows, relative to the host's own mean. */
export function piecesOf(
  values: Float64Array,
  model: FeatureModel,
  { pieces, rows }: { readonly pieces: number; readonly rows: number },
  random: Random,
): TrainingSet[] {
  const d = model.transforms.length
  const set = trainingSetOf(seriesOf(values, d), model, { centred: true })
  const n = values.length / d
  if (n <= rows) return [sliceSet(set, 0, n)]
  return Array.from({ length: pieces }, () => {
    const from = random.integer(n - rows)
    return copyOf(sliceSet(set, from, from + rows))
  })
}

/** Slices are views: a copy lets go of the host's whole matrix. */
function copyOf(set: TrainingSet): TrainingSet {
  return { ...set, features: set.features.slice(), values: set.values.slice(), mask: set.mask.slice() }
}

export function joinSets(sets: readonly TrainingSet[]): TrainingSet {
  const [first] = sets
  if (first === undefined) throw new RangeError('no rows to train on')
  let start = 0
  const segments = sets.flatMap((set) => {
    const offset = start
    start += set.mask.length / set.signals
    return set.segments.map((s) => ({ start: s.start + offset, end: s.end + offset }))
  })
  return {
    signals: first.signals,
    features: concat(sets.map((s) => s.features)),
    values: concat(sets.map((s) => s.values)),
    mask: concat(sets.map((s) => s.mask)),
    segments,
  }
}

function concat(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((sum, x) => sum + x.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function average(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length
}
