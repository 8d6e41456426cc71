/**
 * The daily members of a bundle of one host's own past: which, with what weight, and their calibration. They are run over
 * the training rows as the service will run them, every row scored before it is learnt, so that no score to calibrate
 * with comes from a row that was seen.
 */
import { DailyMembers, type Manifest, spreadOf } from '@portent/core'
import type { Fitted, FittedVar } from '../detectors/index.ts'
import type { TrainingSet } from '../features/index.ts'
import { quantilesOf, rounded, smoothedLogs, sortedQuantile } from './statistics.ts'

type Daily = NonNullable<Manifest['daily']>
type Member = Daily['members'][number]

/** A frozen detector and the member that is updated beside it. */
const PAIRS: readonly { readonly frozen: string; readonly name: string; readonly kind: Member['kind'] }[] = [
  { frozen: 'win_z', name: 'win_z_daily', kind: 'z' },
  { frozen: 'pca_win', name: 'pca_daily', kind: 'pca' },
  { frozen: 'var', name: 'var_daily', kind: 'var' },
]
const FORGET = 0.85
/** Days after which a member joins, where the training rows are long enough to have seen as many twice; else one day. */
const READY_DAYS = 2
/** The newest days are enough to calibrate on. */
const MOST_DAYS = 8
const DAY_SECONDS = 86_400
const WIDTH = 6

/** Undefined where the rows are too few to learn from and calibrate on, or no frozen partner has a vote. */
export function dailyOf(
  set: TrainingSet,
  fitted: readonly Fitted[],
  weights: Readonly<Record<string, number>>,
  { intervalSeconds, smoothing }: { readonly intervalSeconds: number; readonly smoothing: number },
): Daily | undefined {
  const d = set.signals
  const rows = set.mask.length / d
  const days = (rows * intervalSeconds) / DAY_SECONDS
  const pairs = PAIRS.filter(({ frozen }) => (weights[frozen] ?? 0) > 0 && fitted.some((x) => x.name === frozen))
  if (pairs.length === 0 || days < 2) return undefined
  const residualScale = [...((fitted.find((x) => x.name === 'var') as FittedVar | undefined)?.residualScale ?? [])]
  const daily: Daily = {
    forget: FORGET,
    ready_days: days < 2 * READY_DAYS ? 1 : READY_DAYS,
    members: pairs.map(({ frozen, name, kind }) => ({
      name,
      kind,
      weight: weights[frozen] as number,
      calibration: { median: 0, q95: 1 },
      distribution: [
        [0, -100],
        [1, 100],
      ],
      ...(kind === 'var' ? { residual_scale: residualScale } : {}),
    })),
  }
  const members = new DailyMembers(daily, d, intervalSeconds)
  const pieces: number[][][] = []
  const first = Math.max(0, rows - Math.round((MOST_DAYS * DAY_SECONDS) / intervalSeconds))
  for (const { start, end } of set.segments) {
    if (end <= first) continue
    members.reset()
    const piece = pairs.map((): number[] => [])
    for (let t = Math.max(start, first); t < end; t++) {
      members.score(set.features, t * WIDTH * d, (j) => set.mask[t * d + j] === 1)
      members.scores.forEach((score, k) => {
        if (Number.isFinite(score)) piece[k]?.push(score)
      })
      members.learn(1)
    }
    pieces.push(piece)
  }
  return {
    ...daily,
    members: daily.members.map((member, k) => {
      const raw = pieces.map((piece) => Float64Array.from(piece[k] as number[])).filter((x) => x.length > 0)
      return calibratedMember(member, raw, smoothing)
    }),
  }
}

function calibratedMember(member: Member, raw: readonly Float64Array[], smoothing: number): Member {
  const logs = Float64Array.from(raw.flatMap((x) => smoothedLogs(x, smoothing))).sort()
  const calibration = { median: rounded(sortedQuantile(logs, 0.5)), q95: rounded(sortedQuantile(logs, 0.95)) }
  const spread = spreadOf(calibration)
  return { ...member, calibration, distribution: quantilesOf(logs.map((x) => (x - calibration.median) / spread)) }
}
