/**
 * Makes the bundle that ships: for any Linux host, from generated hosts and recordings of a real one. Seeded; the same
 * Node gives the same bytes.
 */
import { HOST_SIGNALS, type Manifest, transformOf, WINDOW_ROWS } from '@portent/core'
import { DETECTORS, type Fitted, type FittedWinZ } from '../detectors/index.ts'
import { Random } from '../random.ts'
import { type FleetHost, failsWithin, generateFleet } from '../simulate/index.ts'
import { calibrateDetectors, rawScores, weigh, withDistributions } from './calibrate.ts'
import { FAILURE_HORIZON_SECONDS, FAILURE_WINDOW_SECONDS, fitFailureModel } from './failure.ts'
import { cutOut, type GoldenInput, goldenOf, madeUp } from './golden.ts'
import { joinSets, PooledScaler, piecesOf } from './pool.ts'
import { alignColumns, type Recording, recordingOf } from './recording.ts'
import type { ReferenceModel } from './reference.ts'
import { runRecordings } from './run.ts'
import type { BundleParts } from './write.ts'

export interface ShippedOptions {
  readonly seed: number
  readonly intervalSeconds: number
  /** Hosts to fit on, to calibrate on, to weigh on, and for the failure model: never the same ones. */
  readonly hosts: { readonly fit: number; readonly calibrate: number; readonly weigh: number; readonly failure: number }
  /** Days of each host. */
  readonly days: number
  /** Real hosts at rest: each counts as one more host to fit on and, from its second half on, to calibrate on. */
  readonly recordings: readonly Recording[]
  readonly log: (message: string) => void
}

/** Follow a target's mean over a day. */
const MEMORY_SECONDS = 86_400
/** Hours of rows that the seeds of the rolling distributions stand for: a host of its own is known after a day. */
const SEED_HOURS = 24
const PIECES = { pieces: 4, rows: 120 }
const UNKNOWN = '0'.repeat(64)

export function makeShippedBundle(options: ShippedOptions): BundleParts {
  const { seed, intervalSeconds, hosts, days, recordings, log } = options
  const random = new Random(seed)
  const signals = HOST_SIGNALS.map(({ name, unit }) => ({ name, unit, transform: transformOf(unit) }))
  const transforms = signals.map((s) => s.transform)
  const names = signals.map((s) => s.name)
  const fleet = (purpose: string, count: number, faultsPerDay = 0): Iterable<FleetHost> =>
    generateFleet({ hosts: count, days, intervalSeconds, seed: `${seed} ${purpose}`, faultsPerDay })
  const real = recordings.map((r) => halves({ ...r, signals: names, values: alignColumns(r, names) }))

  log(`features of ${hosts.fit} generated and ${real.length} recorded hosts`)
  const scaler = new PooledScaler(transforms)
  for (const host of fleet('fit', hosts.fit)) scaler.add(host.values)
  for (const [first] of real) scaler.add(first.values)
  const { model: features, priorRows } = scaler.finish()
  const sets = [...fleet('fit', hosts.fit)].flatMap((host) =>
    piecesOf(host.values, features, PIECES, random.fork(`pieces of ${host.index}`)),
  )
  for (const [first] of real) sets.push(...piecesOf(first.values, features, PIECES, random.fork(first.name)))
  const train = joinSets(sets)

  log(`fitting ${DETECTORS.length} detectors on ${train.mask.length / train.signals} rows`)
  const detectors = DETECTORS.map((detector) => detector.fit(train, random.fork(detector.name)))
  const model: ReferenceModel = { features, detectors, primary: 'win_z' }
  const untuned: Manifest = {
    format: 1,
    name: 'shipped-host',
    version: UNKNOWN.slice(0, 12),
    interval_seconds: intervalSeconds,
    window_rows: WINDOW_ROWS,
    signals,
    features: { file: 'features.onnx', sha256: UNKNOWN, mean: [...features.mean], scale: [...features.scale] },
    center: {
      mode: 'follow',
      prior_rows: [...priorRows],
      memory_rows: Math.round(MEMORY_SECONDS / intervalSeconds),
    },
    detectors: detectors.map(describe),
    ensemble: { smoothing: 0.3, peak_decay: 0.98, distribution: NO_ALARM, seed_hours: SEED_HOURS },
    explain: { primary: 'win_z', base: [...baseOf(detectors)], forest: 'isolation_forest' },
    failure: {
      file: 'failure.onnx',
      sha256: UNKNOWN,
      features: [
        'anomaly_frequency',
        'health_slope',
        'health_mean',
        'health_min',
        'cpu_trend',
        'cpu_mean',
        'memory_trend',
        'memory_mean',
      ],
      window_rows: Math.round(FAILURE_WINDOW_SECONDS / intervalSeconds),
      horizon_seconds: FAILURE_HORIZON_SECONDS,
      provisional: true,
    },
    golden: { file: 'golden.json', sha256: UNKNOWN },
    evidence: {},
  }

  log(`calibrating on ${hosts.calibrate} other generated hosts and the recordings' second halves`)
  const normal = [...fleet('calibrate', hosts.calibrate)].map(recordingOf).concat(real.map(([, second]) => second))
  const normalScores = rawScores(normal, untuned, model)
  const calibrated = { ...untuned, detectors: calibrateDetectors(normalScores, untuned) }

  log(`weighing on ${hosts.weigh} generated hosts with faults`)
  const faulty = [...fleet('weigh', hosts.weigh, 3)]
  const { manifest: weighed, evidence } = weigh(
    rawScores(faulty.map(recordingOf), calibrated, model),
    faulty.map((h) => h.truth.fault.map((x) => Number(x > 0))),
    calibrated,
  )
  const tuned = withDistributions(normalScores, weighed)

  log(`failure model on ${hosts.failure} generated hosts with faults`)
  const horizonRows = Math.round(FAILURE_HORIZON_SECONDS / intervalSeconds)
  const failing = [...fleet('failure', hosts.failure, 3)].map((host) => ({
    recording: recordingOf(host),
    fails: failsWithin(host.truth, horizonRows),
    failed: host.truth.failed,
  }))
  const failure = fitFailureModel(failing, tuned, model)

  const manifest: Manifest = {
    ...tuned,
    evidence: {
      about: 'generated hosts and recordings of one real Linux host at rest; no fault of a real host',
      seed,
      hosts,
      days,
      recordings: recordings.map((r) => ({ name: r.name, rows: r.at.length })),
      training_rows: train.mask.length / train.signals,
      weights: evidence,
      failure: failure.evidence,
    },
  }
  const cases = [...casesOf(normal.slice(0, 3), manifest, model), ...madeUp(manifest, random.fork('golden'))]
  return { manifest, model, failure: failure.model, golden: goldenOf(cases, manifest, model, failure.golden) }
}

/** No score reaches its threshold: nothing is held back from the centres while scores are collected. */
const NO_ALARM: [number, number][] = [
  [0, -100],
  [1, 100],
]

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

/** The first half to fit on, the second to calibrate on. */
function halves(recording: Recording): [Recording, Recording] {
  const d = recording.signals.length
  const middle = Math.floor(recording.at.length / 2)
  const part = (name: string, from: number, to: number): Recording => ({
    ...recording,
    name: `${recording.name} (${name} half)`,
    at: recording.at.slice(from, to),
    values: recording.values.slice(from * d, to * d),
  })
  return [part('first', 0, middle), part('second', middle, recording.at.length)]
}

/** The start of a series, a window half padded, and one long after. */
function casesOf(recordings: readonly Recording[], manifest: Manifest, model: ReferenceModel): GoldenInput[] {
  const cases: GoldenInput[] = []
  const short = recordings.map((r) => ({ ...r, at: r.at.slice(0, 61) }))
  runRecordings(short, manifest, model, ({ host, t, inputs, i }) => {
    if (t === 0 || t === 4 || t === 60) cases.push(cutOut(`${recordings[host]?.name}, row ${t}`, inputs, i))
  })
  return cases
}
