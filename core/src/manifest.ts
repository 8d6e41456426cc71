/**
 * The bundle's manifest: what a folder of ONNX files means. It is the only contract between training and exporter.
 *
 * A bundle is a folder with `manifest.json`, the ONNX files it names, and golden vectors: inputs with the outputs that an
 * independent float64 implementation computed for them. d = number of signals, F = 6 d = number of window features,
 * L = window rows, N = batch.
 *
 * Tensors (all double, but for the inputs of a detector whose entry says `float32`):
 * - features.onnx: `window` [N,L,d] natural units, oldest first; `mask` [N,d] 1 = present, 0 = absent;
 *   `center` [N,F] offset in standardised units, zeros when frozen -> `features` [N,F] standardised less `center` (not
 *   clipped), 0 where masked; `rows` [N,L,d] standardised by mean and scale of `last`, less its `center` (not clipped),
 *   0 where masked. Column order of F: all signals' last, then mean, std, slope, spike, rate.
 * - a detector reads the inputs it names, of this closed set: `features` [N,F], `rows` [N,L,d], `mask` [N,d],
 *   `ewma` [N,d] (exponential mean, factor `ewma_alpha`, of the newest of `rows`, clipped to +-10, of every earlier
 *   call; a signal's starts with the row it appears in) and gives `score` [N], higher = more anomalous, and optionally
 *   `contributions` [N,F], which add up to the score.
 * - failure.onnx: `history` [N,H,K] (features named in the manifest, of each horizon) -> `probability` [N,H], ascending.
 */
import { z } from 'zod'
import { RISK_FEATURES } from './failure/features.ts'
import type { FailureTerms } from './failure/model.ts'

export const FEATURE_KINDS = ['last', 'mean', 'std', 'slope', 'spike', 'rate'] as const
export const DETECTOR_INPUTS = ['features', 'rows', 'mask', 'ewma'] as const

const file = {
  file: z.string().regex(/^[a-z0-9][a-z0-9_.-]*$/, 'a plain file name inside the bundle'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits'),
}
const finite = z.number()
const share = z.number().min(0).max(1)

function increases(before: readonly [number, number] | undefined, p: number, v: number): boolean {
  return before !== undefined && p > before[0] && v >= before[1]
}

/** Pairs [p, value], both increasing: a distribution as its quantiles. */
const quantiles = z
  .array(z.tuple([share, finite]))
  .min(2)
  .refine((q) => q.every(([p, v], i) => i === 0 || increases(q[i - 1], p, v)), 'must increase')

const signal = z.strictObject({
  name: z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'a name of letters, digits and _'),
  unit: z.enum(['ratio', 'bytes_per_second', 'per_second', 'seconds', 'count', 'celsius', 'none']),
  transform: z.strictObject({ kind: z.enum(['linear', 'log1p']), scale: z.number().positive() }),
  /** Whether a day or more of it held no exact 0; left out where less was seen, or several hosts were. */
  never_zero: z.boolean().optional(),
})

const detector = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]*$/),
  ...file,
  inputs: z.array(z.enum(DETECTOR_INPUTS)).min(1),
  ewma_alpha: z.number().gt(0).max(1).optional(),
  /** Inputs are float32 instead of double (tree ensembles compare in float32). */
  float32: z.boolean().default(false),
  weight: z.number().min(0),
  /** Calibration of log(EWMA(score)): 0 = median, 1 = 95 % quantile. */
  calibration: z.strictObject({ median: finite, q95: finite }),
  /** Quantiles of the calibrated score over normal rows; seeds the detector's own threshold. */
  distribution: quantiles,
})

/** Members of the ensemble that a target updates every day from its own rows; computed by core, without ONNX. */
const daily = z.strictObject({
  /** What a day's rows weigh after another day. */
  forget: z.number().gt(0).max(1),
  /** Days of a target's own rows after which they join. */
  ready_days: z.number().int().min(1),
  members: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z][a-z0-9_]*$/),
        kind: z.enum(['z', 'pca', 'var']),
        weight: z.number().min(0),
        calibration: z.strictObject({ median: finite, q95: finite }),
        distribution: quantiles,
        /** var: spread of each signal's residual in training [d]. */
        residual_scale: z.array(z.number().positive()).optional(),
      }),
    )
    .min(1)
    .max(8),
})

/** What a usual day was, in a bundle of one host's own past: what drift is held against. */
const drift = z.strictObject({
  /** Training days. */
  days: z.number().positive(),
  /** Hourly means of the detectors' calibrated score over rows that they had not seen. */
  score: z.strictObject({ mean: finite, sigma: z.number().min(0) }),
  /**
   * Quantiles (i + 0.5) / 24 of the hourly means of each signal's level (the feature `last`), in hundredths of a training
   * spread [d,24]; null for a signal that is never there for most of an hour.
   */
  quantiles: z.array(z.array(z.number().int().min(-32767).max(32767)).length(24).nullable()),
  /** Kolmogorov-Smirnov distance of each signal's worst training day from all the others [d]. */
  worst: z.array(share),
})

/** Logistic regression of monotone, piecewise-linear terms; the ONNX file computes the same. H horizons. */
const failure = z
  .strictObject({
    ...file,
    /** Columns of `history`. */
    features: z.array(z.enum(RISK_FEATURES)).length(RISK_FEATURES.length),
    horizons_seconds: z.array(z.number().positive()).min(1),
    terms: z.array(
      z.strictObject({
        feature: z.enum(RISK_FEATURES),
        knots: z.array(finite).min(2),
        /** Gain of the logit from each knot to the next [H][knots - 1]. */
        weights: z.array(z.array(z.number().min(0))),
      }),
    ),
    intercepts: z.array(finite),
    /** Share of the rows that a failure followed in training [H]. */
    base_rates: z.array(share),
  })
  .refine(
    ({ horizons_seconds: { length }, terms, intercepts, base_rates }) =>
      intercepts.length === length &&
      base_rates.length === length &&
      terms.every(
        ({ knots, weights }) =>
          knots.every((x, i) => i === 0 || x > (knots[i - 1] as number)) &&
          weights.length === length &&
          weights.every((w) => w.length === knots.length - 1),
      ),
    'horizons, knots and weights must fit each other',
  )

export const manifestSchema = z.strictObject({
  format: z.literal(1),
  name: z.string().min(1),
  /** See version.ts. */
  version: z.string().regex(/^[0-9a-f]{12}$/),
  interval_seconds: z.number().positive(),
  window_rows: z.literal(10),
  signals: z.array(signal).min(1).max(512),
  features: z.strictObject({
    ...file,
    /** Training mean and scale (max(std, floor)) of each feature [F], after the transform. */
    mean: z.array(finite),
    scale: z.array(z.number().positive()),
  }),
  /**
   * frozen: the training mean is the centre. follow: each target's own mean is, starting from the training mean with the
   * weight of `prior_rows` rows [F] and remembering at most `memory_rows` rows.
   */
  center: z.discriminatedUnion('mode', [
    z.strictObject({ mode: z.literal('frozen') }),
    z.strictObject({
      mode: z.literal('follow'),
      prior_rows: z.array(z.number().min(0)),
      memory_rows: z.number().int().positive(),
    }),
  ]),
  detectors: z.array(detector).min(1).max(64),
  daily: daily.optional(),
  drift: drift.optional(),
  ensemble: z.strictObject({
    /** EWMA factor of every detector's score before the logarithm. */
    smoothing: z.number().gt(0).max(1),
    /** Decay a row of the peak hold that ranks rows. */
    peak_decay: z.number().gt(0).max(1),
    /** Quantiles of score_raw over normal rows: the seed of the rolling threshold. */
    distribution: quantiles,
    /** Share of a false-alarm budget that rows over the threshold may use. Default 0.8; see score/alarm.ts. */
    open_share: z.number().gt(0).max(1).optional(),
    /** Weight of that seed against live rows, in hours of rows; 144 = the whole rolling window. */
    seed_hours: z.number().positive().max(144),
  }),
  explain: z.strictObject({
    /** The additive detector behind the primary SHAP values. */
    primary: z.string(),
    /** Training mean of the squared, clipped, standardised feature [F]. */
    base: z.array(z.number().min(0)),
    /** The tree ensemble that exact TreeSHAP is computed for, if the bundle has one. */
    forest: z.string().optional(),
  }),
  failure: failure.optional(),
  golden: z.strictObject(file),
  /** What the choices above rest on: free-form figures for the reader, never used to score. */
  evidence: z.record(z.string(), z.unknown()).default({}),
})

export type Manifest = z.infer<typeof manifestSchema>
export type DetectorManifest = Manifest['detectors'][number]
/** What has a calibrated score and a vote. */
export type Voter = Pick<DetectorManifest, 'name' | 'weight' | 'calibration' | 'distribution'>

/** The detectors, then the daily members: the order of votes everywhere. */
export function votersOf({ detectors, daily }: Pick<Manifest, 'detectors' | 'daily'>): readonly Voter[] {
  return daily === undefined ? detectors : [...detectors, ...daily.members]
}

/** The failure model of a manifest as {@link failureProbabilities} and {@link failureReasons} take it. */
export function failureTermsOf(entry: NonNullable<Manifest['failure']>): FailureTerms {
  const { horizons_seconds, terms, intercepts, base_rates } = entry
  return { horizons: horizons_seconds, terms, intercepts, baseRates: base_rates }
}

/** golden.json: `cases` of one window each, with every output an independent implementation computed. */
export const goldenSchema = z.strictObject({
  /** Largest accepted |difference| / max(1, |expected|), by detector name, `features`, `rows`, `failure`. */
  tolerance: z.record(z.string(), z.number().positive()),
  cases: z
    .array(
      z.strictObject({
        about: z.string(),
        window: z.array(z.array(finite)),
        mask: z.array(z.union([z.literal(0), z.literal(1)])),
        center: z.array(finite),
        ewma: z.record(z.string(), z.array(finite)),
        features: z.array(finite),
        rows: z.array(z.array(finite)),
        scores: z.record(z.string(), finite),
        contributions: z.array(finite),
      }),
    )
    .min(1),
  failure: z.array(z.strictObject({ history: z.array(finite), probability: z.array(share) })).default([]),
})

export type Golden = z.infer<typeof goldenSchema>
