/**
 * A recording scored as if its rows had come in one by one: the models, windows and thresholds of the service over a
 * table. Strictly causal: nothing of a row depends on a later one, to the last bit.
 *
 * Where the bundle's centre is frozen, a block of rows shares a call of the models. Blocks are always full (the last one
 * computes rows that nobody asked for), because the kernels of another batch size round differently, and a recording
 * that is cut off must give the scores it gave before. Where the centre follows the target, rows go one by one.
 */
import { emptyInputs, type ModelHalves, type RowOutcome, TargetState, type TimedRow } from '@portent/core'
import type { OnnxModel } from '../detect/model.ts'
import { type PrimaryShap, primaryShap } from '../explain/primary.ts'

/** What a replay asks of the models. */
export type ReplayModel = Pick<OnnxModel, 'manifest' | 'score'> & ModelHalves

export interface ReplayOptions {
  /** 1-10. Default 5. */
  readonly sensitivity?: number
  /** Overrides the budget that the sensitivity stands for. */
  readonly budget?: number
  /** Whether the primary SHAP values are wanted. Default true. */
  readonly explain?: boolean
  /** Rows that share a call of the models. */
  readonly blockRows?: number
}

/** Rows at most that {@link replay} is to take at once: enough to keep the models busy, few enough for the cache. */
export const BLOCK_ROWS = 512

/** Every number is one in every row, warm-up and gaps included. */
export interface ReplayedRow {
  /** Peak hold of `scoreRaw`: ranks rows. */
  readonly score: number
  readonly scoreRaw: number
  readonly threshold: number
  readonly alarm: boolean
  readonly confidence: number
  /** 0-100. */
  readonly health: number
  /** A drift is confirmed, and neither re-based nor passed; null until 200 rows are known. */
  readonly drift: boolean | null
  /** Null where not asked for, or where the models could not take the row. */
  readonly shap: PrimaryShap | null
  /** The models could not take the row (its features overflow): the scores are those of the row before. */
  readonly unscored: boolean
}

/**
 * Yields the rows in order, a block at a time.
 * @param rows in order of time, at the bundle's interval; non-finite values count as missing
 */
export async function* replay(
  model: ReplayModel,
  rows: Iterable<TimedRow>,
  options: ReplayOptions = {},
): AsyncGenerator<ReplayedRow[], void, undefined> {
  const { manifest } = model
  const { sensitivity = 5, budget, explain = true } = options
  const size = manifest.center.mode === 'frozen' ? (options.blockRows ?? BLOCK_ROWS) : 1
  const state = new TargetState(manifest, {
    intervalSeconds: manifest.interval_seconds,
    sensitivity,
    ...(budget === undefined ? {} : { budget }),
  })
  const d = manifest.signals.length
  const inputs = emptyInputs(manifest, size)
  let last: ReplayedRow = {
    score: 0,
    scoreRaw: 0,
    threshold: state.threshold,
    alarm: false,
    confidence: 0,
    health: 100,
    drift: null,
    shap: null,
    unscored: true,
  }
  for (const block of blocksOf(rows, size)) {
    const { outcomes, contributions } =
      manifest.center.mode === 'frozen'
        ? await state.scoreBlock(block, model, inputs)
        : await scoreRow(block[0] as TimedRow)
    yield outcomes.map((outcome, i) => {
      const shap =
        explain && outcome.scores !== null
          ? primaryShap(manifest, contributions, i, (j) => inputs.mask[i * d + j] === 1)
          : null
      last = replayed(outcome, shap, last)
      return last
    })
  }

  async function scoreRow({ at, values }: TimedRow): Promise<{ outcomes: RowOutcome[]; contributions: Float64Array }> {
    state.push(at, values)
    state.writeInputs(inputs, 0)
    try {
      const outputs = await model.score(inputs)
      return { outcomes: [state.finish(outputs, 0)], contributions: outputs.contributions }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return { outcomes: [state.finish(null, 0)], contributions: new Float64Array(0) }
    }
  }
}

function replayed({ scores, health, drift }: RowOutcome, shap: PrimaryShap | null, last: ReplayedRow): ReplayedRow {
  if (scores === null) return { ...last, health, shap, unscored: true }
  const { ranking, raw, threshold, alarm, confidence } = scores
  return {
    score: ranking,
    scoreRaw: raw,
    threshold,
    alarm,
    confidence,
    health,
    drift: drift === null ? null : drift.detected,
    shap,
    unscored: false,
  }
}

function* blocksOf(rows: Iterable<TimedRow>, size: number): Generator<TimedRow[]> {
  let block: TimedRow[] = []
  for (const row of rows) {
    block.push(row)
    if (block.length < size) continue
    yield block
    block = []
  }
  if (block.length > 0) yield block
}
