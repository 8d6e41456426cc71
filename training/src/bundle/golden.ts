/** Golden vectors: windows with every output the reference computed, for the loader to hold the ONNX files against. */
import { type Golden, type Manifest, type ModelInputs, WINDOW_ROWS } from '@portent/core'
import { KINDS } from '../features/index.ts'
import type { Random } from '../random.ts'
import type { Recording } from './recording.ts'
import { type ReferenceModel, referenceOutputs } from './reference.ts'
import { runRecordings } from './run.ts'

export interface GoldenInput {
  readonly about: string
  readonly window: Float64Array
  readonly mask: Float64Array
  readonly center: Float64Array
  readonly ewma: ReadonlyMap<string, Float64Array>
}

/** One target of a batch, cut out. */
export function cutOut(about: string, inputs: ModelInputs, i: number): GoldenInput {
  const d = inputs.mask.length / inputs.n
  const slice = (x: Float64Array, width: number) => x.slice(i * width, (i + 1) * width)
  return {
    about,
    window: slice(inputs.window, WINDOW_ROWS * d),
    mask: slice(inputs.mask, d),
    center: slice(inputs.center, KINDS * d),
    ewma: new Map([...inputs.ewma].map(([name, x]) => [name, slice(x, d)])),
  }
}

/** The start of a series, a window half padded, and one long after, of each recording. */
export function casesOf(recordings: readonly Recording[], manifest: Manifest, model: ReferenceModel): GoldenInput[] {
  const cases: GoldenInput[] = []
  const short = recordings.map((r) => ({ ...r, at: r.at.slice(0, 61) }))
  runRecordings(short, manifest, model, ({ host, t, inputs, i }) => {
    if (t === 0 || t === 4 || t === 60) cases.push(cutOut(`${recordings[host]?.name}, row ${t}`, inputs, i))
  })
  return cases
}

/** Inputs that no host gave: far off, and nearly all absent. */
export function madeUp(manifest: Manifest, random: Random): GoldenInput[] {
  const d = manifest.signals.length
  const make = (about: string, present: (j: number) => boolean, size: number): GoldenInput => {
    const mask = Float64Array.from({ length: d }, (_, j) => Number(present(j)))
    return {
      about,
      mask,
      window: Float64Array.from(
        { length: WINDOW_ROWS * d },
        (_, i) => (mask[i % d] as number) * size * random.uniform(),
      ),
      center: Float64Array.from({ length: KINDS * d }, () => random.normal()),
      ewma: new Map(
        manifest.detectors
          .filter((x) => x.inputs.includes('ewma'))
          .map((x) => [x.name, Float64Array.from(mask, (m) => m * random.normal())]),
      ),
    }
  }
  return [make('values far off', () => true, 1e6), make('one signal present', (j) => j === 0, 1)]
}

export function goldenOf(
  cases: readonly GoldenInput[],
  manifest: Manifest,
  model: ReferenceModel,
  failure: Golden['failure'],
): Golden {
  const tolerance: Record<string, number> = { features: 1e-9, rows: 1e-9, contributions: 1e-9, failure: 1e-9 }
  for (const fitted of model.detectors) tolerance[fitted.name] = fitted.tolerance
  const d = manifest.signals.length
  return {
    tolerance,
    cases: cases.map(({ about, window, mask, center, ewma }) => {
      const out = referenceOutputs(model, { n: 1, window, mask, center, ewma })
      return {
        about,
        window: rowsOf(window, d),
        mask: Array.from(mask, (m) => (m === 1 ? 1 : 0)),
        center: [...center],
        ewma: Object.fromEntries([...ewma].map(([name, x]) => [name, [...x]])),
        features: [...out.features],
        rows: rowsOf(out.rows, d),
        scores: Object.fromEntries([...out.scores].map(([name, x]) => [name, x[0] as number])),
        contributions: [...out.contributions],
      }
    }),
    failure,
  }
}

function rowsOf(values: Float64Array, d: number): number[][] {
  return Array.from({ length: values.length / d }, (_, k) => [...values.subarray(k * d, (k + 1) * d)])
}
