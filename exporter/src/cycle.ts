/**
 * The pipeline: rows of all targets due -> windows -> scores -> assessments -> publishers. One run at a time; a step that
 * fails costs that step, never the cycle.
 */
import {
  emptyInputs,
  type Manifest,
  type ModelOutputs,
  type RowOutcome,
  TargetState,
  type TreeExplanation,
} from '@portent/core'
import { Escalation } from './assess/alerts.ts'
import { assess } from './assess/assess.ts'
import { ExhaustionHold } from './assess/hold.ts'
import type { Trust } from './assess/trust.ts'
import { hintSentence } from './assess/words.ts'
import type { Scorer } from './detect/scorer.ts'
import { type PrimaryShap, primaryShap } from './explain/primary.ts'
import type { OutlookInput } from './outlook/keeper.ts'
import type { AlertEvent, Assessment, Outlook, Row, Severity } from './types.ts'

/** Work that is done before the event loop gets its turn: keeps the longest gap short with thousands of targets. */
const SLICE_MS = 4
/** Rows in one message to the scorer and back: 1.4 MB there, 1 MB back. */
const BATCH = 250
/** Forests explained in a cycle at most. */
const FORESTS = 20
const KINDS = 6

/** What the service keeps for one target between rows. */
export interface Tracked {
  readonly name: string
  state: TargetState
  /** Bundle the state was made for; null = rules alone ever since. */
  manifest: Manifest | null
  sensitivity: number
  readonly escalation: Escalation
  readonly hold: ExhaustionHold
  /** Of the newest row, ms: monotonic where the source has it. */
  lastInstant: number
  assessment: Assessment | null
  trust: Trust | null
  shap: PrimaryShap | null
  /** Centred standardised features of the last row [F], a part of its batch; null where rules alone spoke. */
  features: Float64Array | null
  /** TreeSHAP of the last row, computed where risk is not green. */
  forest: TreeExplanation | null
}

export type Step = 'window' | 'score' | 'outlook' | 'explain' | 'assess' | 'alert' | 'store' | 'publish'

export interface CycleDeps {
  readonly intervalSeconds: number
  /** The scorer in force, null = rules alone. Asked once a cycle. */
  readonly scorer: () => Scorer | null
  readonly sensitivity: (target: string) => number
  /** Adaptive state kept from before, for a target seen for the first time. */
  readonly restore?: (target: string, state: TargetState, manifest: Manifest | null) => void
  /** What is to come of each target, with these rows taken in. */
  readonly outlook?: (inputs: readonly OutlookInput[], scorer: Scorer | null) => Promise<ReadonlyMap<string, Outlook>>
  /** Severity of a target's last row, as before a restart; `none` where that was long ago. */
  readonly severityBefore?: (target: string) => Severity
  /** In order: history, metrics, ... */
  readonly publishers: readonly ((batch: readonly Published[]) => void | Promise<void>)[]
  readonly onAlert: (event: Omit<AlertEvent, 'id'>) => void
  readonly onError: (step: Step, error: unknown) => void
  readonly onDropped: (reason: 'late' | 'duplicate' | 'empty', rows: number) => void
  readonly onNonFinite: (values: number) => void
}

export interface Published {
  readonly row: Row
  readonly assessment: Assessment
}

interface Due {
  readonly row: Row
  readonly tracked: Tracked
  outcome: RowOutcome | null
  outputs: ModelOutputs | null
  /** Position in its batch. */
  i: number
}

export class Cycle {
  readonly targets = new Map<string, Tracked>()
  readonly #deps: CycleDeps
  #running: Promise<unknown> = Promise.resolve()

  constructor(deps: CycleDeps) {
    this.#deps = deps
  }

  /** Scores rows, at most one a target, and publishes what they mean. Runs queue up; none overlaps another. */
  run(rows: readonly Row[]): Promise<Assessment[]> {
    const next = this.#running.then(() => this.#run(rows))
    this.#running = next.catch(() => undefined)
    return next
  }

  /** Resolves when what was asked for so far is done. */
  async idle(): Promise<void> {
    await this.#running
  }

  removeTarget(name: string): void {
    this.targets.delete(name)
  }

  /** Takes effect with the next row. */
  setSensitivity(name: string, sensitivity: number, budget: number): void {
    const tracked = this.targets.get(name)
    if (tracked === undefined) return
    tracked.sensitivity = sensitivity
    tracked.state.setBudget(budget)
  }

  async #run(rows: readonly Row[]): Promise<Assessment[]> {
    const scorer = this.#deps.scorer()
    const due = await this.#takeIn(rows, scorer?.bundle.manifest ?? null)
    await this.#score(due, scorer)
    const outlooks = await this.#outlooks(due, scorer)
    const published = await this.#assess(due, outlooks)
    await this.#explainForests(due, scorer)
    for (const publish of this.#deps.publishers) {
      await this.#try('publish', () => publish(published))
    }
    return published.map((x) => x.assessment)
  }

  async #takeIn(rows: readonly Row[], manifest: Manifest | null): Promise<Due[]> {
    const due: Due[] = []
    await inSlices(rows, (given) => {
      try {
        const tracked = this.#track(given.target, manifest)
        const instant = given.monotonic ?? given.at
        if (instant <= tracked.lastInstant) {
          this.#deps.onDropped(instant === tracked.lastInstant ? 'duplicate' : 'late', 1)
          return
        }
        const { row, refused } = finiteRow(given)
        if (refused > 0) this.#deps.onNonFinite(refused)
        tracked.lastInstant = instant
        tracked.state.push(instant, row.values, row.at)
        due.push({ row, tracked, outcome: null, outputs: null, i: due.length % BATCH })
      } catch (error) {
        this.#deps.onError('window', error)
      }
    })
    return due
  }

  /**
   * A target seen first, or one whose bundle changed, starts with a state of its own. While the scorer is gone the state
   * waits for it: the same bundle goes on where it was.
   */
  #track(name: string, manifest: Manifest | null): Tracked {
    const known = this.targets.get(name)
    if (known && (manifest === null || known.manifest?.version === manifest.version)) {
      known.manifest = manifest ?? known.manifest
      return known
    }
    const { intervalSeconds } = this.#deps
    const sensitivity = known?.sensitivity ?? this.#deps.sensitivity(name)
    let state = new TargetState(manifest, { intervalSeconds, sensitivity })
    try {
      this.#deps.restore?.(name, state, manifest)
    } catch (error) {
      this.#deps.onError('window', error)
      state = new TargetState(manifest, { intervalSeconds, sensitivity })
    }
    const tracked: Tracked = {
      name,
      state,
      manifest,
      sensitivity,
      escalation: known?.escalation ?? new Escalation(this.#severityBefore(name)),
      hold: known?.hold ?? new ExhaustionHold(),
      lastInstant: known?.lastInstant ?? Number.NEGATIVE_INFINITY,
      assessment: known?.assessment ?? null,
      trust: null,
      shap: null,
      features: null,
      forest: null,
    }
    this.targets.set(name, tracked)
    return tracked
  }

  #severityBefore(name: string): Severity {
    try {
      return this.#deps.severityBefore?.(name) ?? 'none'
    } catch (error) {
      this.#deps.onError('alert', error)
      return 'none'
    }
  }

  /** In batches, so that no message to the scorer is large; while one batch is taken in here, the next is scored there. */
  async #score(due: readonly Due[], scorer: Scorer | null): Promise<void> {
    let ahead = this.#ask(due.slice(0, BATCH), scorer)
    for (let from = 0; from < due.length; from += BATCH) {
      const outputs = await ahead
      ahead = this.#ask(due.slice(from + BATCH, from + 2 * BATCH), scorer)
      await inSlices(due.slice(from, from + BATCH), (one) => {
        one.outputs = outputs
        try {
          one.outcome = one.tracked.state.finish(outputs, one.i)
        } catch (error) {
          this.#deps.onError('score', error)
        }
      })
    }
  }

  /** What the models say of a batch; null where they failed, or there are none. Never rejects. */
  async #ask(batch: readonly Due[], scorer: Scorer | null): Promise<ModelOutputs | null> {
    if (scorer === null || batch.length === 0) return null
    const inputs = emptyInputs(scorer.bundle.manifest, batch.length)
    return await this.#try('score', async () => {
      await inSlices(batch, ({ tracked, i }) => tracked.state.writeInputs(inputs, i))
      return await scorer.score(inputs)
    })
  }

  async #outlooks(due: readonly Due[], scorer: Scorer | null): Promise<ReadonlyMap<string, Outlook>> {
    const { outlook } = this.#deps
    if (outlook === undefined) return new Map()
    const inputs = due.flatMap(({ row, tracked, outcome }): OutlookInput[] => {
      if (outcome === null) return []
      const { scores, health } = outcome
      const { coverage = 1, drift = 1 } = tracked.trust ?? {}
      return [
        scores === null
          ? { row, anomaly: null, health: null, trust: 1 }
          : { row, anomaly: scores.anomaly.ensemble as number, health, trust: coverage * drift },
      ]
    })
    return (await this.#try('outlook', () => outlook(inputs, scorer))) ?? new Map()
  }

  async #assess(due: readonly Due[], outlooks: ReadonlyMap<string, Outlook>): Promise<Published[]> {
    const published: Published[] = []
    await inSlices(due, ({ row, tracked, outcome, outputs, i }) => {
      if (outcome === null) return
      try {
        this.#explain(tracked, outcome, outputs, i)
        const { assessment, trust } = assess({
          row,
          state: tracked.state,
          outcome,
          manifest: tracked.manifest,
          shap: tracked.shap,
          features: tracked.features,
          outlook: outlooks.get(tracked.name) ?? null,
          hold: tracked.hold,
          intervalSeconds: this.#deps.intervalSeconds,
          sensitivity: tracked.sensitivity,
        })
        tracked.assessment = assessment
        tracked.trust = trust
        published.push({ row, assessment })
        this.#alert(tracked, assessment)
      } catch (error) {
        this.#deps.onError('assess', error)
      }
    })
    return published
  }

  #explain(tracked: Tracked, { scores }: RowOutcome, outputs: ModelOutputs | null, i: number): void {
    tracked.shap = null
    tracked.features = null
    const { manifest, state } = tracked
    if (scores === null || outputs === null || manifest === null) return
    const width = KINDS * manifest.signals.length
    tracked.features = outputs.features.subarray(i * width, (i + 1) * width)
    tracked.shap = primaryShap(manifest, outputs.contributions, i, (j) => state.isPresent(j))
  }

  /** The second explanation costs a hundred times the first: only for targets that somebody will look at. */
  async #explainForests(due: readonly Due[], scorer: Scorer | null): Promise<void> {
    let left = FORESTS
    for (const { tracked } of due) {
      tracked.forest = null
      const { features, assessment } = tracked
      if (scorer === null || features === null || assessment === null || assessment.risk === 'green' || left-- <= 0)
        continue
      tracked.forest = await this.#try('explain', () => scorer.explainForest(features))
    }
  }

  #alert(tracked: Tracked, assessment: Assessment): void {
    const from = tracked.escalation.step(assessment.severity)
    if (from === null) return
    const why = assessment.hints.map(hintSentence)
    const message = [`${assessment.target}: ${assessment.severityReason}`, ...why].join('; ')
    const { target, at, severity, health, scores, trust, hints } = assessment
    this.#deps.onAlert({
      target,
      at,
      from,
      severity,
      health,
      confidence: scores?.confidence ?? null,
      trust,
      message,
      hints,
    })
  }

  async #try<T>(step: Step, run: () => T | Promise<T>): Promise<T | null> {
    try {
      return await run()
    } catch (error) {
      this.#deps.onError(step, error)
      return null
    }
  }
}

/** The row without its non-finite values, and how many there were: they never enter a state, a model or a publication. */
function finiteRow(row: Row): { row: Row; refused: number } {
  const { values, resources } = row
  let refused = 0
  for (const name in values) if (!Number.isFinite(values[name])) refused++
  for (const { used } of resources) if (!Number.isFinite(used)) refused++
  if (refused === 0) return { row, refused }
  const kept = Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)))
  return { row: { ...row, values: kept, resources: resources.filter((r) => Number.isFinite(r.used)) }, refused }
}

/** Calls `each` for every item, giving the event loop its turn between slices. */
async function inSlices<T>(items: readonly T[], each: (item: T) => void): Promise<void> {
  let since = performance.now()
  for (const item of items) {
    if (performance.now() - since > SLICE_MS) {
      await new Promise((resolve) => setImmediate(resolve))
      since = performance.now()
    }
    each(item)
  }
}
