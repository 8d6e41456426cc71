/**
 * What the scores of one target are held against: the rolling distributions of the ensemble and of every voter, and the
 * quantiles of them that a false-alarm budget asks for.
 */
import { type Manifest, type Voter, votersOf } from '../manifest.ts'
import { ALARM_CAP, budgetOf, OPEN_SHARE } from './alarm.ts'
import { RollingDistribution, type SavedDistribution } from './distribution.ts'
import { calibrated, spreadOf } from './ensemble.ts'

/** A threshold below this would make 1 = threshold meaningless; calibrated scores have 1 at the 95 % quantile. */
const MIN_THRESHOLD = 0.1
/** Blocks in which a single voter's distribution forgets: coarser than the ensemble's, to spare memory. */
const VOTER_BLOCK_HOURS = 24
/** Of whose threshold the cap of a voter's distribution is taken. */
const USUAL_SENSITIVITY = 5
/** Rows above this quantile of the primary score teach the daily members less. */
const TEACHING = 0.98

export class Thresholds {
  budget: number
  /** Of the ensemble. */
  open = 0
  readonly #ensemble: RollingDistribution
  readonly #voters: readonly Voter[]
  readonly #distributions: readonly RollingDistribution[]
  /** Whose distribution says how much a row teaches the daily members. */
  readonly #primary: number
  readonly #openShare: number
  #usualPrimary = 0
  #own: number[] = []
  /** The same for every budget, or scores of daily members, which learn by these distributions, would depend on it. */
  #caps: number[] = []

  constructor(manifest: Manifest, intervalSeconds: number, budget: number) {
    const { seed_hours: seedHours, distribution } = manifest.ensemble
    this.#openShare = manifest.ensemble.open_share ?? OPEN_SHARE
    this.budget = budget
    this.#voters = votersOf(manifest)
    this.#primary = this.#voters.findIndex((x) => x.name === manifest.explain.primary)
    this.#ensemble = new RollingDistribution(distribution, { intervalSeconds, seedHours })
    this.#distributions = this.#voters.map(
      (x) => new RollingDistribution(x.distribution, { intervalSeconds, seedHours, blockHours: VOTER_BLOCK_HOURS }),
    )
    this.refresh()
  }

  /** Share of the live rows that were in alarm. */
  get realised(): number {
    return this.#ensemble.realised
  }

  rank(raw: number): number {
    return this.#ensemble.rank(raw)
  }

  /**
   * Takes a row in.
   * @param raw score of the ensemble
   * @param scores calibrated score of each voter; NaN where it gave none
   * @param anomaly is given each voter's score, 1 = its own threshold
   */
  add(raw: number, alarm: boolean, scores: Float64Array, anomaly: Record<string, number>): void {
    let refreshed = this.#ensemble.add(Math.min(raw, this.open + ALARM_CAP), alarm)
    for (let k = 0; k < this.#voters.length; k++) {
      const score = scores[k] as number
      if (!Number.isFinite(score)) continue
      const own = this.#own[k] as number
      anomaly[(this.#voters[k] as Voter).name] = Math.max(0, score / own)
      const capped = Math.min(score, this.#caps[k] as number)
      refreshed = this.#distributions[k]?.add(capped, score > own) || refreshed
    }
    if (refreshed) this.refresh()
  }

  /**
   * How much a row teaches the daily members: min(1, usual / score)^2 of the primary score, whose logarithm is calibrated.
   * @param raw of voter k, before calibration
   */
  gate(raw: (k: number) => number): number {
    const voter = this.#voters[this.#primary]
    const score = voter ? raw(this.#primary) : Number.NaN
    if (voter === undefined || !Number.isFinite(score)) return 0
    const above = (calibrated(score, voter.calibration) - this.#usualPrimary) * spreadOf(voter.calibration)
    return Math.exp(-2 * Math.max(0, above))
  }

  /** What was usual before a drift counts no more. */
  rebase(direction: 'up' | 'down'): void {
    for (const one of [this.#ensemble, ...this.#distributions]) one.rebase(direction)
    this.refresh()
  }

  /** To be called when the budget has changed. */
  refresh(): void {
    const quantile = (x: RollingDistribution, budget: number) =>
      Math.max(MIN_THRESHOLD, x.quantile(1 - this.#openShare * budget))
    this.open = quantile(this.#ensemble, this.budget)
    this.#own = this.#distributions.map((x) => quantile(x, this.budget))
    this.#caps = this.#distributions.map((x) => quantile(x, budgetOf(USUAL_SENSITIVITY)) + ALARM_CAP)
    this.#usualPrimary = this.#distributions[this.#primary]?.quantile(TEACHING) ?? 0
  }

  save(): SavedThresholds {
    return { distribution: this.#ensemble.save(), detectors: this.#distributions.map((x) => x.save()) }
  }

  /** @throws RangeError when what was saved does not fit the bundle */
  restore({ distribution, detectors }: SavedThresholds): void {
    if (detectors.length !== this.#distributions.length) {
      throw new RangeError('a saved state has another number of detectors')
    }
    if (distribution) this.#ensemble.restore(distribution)
    detectors.forEach((x, k) => {
      this.#distributions[k]?.restore(x)
    })
    this.refresh()
  }
}

export interface SavedThresholds {
  readonly distribution: SavedDistribution | null
  readonly detectors: readonly SavedDistribution[]
}
