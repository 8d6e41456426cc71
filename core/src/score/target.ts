/**
 * All that scoring keeps for one target, between the rows of its signals and the scores of a bundle. The service, a
 * replay and training run this very code.
 *
 * Two steps a row, so that many targets share one call of the models: {@link TargetState.push} takes the row in,
 * {@link TargetState.writeInputs} writes the tensors, and {@link TargetState.finish} takes what the models gave. A replay
 * of one target shares a call between its rows instead: {@link TargetState.scoreBlock}, the same steps in another order.
 */
import type { Manifest } from '../manifest.ts'
import { HOST_SIGNALS, type Transform, transformOf } from '../signals.ts'
import { AlarmPolicy, budgetOf } from './alarm.ts'
import { Center } from './center.ts'
import { DailyMembers, type SavedDaily } from './daily/index.ts'
import { quantileOf } from './distribution.ts'
import { type DriftFigures, DriftMonitor, frozenScore, type SavedDrift } from './drift/index.ts'
import { Ensemble } from './ensemble.ts'
import { healthOf, type Penalty, penaltiesOf, RiskHysteresis, type RiskLevel } from './health.ts'
import { ExponentialMeans } from './means.ts'
import { Recurrence, type SavedEpisodes } from './recurrence.ts'
import { type SavedStopped, Stopped } from './stopped.ts'
import { blankNonFinite, type ModelHalves, type ModelInputs, type ModelOutputs } from './tensors.ts'
import { type SavedThresholds, Thresholds } from './thresholds.ts'
import { type SavedUsual, UsualRanges } from './usual.ts'
import { RowWindow, WINDOW_ROWS } from './window.ts'

export { emptyInputs, type ModelHalves, type ModelInputs, type ModelOutputs } from './tensors.ts'

const KINDS = 6
/** A feature counts for no more than this many spreads in what leads an episode. */
const MOST_SPREADS = 30
/** How far over the threshold a workload that stopped is, in calibrated score. */
const STOPPED_ABOVE = 0.25
export interface TargetScores {
  /** 0 = usual, 1 = threshold, floored at 0: `ensemble` and each detector by name. */
  readonly anomaly: Record<string, number>
  readonly raw: number
  readonly ranking: number
  readonly threshold: number
  /** This row is over the threshold. */
  readonly over: boolean
  readonly alarm: boolean
  readonly confidence: number
  readonly budget: { readonly requested: number; readonly realised: number }
  /** The threshold of this row is what a recurring job reached at this hour before. */
  readonly recurring: boolean
  /** Signals that were never 0 and stand at 0. */
  readonly stopped: readonly string[]
}

export interface RowOutcome {
  readonly scores: TargetScores | null
  readonly health: number
  readonly risk: RiskLevel
  readonly penalties: readonly Penalty[]
  /** Null until two hundred rows are known. */
  readonly drift: DriftFigures | null
}

export interface TargetOptions {
  readonly intervalSeconds: number
  /** 1-10. */
  readonly sensitivity: number
  /** Overrides the budget that the sensitivity stands for. */
  readonly budget?: number
}

export interface TimedRow {
  /** End of the row, ms; increases from row to row. */
  readonly at: number
  readonly values: Readonly<Record<string, number>>
}

/** What the models say of a batch, as far as its rows are concluded from it. */
type Concluded = Pick<ModelOutputs, 'features' | 'scores' | 'contributions'> & {
  /** What was present in each row [N,d], where the window has moved on since. */
  readonly mask?: Float64Array
}

/** What a row taken into the window changes beside it. */
interface Arrival {
  readonly values: Readonly<Record<string, number>>
  /** Wall clock, ms. */
  readonly clock: number
  /** The window started afresh with this row. */
  readonly afresh: boolean
  /** Signals that (re)appeared, and their first value. */
  readonly appeared: readonly (readonly [j: number, value: number])[]
}

/** The peak hold decays towards this quantile of normal rows. */
const RANKING_FLOOR = 0.01

const NO_SIGNALS: readonly string[] = []

export class TargetState {
  readonly usual: UsualRanges
  /** Null without a bundle. */
  readonly drift: DriftMonitor | null
  /** Rows taken in. */
  rows = 0
  readonly #manifest: Manifest | null
  readonly #window: RowWindow
  readonly #center: Center | null
  readonly #means: ExponentialMeans | null
  readonly #ensemble: Ensemble | null
  readonly #daily: DailyMembers | null
  readonly #thresholds: Thresholds | null
  readonly #alarm = new AlarmPolicy()
  readonly #recurrence: Recurrence
  readonly #stopped: Stopped
  /** Of each signal to what is unusual in this row [d]. */
  readonly #unusual: Float64Array
  readonly #risk = new RiskHysteresis()
  readonly #rankingFloor: number
  #ranking: number
  #values: Readonly<Record<string, number>> = {}
  #anomaly = 0
  #clock = 0

  constructor(manifest: Manifest | null, options: TargetOptions) {
    const { intervalSeconds } = options
    this.#manifest = manifest
    this.#window = new RowWindow(manifest?.signals.map((s) => s.name) ?? NO_SIGNALS, intervalSeconds)
    this.#center = manifest && new Center(manifest)
    this.#ensemble = manifest && new Ensemble(manifest)
    this.#recurrence = new Recurrence(intervalSeconds)
    const signals = manifest?.signals ?? []
    this.#stopped = new Stopped(
      signals.map((s) => s.name),
      signals.map((s) => s.never_zero),
      intervalSeconds,
    )
    this.#unusual = new Float64Array(signals.length)
    this.#means = manifest && new ExponentialMeans(manifest)
    this.#daily = manifest?.daily ? new DailyMembers(manifest.daily, manifest.signals.length, intervalSeconds) : null
    const budget = options.budget ?? budgetOf(options.sensitivity)
    this.#thresholds = manifest && new Thresholds(manifest, intervalSeconds, budget)
    const transforms = new Map<string, Transform>(HOST_SIGNALS.map((s) => [s.name, transformOf(s.unit)]))
    for (const s of manifest?.signals ?? []) transforms.set(s.name, s.transform)
    const linear: Transform = { kind: 'linear', scale: 1 }
    this.usual = new UsualRanges(intervalSeconds, (signal) => transforms.get(signal) ?? linear)
    this.drift = manifest && new DriftMonitor(manifest, intervalSeconds)
    this.#rankingFloor = manifest ? quantileOf(manifest.ensemble.distribution, RANKING_FLOOR) : 0
    this.#ranking = this.#rankingFloor
  }

  /** Share of the bundle's signals that are present, 0-1; 1 without a bundle. */
  get coverage(): number {
    return this.#manifest ? this.#window.coverage : 1
  }

  /** How far the feature window is filled with rows of its own, 0-1. */
  get windowProgress(): number {
    return Math.min(1, (this.#manifest ? this.#window.rows : this.rows) / WINDOW_ROWS)
  }

  /** What a calibrated score of the next row is held against. */
  get threshold(): number {
    return this.#thresholds?.open ?? 0
  }

  /** Score of the last row, 1 = threshold. */
  get anomaly(): number {
    return this.#anomaly
  }

  get nonFinite(): number {
    return this.#window.nonFinite
  }

  isPresent(j: number): boolean {
    return this.#window.isPresent(j)
  }

  /** Takes effect with the next row. */
  setBudget(budget: number): void {
    if (this.#thresholds === null) return
    this.#thresholds.budget = budget
    this.#thresholds.refresh()
  }

  /**
   * @param at end of the row, ms of a clock that does not run backwards
   * @param clock the same on the wall clock, where that is another one: jobs recur by the hour of the day
   */
  push(at: number, values: Readonly<Record<string, number>>, clock = at): void {
    const arrival = this.#arrive(at, values, clock)
    this.#begin(arrival)
    this.#startMeans(arrival)
  }

  /** Writes this target's tensors at position i of a batch made by {@link emptyInputs}. */
  writeInputs(inputs: ModelInputs, i: number): void {
    this.#window.write(i, inputs.window, inputs.mask)
    if (this.#center) inputs.center.set(this.#center.values, i * this.#center.values.length)
    this.#means?.write(inputs, i)
  }

  /**
   * @param outputs of the batch, or null where rules alone speak (no bundle, or it failed); where the bundle has a daily
   *   mean, this row's contributions are replaced by those about it once it is known
   * @param i position of this target in the batch
   */
  finish(outputs: ModelOutputs | null, i: number): RowOutcome {
    const d = this.#manifest?.signals.length ?? 0
    const outcome = this.#conclude(outputs, i)
    if (outputs) this.#means?.step(outputs.newest, i * d)
    return outcome
  }

  /**
   * The next rows of this target, oldest first, with one call of each half of the models instead of one a row. The
   * outcomes are those of push, writeInputs and finish row by row, but for the last digits of what the models compute.
   * A row that the models cannot take (its features overflow) is left to the rules.
   *
   * @param inputs of at least as many rows, made by {@link emptyInputs} and used for no other target; positions beyond
   *   the rows are computed and left out
   * @returns the outcome of each row, and what each feature of it contributed [N,F]; `inputs.mask` says what was present
   * @throws RangeError where the centre follows the target: then a row's features need the score of the row before
   */
  async scoreBlock(
    rows: readonly TimedRow[],
    models: ModelHalves,
    inputs: ModelInputs,
  ): Promise<{ outcomes: RowOutcome[]; contributions: Float64Array }> {
    if (this.#manifest?.center.mode !== 'frozen') throw new RangeError('only a frozen centre can be scored in blocks')
    const arrivals = rows.map(({ at, values }, i) => {
      const arrival = this.#arrive(at, values, at)
      this.#window.write(i, inputs.window, inputs.mask)
      return arrival
    })
    const { features, rows: standardised } = await models.features(inputs)
    const refused = blankNonFinite(inputs.n, features, standardised)
    const d = this.#manifest.signals.length
    arrivals.forEach((arrival, i) => {
      this.#startMeans(arrival)
      this.#means?.write(inputs, i)
      if (!refused.has(i)) this.#means?.step(standardised, (i * WINDOW_ROWS + WINDOW_ROWS - 1) * d)
    })
    const { scores, contributions } = await models.detect(inputs, features, standardised)
    const outcomes = arrivals.map((arrival, i) => {
      this.#begin(arrival)
      return this.#conclude(refused.has(i) ? null : { features, scores, contributions, mask: inputs.mask }, i)
    })
    return { outcomes, contributions }
  }

  #arrive(at: number, values: Readonly<Record<string, number>>, clock: number): Arrival {
    this.#window.push(at, values)
    return {
      values,
      clock,
      afresh: this.#window.rows === 1,
      appeared: this.#window.appeared.map((j) => [j, this.#window.newest(j)]),
    }
  }

  #begin({ values, clock, afresh }: Arrival): void {
    this.rows++
    this.#values = values
    this.#clock = clock
    this.#stopped.step(values)
    if (!afresh) return
    this.#ensemble?.reset()
    this.#daily?.reset()
  }

  /** A signal appeared: its centre and its exponential means start with its first value. */
  #startMeans({ appeared }: Arrival): void {
    const center = this.#center as Center
    for (const [j, value] of appeared) {
      center.start(j, value)
      this.#means?.start(j, center.standardise(j, value) - (center.values[j] as number))
    }
  }

  #conclude(outputs: Concluded | null, i: number): RowOutcome {
    const scores = outputs && this.#score(outputs, i)
    this.#anomaly = scores?.anomaly.ensemble ?? 0
    const penalties = penaltiesOf(this.#values, (signal) => this.usual.middle(signal))
    const health = healthOf(scores ? this.#anomaly : null, penalties)
    this.usual.step(this.#values, this.#anomaly)
    if (scores) this.#watchDrift(scores.over)
    return {
      scores,
      health,
      risk: this.#risk.step(health),
      penalties,
      drift: scores && this.drift?.rate.progress === 1 ? this.drift.figures : null,
    }
  }

  /** After a drift was confirmed and has lasted, the thresholds and the centre let go of what was usual before it. */
  #watchDrift(over: boolean): void {
    const { detectors } = this.#manifest as Manifest
    const event = this.drift?.step({
      at: this.#clock,
      values: this.#values,
      score: frozenScore(detectors, (k) => this.#ensemble?.detectors[k] ?? Number.NaN),
      over,
      budget: this.#thresholds?.budget ?? 0,
    })
    if (event?.kind !== 'rebased') return
    this.#thresholds?.rebase(event.score.direction)
    this.#center?.hasten()
  }

  /** What is worth keeping over a restart: the centre and the rolling distributions. */
  save(): SavedTargetState {
    return {
      rows: this.rows,
      usual: this.usual.save(),
      episodes: this.#recurrence.save(),
      stopped: this.#stopped.save(),
      center: this.#center?.save() ?? [],
      ...(this.#thresholds?.save() ?? { distribution: null, detectors: [] }),
      ...(this.#daily ? { daily: this.#daily.save() } : {}),
      ...(this.drift ? { drift: this.drift.save() } : {}),
    }
  }

  /** @throws RangeError when what was saved does not fit the bundle; the state is then to be thrown away */
  restore(saved: SavedTargetState): void {
    this.#thresholds?.restore(saved)
    this.#center?.restore(saved.center)
    if (saved.daily) this.#daily?.restore(saved.daily)
    if (saved.drift) this.drift?.restore(saved.drift)
    this.usual.restore(saved.usual ?? [])
    this.#recurrence.restore(saved.episodes ?? [])
    this.#stopped.restore(saved.stopped ?? [])
    this.rows = saved.rows
  }

  #score(outputs: Concluded, i: number): TargetScores | null {
    const manifest = this.#manifest as Manifest
    const ensemble = this.#ensemble as Ensemble
    const thresholds = this.#thresholds as Thresholds
    const width = KINDS * manifest.signals.length
    const { mask } = outputs
    const from = i * manifest.signals.length
    const isPresent = mask ? (j: number) => mask[from + j] === 1 : (j: number) => this.#window.isPresent(j)
    this.#daily?.score(outputs.features, i * width, isPresent)
    this.#daily?.explain(outputs.contributions, i * width)
    const rawOf = (k: number) => {
      const own = manifest.detectors[k]?.name
      const score =
        own === undefined ? this.#daily?.scores[k - manifest.detectors.length] : outputs.scores.get(own)?.[i]
      return score ?? Number.NaN
    }
    const voted = ensemble.step(rawOf)
    if (!Number.isFinite(voted)) return null

    const usual = thresholds.open
    const stopped = this.#stopped.signals
    const raw = stopped.length > 0 ? Math.max(voted, usual + STOPPED_ABOVE) : voted
    const threshold = stopped.length > 0 ? usual : this.#inContext(raw, usual, outputs.features, i * width, isPresent)
    const over = raw > threshold
    const alarm = this.#alarm.step(raw, threshold)
    const confidence = thresholds.rank(raw)
    const decayed = this.#rankingFloor + (this.#ranking - this.#rankingFloor) * manifest.ensemble.peak_decay
    this.#ranking = Math.max(raw, decayed)
    const anomaly: Record<string, number> = { ensemble: Math.max(0, raw / threshold) }
    const gate = thresholds.gate(rawOf)
    thresholds.add(raw, alarm, ensemble.detectors, anomaly)
    this.#daily?.learn(gate)
    this.#center?.follow(outputs.features, i * width, anomaly.ensemble as number, isPresent)
    const budget = { requested: thresholds.budget, realised: thresholds.realised }
    const recurring = threshold > usual
    return { anomaly, raw, ranking: this.#ranking, threshold, over, alarm, confidence, budget, recurring, stopped }
  }

  /** The threshold where a job recurs, and the usual one elsewhere. */
  #inContext(
    raw: number,
    usual: number,
    features: Float64Array,
    offset: number,
    isPresent: (j: number) => boolean,
  ): number {
    const unusual = this.#unusual
    let threshold = usual
    if (this.#recurrence.isOf(raw, usual)) {
      const d = unusual.length
      for (let j = 0; j < d; j++) {
        let sum = 0
        for (let k = 0; k < KINDS; k++)
          sum += Math.min(MOST_SPREADS, Math.abs(features[offset + k * d + j] as number)) ** 2
        unusual[j] = isPresent(j) ? sum : 0
      }
      threshold = Math.max(usual, this.#recurrence.expected(this.#clock, unusual) ?? usual)
    }
    this.#recurrence.step(this.#clock, raw, usual, unusual)
    return threshold
  }
}

export interface SavedTargetState extends SavedThresholds {
  readonly rows: number
  readonly usual?: SavedUsual
  readonly episodes?: SavedEpisodes
  readonly stopped?: SavedStopped
  readonly center: readonly number[]
  readonly daily?: SavedDaily
  readonly drift?: SavedDrift
}
