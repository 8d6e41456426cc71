/** What the manifest of any bundle starts as, before calibration, weights and hashes are known. */
import { type Manifest, WINDOW_ROWS } from '@portent/core'
import type { Fitted, FittedWinZ } from '../detectors/index.ts'
import type { FeatureModel } from '../features/index.ts'

const UNKNOWN = '0'.repeat(64)

/**
 * Factor of the exponential mean of a detector's scores. The scores of many signals are steady by themselves, and a
 * longer mean finds what lasts; one signal's short spikes would drown in it.
 */
const SMOOTHING = 0.3
const SMOOTHING_OF_ONE_SIGNAL = 0.5
/** With that smoothing, this share of a budget left 1.0 and 2.0 % of normal rows in alarm where 1 and 2 % were asked for. */
const OPEN_SHARE_OF_ONE_SIGNAL = 0.45

/** No score reaches its threshold: nothing is held back from the centres while scores are collected. */
const NO_ALARM: [number, number][] = [
  [0, -100],
  [1, 100],
]

export interface UntunedOptions {
  readonly name: string
  readonly intervalSeconds: number
  readonly signals: Manifest['signals']
  readonly features: FeatureModel
  /** win_z among them: it explains. */
  readonly detectors: readonly Fitted[]
  readonly center: Manifest['center']
  /** Hours of rows that the seeds of the rolling distributions stand for. */
  readonly seedHours: number
  readonly failure?: NonNullable<Manifest['failure']>
}

export function untunedManifest(options: UntunedOptions): Manifest {
  const { name, intervalSeconds, signals, features, detectors, center, seedHours, failure } = options
  return {
    format: 1,
    name,
    version: UNKNOWN.slice(0, 12),
    interval_seconds: intervalSeconds,
    window_rows: WINDOW_ROWS,
    signals,
    features: { file: 'features.onnx', sha256: UNKNOWN, mean: [...features.mean], scale: [...features.scale] },
    center,
    detectors: detectors.map(describe),
    ensemble: {
      smoothing: signals.length === 1 ? SMOOTHING_OF_ONE_SIGNAL : SMOOTHING,
      ...(signals.length === 1 ? { open_share: OPEN_SHARE_OF_ONE_SIGNAL } : {}),
      peak_decay: 0.98,
      distribution: NO_ALARM,
      seed_hours: seedHours,
    },
    explain: {
      primary: 'win_z',
      base: [...baseOf(detectors)],
      ...(detectors.some((x) => x.name === 'isolation_forest') ? { forest: 'isolation_forest' } : {}),
    },
    ...(failure ? { failure } : {}),
    golden: { file: 'golden.json', sha256: UNKNOWN },
    evidence: {},
  }
}

function describe(fitted: Fitted): Manifest['detectors'][number] {
  return {
    name: fitted.name,
    file: `${fitted.name}.onnx`,
    sha256: UNKNOWN,
    inputs: [...fitted.inputs],
    ...(fitted.ewmaAlpha === undefined ? {} : { ewma_alpha: fitted.ewmaAlpha }),
    float32: fitted.float32 ?? false,
    weight: 1,
    calibration: { median: 0, q95: 1 },
    distribution: NO_ALARM,
  }
}

function baseOf(detectors: readonly Fitted[]): Float64Array {
  return (detectors.find((x) => x.name === 'win_z') as FittedWinZ).base
}
