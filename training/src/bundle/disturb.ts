/**
 * Validation without labels: known disturbances are put into held-out rows, and each detector is asked whether it finds
 * them at the threshold that the undisturbed held-out rows set. Says whether a detector answers on this host, not how
 * well it finds real incidents.
 */
import { applyTransform, budgetOf, invertTransform, type Manifest, OPEN_SHARE } from '@portent/core'
import { scoreSet } from '../detectors/index.ts'
import { type Series, sliceSeries, trainingSetOf } from '../features/index.ts'
import type { Random } from '../random.ts'
import { combine, type RawScores } from './calibrate.ts'
import type { Fold } from './folds.ts'
import { sortedQuantile } from './statistics.ts'

export const DISTURBANCES = ['step', 'ramp', 'noise'] as const
export type Disturbance = (typeof DISTURBANCES)[number]

const BEFORE = 60
const DURING = 30
/** Size in training spreads of the level. */
const SPREADS = 3
const PER_FOLD = 6

export interface Disturbed {
  readonly kind: Disturbance
  /** One array a detector, over the rows before and during. */
  readonly raw: readonly Float64Array[]
  /** Rows before the disturbance. */
  readonly before: number
}

/** Held-out rows of a fold, disturbed at seeded places in a random third of the signals, scored by the fold's models. */
export function disturb({ features, fitted, held }: Fold, random: Random): Disturbed[] {
  const rows = held.mask.length / held.signals
  const fits = held.segments.filter((s) => s.end - s.start >= BEFORE + DURING)
  if (fits.length === 0) return []
  return Array.from({ length: PER_FOLD }, (_, i) => {
    const kind = DISTURBANCES[i % DISTURBANCES.length] as Disturbance
    const { start, end } = random.choice(fits)
    const from = start + random.integer(Math.min(rows, end - start) - BEFORE - DURING + 1)
    const piece = sliceSeries(held, from, from + BEFORE + DURING)
    const set = trainingSetOf(disturbed(piece, kind, features, random), features)
    return { kind, raw: fitted.map((x) => scoreSet(x, set)), before: BEFORE }
  })
}

function disturbed(piece: Series, kind: Disturbance, { transforms, scale }: Fold['features'], random: Random): Series {
  const d = piece.signals
  const values = piece.values.slice()
  const one = random.integer(d)
  for (let j = 0; j < d; j++) {
    const chosen = random.uniform() < 1 / 3 || j === one
    const direction = random.uniform() < 0.5 ? -1 : 1
    const transform = transforms[j]
    if (!chosen || transform === undefined) continue
    for (let t = BEFORE; t < BEFORE + DURING; t++) {
      const grown =
        kind === 'step' ? direction : kind === 'ramp' ? (direction * (t - BEFORE + 1)) / DURING : random.normal()
      const at = t * d + j
      const level = applyTransform(transform, values[at] as number) + SPREADS * (scale[j] as number) * grown
      values[at] = invertTransform(transform, level)
    }
  }
  return { ...piece, values }
}

export interface Validation {
  /** Disturbances tried, by kind. */
  readonly tried: Readonly<Record<Disturbance, number>>
  /** Share found, by `ensemble` or detector, by kind. */
  readonly found: Readonly<Record<string, Readonly<Record<Disturbance, number>>>>
}

/** @param raw scores of the undisturbed held-out rows, that set the thresholds */
export function validate(disturbances: readonly Disturbed[], raw: RawScores, manifest: Manifest): Validation {
  const p = 1 - OPEN_SHARE * budgetOf(5)
  const usual = combine(raw, manifest)
  const threshold = (x: Float64Array) => sortedQuantile(x.slice().sort(), p)
  const thresholds = [usual.ensemble, ...usual.detectors].map(threshold)
  const names = ['ensemble', ...manifest.detectors.map((x) => x.name)]
  const none = (): Record<Disturbance, number> => ({ step: 0, ramp: 0, noise: 0 })
  const tried = none()
  const found = Object.fromEntries(names.map((name) => [name, none()]))
  for (const { kind, raw: own, before } of disturbances) {
    tried[kind]++
    const scored = combine([own], manifest)
    for (const [k, scores] of [scored.ensemble, ...scored.detectors].entries()) {
      const over = scores.subarray(before).some((x) => x > (thresholds[k] as number))
      const counts = found[names[k] as string] as Record<Disturbance, number>
      if (over) counts[kind]++
    }
  }
  for (const counts of Object.values(found)) {
    for (const kind of DISTURBANCES) counts[kind] /= Math.max(1, tried[kind])
  }
  return { tried, found }
}
