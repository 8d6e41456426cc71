/**
 * Makes the bundle that ships: for any Linux host, from generated hosts and recordings of a real one. Seeded; the same
 * Node gives the same bytes.
 */
import { HOST_SIGNALS, type Manifest, transformOf } from '@portent/core'
import { DEFAULT_DETECTORS } from '../detectors/index.ts'
import { Random } from '../random.ts'
import { type FleetHost, generateFleet } from '../simulate/index.ts'
import { calibrateDetectors, rawScores, weigh, withDistributions } from './calibrate.ts'
import { makeFailure } from './failure.ts'
import { casesOf, goldenOf, madeUp } from './golden.ts'
import { joinSets, PooledScaler, piecesOf } from './pool.ts'
import { alignColumns, type Recording, recordingOf } from './recording.ts'
import type { ReferenceModel } from './reference.ts'
import { untunedManifest } from './untuned.ts'
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
  /** Real hosts under load, with a column {@link STRESS}: each counts as one more host to weigh on. */
  readonly stressed?: readonly Recording[]
  readonly log: (message: string) => void
}

/** Column of a recording: 1 where a load was made. */
export const STRESS = 'stress'

/** Follow a target's mean over a day. */
const MEMORY_SECONDS = 86_400
/** Hours of rows that the seeds of the rolling distributions stand for: a host of its own is known after a day. */
const SEED_HOURS = 24
const PIECES = { pieces: 4, rows: 120 }

export function makeShippedBundle(options: ShippedOptions): BundleParts {
  const { seed, intervalSeconds, hosts, days, recordings, stressed = [], log } = options
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

  log(`fitting ${DEFAULT_DETECTORS.length} detectors on ${train.mask.length / train.signals} rows`)
  const detectors = DEFAULT_DETECTORS.map((detector) => detector.fit(train, random.fork(detector.name)))
  const model: ReferenceModel = { features, detectors, primary: 'win_z' }
  const untuned = untunedManifest({
    name: 'shipped-host',
    intervalSeconds,
    signals,
    features,
    detectors,
    center: {
      mode: 'follow',
      prior_rows: [...priorRows],
      memory_rows: Math.round(MEMORY_SECONDS / intervalSeconds),
    },
    seedHours: SEED_HOURS,
  })

  log(`calibrating on ${hosts.calibrate} other generated hosts and the recordings' second halves`)
  const normal = [...fleet('calibrate', hosts.calibrate)].map(recordingOf).concat(real.map(([, second]) => second))
  const normalScores = rawScores(normal, untuned, model)
  const calibrated = { ...untuned, detectors: calibrateDetectors(normalScores, untuned) }

  log(`weighing on ${hosts.weigh} generated hosts with faults and ${stressed.length} real ones under load`)
  const faulty = [...fleet('weigh', hosts.weigh, 3)]
  const loaded = stressed.map((r) => ({ ...r, signals: names, values: alignColumns(r, names) }))
  const { manifest: weighed, evidence } = weigh(
    rawScores([...faulty.map(recordingOf), ...loaded], calibrated, model),
    [...faulty.map((h) => h.truth.fault.map((x) => Number(x > 0))), ...stressed.map(stressOf)],
    calibrated,
  )
  const tuned = withDistributions(normalScores, weighed)

  log(`failure model on ${hosts.failure} generated hosts with a fault each`)
  const failure = makeFailure(hosts.failure, new Random(`${seed} failure`))

  const manifest: Manifest = {
    ...tuned,
    failure: failure.entry,
    evidence: {
      about:
        'generated hosts, and recordings of one real Linux host at rest and under stress-ng; no other fault of a real host',
      seed,
      hosts,
      days,
      recordings: [...recordings, ...stressed].map((r) => ({ name: r.name, rows: r.at.length })),
      training_rows: train.mask.length / train.signals,
      weights: evidence,
      failure: failure.evidence,
    },
  }
  const cases = [...casesOf(normal.slice(0, 3), manifest, model), ...madeUp(manifest, random.fork('golden'))]
  return { manifest, model, golden: goldenOf(cases, manifest, model, failure.golden) }
}

function stressOf({ signals, values, at }: Recording): Uint8Array {
  const column = signals.indexOf(STRESS)
  if (column < 0) throw new RangeError(`a recording under load needs a column ${STRESS}`)
  return Uint8Array.from(at, (_, t) => Number(values[t * signals.length + column] === 1))
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
