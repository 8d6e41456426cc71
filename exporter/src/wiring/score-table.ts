/** Scores a posted table by the bundle in force, as a new target would be scored that sent its rows one by one. */
import { emptyInputs, type ModelOutputs, TargetState } from '@portent/core'
import type { ScoredRow, ScoreOutcome, ScoreTable } from '../api/index.ts'
import type { Scorer } from '../detect/scorer.ts'
import { primaryShap } from '../explain/primary.ts'

export interface TableScorerOptions {
  readonly scorer: () => Scorer | null
  /** Why there is no scorer. */
  readonly reason: () => string | null
  readonly sensitivity: () => number
}

export class TableScorer {
  readonly #options: TableScorerOptions
  #busy = false

  constructor(options: TableScorerOptions) {
    this.#options = options
  }

  /** One table at a time. */
  async score(table: ScoreTable): Promise<ScoreOutcome> {
    const scorer = this.#options.scorer()
    if (scorer === null) {
      return { ok: false, reason: 'no_model', message: `no bundle is loaded: ${this.#options.reason() ?? 'none yet'}` }
    }
    const { interval_seconds } = scorer.bundle.manifest
    const { intervalSeconds } = table
    if (intervalSeconds !== null && intervalSeconds !== interval_seconds) {
      const message = `the bundle scores rows of ${interval_seconds} s, the table has rows of ${intervalSeconds} s`
      return { ok: false, reason: 'interval', message }
    }
    if (this.#busy) return { ok: false, reason: 'busy', message: 'another table is being scored' }
    this.#busy = true
    try {
      return await this.#score(table, scorer)
    } finally {
      this.#busy = false
    }
  }

  /**
   * A row a call, since the centre of a row depends on the row before; the scoring thread takes calls in turn, so a live
   * batch waits for one row at most.
   */
  async #score({ signals, rows, times, budget, attributions }: ScoreTable, scorer: Scorer): Promise<ScoreOutcome> {
    const { manifest } = scorer.bundle
    const intervalSeconds = manifest.interval_seconds
    const state = new TargetState(manifest, {
      intervalSeconds,
      sensitivity: this.#options.sensitivity(),
      ...(budget !== null && { budget }),
    })
    const inputs = emptyInputs(manifest, 1)
    const scored: ScoredRow[] = []
    for (const [i, row] of rows.entries()) {
      state.push(times?.[i] ?? i * intervalSeconds * 1000, valuesOf(signals, row))
      state.writeInputs(inputs, 0)
      let outputs: ModelOutputs | null = null
      try {
        outputs = await scorer.score(inputs)
      } catch (error) {
        if (!scorer.alive) return { ok: false, reason: 'no_model', message: (error as Error).message }
        // The models could not take this row; the rules can.
      }
      const { scores, health } = state.finish(outputs, 0)
      const shap =
        attributions && scores && outputs
          ? primaryShap(manifest, outputs.contributions, 0, (j) => state.isPresent(j))
          : null
      scored.push({
        score: scores?.ranking ?? null,
        raw: scores?.raw ?? null,
        anomaly: scores?.anomaly.ensemble ?? null,
        threshold: scores?.threshold ?? null,
        alarm: scores?.alarm ?? null,
        confidence: scores?.confidence ?? null,
        health,
        attribution: shap && { base: shap.base, output: shap.output, signals: shap.signals },
      })
    }
    const known = new Set(manifest.signals.map((s) => s.name))
    const ignored = signals.filter((name) => !known.has(name))
    return { ok: true, version: manifest.version, intervalSeconds, ignored, rows: scored }
  }
}

function valuesOf(signals: readonly string[], row: readonly (number | null)[]): Record<string, number> {
  const values: Record<string, number> = {}
  signals.forEach((name, j) => {
    const value = row[j]
    if (value !== null && value !== undefined) values[name] = value
  })
  return values
}
