/**
 * A user's own history replayed: which alarms and predictions of the service would have fired, and which of the usual
 * rules. Strictly causal: what stands at a time rests on the rows up to it; the detectors learn from rows before those
 * that they score.
 */
import type { KindOrOther, TimedRow } from '@portent/core'
import type { OnnxModel } from '../detect/model.ts'
import { resourceName } from '../outlook/words.ts'
import { rowsOf } from '../replay/index.ts'
import { type Anomalies, findAnomalies } from './anomalies.ts'
import { type Firing, type Judged, judge, median, type Outcome } from './judge.ts'
import { eventsOf, type Grid, gridOf, type Levels, levelsOf, limitOf, nextAtLimit, timeOf } from './levels.ts'
import {
  checkIntervals,
  type FailurePredictions,
  type IntervalCheck,
  newestBlocks,
  OWN_RULES,
  type OwnPredictions,
  type Predictions,
  predict,
  type Scored,
} from './own.ts'
import { cut, groupOfKind, type Recording, recordedPlan, resourceOf } from './recording.ts'
import { conditionOf, firingsOf, type Rule, USUAL_RULES } from './rules.ts'

/** Before this nothing is counted, for any rule: a day, or a quarter of a short history, seconds. */
const WARM_UP = 86_400

/** A probability of failure within an hour that is worth a look. */
export const FAILURE_RULE = { probability: 0.5, horizon: 3600, hold: 300 } as const

export interface BacktestInput {
  readonly recording: Recording
  /** Rows from the first on that a model was trained on; the model scores the others. Null: no model of this host. */
  readonly trained: { readonly rows: number; readonly model: OnnxModel } | null
  /** Whose failure model is asked; null = none. */
  readonly failure: Pick<OnnxModel, 'manifest' | 'failure'> | null
  /** What a reader should know besides. */
  readonly notes: readonly string[]
}

export interface RuleOn {
  readonly rule: Rule
  readonly judged: Judged
}

export interface ResourceResult {
  readonly resource: string
  /** `Disk /var`. */
  readonly title: string
  readonly kind: KindOrOther
  readonly levels: Levels
  /** When the limit was reached, Unix s, in the time that counts. */
  readonly reached: readonly number[]
  readonly predictions: Predictions | null
  readonly rules: readonly RuleOn[]
}

/** A rule over all resources that it is made for. */
export interface RuleTotal {
  readonly rule: Rule
  readonly resources: number
  readonly firings: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly minutes: Readonly<Record<Outcome, number>>
  readonly minutesADay: number
  /** Limits that were reached, and how many of them it announced before. */
  readonly limits: number
  readonly announced: number
  /** Of those, seconds; null = none. */
  readonly medianLead: number | null
}

export interface FailureResult extends FailurePredictions {
  readonly firings: readonly Firing[]
}

export interface Backtest {
  readonly name: string
  /** Unix s, of the first and last row, and from when on is counted. */
  readonly from: number
  readonly to: number
  readonly countFrom: number
  readonly rows: number
  readonly intervalSeconds: number
  readonly countedDays: number
  readonly resources: readonly ResourceResult[]
  readonly rules: readonly RuleTotal[]
  readonly intervals: IntervalCheck
  readonly anomalies: Anomalies | null
  /** Unix s: the detectors learnt from the rows before. Null without a model. */
  readonly trainedUntil: number | null
  readonly failure: FailureResult | null
  readonly notes: readonly string[]
}

export async function backtest({ recording, trained, failure, notes }: BacktestInput): Promise<Backtest> {
  const { table, at, signals, name } = recording
  const { intervalSeconds } = signals
  const from = (at[0] as number) / 1000
  const to = (at[at.length - 1] as number) / 1000
  const countFrom = from + Math.min(WARM_UP, (to - from) / 4)
  const anomalies =
    trained && (await findAnomalies(trained.model, timed(cut(recording, trained.rows, at.length)), intervalSeconds))
  const plan = recordedPlan(recording)
  const rows = withScores(timed(recording), anomalies, trained?.rows ?? 0)
  const own = await predict(rows, { intervalSeconds, plan, model: failure })
  const resources = resourcesOf(recording, own, countFrom)
  const countedDays = (to - countFrom) / 86_400
  return {
    name,
    from,
    to,
    countFrom,
    rows: table.rows,
    intervalSeconds,
    countedDays,
    resources,
    rules: [...OWN_RULES, ...USUAL_RULES].map((rule) => totalOf(rule, resources, countedDays)),
    intervals: intervalsOf(resources, countFrom),
    anomalies,
    trainedUntil: trained === null ? null : (at[Math.min(trained.rows, at.length - 1)] as number) / 1000,
    failure: failureOf(own.failure, gridOf(at, intervalSeconds), countFrom),
    notes,
  }
}

const timed = ({ table, at, signals }: Recording): Iterable<TimedRow> =>
  rowsOf({ ...table, at }, signals.intervalSeconds)

function* withScores(
  rows: Iterable<TimedRow>,
  anomalies: Anomalies | null,
  first: number,
): Generator<TimedRow & { scores?: Scored | undefined }> {
  let i = -first
  for (const row of rows) {
    const scores =
      anomalies === null || i < 0
        ? undefined
        : { anomaly: anomalies.rows.anomaly[i] as number, health: anomalies.rows.health[i] as number }
    i++
    yield { ...row, scores }
  }
}

function resourcesOf(recording: Recording, own: OwnPredictions, countFrom: number): ResourceResult[] {
  const { table, at, signals } = recording
  const grid = gridOf(at, signals.intervalSeconds)
  const results: ResourceResult[] = []
  for (const { name, kind, limit } of signals.signals) {
    const column = table.columns.indexOf(name)
    if (column < 0 || limit === null || limit.direction === 'down' || !(limit.capacity > 0)) continue
    const levels = levelsOf(table, at, { column, share: (value) => value / limit.capacity, grid, limit: limitOf(kind) })
    if (!levels.used.some(Number.isFinite)) continue
    const resource = resourceOf(name)
    const predictions = own.resources.get(resource) ?? null
    const usual = USUAL_RULES.filter(({ groups }) => groups === null || groups.includes(groupOfKind(kind)))
    const judging = { resource, levels, countFrom }
    const rules = [
      ...(predictions === null ? [] : ownRules(predictions, grid, { resource, levels, countFrom })),
      ...usual.map((rule) => ({
        rule,
        judged: judge(rule, firingsOf(conditionOf(rule, levels), rule, grid.step), judging),
      })),
    ]
    const reached = eventsOf(levels).map((k) => timeOf(levels, k))
    results.push({
      resource,
      title: resourceName(resource),
      kind,
      levels,
      reached: reached.filter((when) => when > countFrom),
      predictions,
      rules,
    })
  }
  return results
}

function ownRules(
  predictions: Predictions,
  grid: Grid,
  judging: { resource: string; levels: Levels; countFrom: number },
): RuleOn[] {
  const blocks = newestBlocks(predictions.at, grid)
  const blockAt = (at: number) => blocks[Math.round((at - grid.from) / grid.step)] ?? -1
  const sentence = (at: number) => predictions.sentence[blockAt(at)] ?? null
  return OWN_RULES.map((rule) => {
    const condition = Array.from(blocks, (block, k) => {
      const until = block < 0 ? Number.POSITIVE_INFINITY : (predictions[rule.bound][block] as number)
      return until - (grid.from + k * grid.step) <= rule.horizon
    })
    return { rule, judged: judge(rule, firingsOf(condition, rule, grid.step), { ...judging, sentence }) }
  })
}

function totalOf(rule: Rule, resources: readonly ResourceResult[], days: number): RuleTotal {
  const found = resources.flatMap(({ rules }) => rules.filter((one) => one.rule.id === rule.id)).map((x) => x.judged)
  const leads = found.flatMap((x) => x.leads)
  const known = leads.filter((x) => x !== null)
  const sum = (of: (one: Judged) => number) => found.reduce((total, one) => total + of(one), 0)
  const outcome = (which: Outcome) => sum((one) => one.firings.filter((x) => x.outcome === which).length)
  const minute = (which: Outcome) => sum((one) => one.minutes[which])
  const minutes = { came_true: minute('came_true'), not: minute('not'), open: minute('open') }
  return {
    rule,
    resources: found.length,
    firings: sum((one) => one.firings.length),
    outcomes: { came_true: outcome('came_true'), not: outcome('not'), open: outcome('open') },
    minutes,
    minutesADay: (minutes.came_true + minutes.not + minutes.open) / days,
    limits: leads.length,
    announced: known.length,
    medianLead: median(known),
  }
}

function intervalsOf(resources: readonly ResourceResult[], countFrom: number): IntervalCheck {
  let predictions = 0
  let held = 0
  for (const { predictions: made, levels } of resources) {
    if (made === null) continue
    const next = nextAtLimit(levels)
    const reached = made.at.map((at) => {
      const k = next[Math.max(0, Math.floor((at - levels.from) / levels.step))] ?? Number.POSITIVE_INFINITY
      return Number.isFinite(k) ? timeOf(levels, k) : k
    })
    const one = checkIntervals(made, reached, countFrom)
    predictions += one.predictions
    held += one.held
  }
  return { predictions, held }
}

/** Nobody wrote down what failed: these firings are told, not judged. */
function failureOf(made: FailurePredictions | null, grid: Grid, countFrom: number): FailureResult | null {
  if (made === null) return null
  const h = made.horizons.indexOf(FAILURE_RULE.horizon)
  const blocks = newestBlocks(made.at, grid)
  const condition = Array.from(
    blocks,
    (block) => block >= 0 && (made.probabilities[block]?.[h] ?? 0) >= FAILURE_RULE.probability,
  )
  const firings = firingsOf(condition, FAILURE_RULE, grid.step).flatMap(({ from, to }): Firing[] => {
    const start = Math.max(from, Math.ceil((countFrom - grid.from) / grid.step))
    if (start > to) return []
    return [
      {
        resource: 'host',
        from: timeOf(grid, start),
        to: timeOf(grid, to),
        minutes: ((to - start + 1) * grid.step) / 60,
        outcome: 'open',
        reachedAt: null,
        lead: null,
        sentence: made.sentence[blocks[start] as number] ?? null,
      },
    ]
  })
  return { ...made, firings }
}
