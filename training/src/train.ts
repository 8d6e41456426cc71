/**
 * A bundle of one host's own past, from rows of signals to the parts that are written: which columns are signals, in what
 * scale, where time has holes, and which detectors are fitted with what weight.
 */
import { HOST_SIGNAL_KINDS, HOST_SIGNALS, type Manifest, type Transform, transformOf } from '@portent/core'
import { type Validation, validate } from './bundle/disturb.ts'
import type { FailurePart } from './bundle/failure.ts'
import { BLOCKS } from './bundle/folds.ts'
import { type HeldOut, makeOwnBundle } from './bundle/own.ts'
import { alignColumns } from './bundle/recording.ts'
import type { BundleParts } from './bundle/write.ts'
import { DEFAULT_DETECTORS, DETECTORS, type Detector } from './detectors/index.ts'
import { MAX_CARRY_ROWS, type Segment } from './features/index.ts'
import { InputError, type TrainingInput } from './input.ts'
import { Random } from './random.ts'
import { DEFAULT_WEIGHTS, WEIGHT_EVIDENCE } from './weights.ts'

/** Four blocks of three windows: fewer rows calibrate nothing. */
export const MIN_ROWS = 120
/** Below this the threshold knows no whole day. */
const WISE_SECONDS = 86_400
const MAX_SIGNALS = 512
const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

export interface TrainOptions {
  readonly name: string
  readonly seed: string
  /** `default`, `all`, or names with commas between. */
  readonly detectors: string
  /** A failure model for hosts, used where one of the signals is a host's. */
  readonly failure: FailurePart | null
  readonly progress: (done: number, steps: number, what: string) => void
  /** Whether held-out blocks are fitted in a thread of their own; by rows and processors if left out. Same bytes. */
  readonly thread?: boolean | undefined
}

export interface Trained {
  readonly parts: BundleParts
  readonly heldOut: HeldOut
  /** Null where blocks are too short to disturb. */
  readonly validation: Validation | null
  readonly rows: number
  /** Holes in time. */
  readonly gaps: number
  readonly notes: readonly string[]
}

/** Rejects with InputError when the rows cannot be trained on, with RangeError for an unknown detector */
export async function train(input: TrainingInput, options: TrainOptions): Promise<Trained> {
  const { detectors, weights } = chooseDetectors(options.detectors)
  const { intervalSeconds } = input
  const rows = input.recording.at.length
  const place = input.recording.name
  if (rows < MIN_ROWS) {
    throw new InputError(
      `${place}: at least ${MIN_ROWS} rows are needed, found ${rows}: ${BLOCKS} blocks are held out in turn to calibrate`,
    )
  }
  const notes = [...input.notes]
  const kept = keptSignals(input, notes)
  const values = alignColumns(input.recording, kept)
  const recording = { ...input.recording, signals: kept, values }
  const day = WISE_SECONDS / intervalSeconds
  const signals = kept.map((name, j) => signalOf(name, columnOf(values, kept.length, j), day))
  const segments = segmentsOf(recording.at, intervalSeconds)
  const gaps = segments.length - 1
  if (gaps > 0) {
    notes.push(`${gaps} ${gaps === 1 ? 'gap' : 'gaps'} in time: windows start afresh after each`)
  }
  if (rows * intervalSeconds < WISE_SECONDS) {
    notes.push('less than a day of rows: scores know no daily pattern, three to seven days are far better')
  }
  const failure = failureFor(kept, options)
  const bundle = await makeOwnBundle(recording, {
    name: options.name,
    intervalSeconds,
    signals,
    segments,
    detectors,
    weights,
    failure,
    evidence: {
      about: "fitted on the host's own past, calibrated by blocked cross-fitting; no labelled fault of this host",
      source: input.source,
      seed: options.seed,
      rows,
      gaps,
      weights: WEIGHT_EVIDENCE,
    },
    random: new Random(options.seed),
    progress: options.progress,
    thread: options.thread,
  })
  const validation =
    bundle.disturbed.length > 0 ? validate(bundle.disturbed, bundle.heldOut.raw, bundle.manifest) : null
  const manifest: Manifest = {
    ...bundle.manifest,
    evidence: { ...bundle.manifest.evidence, ...(validation ? { validation } : {}) },
  }
  const { model, golden, heldOut } = bundle
  return { parts: { manifest, model, golden }, heldOut, validation, rows, gaps, notes }
}

/**
 * `default` and `all` take the validated weights; detectors named one by one all weigh 1. win_z explains, so it is always
 * there, with weight 0 where it was not asked for.
 * @throws RangeError naming an unknown detector
 */
export function chooseDetectors(asked: string): { detectors: Detector[]; weights: Record<string, number> } {
  if (asked === 'default') return { detectors: [...DEFAULT_DETECTORS], weights: { ...DEFAULT_WEIGHTS } }
  if (asked === 'all') return { detectors: [...DETECTORS], weights: { ...DEFAULT_WEIGHTS } }
  const names = asked.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !DETECTORS.some((x) => x.name === name))
  if (unknown !== undefined) {
    const known = DETECTORS.map((x) => x.name).join(', ')
    throw new RangeError(
      `there is no detector ${unknown === '' ? 'without a name' : unknown}: default, all, or of ${known}`,
    )
  }
  const weights = Object.fromEntries(DETECTORS.map(({ name }) => [name, names.includes(name) ? 1 : 0]))
  return { detectors: DETECTORS.filter(({ name }) => names.includes(name) || name === 'win_z'), weights }
}

/** Columns that can be fitted: well named, and present in two of the blocks at least, so that every fold has seen them. */
function keptSignals({ recording }: TrainingInput, notes: string[]): string[] {
  const { name: place, signals, values, at } = recording
  const d = signals.length
  const rows = at.length
  for (const name of signals) {
    if (!NAME.test(name)) throw new InputError(`${place}: column ${name}: a signal's name is of letters, digits and _`)
  }
  const kept = signals.filter((name, j) => {
    const blocks = new Set<number>()
    for (let t = 0; t < rows; t++) {
      if (Number.isFinite(values[t * d + j])) blocks.add(Math.floor(((t + 1) * BLOCKS - 1) / rows))
    }
    if (blocks.size >= 2) return true
    const where = blocks.size === 0 ? 'has no value' : 'has values in one quarter of the rows only'
    notes.push(`column ${name} ${where} and was left out`)
    return false
  })
  if (kept.length === 0) throw new InputError(`${place}: no column has values in more than one quarter of the rows`)
  if (kept.length > MAX_SIGNALS)
    throw new InputError(`${place}: ${kept.length} signals, at most ${MAX_SIGNALS} are taken`)
  return kept
}

function columnOf(values: Float64Array, d: number, j: number): Float64Array {
  const column = new Float64Array(values.length / d)
  let n = 0
  for (let at = j; at < values.length; at += d) {
    const value = values[at] as number
    if (Number.isFinite(value)) column[n++] = value
  }
  return column.subarray(0, n)
}

/** Beyond this a signal is no ratio and no percentage. */
const BEYOND_RATIOS = 100

/**
 * A host's signal by its name; any other has no unit. Ratios and percentages, and what may be negative, stay as they are.
 * What is never negative and goes far beyond them is a rate or a count: those vary by factors, so they enter by log1p, or
 * a single burst would set the spread of the whole column. Small columns are not stretched: the floor of the spread is
 * meant for ratios, and a column that stays far below it in its own unit is seen only when it leaves that range.
 * @param dayRows rows of a day: a column of at least as many that is never exactly 0 is said to be so
 */
export function signalOf(
  name: string,
  present: Float64Array,
  dayRows = Number.POSITIVE_INFINITY,
): Manifest['signals'][number] {
  const neverZero = present.length >= dayRows ? { never_zero: present.every((x) => x !== 0) } : {}
  const host = HOST_SIGNALS.find((x) => x.name === name)
  if (host !== undefined) return { name, unit: host.unit, transform: transformOf(host.unit), ...neverZero }
  let [least, most] = [0, 0]
  for (const x of present) {
    least = Math.min(least, x)
    most = Math.max(most, x)
  }
  const kind: Transform['kind'] = least >= 0 && most > BEYOND_RATIOS ? 'log1p' : 'linear'
  return { name, unit: 'none', transform: { kind, scale: 1 }, ...neverZero }
}

/** Cut where the service would start a window afresh. */
export function segmentsOf(at: Float64Array, intervalSeconds: number): Segment[] {
  const longest = (MAX_CARRY_ROWS + 1) * intervalSeconds * 1000
  const segments: Segment[] = []
  let start = 0
  for (let t = 1; t <= at.length; t++) {
    if (t < at.length && (at[t] as number) - (at[t - 1] as number) <= longest) continue
    segments.push({ start, end: t })
    start = t
  }
  return segments
}

function failureFor(signals: readonly string[], { failure }: TrainOptions): FailurePart | null {
  return signals.some((name) => name in HOST_SIGNAL_KINDS) ? failure : null
}
