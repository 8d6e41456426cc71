/** Scores -> Assessment: the one place where health, risk, severity, trust and hints come together. Pure. */
import { type Manifest, RED, type RowOutcome, type TargetState, YELLOW } from '@portent/core'
import type { PrimaryShap } from '../explain/primary.ts'
import type { Assessment, Outlook, Risk, Row } from '../types.ts'
import { hintsOfPenalties, hintsOfShap } from './hints.ts'
import type { ExhaustionHold, Foreseen } from './hold.ts'
import { severityOf } from './severity.ts'
import { symptomsOf } from './symptoms.ts'
import { type Trust, trustOf } from './trust.ts'
import { hintSentence } from './words.ts'

export interface AssessInputs {
  readonly row: Row
  readonly state: TargetState
  readonly outcome: RowOutcome
  readonly manifest: Manifest | null
  readonly shap: PrimaryShap | null
  /** Centred standardised features of the row [F], null where rules alone speak. */
  readonly features: Float64Array | null
  /** What is to come; null where nothing can be said. */
  readonly outlook: Outlook | null
  /** What keeps the severity by exhaustion steady. Default: every row for itself. */
  readonly hold?: ExhaustionHold
  readonly intervalSeconds: number
  readonly sensitivity: number
}

export interface Assessed {
  readonly assessment: Assessment
  readonly trust: Trust
}

/** Below this anomaly score there is nothing to explain: naming a signal would be noise. */
const WORTH_A_HINT = 0.5

export function assess(inputs: AssessInputs): Assessed {
  const { row, state, outcome, manifest, shap, features, intervalSeconds } = inputs
  const { scores, penalties, drift } = outcome
  const usual = (signal: string) => state.usual.range(signal)
  const risk = riskOf(outcome)
  const trust = trustOf({
    coverage: state.coverage,
    rows: state.rows,
    intervalSeconds,
    driftDetected: state.drift?.detected ?? false,
    modelActive: scores !== null,
  })
  const symptoms = symptomsOf(row.values, penalties, state.usual.middle('response_time'))
  const { severity, reason } = severityOf({
    risk,
    alarm: scores?.alarm ?? false,
    confidence: scores?.confidence ?? null,
    trust: trust.value,
    symptoms,
    resources: row.resources,
    exhaustion: exhaustionOf(inputs),
  })
  const anomaly = scores?.anomaly.ensemble ?? 0
  const hints =
    shap && features && anomaly >= WORTH_A_HINT
      ? hintsOfShap(shap, features, { values: row.values, usual, stopped: scores?.stopped ?? [] })
      : hintsOfPenalties(penalties, usual)

  const assessment: Assessment = {
    target: row.target,
    at: row.at,
    model: scores ? 'active' : 'fallback',
    version: scores && manifest ? manifest.version : null,
    health: outcome.health,
    risk,
    riskReason: riskReason(outcome, hints.map(hintSentence)),
    severity,
    severityReason: reason,
    penalties,
    symptoms,
    scores,
    shap: scores && shap ? { base: shap.base, output: shap.output, signals: shap.signals } : null,
    hints,
    outlook: inputs.outlook,
    drift,
    warmup: {
      window: state.windowProgress,
      failure: inputs.outlook?.failureProgress ?? 0,
      drift: state.drift?.rate.progress ?? 0,
    },
    coverage: state.coverage,
    trust: trust.value,
    sensitivity: inputs.sensitivity,
    values: row.values,
    resources: row.resources,
  }
  return { assessment, trust }
}

function riskOf({ risk }: RowOutcome): Risk {
  return risk === RED ? 'red' : risk === YELLOW ? 'yellow' : 'green'
}

function exhaustionOf({ row, outlook, hold }: AssessInputs): Foreseen[] {
  const at = row.at / 1000
  const foreseen = (outlook?.resources ?? []).flatMap(({ resource, lower, sentence }) =>
    sentence === null ? [] : [{ resource, seconds: lower - at, sentence }],
  )
  return hold?.step(at, foreseen) ?? foreseen
}

function riskReason({ health, scores, penalties }: RowOutcome, hints: readonly string[]): string {
  const parts = [`health ${health.toFixed(0)}`]
  if (scores) parts.push(`anomaly ${(scores.anomaly.ensemble as number).toFixed(2)} of the threshold`)
  if (scores?.recurring) parts.push('recurs at this hour')
  const points = penalties.reduce((sum, p) => sum + p.points, 0)
  if (points > 0) parts.push(`${points.toFixed(0)} points off for ${penalties.map((p) => p.signal).join(', ')}`)
  return [parts.join(', '), ...hints].join('; ')
}
