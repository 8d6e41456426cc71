/**
 * Calibration on hosts that no model was fitted on: the median and 95 % quantile of each detector's smoothed log score,
 * the distributions that seed the rolling thresholds, and the weights with the evidence for them.
 */
import { Ensemble, type Manifest } from '@portent/core'
import type { Recording } from './recording.ts'
import type { ReferenceModel } from './reference.ts'
import { runRecordings } from './run.ts'
import { averagePrecision, quantilesOf, rounded, smoothedLogs, sortedQuantile } from './statistics.ts'

/** Raw scores of every row of every host, one array a detector: [host][detector][row]. */
export type RawScores = readonly (readonly Float64Array[])[]

export function rawScores(recordings: readonly Recording[], manifest: Manifest, model: ReferenceModel): RawScores {
  const raw = recordings.map(({ at }) => manifest.detectors.map(() => new Float64Array(at.length)))
  runRecordings(recordings, manifest, model, ({ host, t, outputs, i }) => {
    manifest.detectors.forEach(({ name }, k) => {
      ;(raw[host]?.[k] as Float64Array)[t] = outputs.scores.get(name)?.[i] as number
    })
  })
  return raw
}

/** Median and 95 % quantile of log(EWMA(score)) over all rows of all hosts. */
export function calibrateDetectors(raw: RawScores, manifest: Manifest): Manifest['detectors'] {
  return manifest.detectors.map((detector, k) => {
    const logs = Float64Array.from(
      raw.flatMap((host) => smoothedLogs(host[k] as Float64Array, manifest.ensemble.smoothing)),
    ).sort()
    const calibration = { median: rounded(sortedQuantile(logs, 0.5)), q95: rounded(sortedQuantile(logs, 0.95)) }
    return { ...detector, calibration }
  })
}

/** Calibrated scores of every row: the ensemble's, then each detector's. */
export function combine(raw: RawScores, manifest: Manifest): { ensemble: Float64Array; detectors: Float64Array[] } {
  const ensemble: number[] = []
  const detectors: number[][] = manifest.detectors.map(() => [])
  for (const host of raw) {
    const one = new Ensemble(manifest)
    const rows = host[0]?.length ?? 0
    for (let t = 0; t < rows; t++) {
      ensemble.push(one.step((k) => host[k]?.[t] as number))
      one.detectors.forEach((x, k) => {
        detectors[k]?.push(x)
      })
    }
  }
  return { ensemble: Float64Array.from(ensemble), detectors: detectors.map((x) => Float64Array.from(x)) }
}

/** The manifest with the distributions of its scores over normal rows. */
export function withDistributions(raw: RawScores, manifest: Manifest): Manifest {
  const { ensemble, detectors } = combine(raw, manifest)
  return {
    ...manifest,
    detectors: manifest.detectors.map((x, k) => ({ ...x, distribution: quantilesOf(detectors[k] as Float64Array) })),
    ensemble: { ...manifest.ensemble, distribution: quantilesOf(ensemble) },
  }
}

export interface Evidence {
  readonly average_precision: Record<string, number>
  readonly average_precision_without: Record<string, number>
  readonly ensemble: number
}

/** A detector stays out when the others find faults better without it by more than this: less is noise of few hosts. */
const WORTH = 0.03

/**
 * Weights by validation on hosts with faults: 1, or 0 for a detector without which the average precision is higher.
 * @param labels 1 where a fault is at work, by host
 */
export function weigh(
  raw: RawScores,
  labels: readonly Uint8Array[],
  manifest: Manifest,
): { readonly manifest: Manifest; readonly evidence: Evidence } {
  const faulty = raw.map((_, host) => host).filter((host) => labels[host]?.includes(1))
  /** Mean over the hosts: each is judged against its own normal rows. */
  const precision = (detectors: Manifest['detectors']) => {
    const tried = { ...manifest, detectors }
    const one = (host: number) =>
      averagePrecision(combine([raw[host] as readonly Float64Array[]], tried).ensemble, labels[host] as Uint8Array)
    return faulty.reduce((sum, host) => sum + one(host), 0) / faulty.length
  }
  const only = (name: string) => manifest.detectors.map((x) => ({ ...x, weight: x.name === name ? 1 : 0 }))
  const without = (name: string) => manifest.detectors.map((x) => ({ ...x, weight: x.name === name ? 0 : 1 }))
  const entries = (of: (name: string) => Manifest['detectors']) =>
    Object.fromEntries(manifest.detectors.map(({ name }) => [name, rounded(precision(of(name)))]))
  const all = precision(manifest.detectors.map((x) => ({ ...x, weight: 1 })))
  const alone = entries(only)
  const left = entries(without)
  const detectors = manifest.detectors.map((x) => ({ ...x, weight: (left[x.name] as number) > all + WORTH ? 0 : 1 }))
  const kept = detectors.some((x) => x.weight > 0) ? detectors : manifest.detectors
  return {
    manifest: { ...manifest, detectors: kept },
    evidence: {
      average_precision: alone,
      average_precision_without: left,
      ensemble: rounded(precision(kept)),
    },
  }
}
