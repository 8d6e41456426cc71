/**
 * Drift of one target: whether the model still fits what is usual for it, with the figures behind the answer.
 *
 * Three signs:
 * - `anomaly_rate`, every row: many rows over the threshold, for minutes. Shown, but an incident gives it too.
 * - `page_hinkley`, every hour: the level of the score has changed ({@link PageHinkley}).
 * - `distribution`, every hour: signals whose last day is too far from a usual day ({@link LevelReference}); a sign where a
 *   tenth of the signals are.
 * A drift is confirmed where the two hourly ones come within a day of each other. A fifth of the signals for half a day
 * confirm it too, once limits rest on a whole week of usual days: a centre that follows its target, and a score that is
 * high already, hide a shift from the score.
 *
 * Twelve hours later, if the signals are still as far away and the score has not gone back, everything is re-based: the
 * last day is the usual one from then on, the test of the score starts again, and the caller lets the threshold and the
 * centre of the target follow. Otherwise it has passed, and nothing is moved. So nothing that lasts a few hours is taken
 * for usual, and nothing is moved without a drift that was confirmed, shown and kept in the list of events.
 *
 * Where the bundle holds the training days of this very host, they are what is usual. Otherwise the target's first three
 * days are, and until they are known nothing can be confirmed ({@link DriftMonitor.progress}).
 *
 * Works for changes of level that last half a day or more. Does not work for one that comes so slowly that twelve days
 * hardly differ, nor where the score and the signals' hourly means stay the same (a change of rhythm within the hour).
 * Costs a microsecond a row, 0.1 ms an hour and 9 kB for 36 signals.
 */
import type { Manifest } from '../../manifest.ts'
import { AnomalyRateDrift, RATE_FACTOR } from './anomaly-rate.ts'
import { type Comparison, compare, isFar, isFarByMany } from './comparison.ts'
import { DAY_HOURS, HourlyLevels } from './levels.ts'
import { LAMBDA, PageHinkley, usualScoreOf } from './page-hinkley.ts'
import { LevelReference, WEEK_DAYS } from './reference.ts'
import type { DriftEvent, DriftEvidence, DriftFigures, DriftRow, DriftStatus, SavedDrift } from './types.ts'

/** Hours within which the two signs must come. */
const WITHIN_HOURS = DAY_HOURS
/** Hours from a confirmation to the new base: a day then lies behind it that began about when the drift did. */
export const REBASE_AFTER_HOURS = 12
/** Days that a target without training days of its own is learnt from; scores of the first are not usual yet. */
export const LEARN_DAYS = 3
/** Hours that many signals must be far from usual to be a drift without the score. */
const MANY_HOURS = 12
const MOST_EVENTS = 10
/** Signals named in an event. */
const NAMED = 5

/** What drift needs of a bundle. */
export type DriftManifest = Pick<Manifest, 'signals' | 'features' | 'center' | 'drift'>

export class DriftMonitor {
  readonly rate: AnomalyRateDrift
  /** Drifts confirmed so far. */
  confirmed = 0
  readonly #names: readonly string[]
  readonly #isFollowing: boolean
  readonly #levels: HourlyLevels
  #reference: LevelReference
  /** Null while the usual score is learnt. */
  #score: PageHinkley | null
  /** Hourly scores of the days that are learnt from. */
  #learnt: number[] = []
  /** Of the hour that ended last; null while no day is known. */
  #compared: Comparison | null = null
  /** Hours since a day was last added to the reference. */
  #dayHours = 0
  /** Hours since each sign was last there; beyond {@link WITHIN_HOURS} it is forgotten. */
  #scoreAge = WITHIN_HOURS + 1
  #signalsAge = WITHIN_HOURS + 1
  /** Hours for which many signals have been far from usual. */
  #manyHours = 0
  /** The drift that is confirmed, with the hours since. */
  #drifted: { readonly by: DriftEvidence; hours: number } | null = null
  #events: DriftEvent[] = []
  #budget = 0

  constructor(manifest: DriftManifest, intervalSeconds: number) {
    const { signals, center, drift: own } = manifest
    this.rate = new AnomalyRateDrift(intervalSeconds)
    this.#names = signals.map((s) => s.name)
    this.#isFollowing = center.mode === 'follow'
    this.#levels = new HourlyLevels(manifest, intervalSeconds)
    this.#reference = own ? LevelReference.ofTraining(own) : LevelReference.empty(signals.length)
    this.#score = own ? new PageHinkley({ ...own.score, hours: own.days * DAY_HOURS }) : null
  }

  /** How much is known of what the hourly signs need, 0-1. */
  get progress(): number {
    if (this.#score !== null) return this.#levels.known / DAY_HOURS
    return Math.min(1, (this.#reference.days + this.#dayHours / DAY_HOURS) / LEARN_DAYS)
  }

  get detected(): boolean {
    return this.#drifted !== null
  }

  get figures(): DriftFigures {
    return {
      ratio: this.rate.ratio,
      detected: this.detected,
      scores: {
        anomaly_rate: this.#budget > 0 ? this.rate.ratio / (RATE_FACTOR * this.#budget) : null,
        page_hinkley: this.#score && this.#score.statistic / LAMBDA,
        distribution: this.#compared && this.#compared.far.length / this.#compared.needed,
      },
      confirmed: this.confirmed,
    }
  }

  /** @returns what happened with this row, if anything did; after `rebased` the caller lets its own state follow */
  step({ at, values, score, over, budget }: DriftRow): DriftEvent | null {
    this.#budget = budget
    this.rate.step(over, budget)
    return this.#levels.add(values, score) ? this.#endHour(at) : null
  }

  status(): DriftStatus {
    const rate = this.rate
    const reference = this.#reference
    const { distances = [] } = this.#compared ?? {}
    const signals = distances.flatMap((distance, j) =>
      Number.isNaN(distance)
        ? []
        : [
            {
              signal: this.#names[j] as string,
              distance,
              limit: reference.limit(j),
              shift: reference.shift(j, this.#levels),
            },
          ],
    )
    return {
      state: this.detected ? 'drifted' : this.#score === null ? 'learning' : 'watching',
      progress: this.progress,
      reference: { origin: reference.origin, days: reference.days },
      anomalyRate:
        rate.progress === 1 ? { ratio: rate.ratio, limit: RATE_FACTOR * this.#budget, detected: rate.detected } : null,
      pageHinkley: this.#score && {
        ...this.#scoreFigures(),
        detected: this.#score.detected,
        usual: this.#score.usual,
      },
      distribution: this.#compared && { ...this.#distributionFigures(), detected: isFar(this.#compared) },
      signals: signals.sort((a, b) => b.distance / b.limit - a.distance / a.limit),
      events: [...this.#events].reverse(),
    }
  }

  #endHour(at: number): DriftEvent | null {
    const [newest = Number.NaN] = this.#levels.scores(1)
    this.#dayHours++
    if (this.#score === null) {
      this.#learn(newest)
      return null
    }
    this.#compare()
    if (this.#drifted !== null) {
      return ++this.#drifted.hours < REBASE_AFTER_HOURS ? null : this.#settle(at, this.#drifted.by, this.#score)
    }
    this.#score.step(newest)
    this.#scoreAge = this.#score.detected ? 0 : this.#scoreAge + 1
    this.#signalsAge = isFar(this.#compared) ? 0 : this.#signalsAge + 1
    const { origin, days } = this.#reference
    const isKnown = origin === 'rebased' || days >= WEEK_DAYS
    this.#manyHours = isKnown && isFarByMany(this.#compared) ? this.#manyHours + 1 : 0
    const isBoth = this.#scoreAge <= WITHIN_HOURS && this.#signalsAge <= WITHIN_HOURS
    if (isBoth || this.#manyHours >= MANY_HOURS) {
      const by = isBoth ? 'score_and_signals' : 'signals'
      this.#drifted = { by, hours: 0 }
      this.confirmed++
      return this.#event('confirmed', by, at)
    }
    this.#grow()
    return null
  }

  /** A target whose past is not known: its first days are what is usual. */
  #learn(score: number): void {
    const reference = this.#reference
    if (Number.isFinite(score) && reference.days > 0) this.#learnt.push(score)
    if (this.#dayHours < DAY_HOURS) return
    reference.add(this.#levels, reference.days > 0)
    this.#dayHours = 0
    if (reference.days < LEARN_DAYS || this.#learnt.length < DAY_HOURS) return
    this.#score = new PageHinkley(usualScoreOf(this.#learnt))
    this.#learnt = []
    this.#compare()
  }

  /**
   * A young reference takes in each quiet day until it has seen a week. One of the first days also those on which signals
   * were far: they may be a weekend.
   */
  #grow(): void {
    if (this.#dayHours < DAY_HOURS) return
    this.#dayHours = 0
    const { days, origin } = this.#reference
    const isFirst = origin === 'first_days'
    const isQuiet = this.#scoreAge > WITHIN_HOURS && (isFirst || !isFar(this.#compared))
    if (days >= WEEK_DAYS || !isQuiet || this.#levels.known < DAY_HOURS) return
    this.#reference.add(this.#levels, isFirst)
    this.#compare()
  }

  #settle(at: number, by: DriftEvidence, score: PageHinkley): DriftEvent {
    const event = this.#event(this.#isLasting(by, score) ? 'rebased' : 'passed', by, at)
    this.#drifted = null
    this.#manyHours = 0
    this.#dayHours = 0
    this.#scoreAge = WITHIN_HOURS + 1
    this.#signalsAge = WITHIN_HOURS + 1
    if (event.kind === 'rebased') {
      const { mean, hours } = usualScoreOf(this.#levels.scores(DAY_HOURS))
      this.#reference.rebase(this.#levels)
      // Where the centre follows, the score is on its way back to what it was.
      score.restart(hours > 0 && !this.#isFollowing ? { mean, hours } : undefined)
      this.#compare()
    } else {
      score.restart()
    }
    return event
  }

  /**
   * The signals are as far from usual as when the drift was confirmed, and the score that said so has not gone back by half
   * for half of the hours since. A centre that follows the target takes the score back in hours, so there the signals alone
   * say it.
   */
  #isLasting(by: DriftEvidence, score: PageHinkley): boolean {
    if (by === 'signals') return isFarByMany(this.#compared)
    if (!isFar(this.#compared) || this.#isFollowing) return isFar(this.#compared)
    const since = this.#levels.scores(REBASE_AFTER_HOURS).sort((a, b) => a - b)
    const median = since[since.length >> 1]
    return median === undefined || score.standardise(median) / score.shift >= 0.5
  }

  #compare(): void {
    if (this.#levels.known === DAY_HOURS) this.#compared = compare(this.#names.length, this.#reference, this.#levels)
  }

  #scoreFigures(): DriftEvent['score'] {
    const { statistic = 0, direction = 'up', shift = 0, hours = 0 } = this.#score ?? {}
    return { statistic, limit: LAMBDA, direction, shift, hours }
  }

  #distributionFigures(): DriftEvent['distribution'] {
    const { far = [], needed = 0, of = 0 } = this.#compared ?? {}
    return { signals: far.length, limit: needed, of }
  }

  #event(kind: DriftEvent['kind'], by: DriftEvidence, at: number): DriftEvent {
    const event: DriftEvent = {
      kind,
      by,
      at,
      score: this.#scoreFigures(),
      distribution: this.#distributionFigures(),
      signals: (this.#compared?.far ?? []).slice(0, NAMED).map((j) => this.#names[j] as string),
    }
    this.#events = [...this.#events, event].slice(-MOST_EVENTS)
    return event
  }

  /** The window of the rate is not kept: it fills in minutes. */
  save(): SavedDrift {
    return {
      levels: this.#levels.save(),
      reference: this.#reference.save(),
      score: this.#score?.save() ?? null,
      learnt: this.#learnt,
      counters: {
        dayHours: this.#dayHours,
        scoreAge: this.#scoreAge,
        signalsAge: this.#signalsAge,
        manyHours: this.#manyHours,
        confirmed: this.confirmed,
      },
      drifted: this.#drifted && { ...this.#drifted },
      events: this.#events,
    }
  }

  /** @throws RangeError when what was saved does not fit the bundle */
  restore({ levels, reference, score, learnt, counters, drifted, events }: SavedDrift): void {
    const d = this.#names.length
    if (
      reference.quantiles.length !== d ||
      reference.worst.length !== d ||
      !Object.values(counters).every(Number.isFinite)
    ) {
      throw new RangeError(`a saved drift reference of ${reference.quantiles.length} signals does not fit ${d}`)
    }
    this.#levels.restore(levels)
    this.#reference = new LevelReference(reference)
    this.#score = score && PageHinkley.restore(score)
    this.#learnt = [...learnt]
    this.#dayHours = counters.dayHours
    this.#scoreAge = counters.scoreAge
    this.#signalsAge = counters.signalsAge
    this.#manyHours = counters.manyHours
    this.confirmed = counters.confirmed
    this.#drifted = drifted && { ...drifted }
    this.#events = [...events]
    if (this.#score !== null) this.#compare()
  }
}
